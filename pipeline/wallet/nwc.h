// Nostr Wallet Connect (NIP-47): the wallet that the operator already has (Alby Hub, Primal, coinos …), spoken to in
// encrypted events over its relay. Not every such wallet can do everything: what it can is in its info event (13194).
// It takes no preimage: the order is kept in the invoice's metadata, and looked for before it is carried out. Pure.
#pragma once

#include <map>
#include <memory>

#include "base/lifetime.h"
#include "base/random.h"
#include "base/scheduler.h"
#include "pipeline/nostr/encryption.h"
#include "pipeline/nostr/keys.h"
#include "pipeline/nostr/relays.h"
#include "pipeline/wallet/ports.h"

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

struct NwcReply;  // JSON, in nwc.cc

// A wallet that receives, and, with a connection that may, one that pays back: its budget is its fee limit.
class NwcWallet final : public Wallet, public Payer {
 public:
  // `relays` reaches those of the URI and listens there for nwc_filters().
  NwcWallet(nostr::Relays& relays, base::Scheduler& scheduler, base::Random random, WalletPorts ports, NwcUri uri);
  ~NwcWallet() override;

  // What comes for nwc_filters(), verified.
  void on_event(const nostr::Event& event);
  // A relay is back: what it said meanwhile is lost.
  void on_connected();
  // A relay is gone: what was asked there may never be answered.
  void on_disconnected();
  // Who we are there (NIP-42).
  nostr::Event sign_auth(const std::string& url, const std::string& challenge, base::TimeMs now) const;

  std::string kind() const override { return "nwc"; }
  // Whether it holds is known when it has answered something; until then we hope so.
  Abilities abilities() const override {
    return {.repeats = Repeats::by_label,
            .pushes = true,
            .lists = true,
            .holds = can("make_hold_invoice"),
            .takes_fees = true};
  }
  bool play_money() const override { return ports_.play_money; }
  base::Msat unit() const override { return {1000}; }  // the protocol has msat; many wallets do not
  base::Msat minimum() const override { return {1000}; }
  void create_invoice(const InvoiceOrder& order, std::function<void(base::Result<MadeInvoice>)> done) override;
  void look_up(const ledger::InvoiceIssued& invoice, std::function<void(base::Result<LookupAnswer>)> done) override;
  void status(std::function<void(base::Result<WalletStatus>)> done) override;
  void take(const InvoiceOrder& order, std::function<void(base::Result<void>)> done) override;
  void give_back(const InvoiceOrder& order, std::function<void(base::Result<void>)> done) override;
  void list_paid(base::TimeMs since, std::function<void(base::Result<std::vector<PaidInvoice>>)> done) override;
  void pay(const PaymentOrder& order, std::function<void(base::Result<PaymentAnswer>)> done) override;
  void look_up(const PaymentOrder& order, std::function<void(base::Result<PaymentAnswer>)> done) override;
  void on_news(News news) override { news_ = std::move(news); }

 private:
  void list_page(const std::shared_ptr<Listing>& listing);
  using OnReply = std::function<void(const base::Result<NwcReply>&)>;

  void ask(const std::string& method, const std::string& params, OnReply done);
  void send(const std::string& method, const std::string& params, OnReply done);
  void learn_abilities(std::function<void()> then);
  void read_info(const std::vector<nostr::Event>& events);
  void make(const InvoiceOrder& order, std::function<void(base::Result<MadeInvoice>)> done);
  void make_hold(const InvoiceOrder& order, std::function<void(base::Result<MadeInvoice>)> done);
  bool was_given_back(const ledger::InvoiceIssued& invoice) const;
  void tell(const std::string& method, const std::string& params, std::function<void(base::Result<void>)> done);
  void on_response(const nostr::Event& event);
  void on_notification(const nostr::Event& event);
  void answer(const nostr::EventId& request, const base::Result<NwcReply>& reply);
  bool can(std::string_view method) const;

  nostr::Relays& relays_;
  base::Scheduler& scheduler_;
  const base::Random random_;
  const WalletPorts ports_;
  const NwcUri uri_;
  News news_;
  std::map<nostr::EventId, OnReply> waiting_;
  std::optional<ledger::Encryption> form_;            // once the info event was read
  std::vector<std::string> methods_;                  // empty: not known
  std::vector<std::function<void()>> learning_;       // what waits for the info event
  std::map<base::Hash256, base::TimeMs> given_back_;  // asked for then, and answered: it holds nothing any more
  base::Lifetime lifetime_;
};

}  // namespace wallet
