// The encrypted events of Nostr Wallet Connect (NIP-47): our requests, the wallet's responses and notifications, and
// what the wallet says that it is able to do. nwc.h is the wallet on top of it. Pure.
#pragma once

#include <map>
#include <nlohmann/json.hpp>

#include "base/lifetime.h"
#include "base/random.h"
#include "base/scheduler.h"
#include "pipeline/nostr/encryption.h"
#include "pipeline/nostr/keys.h"
#include "pipeline/nostr/relays.h"
#include "pipeline/wallet/wallet.h"

namespace wallet {

inline constexpr std::uint32_t kNwcInfoKind = 13194;
inline constexpr std::uint32_t kNwcRequestKind = 23194;
inline constexpr std::uint32_t kNwcResponseKind = 23195;
inline constexpr std::uint32_t kNwcOldNotificationKind = 23196;  // NIP-04
inline constexpr std::uint32_t kNwcNotificationKind = 23197;     // NIP-44

// nostr+walletconnect://<wallet's key>?relay=…&secret=…
struct NwcUri {
  nostr::PublicKey wallet;
  std::vector<std::string> relays;  // at least one
  nostr::SecretKey secret;

  // Fails with "wallet.nwc_uri"; the message repeats nothing of the text.
  static base::Result<NwcUri> parse(std::string_view text);
};

// What is listened for on its relays.
std::vector<nostr::Filter> nwc_filters(const NwcUri& uri);

// The wallet's response to one request.
struct NwcReply {
  nlohmann::json result;   // null: the request failed
  std::string error_code;  // as in NIP-47: NOT_FOUND …
  std::string error;
  std::string said;  // the whole response, decrypted
};

// The result; if there is none, "wallet.unauthorized" or "wallet.refused".
base::Result<nlohmann::json> result_of(const NwcReply& reply);

class NwcConnection {
 public:
  using OnReply = std::function<void(const base::Result<NwcReply>&)>;

  // `relays` reaches those of the URI and listens there for nwc_filters().
  NwcConnection(nostr::Relays& relays, base::Scheduler& scheduler, base::Random random, NwcUri uri);

  // What comes for nwc_filters(), verified.
  void on_event(const nostr::Event& event);
  // A relay is back: what it said meanwhile is lost.
  void on_connected();
  // A relay is gone: what was asked there may never be answered.
  void on_disconnected();
  // Our authentication at this relay (NIP-42).
  nostr::Event sign_auth(const std::string& url, const std::string& challenge, base::TimeMs now) const;

  // Calls `then` when the wallet's info event was read, or when no relay could be asked for it.
  void learn_abilities(std::function<void()> then);
  // Whether the wallet carries out this method, as far as it has said so: true while nothing is known.
  bool can(std::string_view method) const;
  // `done` is called exactly once. Fails with "wallet.unreachable" when no response comes within ten seconds, and with
  // "wallet.malformed" when it cannot be read. That the wallet refuses is a reply, not an error.
  void ask(const std::string& method, const nlohmann::json& params, OnReply done);
  // See Wallet::on_news().
  void on_news(Wallet::News news) { news_ = std::move(news); }

 private:
  void read_info(const std::vector<nostr::Event>& events);
  void send(const std::string& method, const nlohmann::json& params, OnReply done);
  void on_response(const nostr::Event& event);
  void on_notification(const nostr::Event& event);
  void answer(const nostr::EventId& request, const base::Result<NwcReply>& reply);

  nostr::Relays& relays_;
  base::Scheduler& scheduler_;
  const base::Random random_;
  const NwcUri uri_;
  Wallet::News news_;
  std::map<nostr::EventId, OnReply> waiting_;
  std::optional<ledger::Encryption> form_;       // known once the info event was read
  std::vector<std::string> methods_;             // empty: not known
  std::vector<std::function<void()>> learning_;  // callbacks that wait for the info event
  base::Lifetime lifetime_;
};

}  // namespace wallet
