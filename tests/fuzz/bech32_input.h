// Inventing a bech32 text whose checksum is good by chance takes ages: here any text gets the one that it needs.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/nostr/bech32.h"

namespace fuzz {

inline constexpr std::string_view kBech32Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
inline constexpr std::size_t kBech32ChecksumChars = 6;

inline std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 32) : c; });
  return out;
}

inline std::string upper(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c & ~32) : c; });
  return out;
}

// The text in lower case with its last six characters replaced by the right ones. Characters that are none of bech32's
// become one of them; a text without a `1` stays as it is.
inline std::string with_checksum(std::string_view text) {
  const std::size_t separator = text.rfind('1');
  if (separator == std::string_view::npos || text.size() - separator <= kBech32ChecksumChars) return std::string(text);
  std::vector<std::uint8_t> groups;
  for (const char c : lower(text.substr(separator + 1, text.size() - separator - 1 - kBech32ChecksumChars))) {
    const std::size_t group = kBech32Alphabet.find(c);
    groups.push_back(static_cast<std::uint8_t>(group == std::string_view::npos ? c & 31 : group));
  }
  return nostr::encode_bech32(lower(text.substr(0, separator)), groups);
}

// A lower-case text with one of its characters after the last `1` changed into another; which one depends on the text.
inline std::string with_a_typo(std::string text) {
  const std::size_t first = text.rfind('1') + 1;
  std::size_t at = 0;
  for (const char c : text) at = at * 31 + static_cast<unsigned char>(c);
  char& c = text[first + at % (text.size() - first)];
  c = kBech32Alphabet[(kBech32Alphabet.find(c) + 1 + at / 32 % 31) % 32];
  return text;
}

}  // namespace fuzz
