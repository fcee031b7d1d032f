#include "pipeline/wallet/lnd.h"

#include "base/base64.h"
#include "pipeline/wallet/bolt11.h"
#include "pipeline/wallet/replies.h"

namespace wallet {

using base::Hash256;
using base::Msat;
using base::Result;

namespace {

constexpr std::size_t kLndPage = 100;  // invoices: with what each was paid by, they may have some KiB
constexpr int kLndHoldBlocks = 144;    // about a day: then the network gives back what is held
constexpr int kLndPayPatienceS = 15;   // less than a call may take

std::optional<Hash256> base64_hash(const Json& from, const char* name) {
  const auto bytes = base::from_base64(text(from, name));
  return bytes ? Hash256::from_bytes(*bytes) : std::nullopt;
}

// As wallet.network is written.
std::string network_of_lnd(const Json& info) {
  const Json& chains = member(info, "chains");
  return network_named(chains.is_array() && !chains.empty() ? text(chains.front(), "network") : "");
}

// The macaroon is good, but without the right to this call: nothing is said about the others.
bool lacks_right(const HttpReply& reply) {
  return reply.status >= 300 && said_in(reply.body).find("permission denied") != std::string::npos;
}

bool unknown(const HttpReply& reply) {
  const std::string said = said_in(reply.body);
  return said.find("unable to locate invoice") != std::string::npos ||
         said.find("there are no existing invoices") != std::string::npos;
}

// What LND says while it starts or is locked is no refusal of ours.
Result<Json> parse_lnd(const HttpReply& reply) {
  const std::string said = said_in(reply.body);
  if (said.find("wallet locked") != std::string::npos) return unreachable("it is locked", "run `lncli unlock`");
  if (said.find("process of starting") != std::string::npos) return unreachable("it is starting");
  // A macaroon without the right, or a wrong one, is a failure of the server to it.
  if (lacks_right(reply))
    return unauthorized(said,
                        "it needs invoices:read and invoices:write, which LND's own "
                        "invoice.macaroon has; to pay back, offchain:read and offchain:write");
  if (said.find("verification failed") != std::string::npos) return unauthorized(said);
  return parse(reply);
}

Result<LookupAnswer> read_lnd_invoice(const ledger::InvoiceIssued& asked, const HttpReply& reply, base::TimeMs now) {
  if (unknown(reply)) return Unknown{};
  const auto invoice = parse_lnd(reply);
  if (!invoice) return tl::unexpected(invoice.error());
  if (base64_hash(*invoice, "r_hash") != asked.payment_hash) return malformed("another invoice than was asked for");
  const std::string state = text(*invoice, "state");
  if (state == "ACCEPTED" && asked.hold) return held(asked, msat(*invoice, "amt_paid_msat"), reply.body);
  if (state == "ACCEPTED") return Open{};
  if (state == "CANCELED" && asked.hold) return GivenBack{evidence(reply.body)};
  if (state == "CANCELED") return Expired{evidence(reply.body)};
  if (state == "OPEN") return unpaid(asked, now, reply.body);
  if (state != "SETTLED") return malformed("the state \"" + state.substr(0, 20) + "\"");
  return settled(asked, {.received = msat(*invoice, "amt_paid_msat"),
                         .settled_at = time_s(*invoice, "settle_date", now),
                         .index = static_cast<std::uint64_t>(integer(*invoice, "settle_index").value_or(0)),
                         .preimage = base64_hash(*invoice, "r_preimage").value_or(Hash256{}),
                         .said = reply.body});
}

// The last of the lines that tell how a payment goes.
Result<PaymentAnswer> read_lnd_outgoing(const PaymentOrder& order, const HttpReply& reply, base::TimeMs now) {
  const std::string said = said_in(reply.body);
  if (said.find("payment isn't initiated") != std::string::npos) return Unknown{};
  if (reply.status >= 300) return parse_lnd(reply).map([](const Json&) -> PaymentAnswer { return Unknown{}; });
  std::string_view lines = reply.body;
  while (lines.ends_with('\n')) lines.remove_suffix(1);
  const auto line = parse(lines.substr(lines.rfind('\n') + 1));  // npos + 1 is the beginning
  if (!line) return tl::unexpected(line.error());
  const Json& error = member(*line, "error");
  if (!error.is_null()) return refused(text(error, "message"));
  const Json& payment = member(*line, "result");
  if (hash(payment, "payment_hash") != order.payment_hash) return malformed("another payment than was asked for");
  const std::string status = text(payment, "status");
  if (status == "FAILED") return PaymentFailed{"LND says: " + clean_words(text(payment, "failure_reason"))};
  if (status != "SUCCEEDED") return PaymentUnderWay{};
  return made(order, {.fee = fee_msat(payment, "fee_msat"),
                      .paid_at = now,
                      .preimage = hash(payment, "payment_preimage").value_or(Hash256{}),
                      .evidence = evidence(lines.substr(lines.rfind('\n') + 1))});
}

}  // namespace

void LndPayer::pay(const PaymentOrder& order, std::function<void(Result<PaymentAnswer>)> done) {
  const Json body = {{"payment_request", order.bolt11},
                     {"timeout_seconds", kLndPayPatienceS},
                     {"fee_limit_msat", std::to_string(order.fee_limit.value)},
                     {"no_inflight_updates", true}};
  http_.call({.path = "/v2/router/send", .body = body.dump()}, [this, order, done = std::move(done)](
                                                                   const Result<HttpReply>& reply) {
    done(reply.and_then([&](const HttpReply& said) { return read_lnd_outgoing(order, said, ports_.clock()); }));
  });
}

// Answers when the payment has come to its end; until then the call has none.
void LndPayer::look_up(const PaymentOrder& order, std::function<void(Result<PaymentAnswer>)> done) {
  std::string id = base::to_base64(order.payment_hash.view());
  for (char& c : id) c = c == '+' ? '-' : c == '/' ? '_' : c;
  http_.call(
      {.path = "/v2/router/track/" + url_encoded(id) + "?no_inflight_updates=true"},
      [this, order, done = std::move(done)](const Result<HttpReply>& reply) {
        done(reply.and_then([&](const HttpReply& said) { return read_lnd_outgoing(order, said, ports_.clock()); }));
      });
}

void LndWallet::create_invoice(const InvoiceOrder& order, std::function<void(Result<MadeInvoice>)> done) {
  const Preimage preimage = ports_.preimage(order);
  Json body = {{"memo", order.description},
               {"value_msat", std::to_string(order.amount.value)},
               {"expiry", std::to_string(order.expiry_ms / 1000)}};
  if (order.hold) {
    body["hash"] = base::to_base64(base::sha256(preimage.view()).view());
    body["cltv_expiry"] = kLndHoldBlocks;
  } else {
    body["r_preimage"] = base::to_base64(preimage.view());
  }
  http_.call({.path = order.hold ? "/v2/invoices/hodl" : "/v1/invoices", .body = body.dump()},
             [this, preimage, done = std::move(done)](const Result<HttpReply>& reply) {
               if (!reply) return done(tl::unexpected(reply.error()));
               if (said_in(reply->body).find("already exists") != std::string::npos) return find_made(preimage, done);
               done(parse_lnd(*reply).map([&](const Json& made) { return read_made(made, preimage); }));
             });
}

// The node signs with its key.
MadeInvoice LndWallet::read_made(const Json& said, const Preimage& preimage) {
  MadeInvoice made{.bolt11 = text(said, "payment_request"), .payment_hash = base::sha256(preimage.view())};
  if (!node_.empty()) return made;
  if (const auto invoice = decode_bolt11(made.bolt11)) node_ = invoice->payee.hex();
  return made;
}

void LndWallet::find_made(const Preimage& preimage, std::function<void(Result<MadeInvoice>)> done) {
  http_.call({.path = "/v1/invoice/" + base::sha256(preimage.view()).hex()},
             [this, preimage, done = std::move(done)](const Result<HttpReply>& reply) {
               done(reply.and_then(parse_lnd).map([&](const Json& made) { return read_made(made, preimage); }));
             });
}

void LndWallet::look_up(const ledger::InvoiceIssued& invoice, std::function<void(Result<LookupAnswer>)> done) {
  http_.call({.path = "/v1/invoice/" + invoice.payment_hash.hex()}, [this, invoice, done = std::move(done)](
                                                                        const Result<HttpReply>& reply) {
    done(reply.and_then([&](const HttpReply& said) { return read_lnd_invoice(invoice, said, ports_.clock()); }));
  });
}

void LndWallet::status(std::function<void(Result<WalletStatus>)> done) {
  http_.call({.path = "/v1/getinfo"}, [this, done = std::move(done)](const Result<HttpReply>& reply) {
    if (reply && lacks_right(*reply)) return tell_by_newest_invoice(done);
    const auto info = reply.and_then(parse_lnd);
    if (!info) return done(tl::unexpected(info.error()));
    node_ = text(*info, "identity_pubkey");
    const std::string alias = text(*info, "alias");
    add_balance({.name = alias.empty() ? "LND" : "LND " + alias, .network = network_of_lnd(*info)}, done);
  });
}

// Which node it is, and on which network, without the right to ask: as the newest invoice says; not known before the
// first one.
void LndWallet::tell_by_newest_invoice(std::function<void(Result<WalletStatus>)> done) {
  http_.call({.path = "/v1/invoices?reversed=true&num_max_invoices=1"},
             [this, done = std::move(done)](const Result<HttpReply>& reply) {
               const auto page = reply.and_then(parse_lnd);
               if (!page) return done(tl::unexpected(page.error()));
               const Json& invoices = member(*page, "invoices");
               const bool any = invoices.is_array() && !invoices.empty();
               const auto newest = decode_bolt11(any ? text(invoices.front(), "payment_request") : "");
               // One with blinded paths may be signed by a key of its own.
               if (newest && node_.empty() && !flag(invoices.front(), "is_blinded")) node_ = newest->payee.hex();
               add_balance({.name = "LND", .network = newest ? std::string(name(newest->network)) : ""}, done);
             });
}

void LndWallet::add_balance(WalletStatus found, std::function<void(Result<WalletStatus>)> done) {
  http_.call({.path = "/v1/balance/channels"},
             [found = std::move(found), done = std::move(done)](const Result<HttpReply>& reply) {
               if (reply && lacks_right(*reply)) return done(found);
               done(reply.and_then(parse_lnd).map([&](const Json& said) {
                 WalletStatus out = found;
                 out.balance = balance(msat(member(said, "local_balance"), "msat"));
                 return out;
               }));
             });
}

void LndWallet::take(const InvoiceOrder& order, std::function<void(Result<void>)> done) {
  const Json body = {{"preimage", base::to_base64(ports_.preimage(order).view())}};
  http_.call({.path = "/v2/invoices/settle", .body = body.dump()},
             [done = std::move(done)](const auto& reply) { done(reply.and_then(parse_lnd).map([](const Json&) {})); });
}

void LndWallet::give_back(const InvoiceOrder& order, std::function<void(Result<void>)> done) {
  const Json body = {{"payment_hash", base::to_base64(base::sha256(ports_.preimage(order).view()).view())}};
  http_.call({.path = "/v2/invoices/cancel", .body = body.dump()},
             [done = std::move(done)](const auto& reply) { done(reply.and_then(parse_lnd).map([](const Json&) {})); });
}

// ---- what was paid --------------------------------------------------------------------------------------------------

void LndWallet::list_paid(const ListOrder& order, std::function<void(Result<std::vector<PaidInvoice>>)> done) {
  list_page(std::make_shared<Listing>(Listing{order, std::move(done)}), "0");
}

// Backwards from the newest. An invoice that is older than `since` by more than its life cannot have been paid since.
void LndWallet::list_page(const std::shared_ptr<Listing>& listing, const std::string& before) {
  http_.call(
      {.path = "/v1/invoices?reversed=true&num_max_invoices=" + std::to_string(kLndPage) + "&index_offset=" + before},
      [this, listing](const Result<HttpReply>& reply) {
        const auto page = reply.and_then(parse_lnd);
        if (!page) return listing->done(tl::unexpected(page.error()));
        const Json& invoices = member(*page, "invoices");
        bool older = false;
        for (const Json& one : invoices.is_array() ? invoices : Json::array()) {
          const base::TimeMs made = time_s(one, "creation_date", {});
          older = older || made < listing->order.since - kOldestOpenMs;
          if (text(one, "state") != "SETTLED") continue;
          listing->keep(base64_hash(one, "r_hash"), msat(one, "amt_paid_msat").value_or(Msat{}),
                        time_s(one, "settle_date", {}), text(one, "memo"));
        }
        const bool last = !invoices.is_array() || invoices.size() < kLndPage || older;
        if (last || listing->full()) return listing->end();
        listing->next_page([this, listing, next = text(*page, "first_index_offset")] { list_page(listing, next); });
      });
}

void LndWallet::on_news(News news) {
  http_.feed({.path = "/v1/invoices/subscribe",
              .opened = [news] { news(std::nullopt); },
              .said =
                  [news](std::string_view line) {
                    const auto message = parse(line);
                    const auto paid = message ? base64_hash(member(*message, "result"), "r_hash") : std::nullopt;
                    if (paid && text(member(*message, "result"), "state") == "SETTLED") news(*paid);
                  }});
}

}  // namespace wallet
