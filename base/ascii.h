// ASCII text, whatever the locale is. Pure.
#pragma once

#include <string>
#include <string_view>

namespace base {

// Upper-case ASCII letters become lower-case ones; every other byte stays.
constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
std::string lower(std::string_view text);

// True if every byte is a hexadecimal digit of either case; true for the empty text.
bool is_hex(std::string_view text);

}  // namespace base
