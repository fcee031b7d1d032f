#include "pipeline/wallet/nwc_connection.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"
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
constexpr std::int64_t kInfoPatienceMs = 2'000;

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

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (!word.empty()) out.emplace_back(word);
  }
  return out;
}

std::vector<std::string> texts_of(const Json& list) {
  std::vector<std::string> out;
  for (const Json& one : list.is_array() ? list : Json::array()) {
    if (one.is_string()) out.push_back(one.get<std::string>());
  }
  return out;
}

std::string listed(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& one : texts) out += (out.empty() ? "" : " or ") + one;
  return out;
}

// "account not found" tells nothing of the invoice that was asked about.
bool speaks_of_others(const std::string& error) {
  const std::string words = base::lower(error);
  return std::ranges::any_of(std::array{"account", "wallet", "user", "app"},
                             [&](const char* word) { return words.find(word) != std::string::npos; });
}

// Some wallets' error is a mere text.
NwcReply read_reply(const Json& said, const std::string& whole) {
  const Json& error = member(said, "error");
  NwcReply out{.error_code = text(error, "code"), .error = text(error, "message"), .said = whole};
  if (error.is_null()) out.result = member(said, "result");
  if (error.is_string()) out.error = error.get<std::string>();
  if (!out.error_code.empty()) return out;
  if (means_not_found(out.error) && !speaks_of_others(out.error)) out.error_code = "NOT_FOUND";
  if (means_not_implemented(out.error)) out.error_code = "NOT_IMPLEMENTED";
  return out;
}

// It could not read the question, which is in the wrong encryption.
bool is_deaf(const Result<NwcReply>& reply) {
  return !reply || reply->error_code == "UNSUPPORTED_ENCRYPTION" ||
         base::lower(reply->error).find("decrypt") != std::string::npos;
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
        ErrorKind::payment, "wallet.unauthorized",
        "the wallet says: " + clean_words(error.empty() ? error_code : error), {},
        "give the connection the rights that it lacks: to make and look up invoices, or to pay what is owed back");
  }
  if (error_code == "RATE_LIMITED") return rate_limited(error);
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

std::string NwcConnection::account() const {
  return uri_.wallet.hex() + "/" + uri_.secret.public_key().hex();
}

bool NwcConnection::can(std::string_view method) const {
  return std::ranges::find(methods_, method) != methods_.end() && !not_implemented_.contains(method);
}

bool NwcConnection::may(std::string_view method) const {
  return methods_.empty() ? !not_implemented_.contains(method) : can(method);
}

bool NwcConnection::notifies(std::string_view type) const {
  return std::ranges::find(notifications_, type) != notifications_.end();
}

// One question for the info event, put to all relays.
struct NwcConnection::Search {
  std::size_t open = 0;   // relays that have not answered
  bool answered = false;  // one has, without the event
  bool ended = false;
};

void NwcConnection::learn_abilities(OnLearnt then) {
  if (learnt()) return then({});
  learning_.push_back(std::move(then));
  if (learning_.size() > 1) return;  // it is asked for already
  const nostr::Filter info{.authors = {uri_.wallet}, .kinds = {kNwcInfoKind}, .limit = 1};
  const auto search = std::make_shared<Search>(Search{.open = uri_.relays.size()});
  for (const std::string& relay : uri_.relays) {
    relays_.query(relay, info, lifetime_.guard([this, search](const auto& found) { on_info(search, found); }));
  }
}

// The first relay that has the event ends the search. One that has none leaves the others a short while: a relay that
// is not there may take long to say so.
void NwcConnection::on_info(const std::shared_ptr<Search>& search, const Result<std::vector<nostr::Event>>& found) {
  --search->open;
  if (search->ended) return;
  if (found && !found->empty()) {
    search->ended = true;
    read_info(found->front());
    return learning_ends({});
  }
  if (found && !std::exchange(search->answered, true) && search->open > 0)
    scheduler_.after(kInfoPatienceMs, lifetime_.guard([this, search] { end_search(search); }));
  if (search->open == 0) end_search(search);
}

// Without the event it is an old wallet (NIP-04), or one whose event the relay has not, or not yet.
void NwcConnection::end_search(const std::shared_ptr<Search>& search) {
  if (std::exchange(search->ended, true)) return;
  if (!search->answered)
    return learning_ends(unreachable("none of its relays answers", "is " + listed(uri_.relays) + " up?"));
  methods_.clear();
  notifications_.clear();
  not_implemented_.clear();
  ask_for_abilities(ledger::Encryption::nip04);
}

void NwcConnection::read_info(const nostr::Event& info) {
  const bool nip44 = info.tag_value("encryption").value_or("").find("nip44_v2") != std::string::npos;
  form_ = nip44 ? ledger::Encryption::nip44 : ledger::Encryption::nip04;
  methods_ = words_of(info.content);
  notifications_ = words_of(info.tag_value("notifications").value_or(""));
  not_implemented_.clear();
}

// In either encryption. A wallet that answers in none may be away, and is asked for its event again the next time.
void NwcConnection::ask_for_abilities(ledger::Encryption form) {
  form_ = form;
  learning_by_asking_ = true;
  send("get_info", Json::object(), [this, form](const Result<NwcReply>& reply) {
    if (is_deaf(reply) && form == ledger::Encryption::nip04) return ask_for_abilities(ledger::Encryption::nip44);
    learning_by_asking_ = false;
    const bool deaf = reply && is_deaf(reply);
    if (!reply || deaf) form_.reset();
    if (deaf) return learning_ends(unreachable("it reads neither of our encryptions"));
    learning_ends(reply.map([](const NwcReply&) {}));
  });
}

void NwcConnection::learn_from(const std::string& method, const NwcReply& reply) {
  // Of others the words may be about what was asked for: an amount, a description.
  static constexpr std::array<std::string_view, 3> kWithoutParticulars = {"get_info", "get_balance",
                                                                          "list_transactions"};
  const bool means_method = std::ranges::find(kWithoutParticulars, method) != kWithoutParticulars.end();
  if (reply.error_code == "NOT_IMPLEMENTED" && means_method) not_implemented_.insert(method);
  if (method != "get_info") return;
  Words methods = texts_of(member(reply.result, "methods"));
  Words notifications = texts_of(member(reply.result, "notifications"));
  if (!methods.empty()) methods_ = std::move(methods);
  if (!notifications.empty()) notifications_ = std::move(notifications);
}

void NwcConnection::learning_ends(const Result<void>& result) {
  for (const auto& one : std::exchange(learning_, {})) one(result);
}

// ---- questions and answers ------------------------------------------------------------------------------------------

void NwcConnection::ask(const std::string& method, const Json& params, OnReply done) {
  learn_abilities([this, method, params, done = std::move(done)](const Result<void>& known) {
    if (!known) return done(tl::unexpected(known.error()));
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
  waiting_[event.id] = [this, method, done = std::move(done)](const Result<NwcReply>& reply) {
    if (reply) learn_from(method, *reply);
    done(reply);
  };
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
  answer(*request, read_reply(*said, opened->plaintext));
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

void NwcConnection::on_disconnected(const std::string& relay) {
  if (live_.erase(relay) == 0 || !live_.empty()) return;
  for (auto& [id, done] : std::exchange(waiting_, {})) done(unreachable("the connection to its relay was lost"));
}

void NwcConnection::on_connected(const std::string& relay) {
  live_.insert(relay);
  if (learning_.empty()) form_.reset();  // the wallet may have learnt something
  if (news_) news_(std::nullopt);
}

}  // namespace wallet
