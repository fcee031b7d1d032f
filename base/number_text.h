// Counts, amounts and durations as people read them. Pure; every function is total.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/types.h"

namespace base {

// 41208 as "41,208".
std::string grouped(std::int64_t number);

// "1 job", "1,234 jobs"; where another plural than one with an s is needed, it is `many`.
std::string counted(std::uint64_t count, std::string_view one, std::string_view many = {});

// "1,234 sat"; fractions of a sat as decimals: "9.5 sat", "0.021 sat".
std::string sats(Msat amount);

// How long ago or how old, in one rounded-down unit: "12 s", "3 min", "5 h", "2 d". Negative ages count as none.
std::string age(std::int64_t age_ms);

// How long something took: "38 ms", "1.2 s", and from a minute on as `age` says it.
std::string took(std::int64_t duration_ms);

}  // namespace base
