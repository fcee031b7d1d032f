#include "pipeline/core/pricing.h"

#include <algorithm>

namespace core {

using base::Msat;

namespace {

// Token counts are bounded at the door; this only keeps a hostile number from reaching the arithmetic.
std::int64_t tokens(std::uint64_t count) {
  return static_cast<std::int64_t>(std::min<std::uint64_t>(count, 1'000'000'000));
}

}  // namespace

Msat price(const ledger::ModelOffer& terms, std::uint64_t input_tokens, std::uint64_t output_tokens, Msat unit,
           Msat minimum) {
  // In thousandths of the per-1k prices, so that the sum is rounded once.
  const Msat input = terms.input_per_1k_tokens.scaled_up(tokens(input_tokens), 1);
  const Msat output = terms.output_per_1k_tokens.scaled_up(tokens(output_tokens), 1);
  const Msat sum = terms.base + (input + output).scaled_up(1, 1000);
  return sum.value <= 0 ? Msat{} : std::max(sum, minimum).rounded_up_to(unit);
}

std::optional<std::uint64_t> affordable_output_tokens(const ledger::ModelOffer& terms, std::uint64_t input_tokens,
                                                      Msat budget, Msat unit, Msat minimum) {
  if (price(terms, input_tokens, 0, unit, minimum) > budget) return std::nullopt;
  std::uint64_t affordable = 0;
  std::uint64_t too_many = terms.max_output_tokens + 1;
  while (too_many - affordable > 1) {
    const std::uint64_t middle = affordable + (too_many - affordable) / 2;
    (price(terms, input_tokens, middle, unit, minimum) <= budget ? affordable : too_many) = middle;
  }
  return affordable;
}

}  // namespace core
