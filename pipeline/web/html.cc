#include "pipeline/web/html.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/ascii.h"
#include "base/utf8.h"
#include "pipeline/nostr/json.h"
#include "pipeline/web/media_type.h"

namespace web {
namespace {

constexpr std::uint32_t kReplacement = 0xfffd;

constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kNamed = {
    {{"amp", "&"}, {"lt", "<"}, {"gt", ">"}, {"quot", "\""}, {"apos", "'"}, {"nbsp", " "}}};

constexpr std::string_view kBlocks[] = {
    "address", "article", "aside", "blockquote", "body", "br",  "caption", "dd",      "details", "div",    "dl", "dt",
    "figure",  "footer",  "form",  "h1",         "h2",   "h3",  "h4",      "h5",      "h6",      "header", "hr", "li",
    "main",    "nav",     "ol",    "option",     "p",    "pre", "section", "summary", "table",   "title",  "tr", "ul"};

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Text in which white space is one space, and lines are begun at most once.
class Lines {
 public:
  void add(char c, bool verbatim) {
    if (verbatim || !is_space(c)) {
      if (space_ && !text_.empty() && text_.back() != '\n') text_ += ' ';
      text_ += c;
    }
    space_ = !verbatim && is_space(c);
  }
  void add(std::string_view text, bool verbatim) {
    for (const char c : text) add(c, verbatim);
  }
  void begin_line() {
    if (!text_.empty() && text_.back() != '\n') text_ += '\n';
    space_ = false;
  }
  std::string take() {
    while (!text_.empty() && is_space(text_.back())) text_.pop_back();
    return std::move(text_);
  }

 private:
  std::string text_;
  bool space_ = false;  // one is due before the next character
};

class Reader {
 public:
  explicit Reader(std::string_view html) : rest_(html) {}

  std::string read() {
    while (!rest_.empty()) {
      if (rest_.front() == '<' && markup()) continue;
      character(text_);
    }
    std::string title = title_.take();
    std::string text = text_.take();
    return title.empty() ? text : text.empty() ? title : title + "\n\n" + text;
  }

 private:
  // Leaves out what begins here, unless it is only a "less than" sign.
  bool markup() {
    const char next = rest_.size() > 1 ? rest_[1] : '\0';
    if (rest_.starts_with("<!--")) return skip_past("-->", 2);
    if (next == '!' || next == '?') return skip_past(">", 2);
    const bool closing = next == '/';
    const std::size_t name_at = closing ? 2 : 1;
    if (rest_.size() <= name_at || !is_letter(rest_[name_at])) return false;
    rest_.remove_prefix(name_at);
    tag(closing);
    return true;
  }

  void tag(bool closing) {
    std::string name;
    while (!rest_.empty() && !is_space(rest_.front()) && rest_.front() != '>' && rest_.front() != '/') {
      name += base::lower(rest_.front());
      rest_.remove_prefix(1);
    }
    skip_attributes();
    if (std::find(std::begin(kBlocks), std::end(kBlocks), name) != std::end(kBlocks)) text_.begin_line();
    if (name == "td" || name == "th") text_.add(' ', false);
    if (name == "pre") verbatim_ = !closing;
    if (closing) return;
    if (name == "script" || name == "style") skip_to_end_of(name);
    if (name == "title") title();
  }

  // To the end of the tag: a ">" within a quoted value is none.
  void skip_attributes() {
    char quote = '\0';
    char before = '\0';
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (quote != '\0') {
        if (c == quote) quote = '\0';
      } else if (c == '>') {
        return;
      } else if (before == '=' && (c == '"' || c == '\'')) {
        quote = c;
      }
      if (!is_space(c)) before = c;
    }
  }

  // A second title belongs to a drawing.
  void title() {
    Lines title;
    while (!rest_.empty() && !closes("title")) character(title);
    if (title_read_) return;
    title_read_ = true;
    title_ = std::move(title);
  }

  void skip_to_end_of(std::string_view name) {
    while (!rest_.empty() && !closes(name)) rest_.remove_prefix(1);
  }

  bool closes(std::string_view name) const {
    return rest_.starts_with("</") && rest_.size() >= 2 + name.size() &&
           std::equal(name.begin(), name.end(), rest_.begin() + 2, [](char a, char b) { return a == base::lower(b); });
  }

  bool skip_past(std::string_view end, std::size_t from) {
    const std::size_t at = rest_.find(end, from);
    rest_.remove_prefix(at == std::string_view::npos ? rest_.size() : at + end.size());
    return true;
  }

  void character(Lines& out) {
    if (rest_.front() == '&' && reference(out)) return;
    out.add(rest_.front(), verbatim_);
    rest_.remove_prefix(1);
  }

  // &name; or &#number; or &#xnumber;
  bool reference(Lines& out) {
    constexpr std::size_t kLongest = 12;
    const std::size_t end = rest_.substr(0, kLongest).find(';');
    if (end == std::string_view::npos) return false;
    const std::string_view name = rest_.substr(1, end - 1);
    const auto named = std::find_if(kNamed.begin(), kNamed.end(), [&](const auto& n) { return n.first == name; });
    if (named != kNamed.end()) {
      out.add(named->second, verbatim_);
    } else if (const auto code = number(name)) {
      std::string utf8;
      base::append_utf8(utf8, *code);
      out.add(utf8, verbatim_);
    } else {
      return false;
    }
    rest_.remove_prefix(end + 1);
    return true;
  }

  // Numbers that are no character, or a control character, are U+FFFD; those of Windows-1252 mean what they mean there.
  static std::optional<std::uint32_t> number(std::string_view name) {
    if (!name.starts_with('#')) return std::nullopt;
    name.remove_prefix(1);
    const bool hexadecimal = name.starts_with('x') || name.starts_with('X');
    if (hexadecimal) name.remove_prefix(1);
    std::uint32_t code = 0;
    const auto read = std::from_chars(name.data(), name.data() + name.size(), code, hexadecimal ? 16 : 10);
    if (read.ec != std::errc() || read.ptr != name.data() + name.size()) return std::nullopt;
    const bool surrogate = code >= 0xd800 && code < 0xe000;
    const bool control = code < 0x20 && code != '\t' && code != '\n' && code != '\r';
    if (surrogate || control || code > 0x10ffff) return kReplacement;
    return code < 0x100 ? windows_1252(static_cast<unsigned char>(code)) : code;
  }

  std::string_view rest_;
  Lines text_;
  Lines title_;
  bool title_read_ = false;
  bool verbatim_ = false;  // within <pre>
};

}  // namespace

std::string html_to_text(std::string_view html) {
  return Reader(html).read();
}

}  // namespace web
