#include "pipeline/wallet/nwc_connection.h"

#include <algorithm>

#include "pipeline/net/url_guard.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip42.h"
#include "pipeline/wallet/replies.h"

namespace wallet {

using base::ErrorKind;
using base::fail;
using base::Result;

namespace {

constexpr char kScheme[] = "nostr+walletconnect://";
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

bool tells_of_payment(const std::string& notification) {
  return notification == "payment_received" || notification == "hold_invoice_accepted";
}

}  // namespace

Result<Json> result_of(const NwcReply& reply) {
  const auto& [result, error_code, error, said] = reply;
  if (!result.is_null()) return result;
  if (error_code == "UNAUTHORIZED" || error_code == "RESTRICTED") {
    return fail(
        ErrorKind::payment, "wallet.unauthorized", "the wallet says: " + nostr::clean_relay_text(error), {},
        "give the connection the rights that it lacks: to make and look up invoices, or to pay what is owed back");
  }
  return refused(error.empty() ? error_code : error);
}

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

NwcConnection::NwcConnection(nostr::Relays& relays, base::Scheduler& scheduler, base::Random random, NwcUri uri)
    : relays_(relays), scheduler_(scheduler), random_(std::move(random)), uri_(std::move(uri)) {}

nostr::Event NwcConnection::sign_auth(const std::string& url, const std::string& challenge, base::TimeMs now) const {
  return nostr::auth_event(uri_.secret, url, challenge, now, {random_().bytes});
}

// ---- what the wallet can --------------------------------------------------------------------------------------------

bool NwcConnection::can(std::string_view method) const {
  return methods_.empty() || std::ranges::find(methods_, method) != methods_.end();
}

// Its info event says which encryption it reads, and what it can; without one it is an old wallet (NIP-04).
void NwcConnection::learn_abilities(std::function<void()> then) {
  if (form_) return then();
  learning_.push_back(std::move(then));
  if (learning_.size() > 1) return;  // it is asked for already
  const nostr::Filter info{.authors = {uri_.wallet}, .kinds = {kNwcInfoKind}, .limit = 1};
  relays_.query(uri_.relays.front(), info, lifetime_.guard([this](const auto& events) {
    if (events) read_info(*events);
    for (const auto& one : std::exchange(learning_, {})) one();
  }));
}

void NwcConnection::read_info(const std::vector<nostr::Event>& events) {
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

// ---- questions and answers ------------------------------------------------------------------------------------------

void NwcConnection::ask(const std::string& method, const Json& params, OnReply done) {
  learn_abilities([this, method, params, done = std::move(done)] {
    if (!form_) return done(unreachable("its relay does not answer", "is " + uri_.relays.front() + " up?"));
    if (waiting_.size() >= kMaxWaiting) return done(unreachable("too many questions wait for it"));
    send(method, params, done);
  });
}

void NwcConnection::send(const std::string& method, const Json& params, OnReply done) {
  const std::int64_t now_s = scheduler_.now().ms / 1000;
  const std::string plain = Json{{"method", method}, {"params", params}}.dump();
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

void NwcConnection::on_event(const nostr::Event& event) {
  if (event.pubkey != uri_.wallet) return;
  if (event.kind == kNwcResponseKind) {
    on_response(event);
  } else {
    on_notification(event);
  }
}

void NwcConnection::on_response(const nostr::Event& event) {
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

void NwcConnection::on_notification(const nostr::Event& event) {
  const auto opened = nostr::decrypt(event.content, uri_.secret, uri_.wallet);
  const auto said = opened ? parse(std::string_view(opened->plaintext)) : tl::unexpected(opened.error());
  if (!said || !news_ || !tells_of_payment(text(*said, "notification_type"))) return;
  if (const auto paid = hash(member(*said, "notification"), "payment_hash")) news_(*paid);
}

void NwcConnection::answer(const nostr::EventId& request, const Result<NwcReply>& reply) {
  const auto found = waiting_.extract(request);
  if (found) found.mapped()(reply);
}

void NwcConnection::on_disconnected() {
  for (auto& [id, done] : std::exchange(waiting_, {})) done(unreachable("the connection to its relay was lost"));
}

void NwcConnection::on_connected() {
  form_.reset();  // the wallet may have learnt something
  if (news_) news_(std::nullopt);
}

}  // namespace wallet
