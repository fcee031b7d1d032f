#include "pipeline/nostr/json.h"

#include <limits>

#include "base/utf8.h"

namespace nostr {
namespace {

using base::append_utf8;
using base::is_utf8;

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20;
}

// The letter after the backslash for characters with a short escape, or 0.
char short_escape(char c) {
  switch (c) {
    case '\n':
      return 'n';
    case '"':
      return '"';
    case '\\':
      return '\\';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    case '\b':
      return 'b';
    case '\f':
      return 'f';
    default:
      return 0;
  }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text, OtherControls others) {
  static constexpr char kHex[] = "0123456789abcdef";
  out.push_back('"');
  std::size_t start = 0;  // of what is not yet copied
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (!is_control(c) && c != '"' && c != '\\') continue;
    const char letter = short_escape(c);
    if (letter == 0 && others == OtherControls::verbatim) continue;
    out.append(text, start, i - start).push_back('\\');
    start = i + 1;
    if (letter != 0) {
      out.push_back(letter);
    } else {
      out.append("u00").push_back(kHex[c >> 4]);
      out.push_back(kHex[c & 15]);
    }
  }
  out.append(text, start).push_back('"');
}

void append_json_tags(std::string& out, const std::vector<Tag>& tags, OtherControls others) {
  out.push_back('[');
  for (std::size_t i = 0; i < tags.size(); ++i) {
    out.append(i == 0 ? "[" : ",[");
    for (std::size_t j = 0; j < tags[i].size(); ++j) {
      if (j != 0) out.push_back(',');
      append_json_string(out, tags[i][j], others);
    }
    out.push_back(']');
  }
  out.push_back(']');
}

std::size_t json_string_bytes(std::string_view text) {
  std::string quoted;
  quoted.reserve(text.size() + text.size() / 4 + 2);
  append_json_string(quoted, text);
  return quoted.size() - 2;
}

// ---- JsonReader -----------------------------------------------------------------------------------------------------

JsonReader::JsonReader(std::string_view text) : text_(text) {
  if (!is_utf8(text)) fault_ = Fault::utf8;
}

bool JsonReader::fail(Fault fault) {
  if (fault_ == Fault::none) fault_ = fault;
  return false;
}

char JsonReader::peek() {
  if (fault_ != Fault::none) return 0;
  while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  return at_ < text_.size() ? text_[at_] : 0;
}

// What stands here is not what was asked for: a value of another type, or no value.
bool JsonReader::fail_unless_value() {
  const char c = peek();
  const bool value = c != 0 && (is_digit(c) || std::string_view("{[\"-tfn").find(c) != std::string_view::npos);
  return fail(value ? Fault::type : Fault::syntax);
}

std::size_t JsonReader::position() {
  peek();
  return at_;
}

bool JsonReader::end() {
  peek();
  if (fault_ != Fault::none) return false;
  return at_ == text_.size() || fail(Fault::syntax);
}

bool JsonReader::begin(char open) {
  if (peek() != open) return fail_unless_value();
  ++at_;
  const char close = open == '[' ? ']' : '}';
  if (peek() != close) return true;
  ++at_;
  return false;
}

bool JsonReader::next(char close) {
  const char c = peek();
  if (c != ',' && c != close) return fail(Fault::syntax);
  ++at_;
  return c == ',';
}

bool JsonReader::name(std::string& out) {
  if (peek() != '"') return fail(Fault::syntax);
  if (!string(out)) return false;
  if (peek() != ':') return fail(Fault::syntax);
  ++at_;
  return true;
}

bool JsonReader::string(std::string& out) {
  out.clear();
  if (peek() != '"') return fail_unless_value();
  ++at_;
  while (at_ < text_.size()) {
    std::size_t run = at_;
    while (run < text_.size() && text_[run] != '"' && text_[run] != '\\' && !is_control(text_[run])) ++run;
    out.append(text_, at_, run - at_);
    at_ = run;
    if (at_ == text_.size() || is_control(text_[at_])) break;
    if (text_[at_++] == '"') return true;
    if (!unescape(out)) return false;
  }
  return fail(Fault::syntax);
}

bool JsonReader::hex4(std::uint32_t& out) {
  if (text_.size() - at_ < 4) return fail(Fault::syntax);
  const auto raw = base::from_hex(text_.substr(at_, 4));
  if (!raw) return fail(Fault::syntax);
  out = static_cast<std::uint32_t>(static_cast<unsigned char>((*raw)[0]) << 8 | static_cast<unsigned char>((*raw)[1]));
  at_ += 4;
  return true;
}

// The rest of an escape, after its backslash.
bool JsonReader::unescape(std::string& out) {
  if (at_ == text_.size()) return fail(Fault::syntax);
  static constexpr std::string_view kLetters = "\"\\/bfnrt";
  static constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  const char letter = text_[at_++];
  if (letter != 'u') {
    const std::size_t index = kLetters.find(letter);
    if (index == std::string_view::npos) return fail(Fault::syntax);
    out.push_back(kMeanings[index]);
    return true;
  }
  std::uint32_t code = 0;
  if (!hex4(code)) return false;
  if (code >= 0xdc00 && code <= 0xdfff) return fail(Fault::utf8);
  if (code >= 0xd800 && code <= 0xdbff) {
    std::uint32_t low = 0;
    if (text_.substr(at_, 2) != "\\u") return fail(Fault::utf8);
    at_ += 2;
    if (!hex4(low)) return false;
    if (low < 0xdc00 || low > 0xdfff) return fail(Fault::utf8);
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  }
  append_utf8(out, code);
  return true;
}

bool JsonReader::integer(std::int64_t& out) {
  if (const char c = peek(); c != '-' && !is_digit(c)) return fail_unless_value();
  const std::size_t start = at_;
  if (!number()) return false;
  std::string_view digits = text_.substr(start, at_ - start);
  if (digits.find_first_of(".eE") != std::string_view::npos) return fail(Fault::type);
  const bool negative = digits.front() == '-';
  if (negative) digits.remove_prefix(1);
  std::int64_t value = 0;  // negative all the way: the range below zero is the larger one
  bool overflow = false;
  for (const char c : digits) {
    overflow = overflow || __builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, c - '0', &value);
  }
  overflow = overflow || (!negative && value == std::numeric_limits<std::int64_t>::min());
  if (overflow) value = std::numeric_limits<std::int64_t>::min() + (negative ? 0 : 1);
  out = negative ? value : -value;
  return true;
}

bool JsonReader::boolean(bool& out) {
  const char c = peek();
  if (c != 't' && c != 'f') return fail_unless_value();
  out = c == 't';
  return literal(out ? "true" : "false");
}

bool JsonReader::literal(std::string_view word) {
  if (text_.substr(at_, word.size()) != word) return fail(Fault::syntax);
  at_ += word.size();
  return true;
}

// -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?
bool JsonReader::number() {
  const auto at = [&] { return at_ < text_.size() ? text_[at_] : '\0'; };
  const auto digits = [&] {
    if (!is_digit(at())) return fail(Fault::syntax);
    while (is_digit(at())) ++at_;
    return true;
  };
  if (at() == '-') ++at_;
  if (at() == '0') {
    ++at_;
    if (is_digit(at())) return fail(Fault::syntax);
  } else if (!digits()) {
    return false;
  }
  if (at() == '.') {
    ++at_;
    if (!digits()) return false;
  }
  if (at() == 'e' || at() == 'E') {
    ++at_;
    if (at() == '+' || at() == '-') ++at_;
    if (!digits()) return false;
  }
  return true;
}

bool JsonReader::tags(std::vector<Tag>& out, std::size_t max_tags) {
  out.clear();
  for (bool more = begin('['); more; more = next(']')) {
    if (out.size() == max_tags) return fail(Fault::depth);
    Tag& tag = out.emplace_back();
    for (bool more_values = begin('['); more_values; more_values = next(']')) {
      if (!string(tag.emplace_back())) return false;
    }
  }
  return fault_ == Fault::none;
}

bool JsonReader::skip() {
  return skip(0);
}

bool JsonReader::skip(unsigned depth) {
  if (depth > kMaxJsonDepth) return fail(Fault::depth);
  std::string ignored;
  switch (const char c = peek()) {
    case '{':
      for (bool more = begin('{'); more; more = next('}')) {
        if (!name(ignored) || !skip(depth + 1)) return false;
      }
      return fault_ == Fault::none;
    case '[':
      for (bool more = begin('['); more; more = next(']')) {
        if (!skip(depth + 1)) return false;
      }
      return fault_ == Fault::none;
    case '"':
      return string(ignored);
    case 't':
      return literal("true");
    case 'f':
      return literal("false");
    case 'n':
      return literal("null");
    default:
      return c == '-' || is_digit(c) ? number() : fail(Fault::syntax);
  }
}

bool JsonReader::raw(std::string_view& out) {
  const std::size_t start = position();
  if (!skip()) return false;
  out = text_.substr(start, at_ - start);
  return true;
}

}  // namespace nostr
