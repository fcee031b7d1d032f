#include "cmd/typed_invoice.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "cmd/text/fit.h"
#include "cmd/text/usage_error.h"

namespace cmd {
namespace {

constexpr int kShownColumns = 24;

std::string what_is_wrong(const std::string& text, const base::Error& error) {
  constexpr std::array<std::string_view, 6> kGarbled = {"bolt11.checksum",  "bolt11.character", "bolt11.case",
                                                        "bolt11.separator", "bolt11.too_short", "bolt11.signature"};
  if (!base::lower(text).starts_with("ln")) return "it does not begin with \"ln\"";
  if (std::ranges::find(kGarbled, error.code) != kGarbled.end()) return "characters are missing or wrong";
  return error.message;
}

}  // namespace

base::Result<wallet::DecodedInvoice> read_typed_invoice(const std::string& text) {
  auto invoice = wallet::decode_bolt11(text);
  if (invoice) return invoice;
  return usage_error(
      "\"" + shortened(text, kShownColumns) + "\" is no Lightning invoice: " + what_is_wrong(text, invoice.error()),
      "copy the whole text of the invoice again");
}

}  // namespace cmd
