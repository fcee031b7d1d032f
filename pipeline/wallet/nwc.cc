#include "pipeline/wallet/nwc.h"

#include <algorithm>

#include "base/scheduler.h"
#include "pipeline/net/url_guard.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip42.h"
#include "pipeline/wallet/replies.h"

namespace wallet {

using base::ErrorKind;
using base::fail;
using base::Msat;
using base::Result;

struct NwcReply {
  Json result;             // null: it failed
  std::string error_code;  // of NIP-47: NOT_FOUND …
  std::string error;
  std::string said;  // the whole, as it was encrypted
};

namespace {

constexpr char kScheme[] = "nostr+walletconnect://";
constexpr char kNwcOrder[] = "sellcompute_order";  // in an invoice's metadata
constexpr int kNwcHoldBlocks = 144;                // about a day: then the network gives back what is held
constexpr std::int64_t kLongestHoldMs = 2LL * 24 * 60 * 60 * 1000;  // no chain is that slow
constexpr int kNwcLookedThrough = 50;                               // of the newest transactions
constexpr std::int64_t kReplyTimeoutMs = 10'000;
constexpr std::size_t kMaxWaiting = 1'000;

auto bad_uri(const std::string& what) {
  return fail(ErrorKind::config, "wallet.nwc_uri", "the wallet's connection string " + what, {},
              "copy it whole from the wallet: nostr+walletconnect://…?relay=wss://…&secret=…");
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](std::size_t at) {
      static constexpr std::string_view kDigits = "0123456789abcdef";
      return at < text.size() ? kDigits.find(static_cast<char>(text[at] | 0x20)) : std::string_view::npos;
    };
    const bool escaped =
        text[i] == '%' && digit(i + 1) != std::string_view::npos && digit(i + 2) != std::string_view::npos;
    out += escaped ? static_cast<char>(digit(i + 1) * 16 + digit(i + 2)) : text[i];
    if (escaped) i += 2;
  }
  return out;
}

// name=value pairs, in order.
std::vector<std::pair<std::string, std::string>> query_of(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> out;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    const auto equals = std::min(pair.find('='), pair.size());
    out.emplace_back(pair.substr(0, equals), percent_decoded(pair.substr(std::min(pair.size(), equals + 1))));
  }
  return out;
}

Result<Json> result_of_nwc(const NwcReply& reply) {
  const auto& [result, error_code, error, said] = reply;
  if (!result.is_null()) return result;
  if (error_code == "UNAUTHORIZED" || error_code == "RESTRICTED") {
    return fail(
        ErrorKind::payment, "wallet.unauthorized", "the wallet says: " + nostr::clean_relay_text(error), {},
        "give the connection the rights that it lacks: to make and look up invoices, or to pay what is owed back");
  }
  return refused(error.empty() ? error_code : error);
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

bool tells_of_payment(const std::string& notification) {
  return notification == "payment_received" || notification == "hold_invoice_accepted";
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
  if (may_be_held(asked, invoice, now)) return Held{{integer(invoice, "amount").value_or(0)}, evidence(said)};
  if (state == "expired" || state == "failed") return Expired{evidence(said)};
  if (state == "accepted" && asked.hold) return Held{{integer(invoice, "amount").value_or(0)}, evidence(said)};
  if (!is_settled(invoice)) return state == "accepted" ? Open{} : unpaid(asked, now, said);
  return settled({.payment_hash = asked.payment_hash,
                  .received = {integer(invoice, "amount").value_or(0)},
                  .fee = {std::max<std::int64_t>(0, integer(invoice, "fees_paid").value_or(0))},
                  .settled_at = {integer(invoice, "settled_at").value_or(now.ms / 1000) * 1000},
                  .preimage = hash(invoice, "preimage").value_or(base::Hash256{}),
                  .evidence = evidence(said)});
}

}  // namespace

Result<NwcUri> NwcUri::parse(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
  if (!text.starts_with(kScheme)) return bad_uri("does not begin with nostr+walletconnect://");
  text.remove_prefix(sizeof kScheme - 1);
  const auto mark = std::min(text.find('?'), text.size());
  const auto wallet = nostr::PublicKey::from_hex(text.substr(0, mark));
  if (!wallet) return bad_uri("names no wallet's key");
  std::vector<std::string> relays;
  std::string secret;
  for (auto& [name, value] : query_of(text.substr(std::min(text.size(), mark + 1)))) {
    if (name == "secret") {
      secret = std::move(value);
      continue;
    }
    if (name != "relay") continue;
    const auto relay = net::parse_relay_url(value);
    if (!relay) return bad_uri("names a relay that cannot be read");
    relays.push_back(relay->text());
  }
  if (relays.empty()) return bad_uri("names no relay");
  auto key = nostr::SecretKey::from_text(secret);
  nostr::wipe(secret.data(), secret.size());
  if (!key) return bad_uri("holds no secret");
  return NwcUri{*wallet, std::move(relays), std::move(*key)};
}

// Some wallets' responses lack the p tag that the NIP gives them; whose they are is seen by what they answer.
std::vector<nostr::Filter> nwc_filters(const NwcUri& uri) {
  return {{.authors = {uri.wallet}, .kinds = {kNwcResponseKind}},
          {.authors = {uri.wallet},
           .kinds = {kNwcOldNotificationKind, kNwcNotificationKind},
           .tags = {{'p', {uri.secret.public_key().hex()}}}}};
}

NwcWallet::NwcWallet(nostr::Relays& relays, base::Scheduler& scheduler, base::Random random, WalletPorts ports,
                     NwcUri uri)
    : relays_(relays),
      scheduler_(scheduler),
      random_(std::move(random)),
      ports_(std::move(ports)),
      uri_(std::move(uri)) {}

NwcWallet::~NwcWallet() = default;

nostr::Event NwcWallet::sign_auth(const std::string& url, const std::string& challenge, base::TimeMs now) const {
  return nostr::auth_event(uri_.secret, url, challenge, now, {random_().bytes});
}

// ---- the wallet -----------------------------------------------------------------------------------------------------

void NwcWallet::create_invoice(const InvoiceOrder& order, std::function<void(Result<MadeInvoice>)> done) {
  learn_abilities([this, order, done = std::move(done)] {
    if (order.hold) return make_hold(order, done);
    if (!can("list_transactions")) return make(order, done);
    const Json params = {{"type", "incoming"}, {"unpaid", true}, {"limit", kNwcLookedThrough}};
    ask("list_transactions", params.dump(), [this, order, done](const Result<NwcReply>& reply) {
      if (!reply) return done(tl::unexpected(reply.error()));
      if (auto made = find_made_by_nwc(reply->result, order)) return done(std::move(*made));
      make(order, done);
    });
  });
}

void NwcWallet::make(const InvoiceOrder& order, std::function<void(Result<MadeInvoice>)> done) {
  const Json params = {{"amount", order.amount.value},
                       {"description", order.description},
                       {"expiry", order.expiry_ms / 1000},
                       {"metadata", {{kNwcOrder, label(order)}}}};
  ask("make_invoice", params.dump(), [done = std::move(done)](const Result<NwcReply>& reply) {
    done(reply.and_then(result_of_nwc).map([](const Json& made) { return made_by_nwc(made); }));
  });
}

// Its hash is ours, so it is looked for by that.
void NwcWallet::make_hold(const InvoiceOrder& order, std::function<void(Result<MadeInvoice>)> done) {
  if (!can("make_hold_invoice")) {
    return done(refused("it has no hold invoices", "sell with payment_first or result_first"));
  }
  const base::Hash256 payment_hash = base::sha256(ports_.preimage(order).view());
  const auto made = [payment_hash](const Result<NwcReply>& reply) {
    return reply.and_then(result_of_nwc).map([&](const Json& said) {
      return MadeInvoice{.bolt11 = text(said, "invoice"), .payment_hash = payment_hash};
    });
  };
  ask("lookup_invoice", Json{{"payment_hash", payment_hash.hex()}}.dump(),
      [this, order, payment_hash, made, done = std::move(done)](const Result<NwcReply>& known) {
        if (!known) return done(tl::unexpected(known.error()));
        if (known->error_code != "NOT_FOUND") return done(made(known));
        const Json params = {{"amount", order.amount.value},
                             {"description", order.description},
                             {"expiry", order.expiry_ms / 1000},
                             {"payment_hash", payment_hash.hex()},
                             {"min_cltv_expiry_delta", kNwcHoldBlocks}};
        ask("make_hold_invoice", params.dump(), [made, done](const Result<NwcReply>& reply) { done(made(reply)); });
      });
}

void NwcWallet::take(const InvoiceOrder& order, std::function<void(Result<void>)> done) {
  tell("settle_hold_invoice", Json{{"preimage", ports_.preimage(order).hex()}}.dump(), std::move(done));
}

void NwcWallet::give_back(const InvoiceOrder& order, std::function<void(Result<void>)> done) {
  const base::Hash256 payment_hash = base::sha256(ports_.preimage(order).view());
  ask("cancel_hold_invoice", Json{{"payment_hash", payment_hash.hex()}}.dump(),
      [this, payment_hash, asked_at = ports_.clock(), done = std::move(done)](const Result<NwcReply>& reply) {
        if (given_back_.size() >= kMaxWaiting) given_back_.clear();  // those that are asked about are told again
        if (reply && (!reply->result.is_null() || reply->error_code == "NOT_FOUND"))
          given_back_[payment_hash] = asked_at;
        done(reply.and_then(result_of_nwc).map([](const Json&) {}));
      });
}

// While it could still be paid, a new payment may have come after that.
bool NwcWallet::was_given_back(const ledger::InvoiceIssued& invoice) const {
  const auto found = given_back_.find(invoice.payment_hash);
  return found != given_back_.end() && found->second >= invoice.expires_at;
}

void NwcWallet::tell(const std::string& method, const std::string& params, std::function<void(Result<void>)> done) {
  ask(method, params, [done = std::move(done)](const Result<NwcReply>& reply) {
    done(reply.and_then(result_of_nwc).map([](const Json&) {}));
  });
}

void NwcWallet::look_up(const ledger::InvoiceIssued& invoice, std::function<void(Result<LookupAnswer>)> done) {
  ask("lookup_invoice", Json{{"payment_hash", invoice.payment_hash.hex()}}.dump(),
      [this, invoice, done = std::move(done)](const Result<NwcReply>& reply) {
        if (!reply) return done(tl::unexpected(reply.error()));
        if (reply->error_code == "NOT_FOUND") return done(Unknown{});
        const auto result = result_of_nwc(*reply);
        if (!result) return done(tl::unexpected(result.error()));
        if (may_be_held(invoice, *result, ports_.clock()) && was_given_back(invoice))
          return done(GivenBack{evidence(reply->said)});
        done(read_nwc_invoice(invoice, *result, reply->said, ports_.clock()));
      });
}

void NwcWallet::status(std::function<void(Result<WalletStatus>)> done) {
  ask("get_info", "{}", [this, done = std::move(done)](const Result<NwcReply>& reply) {
    const auto info = reply.and_then(result_of_nwc);
    if (!info) return done(tl::unexpected(info.error()));
    const std::string alias = text(*info, "alias");
    // A connection that may only receive is often not told the balance: that is no fault.
    ask("get_balance", "{}", [alias, done](const Result<NwcReply>& balance) {
      WalletStatus out{.name = alias.empty() ? "NWC" : alias};
      const auto msat = balance ? integer(balance->result, "balance") : std::nullopt;
      if (msat) out.balance = Msat{*msat};
      done(std::move(out));
    });
  });
}

// ---- what was paid --------------------------------------------------------------------------------------------------

void NwcWallet::list_paid(base::TimeMs since, std::function<void(Result<std::vector<PaidInvoice>>)> done) {
  list_page(std::make_shared<Listing>(Listing{since, std::move(done)}));
}

void NwcWallet::list_page(const std::shared_ptr<Listing>& listing) {
  const Json params = {{"type", "incoming"},
                       {"from", listing->since.ms / 1000},
                       {"limit", kNwcLookedThrough},
                       {"offset", listing->seen}};
  ask("list_transactions", params.dump(), [this, listing](const Result<NwcReply>& reply) {
    const auto page = reply.and_then(result_of_nwc);
    if (!page) return listing->done(tl::unexpected(page.error()));
    const Json& list = member(*page, "transactions");
    if (!list.is_array()) return listing->done(malformed("no list of transactions"));
    for (const Json& one : list) {
      const base::TimeMs settled_at{integer(one, "settled_at").value_or(0) * 1000};
      if (text(one, "type") == "outgoing" || !is_settled(one)) continue;
      listing->keep(hash(one, "payment_hash"), {integer(one, "amount").value_or(0)}, settled_at,
                    text(one, "description"));
    }
    listing->seen += list.size();
    const bool last = list.size() < static_cast<std::size_t>(kNwcLookedThrough) || listing->full();
    if (last) {
      listing->end();
    } else {
      list_page(listing);
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
  return made(order, {.fee = {std::max<std::int64_t>(0, integer(payment, "fees_paid").value_or(0))},
                      .paid_at = {integer(payment, "settled_at").value_or(now.ms / 1000) * 1000},
                      .preimage = hash(payment, "preimage").value_or(base::Hash256{}),
                      .evidence = evidence(said)});
}

}  // namespace

void NwcWallet::pay(const PaymentOrder& order, std::function<void(Result<PaymentAnswer>)> done) {
  ask("pay_invoice", Json{{"invoice", order.bolt11}}.dump(),
      [this, order, done = std::move(done)](const Result<NwcReply>& reply) {
        if (!reply) return done(tl::unexpected(reply.error()));
        const auto result = result_of_nwc(*reply);
        if (!result) return done(tl::unexpected(result.error()));
        done(made(order, {.fee = {std::max<std::int64_t>(0, integer(*result, "fees_paid").value_or(0))},
                          .paid_at = ports_.clock(),
                          .preimage = hash(*result, "preimage").value_or(base::Hash256{}),
                          .evidence = evidence(reply->said)}));
      });
}

void NwcWallet::look_up(const PaymentOrder& order, std::function<void(Result<PaymentAnswer>)> done) {
  ask("lookup_invoice", Json{{"payment_hash", order.payment_hash.hex()}}.dump(),
      [this, order, done = std::move(done)](const Result<NwcReply>& reply) {
        if (!reply) return done(tl::unexpected(reply.error()));
        if (reply->error_code == "NOT_FOUND") return done(Unknown{});
        const auto result = result_of_nwc(*reply);
        if (!result) return done(tl::unexpected(result.error()));
        done(read_outgoing(order, *result, reply->said, ports_.clock()));
      });
}

// ---- the protocol ---------------------------------------------------------------------------------------------------

bool NwcWallet::can(std::string_view method) const {
  return methods_.empty() || std::ranges::find(methods_, method) != methods_.end();
}

// Its info event says which encryption it reads, and what it can; without one it is an old wallet (NIP-04).
void NwcWallet::learn_abilities(std::function<void()> then) {
  if (form_) return then();
  learning_.push_back(std::move(then));
  if (learning_.size() > 1) return;  // it is asked for already
  const nostr::Filter info{.authors = {uri_.wallet}, .kinds = {kNwcInfoKind}, .limit = 1};
  relays_.query(uri_.relays.front(), info, lifetime_.guard([this](const auto& events) {
    if (events) read_info(*events);
    for (const auto& one : std::exchange(learning_, {})) one();
  }));
}

void NwcWallet::read_info(const std::vector<nostr::Event>& events) {
  form_ = ledger::Encryption::nip04;
  if (events.empty()) return;
  const nostr::Event& info = events.front();
  if (info.tag_value("encryption").value_or("").find("nip44_v2") != std::string::npos)
    form_ = ledger::Encryption::nip44;
  methods_.clear();
  std::string_view rest = info.content;
  while (!rest.empty()) {
    const std::string_view word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    if (!word.empty()) methods_.emplace_back(word);
  }
}

void NwcWallet::ask(const std::string& method, const std::string& params, OnReply done) {
  learn_abilities([this, method, params, done = std::move(done)] {
    if (!form_) return done(unreachable("its relay does not answer", "is " + uri_.relays.front() + " up?"));
    if (waiting_.size() >= kMaxWaiting) return done(unreachable("too many questions wait for it"));
    send(method, params, done);
  });
}

void NwcWallet::send(const std::string& method, const std::string& params, OnReply done) {
  const std::int64_t now_s = scheduler_.now().ms / 1000;
  const std::string plain = R"({"method":)" + Json(method).dump() + R"(,"params":)" + params + "}";
  auto content = nostr::encrypt(*form_, plain, uri_.secret, uri_.wallet, {random_().bytes});
  if (!content) return done(tl::unexpected(content.error()));
  nostr::Unsigned request{.kind = kNwcRequestKind, .created_at_s = now_s, .content = std::move(*content)};
  request.tags = {{"p", uri_.wallet.hex()}, {"expiration", std::to_string(now_s + kReplyTimeoutMs / 1000)}};
  if (*form_ == ledger::Encryption::nip44) request.tags.push_back({"encryption", "nip44_v2"});
  const nostr::Event event = nostr::sign(std::move(request), uri_.secret, {random_().bytes});
  waiting_[event.id] = std::move(done);
  const std::string json = nostr::to_json(event);
  const auto open = std::make_shared<std::size_t>(uri_.relays.size());
  for (const std::string& relay : uri_.relays) {
    relays_.publish(relay, json, event.id,
                    lifetime_.guard([this, open, id = event.id](const ledger::RelayAnswer& answer_) {
                      if (answer_.accepted || --*open > 0) return;
                      answer(id, unreachable("no relay of it took our question: " + answer_.message));
                    }));
  }
  scheduler_.after(kReplyTimeoutMs, lifetime_.guard([this, id = event.id] {
    answer(id, unreachable("no answer within 10 s", "is the wallet running?"));
  }));
}

void NwcWallet::on_event(const nostr::Event& event) {
  if (event.pubkey != uri_.wallet) return;
  if (event.kind == kNwcResponseKind) {
    on_response(event);
  } else {
    on_notification(event);
  }
}

void NwcWallet::on_response(const nostr::Event& event) {
  const auto request = nostr::EventId::from_hex(event.tag_value("e").value_or(""));
  if (!request || !waiting_.contains(*request)) return;
  const auto opened = nostr::decrypt(event.content, uri_.secret, uri_.wallet);
  if (!opened) return answer(*request, malformed("it cannot be decrypted"));
  const auto said = parse(std::string_view(opened->plaintext));
  if (!said) return answer(*request, tl::unexpected(said.error()));
  const Json& error = member(*said, "error");
  answer(*request, NwcReply{.result = error.is_null() ? member(*said, "result") : Json(),
                            .error_code = text(error, "code"),
                            .error = text(error, "message"),
                            .said = opened->plaintext});
}

void NwcWallet::on_notification(const nostr::Event& event) {
  const auto opened = nostr::decrypt(event.content, uri_.secret, uri_.wallet);
  const auto said = opened ? parse(std::string_view(opened->plaintext)) : tl::unexpected(opened.error());
  if (!said || !news_ || !tells_of_payment(text(*said, "notification_type"))) return;
  if (const auto paid = hash(member(*said, "notification"), "payment_hash")) news_(*paid);
}

void NwcWallet::answer(const nostr::EventId& request, const Result<NwcReply>& reply) {
  const auto found = waiting_.extract(request);
  if (found) found.mapped()(reply);
}

void NwcWallet::on_disconnected() {
  for (auto& [id, done] : std::exchange(waiting_, {})) done(unreachable("the connection to its relay was lost"));
}

void NwcWallet::on_connected() {
  form_.reset();  // the wallet may have learnt something
  if (news_) news_(std::nullopt);
}

}  // namespace wallet
