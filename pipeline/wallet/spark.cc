#include "pipeline/wallet/spark.h"

#include <algorithm>

#include "pipeline/wallet/replies.h"

namespace wallet {

using base::Msat;
using base::Result;

namespace {

Result<Json> result_of_spark(const RpcReply& reply) {
  if (reply.result.empty()) return refused(reply.error);
  return parse(std::string_view(reply.result));
}

Result<LookupAnswer> read_spark_invoice(const ledger::InvoiceIssued& asked, const Json& said, base::TimeMs now) {
  const std::string state = text(said, "state");
  const std::string words = text(said, "evidence");
  if (state == "unknown") return Unknown{};
  if (state == "open") return unpaid(asked, now, words);
  if (state == "expired" || state == "failed") return Expired{evidence(words)};
  if (state == "returned") return GivenBack{evidence(words)};
  const Msat fee = fee_msat(said, "fee_msat");
  auto received = msat(said, "received_msat");  // what is left behind the fee
  if (received && is_amount(*received)) received = *received + fee;
  if (state == "held") return held(asked, received, words);
  if (state != "settled") return malformed("the state \"" + state.substr(0, 20) + "\"");
  return settled(asked, {.received = received,
                         .fee = fee,
                         .settled_at = time_ms(said, "settled_at_ms", now),
                         .preimage = hash(said, "preimage").value_or(base::Hash256{}),
                         .said = words});
}

}  // namespace

void SparkWallet::create_invoice(const InvoiceOrder& order, std::function<void(Result<MadeInvoice>)> done) {
  Json params = {{"amount_sat", order.amount.value / 1000},
                 {"memo", order.description},
                 {"expiry_s", order.expiry_ms / 1000},
                 {"preimage", ports_.preimage(order).hex()}};
  if (order.hold) params["hold"] = true;
  rpc_.call({.method = "create_invoice", .params = params.dump()},
            [done = std::move(done)](const Result<RpcReply>& reply) {
              done(reply.and_then(result_of_spark).map([](const Json& made) {
                return MadeInvoice{text(made, "bolt11"), text(made, "id"), hash(made, "payment_hash")};
              }));
            });
}

void SparkWallet::look_up(const ledger::InvoiceIssued& invoice, std::function<void(Result<LookupAnswer>)> done) {
  Json params = {{"payment_hash", invoice.payment_hash.hex()}};
  if (invoice.hold) params["hold"] = true;
  rpc_.call({.method = "look_up", .params = params.dump()},
            [this, invoice, done = std::move(done)](const Result<RpcReply>& reply) {
              done(reply.and_then(result_of_spark).and_then([&](const Json& said) {
                return read_spark_invoice(invoice, said, ports_.clock());
              }));
            });
}

void SparkWallet::take(const InvoiceOrder& order, std::function<void(Result<void>)> done) {
  const Preimage preimage = ports_.preimage(order);
  const Json params = {{"payment_hash", base::sha256(preimage.view()).hex()}, {"preimage", preimage.hex()}};
  rpc_.call({.method = "take", .params = params.dump()}, [done = std::move(done)](const Result<RpcReply>& reply) {
    done(reply.and_then(result_of_spark).map([](const Json&) {}));
  });
}

// Spark cannot refuse a payment: what is not taken goes back by itself when its transfer expires.
void SparkWallet::give_back(const InvoiceOrder&, std::function<void(Result<void>)> done) {
  done({});
}

void SparkWallet::status(std::function<void(Result<WalletStatus>)> done) {
  rpc_.call({.method = "status"}, [this, done = std::move(done)](const Result<RpcReply>& reply) {
    done(reply.and_then(result_of_spark).map([this](const Json& said) {
      identity_ = text(said, "identity_public_key");
      return WalletStatus{.name = text(said, "name"), .balance = balance(msat(said, "balance_msat"))};
    }));
  });
}

void SparkWallet::list_paid(const ListOrder& order, std::function<void(Result<std::vector<PaidInvoice>>)> done) {
  rpc_.call({.method = "list",
             .params = Json{{"since_ms", std::max<std::int64_t>(0, order.since.ms - kOldestOpenMs)}}.dump()},
            [order, done = std::move(done)](const Result<RpcReply>& reply) {
              const auto said = reply.and_then(result_of_spark);
              if (!said) return done(tl::unexpected(said.error()));
              const Json& invoices = member(*said, "invoices");
              if (!invoices.is_array()) return done(malformed("no list of invoices"));
              Listing listing{.order = order, .done = done, .cut = flag(*said, "more")};
              for (const Json& one : invoices) {
                if (text(one, "state") != "settled") continue;
                listing.keep(hash(one, "payment_hash"),
                             std::max(msat(one, "received_msat"), msat(one, "amount_msat")).value_or(Msat{}),
                             time_ms(one, "settled_at_ms", {}), text(one, "memo"));
              }
              listing.end();
            });
}

void SparkWallet::on_news(News news) {
  rpc_.on_notification([news](const std::string& method, const std::string& params) {
    if (method != "news" && method != "connection") return;
    const auto said = parse(std::string_view(params));
    news(said ? hash(*said, "payment_hash") : std::nullopt);
  });
}

}  // namespace wallet
