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

// What was paid: what arrived, and ACINQ's fee. Invoices are for whole satoshis; the part of one that is left behind
// the fee is not told.
std::optional<Msat> paid_to_phoenixd(const Json& payment) {
  const auto received = sat(payment, "receivedSat");
  if (!received || !is_amount(*received)) return received;
  return (*received + fee_msat(payment, "fees")).rounded_up_to(Msat{1000});
}

Result<LookupAnswer> read_phoenixd_payment(const ledger::InvoiceIssued& asked, const HttpReply& reply,
                                           base::TimeMs now) {
  if (reply.status == 404) return Unknown{};
  const auto payment = parse(reply);
  if (!payment) return tl::unexpected(payment.error());
  if (hash(*payment, "paymentHash") != asked.payment_hash) return malformed("another payment than was asked for");
  if (!flag(*payment, "isPaid")) return unpaid(asked, now, reply.body);
  return settled(asked, {.received = paid_to_phoenixd(*payment),
                         .fee = fee_msat(*payment, "fees"),
                         .settled_at = time_ms(*payment, "completedAt", now),
                         .preimage = hash(*payment, "preimage").value_or(base::Hash256{}),
                         .said = reply.body});
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
  http_.call({.path = "/getinfo"}, [this, done = std::move(done)](const Result<HttpReply>& reply) {
    const auto info = reply.and_then([](const HttpReply& said) { return parse(said); });
    if (!info) return done(tl::unexpected(info.error()));
    node_ = text(*info, "nodeId");
    const WalletStatus found{.name = "phoenixd", .network = network_named(text(*info, "chain"))};
    http_.call({.path = "/getbalance"}, [found, done](const Result<HttpReply>& reply_) {
      done(reply_.and_then([](const HttpReply& said) { return parse(said); }).map([&](const Json& said) {
        WalletStatus out = found;
        out.balance = balance(sat(said, "balanceSat"));
        return out;
      }));
    });
  });
}

// ---- what was paid --------------------------------------------------------------------------------------------------

void PhoenixdWallet::list_paid(const ListOrder& order, std::function<void(Result<std::vector<PaidInvoice>>)> done) {
  list_page(std::make_shared<Listing>(Listing{order, std::move(done)}));
}

void PhoenixdWallet::list_page(const std::shared_ptr<Listing>& listing) {
  http_.call({.path = "/payments/incoming?from=" + std::to_string(listing->order.since.ms) +
                      "&limit=" + std::to_string(kPhoenixdPage) + "&offset=" + std::to_string(listing->seen)},
             [this, listing](const Result<HttpReply>& reply) {
               const auto page = reply.and_then([](const HttpReply& said) { return parse(said); });
               if (!page) return listing->done(tl::unexpected(page.error()));
               if (!page->is_array()) return listing->done(malformed("no list of payments"));
               for (const Json& one : *page) {
                 if (!flag(one, "isPaid")) continue;
                 listing->keep(hash(one, "paymentHash"), paid_to_phoenixd(one).value_or(Msat{}),
                               time_ms(one, "completedAt", {}), text(one, "description"));
               }
               listing->seen += page->size();
               const bool last = page->size() < kPhoenixdPage || listing->full();
               if (last) {
                 listing->end();
               } else {
                 listing->next_page([this, listing] { list_page(listing); });
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
  return made(order, {.fee = fee_msat(*payment, "fees"),
                      .paid_at = time_ms(*payment, "completedAt", now),
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
