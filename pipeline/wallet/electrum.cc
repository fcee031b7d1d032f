#include "pipeline/wallet/electrum.h"

#include <algorithm>
#include <cstdio>

#include "pipeline/wallet/replies.h"

namespace wallet {

using base::Msat;
using base::Result;

namespace {

constexpr std::int64_t kPaid = 3;
constexpr std::int64_t kExpired = 1;

HttpCall rpc(const char* method, Json params) {
  const Json body = {{"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", std::move(params)}};
  return {.path = "/", .body = body.dump()};
}

Result<Json> result_of_electrum(const HttpReply& reply) {
  const auto said = parse(reply);
  if (!said) return said;
  const Json& error = member(*said, "error");
  if (!error.is_null()) return refused(error.is_string() ? error.get<std::string>() : text(error, "message"));
  return member(*said, "result");
}

// Satoshis as the bitcoins that Electrum reads.
std::string bitcoins(Msat amount) {
  const std::int64_t sat = amount.value / 1000;
  char out[40];
  std::snprintf(out, sizeof out, "%lld.%08lld", static_cast<long long>(sat / 100'000'000),
                static_cast<long long>(sat % 100'000'000));
  return out;
}

// "0.05" and such, at most eight digits behind the point; nothing for anything else.
std::optional<Msat> from_bitcoins(const std::string& written) {
  const auto point = std::min(written.find('.'), written.size());
  std::string sat = written.substr(point < written.size() ? point + 1 : point);
  if (sat.size() > 8) return std::nullopt;
  sat.resize(8, '0');
  return Msat::from_digits(written.substr(0, point) + sat + "000");
}

// Electrum sends no member "request_id" of Lightning requests in some versions: the hash names them too.
std::string reference_of(const Json& request) {
  const std::string id = text(request, "request_id");
  return id.empty() ? text(request, "rhash") : id;
}

}  // namespace

void ElectrumWallet::create_invoice(const InvoiceOrder& order, std::function<void(Result<MadeInvoice>)> done) {
  const Json params = {{"amount", bitcoins(order.amount)},
                       {"memo", order.description},
                       {"expiration", order.expiry_ms / 1000},
                       {"force", true}};
  http_.call(rpc("add_request", params), [done = std::move(done)](const Result<HttpReply>& reply) {
    done(reply.and_then(result_of_electrum).map([](const Json& made) {
      return MadeInvoice{text(made, "lightning_invoice"), reference_of(made), hash(made, "rhash")};
    }));
  });
}

void ElectrumWallet::look_up(const ledger::InvoiceIssued& invoice, std::function<void(Result<LookupAnswer>)> done) {
  http_.call(rpc("get_request", {{"request_id", invoice.reference}}),
             [this, invoice, done = std::move(done)](const Result<HttpReply>& reply) {
               const auto request = reply.and_then(result_of_electrum);
               if (!request) return done(tl::unexpected(request.error()));
               if (request->is_null()) return done(Unknown{});
               if (hash(*request, "rhash") != invoice.payment_hash)
                 return done(malformed("another request than was asked for"));
               const auto status = integer(*request, "status");
               if (status == kExpired) return done(Expired{evidence(reply->body)});
               if (status != kPaid) return done(unpaid(invoice, ports_.clock(), reply->body));
               find_preimage({.payment_hash = invoice.payment_hash,
                              .received = {integer(*request, "amount_sat").value_or(0) * 1000},
                              .settled_at = ports_.clock(),
                              .evidence = evidence(reply->body)},
                             done);
             });
}

// Only the history has it; a history without it says nothing against the payment.
void ElectrumWallet::find_preimage(ledger::InvoiceSettled settlement, std::function<void(Result<LookupAnswer>)> done) {
  http_.call(rpc("lightning_history", Json::object()),
             [settlement = std::move(settlement), done = std::move(done)](const Result<HttpReply>& reply) mutable {
               const auto history = reply.and_then(result_of_electrum);
               for (const Json& one : history && history->is_array() ? *history : Json::array()) {
                 if (hash(one, "payment_hash") != settlement.payment_hash) continue;
                 settlement.preimage = hash(one, "preimage").value_or(base::Hash256{});
                 if (const auto at = integer(one, "timestamp")) settlement.settled_at = {*at * 1000};
                 if (const auto msat = integer(one, "amount_msat"); msat && *msat > 0) settlement.received = {*msat};
               }
               done(settled(std::move(settlement)));
             });
}

// What was sent has amounts below zero, and what opens a channel no payment hash.
void ElectrumWallet::list_paid(base::TimeMs since, std::function<void(Result<std::vector<PaidInvoice>>)> done) {
  http_.call(rpc("lightning_history", Json::object()), [since, done = std::move(done)](const Result<HttpReply>& reply) {
    const auto history = reply.and_then(result_of_electrum);
    if (!history) return done(tl::unexpected(history.error()));
    if (!history->is_array()) return done(malformed("no history"));
    Listing listing{.since = since, .done = done};
    for (const Json& one : *history) {
      const auto msat = integer(one, "amount_msat");
      if (!msat || *msat <= 0) continue;
      listing.keep(hash(one, "payment_hash"), {*msat}, {integer(one, "timestamp").value_or(0) * 1000},
                   text(one, "label"));
    }
    listing.end();
  });
}

void ElectrumWallet::status(std::function<void(Result<WalletStatus>)> done) {
  http_.call(rpc("getbalance", Json::object()), [done = std::move(done)](const Result<HttpReply>& reply) {
    done(reply.and_then(result_of_electrum).map([](const Json& balance) {
      return WalletStatus{.name = "Electrum", .balance = from_bitcoins(text(balance, "lightning"))};
    }));
  });
}

// ---- paying back ----------------------------------------------------------------------------------------------------

namespace {

constexpr std::int64_t kFailed = 5;
constexpr Msat kOwnFeeLimit{10'000};         // or 1 %
constexpr Msat kLeastSplit{2 * 10'000'000};  // over one channel, where no part is smaller than 10 000 sat

// What its list of invoices says. "Unpaid" is also what it says of one that it tried before it was restarted.
PaymentAnswer listed(const Json& invoices, const PaymentOrder& order) {
  for (const Json& one : invoices) {
    if (hash(one, "invoice_id") != order.payment_hash && text(one, "lightning_invoice") != order.bolt11) continue;
    if (integer(one, "status") == kFailed) return PaymentFailed{"Electrum says that it failed"};
    return PaymentUnderWay{};
  }
  return Unknown{};
}

// From its entry in the history; less than was ordered while some parts are on their way.
Result<PaymentAnswer> read_sent(const PaymentOrder& order, const Json& sent, std::int64_t amount_msat) {
  const std::int64_t fee_msat = integer(sent, "fee_msat").value_or(-(amount_msat + order.amount.value));
  if (fee_msat < 0) return PaymentUnderWay{};
  return made(order, {.fee = {fee_msat},
                      .paid_at = {integer(sent, "timestamp").value_or(0) * 1000},
                      .preimage = hash(sent, "preimage").value_or(base::Hash256{}),
                      .evidence = evidence(sent.dump())});
}

}  // namespace

// It answers when the payment has ended, which may be long after we ceased to listen: what it says then, it lists too.
void ElectrumPayer::pay(const PaymentOrder& order, std::function<void(Result<PaymentAnswer>)> done) {
  if (std::max(kOwnFeeLimit, Msat{order.amount.value / 100}) > order.fee_limit)
    return done(refused("it may pay 10 sat or 1 % as a fee, above the limit", "raise --max-fee"));
  http_.call(rpc("lnpay", {{"invoice", order.bolt11}}), [done = std::move(done)](const Result<HttpReply>& reply) {
    done(reply.and_then(result_of_electrum).map([](const Json&) -> PaymentAnswer { return PaymentUnderWay{}; }));
  });
}

void ElectrumPayer::look_up(const PaymentOrder& order, std::function<void(Result<PaymentAnswer>)> done) {
  http_.call(rpc("list_invoices", Json::object()),
             [this, order, done = std::move(done)](const Result<HttpReply>& reply) {
               const auto invoices = reply.and_then(result_of_electrum);
               if (!invoices) return done(tl::unexpected(invoices.error()));
               if (!invoices->is_array()) return done(malformed("no list of invoices"));
               find_sent(order, listed(*invoices, order), done);
             });
}

// The history is asked whatever the list says: a person can clear the list.
void ElectrumPayer::find_sent(const PaymentOrder& order, PaymentAnswer otherwise,
                              std::function<void(Result<PaymentAnswer>)> done) {
  http_.call(rpc("lightning_history", Json::object()),
             [this, order, otherwise = std::move(otherwise), done = std::move(done)](const Result<HttpReply>& reply) {
               const auto history = reply.and_then(result_of_electrum);
               if (!history) return done(tl::unexpected(history.error()));
               if (!history->is_array()) return done(malformed("no history"));
               for (const Json& one : *history) {
                 const auto msat = integer(one, "amount_msat");
                 if (hash(one, "payment_hash") == order.payment_hash && msat && *msat < 0)
                   return done(read_sent(order, one, *msat));
               }
               if (std::holds_alternative<PaymentFailed>(otherwise)) return check_whole(order, otherwise, done);
               done(otherwise);
             });
}

// Small, and with one channel to go through: it was never split.
void ElectrumPayer::check_whole(const PaymentOrder& order, PaymentAnswer failed,
                                std::function<void(Result<PaymentAnswer>)> done) {
  if (order.amount >= kLeastSplit) return done(PaymentUnderWay{});
  http_.call(rpc("list_channels", Json::object()),
             [failed = std::move(failed), done = std::move(done)](const Result<HttpReply>& reply) {
               const auto channels = reply.and_then(result_of_electrum);
               if (!channels) return done(tl::unexpected(channels.error()));
               if (!channels->is_array()) return done(malformed("no list of channels"));
               const auto ways = std::count_if(channels->begin(), channels->end(),
                                               [](const Json& one) { return text(one, "type") != "BACKUP"; });
               if (ways > 1) return done(PaymentUnderWay{});
               done(failed);
             });
}

}  // namespace wallet
