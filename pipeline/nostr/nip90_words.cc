#include "pipeline/nostr/nip90_words.h"

#include "base/ascii.h"
#include "base/utf8.h"
#include "pipeline/nostr/nip01.h"

namespace nostr::nip90 {
namespace {

constexpr std::size_t kMaxQuotedBytes = 60;

}  // namespace

std::string_view trimmed(std::string_view text) {
  static constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::string in_quotes(std::string_view text) {
  const std::string_view start = base::utf8_prefix(text, kMaxQuotedBytes);
  return "\"" + without_disputed_controls(std::string(start)) + (start.size() < text.size() ? "…\"" : "\"");
}

std::string_view element(const Tag& tag, std::size_t index) {
  return index < tag.size() ? std::string_view(tag[index]) : std::string_view();
}

std::string param_name(const Tag& tag) {
  std::string name = base::lower(trimmed(element(tag, 1)));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

bool is_param(const Tag& tag, std::string_view name) {
  return element(tag, 0) == "param" && param_name(tag) == name;
}

ledger::RequestFault fault(ledger::DeclineReason reason, std::string message) {
  return {.reason = reason, .message = std::move(message)};
}

}  // namespace nostr::nip90
