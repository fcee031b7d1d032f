#include "pipeline/wallet/core_lightning.h"

#include "pipeline/wallet/replies.h"

namespace wallet {

using base::Msat;
using base::Result;

namespace {

constexpr std::int64_t kDuplicateLabel = 900;
constexpr std::int64_t kDuplicatePreimage = 901;  // said first when both repeat
constexpr std::int64_t kWaitSeconds = 60;         // of one wait for a payment
constexpr std::int64_t kWaitAgainMs = 5'000;      // after the node was away
constexpr std::int64_t kCoreLightningPayPatienceS = 60;
constexpr std::size_t kCoreLightningPage = 500;  // invoices

Result<Json> result_of_core_lightning(const RpcReply& reply) {
  if (reply.result.empty()) return refused(reply.error);
  return parse(std::string_view(reply.result));
}

// The one invoice that a list was asked for; null when there is none.
Result<Json> only_invoice(const RpcReply& reply) {
  const auto result = result_of_core_lightning(reply);
  if (!result) return tl::unexpected(result.error());
  const Json& invoices = member(*result, "invoices");
  if (!invoices.is_array()) return malformed("no list of invoices");
  return invoices.empty() ? Json() : invoices.front();
}

MadeInvoice made_by_core_lightning(const Json& said) {
  return {.bolt11 = text(said, "bolt11"), .payment_hash = hash(said, "payment_hash")};
}

// "1000msat", as older versions write it, or 1000.
std::optional<Msat> core_lightning_msat(const Json& from, const char* name) {
  std::string written = text(from, name);
  if (!written.ends_with("msat")) return msat(from, name);
  written.resize(written.size() - 4);
  return msat(Json{{"amount", written}}, "amount");
}

Result<LookupAnswer> read_core_lightning_invoice(const ledger::InvoiceIssued& asked, const RpcReply& reply,
                                                 base::TimeMs now) {
  const auto invoice = only_invoice(reply);
  if (!invoice) return tl::unexpected(invoice.error());
  if (invoice->is_null()) return Unknown{};
  if (hash(*invoice, "payment_hash") != asked.payment_hash) return malformed("another invoice than was asked for");
  const std::string status = text(*invoice, "status");
  const std::string said = invoice->dump(-1, ' ', false, Json::error_handler_t::replace);
  if (status == "expired") return Expired{evidence(said)};
  if (status == "unpaid") return unpaid(asked, now, said);
  if (status != "paid") return malformed("the status \"" + status.substr(0, 20) + "\"");
  return settled(asked, {.received = core_lightning_msat(*invoice, "amount_received_msat"),
                         .settled_at = time_s(*invoice, "paid_at", now),
                         .index = static_cast<std::uint64_t>(integer(*invoice, "pay_index").value_or(0)),
                         .preimage = hash(*invoice, "payment_preimage").value_or(base::Hash256{}),
                         .said = said});
}

}  // namespace

void CoreLightningWallet::create_invoice(const InvoiceOrder& order, std::function<void(Result<MadeInvoice>)> done) {
  const Json params = {{"amount_msat", order.amount.value},
                       {"label", label(order)},
                       {"description", order.description},
                       {"expiry", order.expiry_ms / 1000},
                       {"preimage", ports_.preimage(order).hex()}};
  rpc_.call({.method = "invoice", .params = params.dump()},
            [this, order, done = std::move(done)](const Result<RpcReply>& reply) {
              if (!reply) return done(tl::unexpected(reply.error()));
              const bool repeated = reply->error_code == kDuplicateLabel || reply->error_code == kDuplicatePreimage;
              if (repeated) return find_made(order, done);
              done(result_of_core_lightning(*reply).map([](const Json& made) { return made_by_core_lightning(made); }));
            });
}

void CoreLightningWallet::find_made(const InvoiceOrder& order, std::function<void(Result<MadeInvoice>)> done) {
  rpc_.call({.method = "listinvoices", .params = Json{{"label", label(order)}}.dump()},
            [done = std::move(done)](const Result<RpcReply>& reply) {
              const auto made = reply.and_then(only_invoice);
              if (!made) return done(tl::unexpected(made.error()));
              if (made->is_null()) return done(refused("the order's label or preimage is used, and cannot be found"));
              done(made_by_core_lightning(*made));
            });
}

void CoreLightningWallet::look_up(const ledger::InvoiceIssued& invoice,
                                  std::function<void(Result<LookupAnswer>)> done) {
  rpc_.call({.method = "listinvoices", .params = Json{{"payment_hash", invoice.payment_hash.hex()}}.dump()},
            [this, invoice, done = std::move(done)](const Result<RpcReply>& reply) {
              done(reply.and_then(
                  [&](const RpcReply& said) { return read_core_lightning_invoice(invoice, said, ports_.clock()); }));
            });
}

void CoreLightningWallet::status(std::function<void(Result<WalletStatus>)> done) {
  rpc_.call({.method = "getinfo"}, [this, done = std::move(done)](const Result<RpcReply>& reply) {
    const auto info = reply.and_then(result_of_core_lightning);
    if (!info) return done(tl::unexpected(info.error()));
    node_ = text(*info, "id");
    const WalletStatus found{.name = "Core Lightning " + text(*info, "alias"),
                             .network = network_named(text(*info, "network"))};
    rpc_.call({.method = "listfunds"}, [found, done](const Result<RpcReply>& funds) {
      done(funds.and_then(result_of_core_lightning).map([&](const Json& said) {
        Msat sum;
        for (const Json& channel : member(said, "channels")) {
          const Msat ours = core_lightning_msat(channel, "our_amount_msat").value_or(Msat{});
          if (is_amount(ours) && ours.value <= Msat::kMax - sum.value) sum += ours;
        }
        WalletStatus out = found;
        out.balance = sum;
        return out;
      }));
    });
  });
}

void CoreLightningWallet::list_paid(const ListOrder& order,
                                    std::function<void(Result<std::vector<PaidInvoice>>)> done) {
  list_page(std::make_shared<Listing>(Listing{order, std::move(done)}), 1);
}

// From the oldest on: what was made long ago may have been paid lately.
void CoreLightningWallet::list_page(const std::shared_ptr<Listing>& listing, std::int64_t start) {
  const Json params = {{"index", "created"}, {"start", start}, {"limit", kCoreLightningPage}};
  rpc_.call({.method = "listinvoices", .params = params.dump()}, [this, listing](const Result<RpcReply>& reply) {
    const auto page = reply.and_then(result_of_core_lightning);
    if (!page) return listing->done(tl::unexpected(page.error()));
    const Json& invoices = member(*page, "invoices");
    std::int64_t last = 0;
    for (const Json& one : invoices) {
      last = integer(one, "created_index").value_or(0);
      if (text(one, "status") != "paid") continue;
      listing->keep(hash(one, "payment_hash"), core_lightning_msat(one, "amount_received_msat").value_or(Msat{}),
                    time_s(one, "paid_at", {}), text(one, "description"));
    }
    // Without its index the next page would be this one again.
    if (invoices.size() < kCoreLightningPage || last == 0 || listing->full()) return listing->end();
    listing->next_page([this, listing, last] { list_page(listing, last + 1); });
  });
}

void CoreLightningWallet::on_news(News news) {
  news_ = std::move(news);
  wait_for_payment(0);
}

// Every payment has an index; the node answers with the next one, or after a while with none. It begins with those
// from before: they are passed over quickly, and no look-up comes of what nobody watches.
void CoreLightningWallet::wait_for_payment(std::int64_t after_index) {
  const Json params = {{"lastpay_index", after_index}, {"timeout", kWaitSeconds}};
  rpc_.call({.method = "waitanyinvoice", .params = params.dump(), .timeout_ms = (kWaitSeconds + 10) * 1000},
            [this, after_index](const Result<RpcReply>& reply) {
              if (!reply) {
                return scheduler_.after(kWaitAgainMs, lifetime_.guard([this, after_index] {
                  news_(std::nullopt);
                  wait_for_payment(after_index);
                }));
              }
              const auto paid = result_of_core_lightning(*reply);
              const auto index = paid ? integer(*paid, "pay_index") : std::nullopt;
              if (paid) news_(hash(*paid, "payment_hash"));
              // After the callback: a node that answers at once must not nest the calls.
              scheduler_.after(index || !reply->result.empty() ? 0 : 1'000,
                               lifetime_.guard([this, next = index.value_or(after_index)] { wait_for_payment(next); }));
            });
}

// ---- paying back ----------------------------------------------------------------------------------------------------

namespace {

// One of the list that `listpays` gives, or what `pay` gives.
Result<PaymentAnswer> read_pay(const PaymentOrder& order, const Json& pay, base::TimeMs now) {
  const std::string status = text(pay, "status");
  if (status != "complete") return PaymentUnderWay{};
  const Msat sent = core_lightning_msat(pay, "amount_sent_msat").value_or(order.amount);
  return made(order,
              {.fee = std::max(Msat{}, sent - order.amount),
               .paid_at = time_s(pay, "completed_at", now),
               .preimage = hash(pay, "payment_preimage").value_or(hash(pay, "preimage").value_or(base::Hash256{})),
               .evidence = evidence(pay.dump(-1, ' ', false, Json::error_handler_t::replace))});
}

// Between two of its tries all that `pay` has sent have failed: that it has ended is seen by its answer, or by the
// time.
Result<PaymentAnswer> read_pays(const PaymentOrder& order, const Json& result, base::TimeMs now, bool ended) {
  const Json& pays = member(result, "pays");
  if (!pays.is_array()) return malformed("no list of payments");
  if (pays.empty()) return Unknown{};
  bool all_failed = true;
  for (const Json& pay : pays) {
    if (text(pay, "status") == "complete") return read_pay(order, pay, now);
    const base::TimeMs begun = time_s(pay, "created_at", {});
    const bool over = ended || now - begun > kCoreLightningPayPatienceS * 1000;
    all_failed = all_failed && text(pay, "status") == "failed" && over;
  }
  if (all_failed) return PaymentFailed{"Core Lightning says that it failed"};
  return PaymentUnderWay{};
}

}  // namespace

void CoreLightningPayer::pay(const PaymentOrder& order, std::function<void(Result<PaymentAnswer>)> done) {
  const Json params = {
      {"bolt11", order.bolt11}, {"maxfee", order.fee_limit.value}, {"retry_for", kCoreLightningPayPatienceS / 2}};
  rpc_.call({.method = "pay", .params = params.dump(), .timeout_ms = kCoreLightningPayPatienceS * 1000},
            [this, order, done = std::move(done)](const Result<RpcReply>& reply) {
              if (reply) answered_.insert(order.payment_hash);
              done(reply.and_then(result_of_core_lightning).and_then([&](const Json& pay) {
                return read_pay(order, pay, ports_.clock());
              }));
            });
}

void CoreLightningPayer::look_up(const PaymentOrder& order, std::function<void(Result<PaymentAnswer>)> done) {
  rpc_.call({.method = "listpays", .params = Json{{"payment_hash", order.payment_hash.hex()}}.dump()},
            [this, order, done = std::move(done)](const Result<RpcReply>& reply) {
              done(reply.and_then(result_of_core_lightning).and_then([&](const Json& result) {
                return read_pays(order, result, ports_.clock(), answered_.contains(order.payment_hash));
              }));
            });
}

}  // namespace wallet
