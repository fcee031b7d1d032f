#include "pipeline/wallet/replies.h"

#include <algorithm>
#include <boost/algorithm/string/replace.hpp>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/ascii.h"
#include "base/utf8.h"
#include "pipeline/nostr/json.h"
#include "pipeline/nostr/messages.h"
#include "pipeline/wallet/wallet.h"

namespace wallet {

using base::ErrorKind;
using base::fail;
using base::Result;

namespace {

constexpr const char* kErrorMembers[] = {"message", "detail", "error", "reason", "msg"};
constexpr std::int64_t kNoAmount = base::Msat::kMax + 1;      // more than there can be
constexpr std::int64_t kLastMoment_ms = 253'402'300'799'000;  // of the year 9999

bool contains_word_of(std::string_view said, std::initializer_list<std::string_view> words) {
  const std::string lower = base::lower(said);
  return std::ranges::any_of(words, [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

// Only what stands between us and the wallet answers with these; but LNbits refuses with 520 and a reason in JSON.
bool is_proxys(const HttpReply& reply) {
  const bool wallets_own = reply.status == 520 && Json::parse(reply.body, nullptr, false).is_object();
  return reply.status == 408 || (reply.status >= 502 && reply.status <= 504) ||
         (reply.status >= 520 && reply.status <= 530 && !wallets_own);
}

auto no_amount() {
  return fail(ErrorKind::payment, "wallet.amount",
              "the wallet tells an amount that cannot be: nothing, or beyond all bitcoin", {},
              "is this wallet of the kind that wallet.kind names?");
}

std::optional<base::Msat> amount(const Json& from, const char* name, std::int64_t unit_msat) {
  const Json& value = member(from, name);
  if (value.is_null()) return std::nullopt;
  const std::int64_t limit = base::Msat::kMax / unit_msat;
  if (value.is_number_float() && std::abs(value.get<double>()) <= static_cast<double>(limit))
    return base::Msat{static_cast<std::int64_t>(value.get<double>() * static_cast<double>(unit_msat))};
  const auto number = integer(from, name);
  if (!number || *number > limit) return base::Msat{kNoAmount};
  return base::Msat{*number < -limit ? -kNoAmount : *number * unit_msat};
}

base::TimeMs moment(const Json& from, const char* name, std::int64_t unit_ms, base::TimeMs otherwise) {
  const auto told = integer(from, name);
  return told && *told > 0 && *told <= kLastMoment_ms / unit_ms ? base::TimeMs{*told * unit_ms} : otherwise;
}

bool unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.' || c == '~';
}

}  // namespace

std::string label(const InvoiceOrder& order) {
  return order.job.hex() + "-" + std::to_string(static_cast<unsigned>(order.purpose)) + "-" +
         std::to_string(order.attempt);
}

std::string_view name(Repeats repeats) {
  switch (repeats) {
    case Repeats::by_preimage:
      return "by preimage";
    case Repeats::by_label:
      return "by label";
    default:
      return "never";
  }
}

std::string clean_words(std::string_view said) {
  return nostr::clean_relay_text(base::utf8_prefix(said, kMaxSaidBytes));
}

std::string hide_secrets(std::string said, const std::vector<std::string>& secrets) {
  for (const std::string& secret : secrets) {
    if (secret.size() >= kMinHiddenBytes) boost::algorithm::replace_all(said, secret, "(credential)");
  }
  return said;
}

tl::unexpected<base::Error> unauthorized(const std::string& said, std::string hint) {
  const std::string words = clean_words(said);
  if (hint.empty()) {
    hint =
        "look at wallet.credential_file (for paying back, wallet.refund_credential_file): it may be of another "
        "wallet, expired, or without the right to do this";
  }
  return fail(ErrorKind::payment, "wallet.unauthorized",
              "the wallet refuses our credential" + (words.empty() ? "" : ": " + words), {}, std::move(hint));
}

tl::unexpected<base::Error> rate_limited(const std::string& said, std::int64_t retry_after_s) {
  const std::string words = clean_words(said);
  auto error = fail(ErrorKind::payment, "wallet.rate_limited",
                    "the wallet says that it was asked too often" + (words.empty() ? "" : ": " + words));
  if (retry_after_s > 0) error.value().context = std::to_string(retry_after_s) + " s";
  return error;
}

std::int64_t asked_pause_ms(const base::Error& error) {
  std::int64_t pause_s = 0;
  if (error.code == "wallet.rate_limited")
    std::from_chars(error.context.data(), error.context.data() + error.context.size(), pause_s);
  return std::clamp<std::int64_t>(pause_s, 0, kLongestAskedPauseMs / 1000) * 1000;
}

bool means_too_often(std::string_view said) {
  return contains_word_of(said, {"rate limit", "rate_limit", "ratelimit", "too many requests", "slow down"});
}

bool means_not_found(std::string_view said) {
  return contains_word_of(said, {"not found", "not_found", "does not exist"}) && !means_not_implemented(said);
}

bool means_not_implemented(std::string_view said) {
  return contains_word_of(said, {"not implemented", "not_implemented", "not supported", "unsupported", "unknown method",
                                 "method not", "unknown command"});
}

tl::unexpected<base::Error> unreachable(const std::string& why, std::string hint) {
  return fail(ErrorKind::payment, "wallet.unreachable", "the wallet does not answer: " + why, {}, std::move(hint));
}

tl::unexpected<base::Error> refused(const std::string& said, std::string hint) {
  if (means_too_often(said)) return rate_limited(said);
  const std::string words = clean_words(said);
  return fail(ErrorKind::payment, "wallet.refused", "the wallet says: " + (words.empty() ? "no" : words), {},
              std::move(hint));
}

tl::unexpected<base::Error> malformed(const std::string& what) {
  return fail(ErrorKind::payment, "wallet.malformed", "the wallet's answer cannot be understood: " + clean_words(what),
              {}, "is this wallet of the kind that wallet.kind names?");
}

Result<Json> parse(std::string_view text) {
  auto value = Json::parse(text, nullptr, false);
  if (value.is_discarded()) return malformed("no JSON");
  return value;
}

Result<Json> parse(const HttpReply& reply) {
  if (reply.status >= 200 && reply.status < 300) return parse(std::string_view(reply.body));
  const std::string said = said_in(reply.body);
  if (reply.status == 401 || reply.status == 403) return unauthorized(said);
  if (reply.status == 429) return rate_limited(said, reply.retry_after_s);
  const std::string status = "status " + std::to_string(reply.status);
  if (is_proxys(reply)) {
    const std::string words = clean_words(said);
    return unreachable(status + (words.empty() ? "" : ", " + words));
  }
  return refused(said.empty() ? status : said);
}

std::string said_in(std::string_view body) {
  const auto value = Json::parse(body, nullptr, false);
  if (value.is_discarded()) return std::string(body.starts_with('<') ? "" : base::utf8_prefix(body, kMaxSaidBytes));
  for (const char* one : kErrorMembers) {
    const Json& found = member(value, one);
    if (found.is_string()) return found.get<std::string>();
    if (found.is_object()) return text(found, "message");
    if (found.is_array() && !found.empty()) return text(found.front(), "msg");  // FastAPI's
  }
  return {};
}

const Json& member(const Json& from, const char* name) {
  static const Json kNull;
  if (!from.is_object()) return kNull;
  const auto found = from.find(name);
  return found == from.end() ? kNull : *found;
}

std::string text(const Json& from, const char* name) {
  const Json& value = member(from, name);
  return value.is_string() ? value.get<std::string>() : std::string();
}

bool flag(const Json& from, const char* name) {
  const Json& value = member(from, name);
  return value.is_boolean() && value.get<bool>();
}

std::optional<std::int64_t> integer(const Json& from, const char* name) {
  const Json& value = member(from, name);
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX) return std::nullopt;
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (!value.is_string()) return std::nullopt;
  const std::string digits = value.get<std::string>();
  std::int64_t out = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
  return error == std::errc() && end == digits.data() + digits.size() ? std::optional(out) : std::nullopt;
}

std::optional<base::Hash256> hash(const Json& from, const char* name) {
  return base::Hash256::from_hex(text(from, name));
}

std::string evidence(std::string_view said) {
  if (said.size() <= kMaxEvidenceBytes) return std::string(said);
  return "a statement of " + std::to_string(said.size()) + " bytes with the SHA-256 " + base::sha256(said).hex();
}

std::optional<base::Msat> msat(const Json& from, const char* name) {
  return amount(from, name, 1);
}

std::optional<base::Msat> sat(const Json& from, const char* name) {
  return amount(from, name, 1000);
}

base::Msat fee_msat(const Json& from, const char* name) {
  return {std::abs(msat(from, name).value_or(base::Msat{}).value)};
}

bool is_amount(base::Msat amount) {
  return amount >= base::Msat{} && amount.value <= base::Msat::kMax;
}

std::optional<base::Msat> balance(std::optional<base::Msat> told) {
  return told && is_amount(*told) ? told : std::nullopt;
}

std::string network_named(std::string_view told) {
  const std::string name = base::lower(told);
  if (name == "mainnet" || name == "main" || name == "bitcoin") return "bitcoin";
  if (name.starts_with("testnet")) return "testnet";
  return name == "signet" || name == "regtest" ? name : "";
}

base::TimeMs time_s(const Json& from, const char* name, base::TimeMs otherwise) {
  return moment(from, name, 1000, otherwise);
}

base::TimeMs time_ms(const Json& from, const char* name, base::TimeMs otherwise) {
  return moment(from, name, 1, otherwise);
}

Result<LookupAnswer> settled(const ledger::InvoiceIssued& asked, const Paid& paid) {
  if (!paid.preimage.is_zero() && base::sha256(paid.preimage.view()) != asked.payment_hash) {
    return fail(ErrorKind::payment, "wallet.preimage",
                "the wallet calls an invoice paid by a preimage that is not its; it is asked again");
  }
  const base::Msat received = paid.received.value_or(asked.amount);
  if (!is_amount(received) || !is_amount(paid.fee) || received == base::Msat{}) return no_amount();
  return ledger::InvoiceSettled{.payment_hash = asked.payment_hash,
                                .received = received,
                                .fee = paid.fee,
                                .settled_at = paid.settled_at,
                                .index = paid.index,
                                .preimage = paid.preimage,
                                .evidence = (paid.received ? "" : kUnprovenAmount) + evidence(paid.said)};
}

Result<LookupAnswer> held(const ledger::InvoiceIssued& asked, std::optional<base::Msat> amount, std::string_view said) {
  const bool told = amount && *amount != base::Msat{};
  const base::Msat waits = told ? *amount : asked.amount;
  if (!is_amount(waits)) return no_amount();
  return Held{waits, (told ? "" : kUnprovenAmount) + evidence(said)};
}

Result<PaymentAnswer> made(const PaymentOrder& order, PaymentMade payment) {
  const bool proven = payment.preimage.is_zero() || base::sha256(payment.preimage.view()) == order.payment_hash;
  if (proven && !is_amount(payment.fee)) return no_amount();
  if (proven) return payment;
  return fail(ErrorKind::payment, "wallet.preimage",
              "the wallet says that it paid, with a preimage that is not the invoice's; it is asked again");
}

void Listing::keep(const std::optional<base::Hash256>& payment_hash, base::Msat received, base::TimeMs settled_at,
                   std::string description) {
  absurd = absurd || !is_amount(received) || received.value > base::Msat::kMax - sum.value;
  if (absurd) return;
  sum += received;
  if (payment_hash && settled_at >= order.since) {
    paid.push_back({*payment_hash, received, settled_at, std::move(description)});
  }
}

void Listing::next_page(std::function<void()> ask) const {
  order.next_page([done = done, ask = std::move(ask)](const Result<void>& may) {
    if (!may) return done(tl::unexpected(may.error()));
    ask();
  });
}

void Listing::end() {
  if (absurd) return done(no_amount());
  if (!full()) return done(std::move(paid));
  done(refused("it has more payments than can be compared at once", "give a later --since"));
}

LookupAnswer unpaid(const ledger::InvoiceIssued& invoice, base::TimeMs now, std::string_view said) {
  if (now < invoice.expires_at) return Open{};
  return Expired{evidence(said)};
}

std::string url_encoded(std::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (unreserved(c)) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

std::string form_encoded(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string out;
  for (const auto& [field, value] : fields) {
    if (!out.empty()) out += '&';
    out += url_encoded(field) + "=" + url_encoded(value);
  }
  return out;
}

}  // namespace wallet
