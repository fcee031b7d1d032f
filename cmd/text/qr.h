// The QR code of an invoice for a terminal (ISO/IEC 18004, by libqrencode).
#pragma once

#include <string>
#include <string_view>

namespace cmd {

// Lines of half blocks, dark on light whatever the terminal's colours are, with the quiet zone that readers need. The
// code holds the BOLT11 invoice in capitals, which mean the same and make the code smaller. Empty if the invoice is too
// long for a code, or the code is wider than `width` columns.
std::string qr_code(std::string_view invoice, int width);

}  // namespace cmd
