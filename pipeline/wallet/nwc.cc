#include "pipeline/wallet/nwc.h"

#include "pipeline/wallet/nwc_connection.h"
#include "pipeline/wallet/replies.h"

namespace wallet {

using base::ErrorKind;
using base::fail;
using base::Msat;
using base::Result;

namespace {

constexpr char kNwcOrder[] = "sellcompute_order";          // in an invoice's metadata
constexpr int kNwcHoldBlocks = 144;                        // about a day: then the network gives back what is held
constexpr std::int64_t kLongestHoldMs = 2 * base::kDayMs;  // no chain is that slow
constexpr int kNwcCallsPerMinute = 30;                     // with as many at once, no more than 60 in a minute
constexpr int kNwcLookedThrough = 50;                      // of the newest transactions
constexpr std::size_t kMaxGivenBack = 1'000;               // remembered

Result<void> carried_out(const Result<NwcReply>& reply) {
  return reply.and_then(result_of).map([](const Json&) {});
}

MadeInvoice made_by_nwc(const Json& transaction) {
  return {.bolt11 = text(transaction, "invoice"), .payment_hash = hash(transaction, "payment_hash")};
}

std::optional<MadeInvoice> find_made_by_nwc(const Json& result, const InvoiceOrder& order) {
  for (const Json& one : member(result, "transactions")) {
    const bool same =
        text(member(one, "metadata"), kNwcOrder) == label(order) && integer(one, "amount") == order.amount.value;
    if (same && !text(one, "invoice").empty()) return made_by_nwc(one);
  }
  return std::nullopt;
}

// `state` came late to the protocol: without it a time of settlement says it.
bool is_settled(const Json& invoice) {
  const std::string state = text(invoice, "state");
  return state.empty() ? integer(invoice, "settled_at").value_or(0) > 0 : state == "settled";
}

// Alby Hub says "expired" of all that is past its time and not settled, whether it is held, went back or was never
// paid. That it was held once is seen by its deadline; that it no longer is, by its answer to cancel_hold_invoice.
bool may_be_held(const ledger::InvoiceIssued& asked, const Json& invoice, base::TimeMs now) {
  return asked.hold && text(invoice, "state") == "expired" && integer(invoice, "settle_deadline").value_or(0) > 0 &&
         now < asked.expires_at + kLongestHoldMs;
}

Result<LookupAnswer> read_nwc_invoice(const ledger::InvoiceIssued& asked, const Json& invoice, const std::string& said,
                                      base::TimeMs now) {
  if (hash(invoice, "payment_hash") != asked.payment_hash) return malformed("another invoice than was asked for");
  const std::string state = text(invoice, "state");
  if (state == "failed" && asked.hold) return GivenBack{evidence(said)};
  if (may_be_held(asked, invoice, now)) return held(asked, msat(invoice, "amount"), said);
  if (state == "expired" || state == "failed") return Expired{evidence(said)};
  if (state == "accepted" && asked.hold) return held(asked, msat(invoice, "amount"), said);
  if (!is_settled(invoice)) return state == "accepted" ? Open{} : unpaid(asked, now, said);
  return settled(asked, {.received = msat(invoice, "amount"),
                         .fee = fee_msat(invoice, "fees_paid"),
                         .settled_at = time_s(invoice, "settled_at", now),
                         .preimage = hash(invoice, "preimage").value_or(base::Hash256{}),
                         .said = said});
}

}  // namespace

NwcWallet::NwcWallet(NwcConnection& connection, WalletPorts ports)
    : connection_(connection), ports_(std::move(ports)) {}

Abilities NwcWallet::abilities() const {
  return {.repeats = Repeats::by_label,
          .pushes = connection_.learnt() && connection_.notifies("payment_received"),
          .lists = connection_.may("list_transactions"),
          .holds = holds(),
          .takes_fees = true,
          .calls_per_minute = kNwcCallsPerMinute};
}

// A payment that could be held, and not be taken or given back, would be nobody's.
bool NwcWallet::holds() const {
  return !connection_.learnt() || (connection_.can("make_hold_invoice") && connection_.can("settle_hold_invoice") &&
                                   connection_.can("cancel_hold_invoice"));
}

std::string NwcWallet::account() const {
  return connection_.account();
}

void NwcWallet::on_news(News news) {
  connection_.on_news(std::move(news));
}

// ---- the wallet -----------------------------------------------------------------------------------------------------

void NwcWallet::create_invoice(const InvoiceOrder& order, std::function<void(Result<MadeInvoice>)> done) {
  connection_.learn_abilities([this, order, done = std::move(done)](const Result<void>& learnt) {
    if (!learnt) return done(tl::unexpected(learnt.error()));
    if (order.hold) return make_hold(order, done);
    if (!connection_.may("list_transactions")) return make(order, done);
    find_or_make(order, done);
  });
}

// A wallet that does not say that it lists, and does not, may still make invoices.
void NwcWallet::find_or_make(const InvoiceOrder& order, std::function<void(Result<MadeInvoice>)> done) {
  const Json params = {{"type", "incoming"}, {"unpaid", true}, {"limit", kNwcLookedThrough}};
  connection_.ask("list_transactions", params, [this, order, done = std::move(done)](const Result<NwcReply>& reply) {
    const auto listed = reply.and_then(result_of);
    if (auto made = listed ? find_made_by_nwc(*listed, order) : std::nullopt) return done(std::move(*made));
    const bool silent = !reply && connection_.can("list_transactions");
    if (silent || (!listed && listed.error().code == "wallet.rate_limited"))
      return done(tl::unexpected(listed.error()));
    make(order, done);
  });
}

void NwcWallet::make(const InvoiceOrder& order, std::function<void(Result<MadeInvoice>)> done) {
  const Json params = {{"amount", order.amount.value},
                       {"description", order.description},
                       {"expiry", order.expiry_ms / 1000},
                       {"metadata", {{kNwcOrder, label(order)}}}};
  connection_.ask("make_invoice", params, [done = std::move(done)](const Result<NwcReply>& reply) {
    done(reply.and_then(result_of).map([](const Json& made) { return made_by_nwc(made); }));
  });
}

// Its hash is ours, so it is looked for by that.
void NwcWallet::make_hold(const InvoiceOrder& order, std::function<void(Result<MadeInvoice>)> done) {
  if (!holds()) {
    return done(refused("it has no hold invoices", "sell with payment_first or result_first"));
  }
  const base::Hash256 payment_hash = base::sha256(ports_.preimage(order).view());
  const auto made = [payment_hash](const Result<NwcReply>& reply) {
    return reply.and_then(result_of).map(
        [&](const Json& said) { return MadeInvoice{.bolt11 = text(said, "invoice"), .payment_hash = payment_hash}; });
  };
  connection_.ask("lookup_invoice", Json{{"payment_hash", payment_hash.hex()}},
                  [this, order, payment_hash, made, done = std::move(done)](const Result<NwcReply>& known) {
                    if (!known) return done(tl::unexpected(known.error()));
                    if (known->error_code != "NOT_FOUND") return done(made(known));
                    const Json params = {{"amount", order.amount.value},
                                         {"description", order.description},
                                         {"expiry", order.expiry_ms / 1000},
                                         {"payment_hash", payment_hash.hex()},
                                         {"min_cltv_expiry_delta", kNwcHoldBlocks}};
                    connection_.ask("make_hold_invoice", params,
                                    [made, done](const Result<NwcReply>& reply) { done(made(reply)); });
                  });
}

void NwcWallet::take(const InvoiceOrder& order, std::function<void(Result<void>)> done) {
  connection_.ask("settle_hold_invoice", Json{{"preimage", ports_.preimage(order).hex()}},
                  [done = std::move(done)](const Result<NwcReply>& reply) { done(carried_out(reply)); });
}

void NwcWallet::give_back(const InvoiceOrder& order, std::function<void(Result<void>)> done) {
  const base::Hash256 payment_hash = base::sha256(ports_.preimage(order).view());
  connection_.ask(
      "cancel_hold_invoice", Json{{"payment_hash", payment_hash.hex()}},
      [this, payment_hash, asked_at = ports_.clock(), done = std::move(done)](const Result<NwcReply>& reply) {
        if (given_back_.size() >= kMaxGivenBack) given_back_.clear();  // those that are asked about are told again
        if (reply && (!reply->result.is_null() || reply->error_code == "NOT_FOUND"))
          given_back_[payment_hash] = asked_at;
        done(carried_out(reply));
      });
}

// While it could still be paid, a new payment may have come after that.
bool NwcWallet::was_given_back(const ledger::InvoiceIssued& invoice) const {
  const auto found = given_back_.find(invoice.payment_hash);
  return found != given_back_.end() && found->second >= invoice.expires_at;
}

void NwcWallet::look_up(const ledger::InvoiceIssued& invoice, std::function<void(Result<LookupAnswer>)> done) {
  connection_.ask("lookup_invoice", Json{{"payment_hash", invoice.payment_hash.hex()}},
                  [this, invoice, done = std::move(done)](const Result<NwcReply>& reply) {
                    if (!reply) return done(tl::unexpected(reply.error()));
                    if (reply->error_code == "NOT_FOUND") return done(Unknown{});
                    const auto result = result_of(*reply);
                    if (!result) return done(tl::unexpected(result.error()));
                    if (may_be_held(invoice, *result, ports_.clock()) && was_given_back(invoice))
                      return done(GivenBack{evidence(reply->said)});
                    done(read_nwc_invoice(invoice, *result, reply->said, ports_.clock()));
                  });
}

void NwcWallet::status(std::function<void(Result<WalletStatus>)> done) {
  connection_.learn_abilities([this, done = std::move(done)](const Result<void>& learnt) {
    if (!learnt) return done(tl::unexpected(learnt.error()));
    if (!connection_.may("get_info")) return add_balance({.name = "NWC"}, done);
    connection_.ask("get_info", Json::object(), [this, done](const Result<NwcReply>& reply) {
      if (!reply) return done(tl::unexpected(reply.error()));
      const auto info = result_of(*reply);
      // A connection that may only receive is often told neither this nor the balance: that is no fault.
      const bool withheld = reply->error_code == "NOT_IMPLEMENTED" || reply->error_code == "RESTRICTED";
      if (!info && !(withheld && connection_.may("make_invoice") && connection_.may("lookup_invoice")))
        return done(tl::unexpected(info.error()));
      const std::string alias = text(reply->result, "alias");
      add_balance({.name = alias.empty() ? "NWC" : alias, .network = network_named(text(reply->result, "network"))},
                  done);
    });
  });
}

void NwcWallet::add_balance(WalletStatus found, std::function<void(Result<WalletStatus>)> done) {
  if (!connection_.may("get_balance")) return done(std::move(found));
  connection_.ask("get_balance", Json::object(),
                  [found = std::move(found), done = std::move(done)](const Result<NwcReply>& told) {
                    WalletStatus out = found;
                    if (told) out.balance = balance(msat(told->result, "balance"));
                    done(std::move(out));
                  });
}

// ---- what was paid --------------------------------------------------------------------------------------------------

void NwcWallet::list_paid(const ListOrder& order, std::function<void(Result<std::vector<PaidInvoice>>)> done) {
  if (!connection_.may("list_transactions")) return Wallet::list_paid(order, std::move(done));
  list_page(std::make_shared<Listing>(Listing{order, std::move(done)}));
}

void NwcWallet::list_page(const std::shared_ptr<Listing>& listing) {
  const Json params = {{"type", "incoming"},
                       {"from", listing->order.since.ms / 1000},
                       {"limit", kNwcLookedThrough},
                       {"offset", listing->seen}};
  connection_.ask("list_transactions", params, [this, listing](const Result<NwcReply>& reply) {
    const auto page = reply.and_then(result_of);
    if (!page) return listing->done(tl::unexpected(page.error()));
    const Json& list = member(*page, "transactions");
    if (!list.is_array()) return listing->done(malformed("no list of transactions"));
    for (const Json& one : list) {
      if (text(one, "type") == "outgoing" || !is_settled(one)) continue;
      listing->keep(hash(one, "payment_hash"), msat(one, "amount").value_or(Msat{}), time_s(one, "settled_at", {}),
                    text(one, "description"));
    }
    listing->seen += list.size();
    const bool last = list.size() < static_cast<std::size_t>(kNwcLookedThrough) || listing->full();
    if (last) {
      listing->end();
    } else {
      listing->next_page([this, listing] { list_page(listing); });
    }
  });
}

// ---- paying back ----------------------------------------------------------------------------------------------------

namespace {

Result<PaymentAnswer> read_outgoing(const PaymentOrder& order, const Json& payment, const std::string& said,
                                    base::TimeMs now) {
  // Its own invoice, if the customer has theirs there too: that it is paid does not say by whom.
  const bool theirs = text(payment, "type") == "incoming";
  if (theirs && is_settled(payment)) return PaymentUnderWay{};
  if (theirs) return Unknown{};
  if (hash(payment, "payment_hash") != order.payment_hash) return malformed("another payment than was asked for");
  if (text(payment, "state") == "failed") return PaymentFailed{"the wallet says that it failed"};
  if (!is_settled(payment)) return PaymentUnderWay{};
  return made(order, {.fee = fee_msat(payment, "fees_paid"),
                      .paid_at = time_s(payment, "settled_at", now),
                      .preimage = hash(payment, "preimage").value_or(base::Hash256{}),
                      .evidence = evidence(said)});
}

}  // namespace

void NwcWallet::pay(const PaymentOrder& order, std::function<void(Result<PaymentAnswer>)> done) {
  connection_.ask("pay_invoice", Json{{"invoice", order.bolt11}},
                  [this, order, done = std::move(done)](const Result<NwcReply>& reply) {
                    if (!reply) return done(tl::unexpected(reply.error()));
                    const auto result = result_of(*reply);
                    if (!result) return done(tl::unexpected(result.error()));
                    done(made(order, {.fee = fee_msat(*result, "fees_paid"),
                                      .paid_at = ports_.clock(),
                                      .preimage = hash(*result, "preimage").value_or(base::Hash256{}),
                                      .evidence = evidence(reply->said)}));
                  });
}

void NwcWallet::look_up(const PaymentOrder& order, std::function<void(Result<PaymentAnswer>)> done) {
  connection_.ask("lookup_invoice", Json{{"payment_hash", order.payment_hash.hex()}},
                  [this, order, done = std::move(done)](const Result<NwcReply>& reply) {
                    if (!reply) return done(tl::unexpected(reply.error()));
                    if (reply->error_code == "NOT_FOUND") return done(Unknown{});
                    const auto result = result_of(*reply);
                    if (!result) return done(tl::unexpected(result.error()));
                    done(read_outgoing(order, *result, reply->said, ports_.clock()));
                  });
}

}  // namespace wallet
