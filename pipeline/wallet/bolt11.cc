#include "pipeline/wallet/bolt11.h"

#include <algorithm>

#include "base/check.h"
#include "pipeline/nostr/bech32.h"
#include "pipeline/wallet/bolt11_amount.h"
#include "pipeline/wallet/bolt11_fields.h"

namespace wallet {
namespace {

constexpr std::size_t kTimestampGroups = 7;
constexpr std::size_t kSignatureGroups = 104;  // 64 bytes and the recovery id

auto refuse(const char* code, std::string message) {
  return base::fail(base::ErrorKind::payment, code, std::move(message));
}

// "bech32.checksum" and its like are reasons of our own here.
base::Error as_bolt11_error(base::Error error) {
  error.kind = base::ErrorKind::payment;
  error.code.replace(0, error.code.find('.'), "bolt11");
  return error;
}

// What is signed: the readable part and the data, filled up with zero bits to whole bytes.
Hash256 signing_hash(std::string_view prefix, GroupView data) {
  std::string bytes(prefix);
  const auto padded = nostr::convert_bits(data, 5, 8, true);
  CHECK(padded, data.size());  // groups of five bits each
  bytes.append(padded->begin(), padded->end());
  return base::sha256(bytes);
}

NodeSignature read_signature(GroupView groups) {
  const auto bytes = nostr::convert_bits(groups, 5, 8, false);
  NodeSignature out;
  CHECK(bytes && bytes->size() == out.r_and_s.bytes.size() + 1, groups.size());
  std::copy_n(bytes->begin(), out.r_and_s.bytes.size(), out.r_and_s.bytes.begin());
  out.recovery_id = bytes->back();
  return out;
}

Groups write_signature(const NodeSignature& signature) {
  std::vector<std::uint8_t> bytes(signature.r_and_s.bytes.begin(), signature.r_and_s.bytes.end());
  bytes.push_back(signature.recovery_id);
  return *nostr::convert_bits(bytes, 8, 5, true);
}

// The signature must be the named payee's and canonical; where nobody is named, whoever made it is the payee.
Result<NodeId> check_signature(const Hash256& hash, const NodeSignature& signature,
                               const std::optional<NodeId>& named) {
  if (named) {
    if (verify(*named, hash, signature)) return *named;
    return refuse("bolt11.signature", "the signature is not a canonical one by the payee that the invoice names");
  }
  if (const auto signer = recover_signer(hash, signature)) return *signer;
  return refuse("bolt11.signature", "the signature can be nobody's");
}

Result<void> check_writable(const Invoice& invoice) {
  if (invoice.amount && (invoice.amount->value <= 0 || invoice.amount->value > Msat::kMax)) {
    return refuse("bolt11.amount", "an invoice's amount must be positive and one that can exist");
  }
  if (invoice.timestamp_s < 0 || invoice.timestamp_s >> 5 * kTimestampGroups != 0) {
    return refuse("bolt11.timestamp", "an invoice's timestamp must fit 35 bits");
  }
  return {};
}

}  // namespace

Result<DecodedInvoice> decode_bolt11(std::string_view text) {
  const auto bech32 = nostr::decode_bech32(text, kMaxBolt11Chars).map_error(as_bolt11_error);
  if (!bech32) return tl::unexpected(bech32.error());
  const auto prefix = read_bolt11_prefix(bech32->prefix);
  if (!prefix) return tl::unexpected(prefix.error());
  const GroupView groups = bech32->groups;
  if (groups.size() < kTimestampGroups + kSignatureGroups) {
    return refuse("bolt11.too_short", "the invoice is too short to hold a timestamp and a signature");
  }
  const GroupView data = groups.first(groups.size() - kSignatureGroups);
  Bolt11FieldReader fields;
  if (const auto read = fields.read_all(data.subspan(kTimestampGroups)); !read) return tl::unexpected(read.error());
  const auto payee =
      check_signature(signing_hash(bech32->prefix, data), read_signature(groups.last(kSignatureGroups)), fields.payee);
  if (!payee) return tl::unexpected(payee.error());

  DecodedInvoice out{std::move(fields.invoice), *payee};
  out.network = prefix->network;
  out.amount = prefix->amount;
  out.timestamp_s = static_cast<std::int64_t>(*read_bolt11_number(data.first(kTimestampGroups)));
  return out;
}

Result<std::string> encode_bolt11(const Invoice& invoice, const NodeKey& key) {
  if (const auto writable = check_writable(invoice); !writable) return tl::unexpected(writable.error());
  const auto payee = node_id(key);
  if (!payee) return tl::unexpected(payee.error());
  const auto fields = write_bolt11_fields(invoice, *payee);
  if (!fields) return tl::unexpected(fields.error());

  const std::string prefix = write_bolt11_prefix({invoice.network, invoice.amount});
  Groups data = write_bolt11_number(static_cast<std::uint64_t>(invoice.timestamp_s), kTimestampGroups);
  data.insert(data.end(), fields->begin(), fields->end());
  const auto signature = sign(key, signing_hash(prefix, data));
  if (!signature) return tl::unexpected(signature.error());
  const Groups tail = write_signature(*signature);
  data.insert(data.end(), tail.begin(), tail.end());
  std::string text = nostr::encode_bech32(prefix, data);

  // What we hand out, we have read back: nobody shall be billed with an invoice that says something else.
  const auto read_back = decode_bolt11(text);
  if (!read_back) return tl::unexpected(read_back.error());
  if (static_cast<const Invoice&>(*read_back) != invoice) {
    return refuse("bolt11.ambiguous", "the invoice would be read as another one");
  }
  return text;
}

Result<DecodedInvoice> check_invoice(std::string_view text, Msat expected_amount,
                                     const std::vector<Network>& expected_networks, TimeMs now,
                                     const std::optional<Hash256>& expected_payment_hash) {
  auto invoice = decode_bolt11(text);
  if (!invoice) return invoice;
  if (std::find(expected_networks.begin(), expected_networks.end(), invoice->network) == expected_networks.end()) {
    return refuse("bolt11.wrong_network", "the invoice is for " + std::string(name(invoice->network)) +
                                              ", a network that is not accepted here");
  }
  if (!invoice->amount) return refuse("bolt11.amountless", "the invoice leaves the amount to the payer");
  if (*invoice->amount != expected_amount) {
    return refuse("bolt11.wrong_amount", "the invoice is for " + std::to_string(invoice->amount->value) +
                                             " msat instead of " + std::to_string(expected_amount.value));
  }
  if (expected_payment_hash && invoice->payment_hash != *expected_payment_hash) {
    return refuse("bolt11.wrong_payment_hash", "the invoice has payment hash " + invoice->payment_hash.hex() +
                                                   " instead of " + expected_payment_hash->hex());
  }
  if (invoice->expires_at() <= now) {
    return refuse("bolt11.expired",
                  "the invoice expired " + std::to_string((now - invoice->expires_at()) / 1000) + " s ago");
  }
  return invoice;
}

}  // namespace wallet
