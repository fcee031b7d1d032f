#include "pipeline/wallet/electrum.h"

#include <algorithm>
#include <charconv>
#include <climits>
#include <cstdio>

#include "base/ascii.h"
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
  if (error.is_null()) return member(*said, "result");
  const std::string exception = text(member(error, "data"), "exception");
  return refused(error.is_string() ? error.get<std::string>()
                                   : text(error, "message") + (exception.empty() ? "" : ": " + exception));
}

struct ElectrumVersion {
  int major = 0;
  int minor = 0;
  auto operator<=>(const ElectrumVersion&) const = default;
};

// "4.3.4"; of what cannot be read, it is the newest.
ElectrumVersion read_version(const Json& told) {
  ElectrumVersion out{INT_MAX, 0};
  const std::string written = told.is_string() ? told.get<std::string>() : "";
  const char* const end = written.data() + written.size();
  ElectrumVersion read;
  const auto [point, error] = std::from_chars(written.data(), end, read.major);
  if (error != std::errc() || point == end || *point != '.') return out;
  return std::from_chars(point + 1, end, read.minor).ec == std::errc() ? read : out;
}

// Satoshis as the bitcoins that Electrum reads.
std::string bitcoins(Msat amount) {
  const std::int64_t sat = amount.value / 1000;
  char out[40];
  std::snprintf(out, sizeof out, "%lld.%08lld", static_cast<long long>(sat / 100'000'000),
                static_cast<long long>(sat % 100'000'000));
  return out;
}

// What `add_request` is called with, which has changed twice.
Json request_params(const InvoiceOrder& order, ElectrumVersion version) {
  Json out = {{"amount", bitcoins(order.amount)}, {"memo", order.description}, {"force", true}};
  out[version < ElectrumVersion{4, 4} ? "expiration" : "expiry"] = order.expiry_ms / 1000;
  if (version >= ElectrumVersion{4, 6}) out["lightning"] = true;  // else it would make one for the chain
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

Result<MadeInvoice> read_request(const Json& made) {
  const std::string bolt11 = text(made, "lightning_invoice");
  if (bolt11.empty()) return refused("it made a request without a Lightning invoice", "has it a Lightning channel?");
  return MadeInvoice{bolt11, reference_of(made), hash(made, "rhash")};
}

}  // namespace

void ElectrumWallet::create_invoice(const InvoiceOrder& order, std::function<void(Result<MadeInvoice>)> done) {
  http_.call(rpc("version", Json::object()), [this, order, done = std::move(done)](const Result<HttpReply>& reply) {
    const auto version = reply.and_then(result_of_electrum).map(read_version);
    if (!version) return done(tl::unexpected(version.error()));
    http_.call(rpc("add_request", request_params(order, *version)), [done](const Result<HttpReply>& made) {
      done(made.and_then(result_of_electrum).and_then(read_request));
    });
  });
}

void ElectrumWallet::look_up(const ledger::InvoiceIssued& invoice, std::function<void(Result<LookupAnswer>)> done) {
  http_.call(rpc("get_request", {{"request_id", invoice.reference}}),
             [this, invoice, done = std::move(done)](const Result<HttpReply>& reply) {
               const auto request = reply.and_then(result_of_electrum);
               const bool says_no = !request && request.error().code == "wallet.refused";
               if (says_no && means_not_found(request.error().message)) return done(Unknown{});
               if (!request) return done(tl::unexpected(request.error()));
               if (request->is_null()) return done(Unknown{});
               if (hash(*request, "rhash") != invoice.payment_hash)
                 return done(malformed("another request than was asked for"));
               const auto status = integer(*request, "status");
               if (status == kExpired) return done(Expired{evidence(reply->body)});
               if (status != kPaid) return done(unpaid(invoice, ports_.clock(), reply->body));
               find_preimage(invoice, reply->body, sat(*request, "amount_sat"), done);
             });
}

// Only the history has it; a history without it says nothing against the payment.
void ElectrumWallet::find_preimage(const ledger::InvoiceIssued& invoice, const std::string& said,
                                   std::optional<Msat> asked, std::function<void(Result<LookupAnswer>)> done) {
  http_.call(rpc("lightning_history", Json::object()),
             [this, invoice, said, asked, done = std::move(done)](const Result<HttpReply>& reply) {
               const auto history = reply.and_then(result_of_electrum);
               Paid paid{.received = asked, .settled_at = ports_.clock(), .said = said};
               for (const Json& one : history && history->is_array() ? *history : Json::array()) {
                 if (hash(one, "payment_hash") != invoice.payment_hash) continue;
                 paid.preimage = hash(one, "preimage").value_or(base::Hash256{});
                 paid.settled_at = time_s(one, "timestamp", paid.settled_at);
                 if (const auto amount = msat(one, "amount_msat"); amount && *amount > Msat{}) paid.received = amount;
               }
               done(settled(invoice, paid));
             });
}

// What was sent has amounts below zero, and what opens a channel no payment hash.
void ElectrumWallet::list_paid(const ListOrder& order, std::function<void(Result<std::vector<PaidInvoice>>)> done) {
  http_.call(rpc("lightning_history", Json::object()), [order, done = std::move(done)](const Result<HttpReply>& reply) {
    const auto history = reply.and_then(result_of_electrum);
    if (!history) return done(tl::unexpected(history.error()));
    if (!history->is_array()) return done(malformed("no history"));
    Listing listing{.order = order, .done = done};
    for (const Json& one : *history) {
      const Msat received = msat(one, "amount_msat").value_or(Msat{});
      if (received <= Msat{}) continue;
      listing.keep(hash(one, "payment_hash"), received, time_s(one, "timestamp", {}), text(one, "label"));
    }
    listing.end();
  });
}

void ElectrumWallet::status(std::function<void(Result<WalletStatus>)> done) {
  http_.call(rpc("getinfo", Json::object()), [this, done = std::move(done)](const Result<HttpReply>& reply) {
    const auto info = reply.and_then(result_of_electrum);
    if (!info) return done(tl::unexpected(info.error()));
    const std::string version = text(*info, "version");
    const WalletStatus found{.name = version.empty() ? "Electrum" : "Electrum " + version,
                             .network = network_named(text(*info, "network"))};
    http_.call(rpc("getbalance", Json::object()), [found, done](const Result<HttpReply>& reply_) {
      done(reply_.and_then(result_of_electrum).map([&](const Json& said) {
        WalletStatus out = found;
        out.balance = from_bitcoins(text(said, "lightning"));
        return out;
      }));
    });
  });
}

// ---- paying back ----------------------------------------------------------------------------------------------------

namespace {

constexpr std::int64_t kFailed = 5;
constexpr Msat kOwnFeeLimit{10'000};         // or 1 %
constexpr Msat kLeastSplit{2 * 10'000'000};  // over one channel, where no part is smaller than 10 000 sat

// Texts of one invoice may differ in their case.
bool same_invoice(const std::string& one, const std::string& other) {
  return base::lower(one) == base::lower(other);
}

// What its list of invoices says. "Unpaid" is also what it says of one that it tried before it was restarted.
PaymentAnswer listed(const Json& invoices, const PaymentOrder& order) {
  for (const Json& one : invoices) {
    if (hash(one, "invoice_id") != order.payment_hash && !same_invoice(text(one, "lightning_invoice"), order.bolt11))
      continue;
    if (integer(one, "status") == kFailed) return PaymentFailed{"Electrum says that it failed"};
    return PaymentUnderWay{};
  }
  return Unknown{};
}

// From its entry in the history; less than was ordered while some parts are on their way.
Result<PaymentAnswer> read_sent(const PaymentOrder& order, const Json& sent, Msat amount) {
  const Msat fee = msat(sent, "fee_msat").value_or(Msat{} - (amount + order.amount));
  if (fee < Msat{}) return PaymentUnderWay{};
  return made(order, {.fee = fee,
                      .paid_at = time_s(sent, "timestamp", {}),
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
                 const Msat amount = msat(one, "amount_msat").value_or(Msat{});
                 if (hash(one, "payment_hash") == order.payment_hash && amount < Msat{})
                   return done(read_sent(order, one, amount));
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
