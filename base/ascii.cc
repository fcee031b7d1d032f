#include "base/ascii.h"

#include <algorithm>

namespace base {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}

bool is_hex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    const char low = lower(c);
    return (low >= '0' && low <= '9') || (low >= 'a' && low <= 'f');
  });
}

}  // namespace base
