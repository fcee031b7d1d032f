// What the readers of a request share: words inside its tags, and faults in the customer's words. Pure.
#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "ledger/fact.h"
#include "pipeline/nostr/event.h"

namespace nostr::nip90 {

// Without spaces, tabs and line ends at either end.
std::string_view trimmed(std::string_view text);

// The start of the customer's own text in quotation marks, for a message to them: at most 60 bytes, with disputed
// control characters (nip01.h) replaced.
std::string in_quotes(std::string_view text);

// Empty when the tag is shorter.
std::string_view element(const Tag& tag, std::size_t index);

// The name of a param tag: "top-k" and "Top_K" are one parameter.
std::string param_name(const Tag& tag);
bool is_param(const Tag& tag, std::string_view name);

// The whole text as a number, or nothing.
template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Why a request cannot be served as it stands; nothing: it can.
using MaybeFault = std::optional<ledger::RequestFault>;
ledger::RequestFault fault(ledger::DeclineReason reason, std::string message);

}  // namespace nostr::nip90
