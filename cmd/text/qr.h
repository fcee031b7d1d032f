// A QR code for a terminal (ISO/IEC 18004, by libqrencode).
#pragma once

#include <string>
#include <string_view>

namespace cmd {

// Lines of half blocks, dark on light whatever the terminal's colours are, with the quiet zone that readers need. Empty
// where the text is too long for a code, or the code is wider than `width` columns.
std::string qr_code(std::string_view text, int width);

}  // namespace cmd
