#include "pipeline/wallet/replies.h"

#include <algorithm>
#include <charconv>

#include "base/utf8.h"
#include "pipeline/nostr/json.h"
#include "pipeline/nostr/messages.h"
#include "pipeline/wallet/wallet.h"

namespace wallet {

using base::ErrorKind;
using base::fail;
using base::Result;

namespace {

constexpr const char* kErrorMembers[] = {"message", "detail", "error", "reason"};

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

tl::unexpected<base::Error> unreachable(const std::string& why, std::string hint) {
  return fail(ErrorKind::payment, "wallet.unreachable", "the wallet does not answer: " + why, {}, std::move(hint));
}

tl::unexpected<base::Error> refused(const std::string& said, std::string hint) {
  const std::string words = nostr::clean_relay_text(base::utf8_prefix(said, kMaxSaidBytes));
  return fail(ErrorKind::payment, "wallet.refused", "the wallet says: " + (words.empty() ? "no" : words), {},
              std::move(hint));
}

tl::unexpected<base::Error> malformed(const std::string& what) {
  return fail(ErrorKind::payment, "wallet.malformed", "the wallet's answer cannot be understood: " + what, {},
              "is this wallet of the kind that wallet.kind names?");
}

Result<Json> parse(std::string_view text) {
  auto value = Json::parse(text, nullptr, false);
  if (value.is_discarded()) return malformed("no JSON");
  return value;
}

Result<Json> parse(const HttpReply& reply) {
  if (reply.status >= 200 && reply.status < 300) return parse(std::string_view(reply.body));
  if (reply.status == 401 || reply.status == 403) {
    return fail(ErrorKind::payment, "wallet.unauthorized", "the wallet refuses our credential", {},
                "look at wallet.credential_file (for paying back, wallet.refund_credential_file): it may be of another "
                "wallet, expired, or without the right to do this");
  }
  const std::string said = said_in(reply.body);
  const std::string status = "status " + std::to_string(reply.status);
  if (reply.status >= 502 && reply.status <= 504) return unreachable(status + (said.empty() ? "" : ", " + said));
  return refused(said.empty() ? status : said);
}

std::string said_in(std::string_view body) {
  const auto value = Json::parse(body, nullptr, false);
  for (const char* one : kErrorMembers) {
    const Json& found = member(value, one);
    if (found.is_string()) return found.get<std::string>();
    if (found.is_object()) return text(found, "message");
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

Result<LookupAnswer> settled(ledger::InvoiceSettled settlement) {
  const bool proven =
      settlement.preimage.is_zero() || base::sha256(settlement.preimage.view()) == settlement.payment_hash;
  if (proven && settlement.received > base::Msat{}) return settlement;
  return fail(ErrorKind::payment, "wallet.preimage",
              "the wallet calls an invoice paid " +
                  std::string(proven ? "with nothing" : "by a preimage that is not its") + "; it is asked again");
}

Result<PaymentAnswer> made(const PaymentOrder& order, PaymentMade payment) {
  const bool proven = payment.preimage.is_zero() || base::sha256(payment.preimage.view()) == order.payment_hash;
  if (proven) return payment;
  return fail(ErrorKind::payment, "wallet.preimage",
              "the wallet says that it paid, with a preimage that is not the invoice's; it is asked again");
}

void Listing::keep(const std::optional<base::Hash256>& payment_hash, base::Msat received, base::TimeMs settled_at,
                   std::string description) {
  if (payment_hash && settled_at >= since) {
    paid.push_back({*payment_hash, received, settled_at, std::move(description)});
  }
}

void Listing::end() {
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
