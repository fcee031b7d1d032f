// UTF-8 as the Unicode standard defines it (RFC 3629). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace base {

// Well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

// Appends a Unicode character.
void append_utf8(std::string& out, std::uint32_t code);

// The longest prefix of well-formed UTF-8 text that has at most `max_bytes` bytes and ends with a whole character.
std::string_view utf8_prefix(std::string_view text, std::size_t max_bytes);

// Whether a reader of well-formed UTF-8 text sees anything: one character or more that is no white space, no control or
// formatting character, and not U+FFFD, which stands for what could not be read.
bool has_visible_text(std::string_view text);

}  // namespace base
