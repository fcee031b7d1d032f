// The input is an invoice. It is read as it stands and once more with a good checksum; the signature is then
// somebody's.
#include "pipeline/wallet/bolt11.h"

#include "pipeline/wallet/bolt11_amount.h"
#include "tests/fuzz/bech32_input.h"
#include "tests/fuzz/fuzz.h"

namespace {

using fuzz::require;
using namespace wallet;

const NodeKey kKey = *NodeKey::from_hex("e126f68f7eafcc8b74f54d269fe206be715000f94dac067d1c04a8ca3b2db734");

bool same(const DecodedInvoice& a, const DecodedInvoice& b) {
  return static_cast<const Invoice&>(a) == b && a.payee == b.payee;
}

// As ours, it reads as it did, but for the payee. Where a field that means nothing stood before one of its kind, there
// is no text for it that is read so, and perhaps none that can be read.
void check_as_ours(const DecodedInvoice& invoice) {
  const auto text = encode_bolt11(invoice, kKey);
  if (!text) {
    const bool too_long = text.error().code == "bolt11.length";
    require(too_long || !invoice.unknown_fields.empty(), "an invoice that can be read can be written");
    return;
  }
  const auto again = decode_bolt11(*text);
  require(again.has_value() && static_cast<const Invoice&>(*again) == invoice, "what is written is read as the same");
  require(again->payee == *node_id(kKey), "the payee is who signed");
  require(encode_bolt11(*again, kKey) == *text, "the same invoice has the same text");
}

// A field begins with its type and with its length in two groups; behind the fields are 104 groups of signature.
std::size_t fields_in(const std::string& text) {
  const auto groups = nostr::decode_bech32(text, text.size())->groups;
  std::size_t count = 0;
  for (std::size_t at = 7; at < groups.size() - 104; at += 3 + groups[at + 1] * 32U + groups[at + 2]) ++count;
  return count;
}

// Nothing that an invoice says is passed over; but features of which none is set are as good as none.
void check_complete(const std::string& text, const Invoice& invoice) {
  std::size_t count = 2 + invoice.description.has_value() + invoice.description_hash.has_value();
  count += invoice.metadata.has_value() + invoice.names_payee + invoice.expiry_s.has_value();
  count += invoice.min_final_cltv_expiry.has_value() + invoice.fallbacks.size() + invoice.routes.size();
  count += !invoice.features.empty() + invoice.unknown_fields.size();
  const std::size_t said = fields_in(text);
  require(said == count || (said == count + 1 && invoice.features.empty()), "every field is read or kept");
}

void check_verdict(std::string_view text, const DecodedInvoice& invoice) {
  const TimeMs made{invoice.timestamp_s * 1000};
  const auto verdict = [&](Msat amount, TimeMs now) {
    const auto checked = check_invoice(text, amount, {invoice.network}, now, invoice.payment_hash);
    return checked ? std::string() : checked.error().code;
  };
  if (!invoice.amount) {
    require(verdict(Msat{1}, made) == "bolt11.amountless", "an invoice without an amount is refused");
    return;
  }
  require(invoice.amount->value > 0 && invoice.amount->value <= Msat::kMax, "an amount is one that can exist");
  require(verdict(*invoice.amount, invoice.expires_at() - 1).empty(), "a good invoice is accepted until it expires");
  require(verdict(*invoice.amount, invoice.expires_at()) == "bolt11.expired", "and not when it does");
  require(verdict(Msat{invoice.amount->value - 1}, made) == "bolt11.wrong_amount", "another amount is refused");
}

void check(std::string_view text) {
  const auto invoice = decode_bolt11(text);
  if (!invoice) {
    require(invoice.error().code.starts_with("bolt11."), "every refusal has its code");
    return;
  }
  const std::string lower = fuzz::lower(text);
  const auto upper = decode_bolt11(fuzz::upper(text));
  require(upper && same(*upper, *invoice), "upper and lower case say the same");
  require(!decode_bolt11(fuzz::with_a_typo(lower)), "one wrong character is noticed");
  const auto altered = decode_bolt11(fuzz::with_checksum(fuzz::with_a_typo(lower)));
  require(!altered || !same(*altered, *invoice) || fuzz::with_checksum(fuzz::with_a_typo(lower)) == lower,
          "the signature is of every character");
  require(invoice->payment_hash == decode_bolt11(lower)->payment_hash, "an invoice is read as the same twice");
  check_complete(lower, *invoice);
  check_as_ours(*invoice);
  check_verdict(text, *invoice);
}

void check_prefix(std::string_view text) {
  const auto prefix = read_bolt11_prefix(text);
  if (!prefix) return;
  const auto again = read_bolt11_prefix(write_bolt11_prefix(*prefix));
  require(again && again->network == prefix->network && again->amount == prefix->amount,
          "an amount that is written is read as the same");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  check(text);
  check(fuzz::with_checksum(text));
  check_prefix(text.substr(0, text.rfind('1')));
  return 0;
}
