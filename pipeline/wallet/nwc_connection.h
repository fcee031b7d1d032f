// The encrypted events of Nostr Wallet Connect (NIP-47): our requests, the wallet's responses and notifications, and
// the abilities that the wallet reports. nwc.h is the wallet on top of it. Pure.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

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

// The filters to subscribe to at the relays of the URI.
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

  // Call it with every verified event that matches nwc_filters().
  void on_event(const nostr::Event& event);
  // This relay is connected again. What the wallet sent through it in the meantime is lost.
  void on_connected(const std::string& relay);
  // This relay is disconnected or could not be reached. One connected relay is enough. When the last one is lost, the
  // open requests fail, because their answers may never come.
  void on_disconnected(const std::string& relay);
  // Our authentication at this relay (NIP-42).
  nostr::Event sign_auth(const std::string& url, const std::string& challenge, base::TimeMs now) const;

  // The wallet's key and ours: together they name the account.
  std::string account() const;

  using OnLearnt = std::function<void(const base::Result<void>&)>;

  // Finds out the wallet's abilities, then calls `then`: from its info event or, without one, from its answer to
  // get_info. A wallet that refuses get_info reports no abilities; that is a success too. Fails with
  // "wallet.unreachable" or "wallet.malformed"; the next call tries again.
  void learn_abilities(OnLearnt then);
  // Whether that was done.
  bool learnt() const { return form_.has_value() && !learning_by_asking_; }
  // Whether the wallet reports that it carries out this method, or sends these notifications. Its answer to get_info,
  // which is about this connection, overrides its info event. A refusal of the method as not implemented overrides
  // both.
  bool can(std::string_view method) const;
  bool notifies(std::string_view type) const;
  // Whether this method is worth a try: the wallet says that it can, or says nothing.
  bool may(std::string_view method) const;
  // `done` is called exactly once. Fails with "wallet.unreachable" when no response comes within ten seconds, and with
  // "wallet.malformed" when it cannot be read. A refusal by the wallet is a reply, not an error.
  void ask(const std::string& method, const nlohmann::json& params, OnReply done);
  // See Wallet::on_news().
  void on_news(Wallet::News news) { news_ = std::move(news); }

 private:
  struct Search;
  // Methods, or types of notifications; empty: not told.
  using Words = std::vector<std::string>;

  void on_info(const std::shared_ptr<Search>& search, const base::Result<std::vector<nostr::Event>>& found);
  void end_search(const std::shared_ptr<Search>& search);
  void read_info(const nostr::Event& info);
  void ask_for_abilities(ledger::Encryption form);
  void learn_from(const std::string& method, const NwcReply& reply);
  void learning_ends(const base::Result<void>& result);
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
  std::set<std::string> live_;              // relays
  std::optional<ledger::Encryption> form_;  // known once the info event was read, or is known to be missing
  bool learning_by_asking_ = false;         // by get_info, encrypted in form_, because there is no info event
  Words methods_;
  Words notifications_;
  std::set<std::string, std::less<>> not_implemented_;  // methods, by the wallet's answers
  std::vector<OnLearnt> learning_;                      // callbacks of learn_abilities() that wait
  base::Lifetime lifetime_;
};

}  // namespace wallet
