#include "pipeline/wallet/phoenixd.h"

#include <algorithm>

#include "base/utf8.h"
#include "pipeline/nostr/json.h"
#include "pipeline/wallet/replies.h"

namespace wallet {

using base::Msat;
using base::Result;

namespace {

constexpr std::size_t kPhoenixdPage = 200;  // payments

// Of the invoices with the order's label the one for its amount, if it can still be used.
std::optional<MadeInvoice> find_made_by_phoenixd(const Json& payments, const InvoiceOrder& order) {
  if (!payments.is_array()) return std::nullopt;
  for (const Json& one : payments) {
    const bool same =
        text(one, "externalId") == label(order) && integer(one, "requestedSat") == order.amount.value / 1000;
    if (same && !text(one, "invoice").empty() && !flag(one, "isExpired"))
      return MadeInvoice{text(one, "invoice"), {}, hash(one, "paymentHash")};
  }
  return std::nullopt;
}

// Invoices are for whole satoshis; the part of one that is left behind the fee is not told.
Msat paid_sat(std::int64_t received_sat, Msat fee) {
  return (Msat{received_sat * 1000} + fee).rounded_up_to(Msat{1000});
}

Result<LookupAnswer> read_phoenixd_payment(const ledger::InvoiceIssued& asked, const HttpReply& reply,
                                           base::TimeMs now) {
  if (reply.status == 404) return Unknown{};
  const auto payment = parse(reply);
  if (!payment) return tl::unexpected(payment.error());
  if (hash(*payment, "paymentHash") != asked.payment_hash) return malformed("another payment than was asked for");
  if (!flag(*payment, "isPaid")) return unpaid(asked, now, reply.body);
  const auto received_sat = integer(*payment, "receivedSat");
  if (!received_sat || *received_sat < 0 || *received_sat > Msat::kMax / 1000)
    return malformed("a payment of no amount");
  // What arrives is what is left behind ACINQ's fee.
  const Msat fee{std::max<std::int64_t>(0, integer(*payment, "fees").value_or(0))};
  return settled({.payment_hash = asked.payment_hash,
                  .received = paid_sat(*received_sat, fee),
                  .fee = fee,
                  .settled_at = {integer(*payment, "completedAt").value_or(now.ms)},
                  .preimage = hash(*payment, "preimage").value_or(base::Hash256{}),
                  .evidence = evidence(reply.body)});
}

}  // namespace

void PhoenixdWallet::create_invoice(const InvoiceOrder& order, std::function<void(Result<MadeInvoice>)> done) {
  http_.call({.path = "/payments/incoming?all=true&externalId=" + url_encoded(label(order))},
             [this, order, done = std::move(done)](const Result<HttpReply>& reply) {
               const auto known = reply.and_then([](const HttpReply& said) { return parse(said); });
               if (!known) return done(tl::unexpected(known.error()));
               if (auto made = find_made_by_phoenixd(*known, order)) return done(std::move(*made));
               make(order, done);
             });
}

void PhoenixdWallet::make(const InvoiceOrder& order, std::function<void(Result<MadeInvoice>)> done) {
  HttpCall call{.path = "/createinvoice", .content_type = "application/x-www-form-urlencoded"};
  call.body = form_encoded({{"amountSat", std::to_string(order.amount.value / 1000)},
                            {"description", std::string(base::utf8_prefix(order.description, kMaxDescriptionBytes))},
                            {"expirySeconds", std::to_string(order.expiry_ms / 1000)},
                            {"externalId", label(order)}});
  http_.call(std::move(call), [done = std::move(done)](const Result<HttpReply>& reply) {
    done(reply.and_then([](const HttpReply& said) { return parse(said); }).map([](const Json& made) {
      return MadeInvoice{text(made, "serialized"), {}, hash(made, "paymentHash")};
    }));
  });
}

void PhoenixdWallet::look_up(const ledger::InvoiceIssued& invoice, std::function<void(Result<LookupAnswer>)> done) {
  http_.call({.path = "/payments/incoming/" + invoice.payment_hash.hex()}, [this, invoice, done = std::move(done)](
                                                                               const Result<HttpReply>& reply) {
    done(reply.and_then([&](const HttpReply& said) { return read_phoenixd_payment(invoice, said, ports_.clock()); }));
  });
}

void PhoenixdWallet::status(std::function<void(Result<WalletStatus>)> done) {
  http_.call({.path = "/getbalance"}, [done = std::move(done)](const Result<HttpReply>& reply) {
    done(reply.and_then([](const HttpReply& said) { return parse(said); }).map([](const Json& said) {
      WalletStatus out{.name = "phoenixd"};
      const auto sat = integer(said, "balanceSat");
      if (sat && *sat >= 0 && *sat <= Msat::kMax / 1000) out.balance = Msat{*sat * 1000};
      return out;
    }));
  });
}

// ---- what was paid --------------------------------------------------------------------------------------------------

void PhoenixdWallet::list_paid(base::TimeMs since, std::function<void(Result<std::vector<PaidInvoice>>)> done) {
  list_page(std::make_shared<Listing>(Listing{since, std::move(done)}));
}

void PhoenixdWallet::list_page(const std::shared_ptr<Listing>& listing) {
  http_.call({.path = "/payments/incoming?from=" + std::to_string(listing->since.ms) +
                      "&limit=" + std::to_string(kPhoenixdPage) + "&offset=" + std::to_string(listing->seen)},
             [this, listing](const Result<HttpReply>& reply) {
               const auto page = reply.and_then([](const HttpReply& said) { return parse(said); });
               if (!page) return listing->done(tl::unexpected(page.error()));
               if (!page->is_array()) return listing->done(malformed("no list of payments"));
               for (const Json& one : *page) {
                 const base::TimeMs settled_at{integer(one, "completedAt").value_or(0)};
                 if (!flag(one, "isPaid")) continue;
                 const Msat received =
                     paid_sat(integer(one, "receivedSat").value_or(0), {integer(one, "fees").value_or(0)});
                 listing->keep(hash(one, "paymentHash"), received, settled_at, text(one, "description"));
               }
               listing->seen += page->size();
               const bool last = page->size() < kPhoenixdPage || listing->full();
               if (last) {
                 listing->end();
               } else {
                 list_page(listing);
               }
             });
}

void PhoenixdWallet::on_news(News news) {
  http_.feed({.path = "/websocket",
              .websocket = true,
              .opened = [news] { news(std::nullopt); },
              .said =
                  [news](std::string_view said) {
                    const auto message = parse(said);
                    if (message && text(*message, "type") == "payment_received") news(hash(*message, "paymentHash"));
                  }});
}

// ---- paying back ----------------------------------------------------------------------------------------------------

namespace {

constexpr Msat kFixedFee{4'000};  // and 0.4 %

// A payment that failed is an answer like any other, with a reason. Of one that was made, the look-up tells the exact
// fee.
Result<PaymentAnswer> read_answer(const HttpReply& reply) {
  const auto said = parse(reply);
  if (!said) return tl::unexpected(said.error());
  const std::string reason = text(*said, "reason");
  if (!reason.empty()) return refused(reason);
  return PaymentUnderWay{};
}

Result<PaymentAnswer> read_phoenixd_outgoing(const PaymentOrder& order, const HttpReply& reply, base::TimeMs now) {
  if (reply.status == 404) return Unknown{};
  const auto payment = parse(reply);
  if (!payment) return tl::unexpected(payment.error());
  if (hash(*payment, "paymentHash") != order.payment_hash) return malformed("another payment than was asked for");
  const auto completed_at = integer(*payment, "completedAt");
  if (!flag(*payment, "isPaid")) {
    if (completed_at) return PaymentFailed{"phoenixd says that it failed"};
    return PaymentUnderWay{};
  }
  return made(order, {.fee = {std::max<std::int64_t>(0, integer(*payment, "fees").value_or(0))},
                      .paid_at = {completed_at.value_or(now.ms)},
                      .preimage = hash(*payment, "preimage").value_or(base::Hash256{}),
                      .evidence = evidence(reply.body)});
}

}  // namespace

void PhoenixdPayer::pay(const PaymentOrder& order, std::function<void(Result<PaymentAnswer>)> done) {
  const Msat fee = kFixedFee + Msat{order.amount.value / 250};
  if (fee > order.fee_limit) return done(refused("its fee is 0.4 % and 4 sat, above the limit", "raise --max-fee"));
  http_.call({.path = "/payinvoice",
              .body = form_encoded({{"invoice", order.bolt11}}),
              .content_type = "application/x-www-form-urlencoded"},
             [done = std::move(done)](const Result<HttpReply>& reply) { done(reply.and_then(read_answer)); });
}

void PhoenixdPayer::look_up(const PaymentOrder& order, std::function<void(Result<PaymentAnswer>)> done) {
  http_.call({.path = "/payments/outgoingbyhash/" + order.payment_hash.hex()}, [this, order, done = std::move(done)](
                                                                                   const Result<HttpReply>& reply) {
    done(reply.and_then([&](const HttpReply& said) { return read_phoenixd_outgoing(order, said, ports_.clock()); }));
  });
}

}  // namespace wallet
