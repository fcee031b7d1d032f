// Standard base64 with padding (RFC 4648, section 4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace base {

constexpr std::size_t base64_size(std::size_t raw_bytes) {
  return (raw_bytes + 2) / 3 * 4;
}

std::string to_base64(std::string_view raw);

// Exactly what to_base64 would have written, or nothing: no white space, no missing padding, no stray bits.
std::optional<std::string> from_base64(std::string_view base64);

}  // namespace base
