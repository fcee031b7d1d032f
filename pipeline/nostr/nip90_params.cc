#include "pipeline/nostr/nip90_params.h"

#include <limits>
#include <type_traits>

#include "base/ascii.h"
#include "base/utf8.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip90_request.h"

namespace nostr::nip90 {
namespace {

using ledger::DeclineReason;
using ledger::GenerationParams;
using ledger::JobRequested;

constexpr std::uint64_t kMaxTokensParam = 1'000'000;
constexpr std::uint64_t kMaxTopK = 100'000;
constexpr std::size_t kMaxModelNameBytes = 200;
constexpr std::size_t kMaxStops = 16;
constexpr std::size_t kMaxStopBytes = 200;

template <class Number>
struct ParamRange {
  std::string_view name;
  std::optional<Number> GenerationParams::*member;
  Number low;
  Number high;
  std::string_view allowed;
};

constexpr ParamRange<std::uint64_t> kCounts[] = {
    {"max_tokens", &GenerationParams::max_tokens, 1, kMaxTokensParam, "a whole number from 1 to 1000000"},
    {"top_k", &GenerationParams::top_k, 0, kMaxTopK, "a whole number from 0 to 100000"},
};
constexpr ParamRange<std::int64_t> kIntegers[] = {
    {"seed", &GenerationParams::seed, std::numeric_limits<std::int64_t>::min(),
     std::numeric_limits<std::int64_t>::max(), "a whole number of 64 bits"},
};
constexpr ParamRange<double> kNumbers[] = {
    {"temperature", &GenerationParams::temperature, 0.0, 2.0, "a number from 0 to 2"},
    {"top_p", &GenerationParams::top_p, 0.0, 1.0, "a number from 0 to 1"},
    {"frequency_penalty", &GenerationParams::frequency_penalty, -2.0, 2.0, "a number from -2 to 2"},
    {"presence_penalty", &GenerationParams::presence_penalty, -2.0, 2.0, "a number from -2 to 2"},
};

// Clients whose numbers all have a fraction write 512 as "512.0".
std::string_view without_zero_fraction(std::string_view text) {
  const std::size_t point = text.find('.');
  if (point == std::string_view::npos || text.find_first_not_of('0', point + 1) != std::string_view::npos) return text;
  return text.substr(0, point);
}

template <class Number>
std::optional<Number> parse_value(std::string_view text) {
  return parse_number<Number>(std::is_integral_v<Number> ? without_zero_fraction(text) : text);
}

MaybeFault bad_param(std::string_view name, std::string_view value, std::string_view allowed) {
  return fault(DeclineReason::parameter,
               std::string(name) + " is " + in_quotes(value) + "; it must be " + std::string(allowed));
}

// Sets the parameter if it is one of the table. Not-a-number fails both comparisons, and so the range.
template <class Number, std::size_t N>
MaybeFault read_from(const ParamRange<Number> (&table)[N], std::string_view name, std::string_view value,
                     GenerationParams& out) {
  for (const auto& param : table) {
    if (param.name != name) continue;
    const auto number = parse_value<Number>(value);
    if (!number || !(*number >= param.low && *number <= param.high)) return bad_param(name, value, param.allowed);
    out.*(param.member) = number;
  }
  return {};
}

MaybeFault read_stop(const Tag& tag, GenerationParams& out) {
  for (std::size_t i = 2; i < tag.size(); ++i) {
    if (tag[i].empty()) continue;
    if (tag[i].size() > kMaxStopBytes || out.stop.size() == kMaxStops) {
      return bad_param("stop", tag[i], "at most 16 texts of at most 200 bytes");
    }
    out.stop.push_back(tag[i]);
  }
  return {};
}

// One param tag. An empty value is a parameter that was not set; unknown parameters are for other providers.
MaybeFault read_param(const Tag& tag, JobRequested& out) {
  const std::string name = param_name(tag);
  if (name == "stop") return read_stop(tag, out.params);
  const std::string_view value = trimmed(element(tag, 2));
  if (value.empty()) return {};
  if (name == "model") {
    if (value.size() > kMaxModelNameBytes) return bad_param(name, value, "the name of a model");
    out.model = value;
    return {};
  }
  if (name == "stream") {
    out.stream = base::lower(value) == "true" || value == "1";
    return {};
  }
  if (auto bad = read_from(kCounts, name, value, out.params)) return bad;
  if (auto bad = read_from(kIntegers, name, value, out.params)) return bad;
  return read_from(kNumbers, name, value, out.params);
}

// What the customer says about `name`, harmless and short; empty: nothing.
std::string template_param(const Event& event, std::string_view name) {
  for (const Tag& tag : event.tags) {
    if (!is_param(tag, name)) continue;
    std::string value(base::utf8_prefix(trimmed(element(tag, 2)), kMaxTemplateParamBytes));
    return without_disputed_controls(std::move(value));
  }
  return {};
}

}  // namespace

MaybeFault read_params(const Event& event, JobRequested& out) {
  MaybeFault first;
  for (const Tag& tag : event.tags) {
    if (element(tag, 0) != "param") continue;
    auto bad = read_param(tag, out);
    if (!first) first = std::move(bad);
  }
  return first;
}

MaybeFault fill_in(std::string_view instruction, const Event& event, std::string& out) {
  for (;;) {
    const std::size_t open = instruction.find('{');
    const std::size_t close = instruction.find('}', open);
    out += instruction.substr(0, close == std::string_view::npos ? close : open);
    if (close == std::string_view::npos) return {};
    const std::string_view inner = instruction.substr(open + 1, close - open - 1);
    const std::size_t bar = inner.find('|');
    std::string value = template_param(event, base::lower(inner.substr(0, bar)));
    if (value.empty() && bar != std::string_view::npos) value = inner.substr(bar + 1);
    if (value.empty()) {
      return fault(DeclineReason::parameter, "the parameter " + std::string(inner) +
                                                 " is missing; send it as [\"param\",\"" + std::string(inner) +
                                                 "\",\"…\"]");
    }
    out += value;
    instruction.remove_prefix(close + 1);
  }
}

}  // namespace nostr::nip90
