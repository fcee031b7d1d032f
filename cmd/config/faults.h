// The faults of a configuration, collected so that a person can correct all of them at once.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cmd {

// Where a setting was written.
struct Place {
  std::string text;        // "/home/me/config.toml:3", "SELLCOMPUTE_SELLING_SLOTS", "--slots"
  std::uint64_t rank = 0;  // faults are listed by it: the lines of the file, then the environment, then the flags
};

inline constexpr std::uint64_t kEnvironmentRank = 1ULL << 32;
inline constexpr std::uint64_t kFlagRank = kEnvironmentRank + 1;

inline constexpr std::size_t kMaxFaultsShown = 20;
inline constexpr std::string_view kManyFaults = "config.faults";

class Faults {
 public:
  void add(const Place& place, base::Error fault);
  bool none() const { return count_ == 0; }

  // Returns a single fault as it was added. Several become one error with the code kManyFaults: its message has one
  // printable line per fault, at most kMaxFaultsShown, and says how many more there are. Call it only if none() is
  // false.
  base::Error summary() const;

 private:
  std::size_t count_ = 0;
  std::multimap<std::uint64_t, base::Error> shown_;  // those with the lowest ranks
};

}  // namespace cmd
