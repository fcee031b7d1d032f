// What a seed decides. The same seed gives the same draws on every machine.
#pragma once

#include <cstdint>
#include <random>
#include <span>

namespace sim {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : bits_(seed) {}

  std::uint64_t below(std::uint64_t n) { return bits_() % n; }
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
  }
  double fraction() { return static_cast<double>(bits_() >> 11) * 0x1p-53; }
  bool chance(double probability) { return fraction() < probability; }
  template <class T, std::size_t N>
  const T& pick(const T (&values)[N]) {
    return values[below(N)];
  }

 private:
  std::mt19937_64 bits_;
};

}  // namespace sim
