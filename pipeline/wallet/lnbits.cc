#include "pipeline/wallet/lnbits.h"

#include <cmath>
#include <ctime>
#include <iomanip>
#include <sstream>

#include "base/ascii.h"
#include "pipeline/wallet/bolt11.h"
#include "pipeline/wallet/replies.h"

namespace wallet {

using base::Result;

namespace {

constexpr char kLnbitsOrder[] = "sellcompute_order";  // in `extra`
constexpr int kLnbitsLookedThrough = 100;             // of the newest payments

std::string bolt11_of(const Json& payment) {
  const std::string now = text(payment, "bolt11");
  return now.empty() ? text(payment, "payment_request") : now;  // as it was called before 1.0
}

MadeInvoice made_by_lnbits(const Json& payment) {
  return {.bolt11 = bolt11_of(payment), .payment_hash = hash(payment, "payment_hash")};
}

std::optional<MadeInvoice> find_made_by_lnbits(const Json& payments, const InvoiceOrder& order) {
  const Json& list = payments.is_array() ? payments : member(payments, "data");
  if (!list.is_array()) return std::nullopt;
  for (const Json& one : list) {
    const bool same =
        text(member(one, "extra"), kLnbitsOrder) == label(order) && integer(one, "amount") == order.amount.value;
    if (same && !bolt11_of(one).empty()) return made_by_lnbits(one);
  }
  return std::nullopt;
}

// A wrong path or key is a 404 as well.
bool is_unknown_to_lnbits(const HttpReply& reply) {
  return reply.status == 404 && base::lower(said_in(reply.body)).find("payment") != std::string::npos;
}

Result<LookupAnswer> read_lnbits_payment(const ledger::InvoiceIssued& asked, const HttpReply& reply, base::TimeMs now) {
  if (is_unknown_to_lnbits(reply)) return Unknown{};
  const auto payment = parse(reply);
  if (!payment) return tl::unexpected(payment.error());
  const Json& details = member(*payment, "details");  // missing in some versions
  if (!flag(*payment, "paid")) return unpaid(asked, now, reply.body);
  if (!details.is_null() && hash(details, "payment_hash") != asked.payment_hash)
    return malformed("another payment than was asked for");
  return settled(asked, {.received = msat(details, "amount"),  // negative for what was paid out
                         .fee = fee_msat(details, "fee"),
                         .settled_at = now,
                         .preimage = hash(*payment, "preimage").value_or(base::Hash256{}),
                         .said = reply.body});
}

}  // namespace

void LnbitsWallet::create_invoice(const InvoiceOrder& order, std::function<void(Result<MadeInvoice>)> done) {
  http_.call({.path = "/api/v1/payments?sortby=time&direction=desc&limit=" + std::to_string(kLnbitsLookedThrough)},
             [this, order, done = std::move(done)](const Result<HttpReply>& reply) {
               const auto known = reply.and_then([](const HttpReply& said) { return parse(said); });
               if (!known) return done(tl::unexpected(known.error()));
               if (auto made = find_made_by_lnbits(*known, order)) return done(std::move(*made));
               make(order, done);
             });
}

void LnbitsWallet::make(const InvoiceOrder& order, std::function<void(Result<MadeInvoice>)> done) {
  const Json body = {{"out", false},  // its default is to pay
                     {"amount", order.amount.value / 1000},
                     {"unit", "sat"},
                     {"memo", order.description},
                     {"expiry", order.expiry_ms / 1000},
                     {"extra", {{kLnbitsOrder, label(order)}}}};
  http_.call({.path = "/api/v1/payments", .body = body.dump()},
             [done = std::move(done)](const Result<HttpReply>& reply) {
               done(reply.and_then([](const HttpReply& said) { return parse(said); }).map([](const Json& made) {
                 return made_by_lnbits(made);
               }));
             });
}

void LnbitsWallet::look_up(const ledger::InvoiceIssued& invoice, std::function<void(Result<LookupAnswer>)> done) {
  http_.call({.path = "/api/v1/payments/" + invoice.payment_hash.hex()}, [this, invoice, done = std::move(done)](
                                                                             const Result<HttpReply>& reply) {
    done(reply.and_then([&](const HttpReply& said) { return read_lnbits_payment(invoice, said, ports_.clock()); }));
  });
}

void LnbitsWallet::status(std::function<void(Result<WalletStatus>)> done) {
  http_.call({.path = "/api/v1/wallet"}, [done = std::move(done)](const Result<HttpReply>& reply) {
    done(reply.and_then([](const HttpReply& said) { return parse(said); }).map([](const Json& said) {
      return WalletStatus{.name = "LNbits " + text(said, "name"), .balance = balance(msat(said, "balance"))};
    }));
  });
}

// ---- what was paid --------------------------------------------------------------------------------------------------

namespace {

// Seconds since 1970, or as newer versions write it "2026-11-27T10:00:00…", UTC.
base::TimeMs time_of(const Json& payment) {
  if (integer(payment, "time")) return time_s(payment, "time", {});
  std::tm parts{};
  std::istringstream written(text(payment, "time"));
  written >> std::get_time(&parts, "%Y-%m-%dT%H:%M:%S");
  return {written ? static_cast<std::int64_t>(timegm(&parts)) * 1000 : 0};
}

bool is_paid(const Json& payment) {
  const std::string status = text(payment, "status");
  return status.empty() ? !flag(payment, "pending") : status == "success" || status == "complete";
}

}  // namespace

void LnbitsWallet::list_paid(const ListOrder& order, std::function<void(Result<std::vector<PaidInvoice>>)> done) {
  list_page(std::make_shared<Listing>(Listing{order, std::move(done)}));
}

// Backwards from the newest.
void LnbitsWallet::list_page(const std::shared_ptr<Listing>& listing) {
  http_.call({.path = "/api/v1/payments?sortby=time&direction=desc&limit=" + std::to_string(kLnbitsLookedThrough) +
                      "&offset=" + std::to_string(listing->seen)},
             [this, listing](const Result<HttpReply>& reply) {
               const auto page = reply.and_then([](const HttpReply& said) { return parse(said); });
               if (!page) return listing->done(tl::unexpected(page.error()));
               const Json& list = page->is_array() ? *page : member(*page, "data");
               if (!list.is_array()) return listing->done(malformed("no list of payments"));
               bool older = false;
               for (const Json& one : list) {
                 const base::TimeMs time = time_of(one);  // when it was made: it is paid soon after
                 older = older || time < listing->order.since;
                 const base::Msat received = msat(one, "amount").value_or(base::Msat{});  // negative: paid out
                 if (received > base::Msat{} && is_paid(one))
                   listing->keep(hash(one, "payment_hash"), received, time, text(one, "memo"));
               }
               listing->seen += list.size();
               const bool last =
                   list.size() < static_cast<std::size_t>(kLnbitsLookedThrough) || older || listing->full();
               if (last) {
                 listing->end();
               } else {
                 listing->next_page([this, listing] { list_page(listing); });
               }
             });
}

void LnbitsWallet::on_news(News news) {
  http_.feed({.path = "/api/v1/ws/" + url_encoded(key_),
              .websocket = true,
              .opened = [news] { news(std::nullopt); },
              .said =
                  [news](std::string_view said) {
                    const auto message = parse(said);
                    if (message) news(hash(member(*message, "payment"), "payment_hash"));
                  }});
}

// ---- paying back ----------------------------------------------------------------------------------------------------

namespace {

Result<PaymentAnswer> read_lnbits_outgoing(const PaymentOrder& order, const HttpReply& reply, base::TimeMs now) {
  if (is_unknown_to_lnbits(reply)) return Unknown{};
  const auto payment = parse(reply);
  if (!payment) return tl::unexpected(payment.error());
  const Json& details = member(*payment, "details");
  if (text(*payment, "status") == "failed" || text(details, "status") == "failed") {
    return PaymentFailed{"LNbits says that it failed"};
  }
  if (!flag(*payment, "paid")) return PaymentUnderWay{};
  return made(order, {.fee = fee_msat(details, "fee"),
                      .paid_at = now,
                      .preimage = hash(*payment, "preimage").value_or(base::Hash256{}),
                      .evidence = evidence(reply.body)});
}

}  // namespace

void LnbitsPayer::pay(const PaymentOrder& order, std::function<void(Result<PaymentAnswer>)> done) {
  const Json body = {{"out", true}, {"bolt11", order.bolt11}};
  http_.call(
      {.path = "/api/v1/payments", .body = body.dump()}, [done = std::move(done)](const Result<HttpReply>& reply) {
        done(reply.and_then([](const HttpReply& said) { return parse(said); }).map([](const Json&) -> PaymentAnswer {
          return PaymentUnderWay{};
        }));
      });
}

void LnbitsPayer::look_up(const PaymentOrder& order, std::function<void(Result<PaymentAnswer>)> done) {
  http_.call({.path = "/api/v1/payments/" + order.payment_hash.hex()}, [this, order, done = std::move(done)](
                                                                           const Result<HttpReply>& reply) {
    done(reply.and_then([&](const HttpReply& said) { return read_lnbits_outgoing(order, said, ports_.clock()); }));
  });
}

}  // namespace wallet
