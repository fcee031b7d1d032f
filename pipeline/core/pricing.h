// Prices: base + input + output, rounded up once to what the wallet can express. Integer millisatoshi throughout.
#pragma once

#include "ledger/fact.h"

namespace core {

// At least `minimum` and a multiple of `unit`, unless it is zero: zero means free, and no invoice.
base::Msat price(const ledger::ModelOffer& terms, std::uint64_t input_tokens, std::uint64_t output_tokens,
                 base::Msat unit, base::Msat minimum);

// The most output tokens that `budget` pays for beside this input; nothing when it does not even pay for the input.
std::optional<std::uint64_t> affordable_output_tokens(const ledger::ModelOffer& terms, std::uint64_t input_tokens,
                                                      base::Msat budget, base::Msat unit, base::Msat minimum);

inline constexpr base::Msat kSat{1'000};

}  // namespace core
