#include "base/utf8.h"

#include <algorithm>
#include <cstring>

namespace base {
namespace {

bool is_continuation(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
}

// The size of the well-formed character at `at`, which is no ASCII; 0 if there is none (Unicode, table 3-7).
std::size_t multibyte_size(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  if (lead < 0xc2 || lead > 0xf4 || !is_continuation(text, at + 1)) return 0;
  if (lead < 0xe0) return 2;
  const auto second = static_cast<unsigned char>(text[at + 1]);
  if (!is_continuation(text, at + 2)) return 0;
  if (lead < 0xf0) return (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ? 0 : 3;
  if (!is_continuation(text, at + 3)) return 0;
  return (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f) ? 0 : 4;
}

struct CodeRange {
  std::uint32_t first;
  std::uint32_t last;
};
// White space, controls, fillers, joiners, marks of direction and selectors of variants (Unicode 15: White_Space, Cc,
// Cf, Default_Ignorable_Code_Point), and the replacement character. In ascending order.
constexpr CodeRange kInvisible[] = {
    {0x0000, 0x0020}, {0x007F, 0x00A0},   {0x00AD, 0x00AD},   {0x034F, 0x034F}, {0x061C, 0x061C}, {0x115F, 0x1160},
    {0x1680, 0x1680}, {0x17B4, 0x17B5},   {0x180B, 0x180F},   {0x2000, 0x200F}, {0x2028, 0x202F}, {0x205F, 0x206F},
    {0x2800, 0x2800}, {0x3000, 0x3000},   {0x3164, 0x3164},   {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0},
    {0xFFF0, 0xFFFD}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
};

bool is_visible(std::uint32_t code) {
  const auto range = std::ranges::lower_bound(kInvisible, code, {}, &CodeRange::last);
  return range == std::end(kInvisible) || code < range->first;
}

// The code of the well-formed character at `at`, which has `size` bytes.
std::uint32_t code_at(std::string_view text, std::size_t at, std::size_t size) {
  static constexpr std::uint32_t kLeadBits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
  std::uint32_t code = static_cast<unsigned char>(text[at]) & kLeadBits[size];
  for (std::size_t i = 1; i < size; ++i) code = code << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3f);
  return code;
}

}  // namespace

bool is_utf8(std::string_view text) {
  static constexpr std::uint64_t kHighBits = 0x8080808080808080;
  std::size_t i = 0;
  while (i < text.size()) {
    std::uint64_t word = 0;
    if (text.size() - i >= sizeof word) {
      std::memcpy(&word, text.data() + i, sizeof word);
      if ((word & kHighBits) == 0) {
        i += sizeof word;
        continue;
      }
    }
    if (static_cast<unsigned char>(text[i]) < 0x80) {
      ++i;
      continue;
    }
    const std::size_t size = multibyte_size(text, i);
    if (size == 0) return false;
    i += size;
  }
  return true;
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto byte = [&](std::uint32_t value) { out.push_back(static_cast<char>(value)); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xc0 | code >> 6);
    byte(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    byte(0xe0 | code >> 12);
    byte(0x80 | (code >> 6 & 0x3f));
    byte(0x80 | (code & 0x3f));
  } else {
    byte(0xf0 | code >> 18);
    byte(0x80 | (code >> 12 & 0x3f));
    byte(0x80 | (code >> 6 & 0x3f));
    byte(0x80 | (code & 0x3f));
  }
}

std::string_view utf8_prefix(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  std::size_t size = max_bytes;
  while (size > 0 && is_continuation(text, size)) --size;
  return text.substr(0, size);
}

bool has_visible_text(std::string_view text) {
  std::size_t size = 0;
  for (std::size_t at = 0; at < text.size(); at += size) {
    size = static_cast<unsigned char>(text[at]) < 0x80 ? 1 : multibyte_size(text, at);
    if (size == 0) {  // no UTF-8: what replaces it cannot be read either
      size = 1;
    } else if (is_visible(code_at(text, at, size))) {
      return true;
    }
  }
  return false;
}

}  // namespace base
