#include "cmd/config/value.h"

#include <algorithm>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "cmd/config/config.h"
#include "cmd/text/humanize.h"
#include "cmd/text/output.h"
#include "pipeline/net/url_guard.h"
#include "pipeline/nostr/json.h"

namespace cmd {
namespace {

using base::ErrorKind;
using base::Result;

constexpr std::int64_t kBeyondReason = 1'000'000'000;  // a maximum that tells a person nothing

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    std::string_view part = text.substr(0, end);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

bool is_http_url(std::string_view text) {
  const auto url = boost::urls::parse_uri(text);
  return url && (url->scheme() == "http" || url->scheme() == "https") && !url->encoded_host().empty() &&
         !url->has_userinfo() && !url->has_fragment();
}

bool is_lightning_address(std::string_view text) {
  const std::size_t at = text.find('@');
  if (at == std::string_view::npos || at == 0 || at + 1 == text.size()) return false;
  const auto allowed_in = [](std::string_view part, std::string_view signs) {
    return std::ranges::all_of(part, [&](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || signs.find(c) != std::string_view::npos;
    });
  };
  return allowed_in(text.substr(0, at), "-_.+") && allowed_in(text.substr(at + 1), "-.:");
}

// Whether the words of an optional setting may be these; none always may.
bool is_optional(const Key& key, const std::string& text) {
  if (key.kind == ValueKind::optional_http_url) return text.empty() || is_http_url(text);
  if (key.kind == ValueKind::lightning_address) return text.empty() || is_lightning_address(text);
  return static_cast<std::int64_t>(text.size()) <= key.maximum && base::is_utf8(text);
}

std::string joined(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : std::string(separator)) + part;
  return out;
}

void put_number(std::int64_t number, const Slot& slot) {
  std::visit(
      [&](auto* target) {
        using T = std::decay_t<decltype(*target)>;
        if constexpr (std::is_same_v<T, base::Msat>)
          *target = base::Msat{number};
        else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>)
          *target = static_cast<T>(number);
      },
      slot);
}

void put_choice(std::string_view text, const Slot& slot) {
  if (auto* const* target = std::get_if<std::string*>(&slot)) **target = text;
  if (auto* const* mode = std::get_if<ledger::PaymentMode*>(&slot)) {
    if (const auto named = ledger::enum_named<ledger::PaymentMode>(text)) **mode = *named;
  }
}

// "~/" is the home folder; other relative paths start at `base`.
std::filesystem::path resolved(std::string_view text, const std::filesystem::path& base, const Config& config) {
  if (text.starts_with("~/")) return config.paths.home / text.substr(2);
  return base / text;
}

bool put_text(const Key& key, const std::string& text, Config& config) {
  const Slot slot = key.slot(config);
  switch (key.kind) {
    case ValueKind::duration: {
      const auto duration_ms = parse_duration_ms(text);
      if (!duration_ms || *duration_ms < key.minimum || *duration_ms > key.maximum) return false;
      put_number(*duration_ms, slot);
      return true;
    }
    case ValueKind::choice: {
      const auto choices = split(key.choices, '|');
      if (std::ranges::find(choices, text) == choices.end()) return false;
      put_choice(text, slot);
      return true;
    }
    case ValueKind::http_url:
      if (!is_http_url(text)) return false;
      *std::get<std::string*>(slot) = text;
      return true;
    case ValueKind::text:
      if (text.empty()) return false;
      *std::get<std::string*>(slot) = text;
      return true;
    case ValueKind::optional_text:
    case ValueKind::optional_http_url:
    case ValueKind::lightning_address:
      if (!is_optional(key, text)) return false;
      *std::get<std::string*>(slot) = text;
      return true;
    case ValueKind::config_path:
    case ValueKind::data_path: {
      const bool in_data = key.kind == ValueKind::data_path;
      const auto base = in_data ? config.paths.data_dir : config.paths.config_file.parent_path();
      if (text.empty()) return false;
      *std::get<std::filesystem::path*>(slot) = resolved(text, base, config);
      return true;
    }
    default:
      return false;
  }
}

// In their normal form, so that a relay that is written twice is dialled once.
bool put_relays(const std::vector<std::string>& list, std::vector<std::string>& relays) {
  relays.clear();
  for (const std::string& text : list) {
    const auto url = net::parse_relay_url(text);
    if (!url) return false;
    if (std::ranges::find(relays, url->text()) == relays.end()) relays.push_back(url->text());
  }
  return true;
}

bool put(const Key& key, const Value& value, Config& config) {
  if (const auto* text = std::get_if<std::string>(&value)) return put_text(key, *text, config);
  if (const auto* flag = std::get_if<bool>(&value)) {
    if (key.kind != ValueKind::boolean) return false;
    *std::get<bool*>(key.slot(config)) = *flag;
    return true;
  }
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    if (key.kind != ValueKind::integer || *number < key.minimum || *number > key.maximum) return false;
    put_number(*number, key.slot(config));
    return true;
  }
  if (key.kind != ValueKind::relay_urls) return false;
  return put_relays(std::get<std::vector<std::string>>(value), *std::get<std::vector<std::string>*>(key.slot(config)));
}

// TOML's basic strings escape as JSON's do, but for DEL, which only JSON takes as it is.
std::string in_quotes(std::string_view text) {
  std::string out;
  for (const char c : json_line(nlohmann::ordered_json(text))) {
    if (c == '\x7f') {
      out += "\\u007f";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string allowed(const Key& key) {
  switch (key.kind) {
    case ValueKind::boolean:
      return "true or false";
    case ValueKind::integer: {
      const std::string unit = key.unit.empty() ? "" : " (" + std::string(key.unit) + ")";
      return "a whole number from " + grouped(key.minimum) + " to " + grouped(key.maximum) + unit;
    }
    case ValueKind::duration:
      return "a duration with its unit (ms, s, min, h, d) from " + in_quotes(duration_text(key.minimum)) + " to " +
             in_quotes(duration_text(key.maximum));
    case ValueKind::choice: {
      const auto choices = split(key.choices, '|');
      return (choices.size() == 1 ? "" : "one of ") + joined(choices, ", ");
    }
    case ValueKind::http_url:
      return "an address that starts with http:// or https://, without a password in it";
    case ValueKind::relay_urls:
      return "a list of addresses that start with ws:// or wss://";
    case ValueKind::config_path:
    case ValueKind::data_path:
      return "the path of a file";
    case ValueKind::text:
      return "a text that is not empty";
    case ValueKind::optional_text:
      return "a text of at most " + grouped(key.maximum) + " bytes, or \"\" for none";
    case ValueKind::optional_http_url:
      return "an address that starts with http:// or https://, without a password in it, or \"\" for none";
    case ValueKind::lightning_address:
      return "an address like name@domain in small letters, or \"\" for none";
  }
  return {};
}

std::string range_text(const Key& key) {
  switch (key.kind) {
    case ValueKind::integer:
      if (key.maximum >= kBeyondReason) return std::string(key.unit);
      return grouped(key.minimum) + " to " + grouped(key.maximum) + (key.unit.empty() ? "" : " ") +
             std::string(key.unit);
    case ValueKind::duration:
      return duration_text(key.minimum) + " to " + duration_text(key.maximum);
    case ValueKind::choice:
      return joined(split(key.choices, '|'), ", ");
    default:
      return {};
  }
}

Value value_of_text(const Key& key, std::string_view text) {
  if (key.kind == ValueKind::relay_urls) return split(text, ',');
  if (key.kind == ValueKind::boolean && (text == "true" || text == "false")) return text == "true";
  std::int64_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc{} && rest == text.data() + text.size();
  if (key.kind == ValueKind::integer && whole) return number;
  return std::string(text);
}

Result<void> assign(const Key& key, const Value& value, Config& config, const std::string& where) {
  if (put(key, value, config)) return {};
  const auto* text = std::get_if<std::string>(&value);
  const bool may_hold_password = text && text->find("://") != std::string::npos && text->find('@') != std::string::npos;
  return base::fail(ErrorKind::config, "config.value",
                    "`" + std::string(key.name) + "` cannot be " +
                        (may_hold_password ? std::string("what is given") : toml_text(value)),
                    where, "it is " + allowed(key));
}

std::string toml_text(const Value& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
  if (const auto* text = std::get_if<std::string>(&value)) return in_quotes(*text);
  std::vector<std::string> parts;
  for (const std::string& part : std::get<std::vector<std::string>>(value)) parts.push_back(in_quotes(part));
  return "[" + joined(parts, ", ") + "]";
}

nlohmann::ordered_json json_value(const Value& value) {
  return std::visit([](const auto& v) { return nlohmann::ordered_json(v); }, value);
}

}  // namespace cmd
