// Facts with every field set: no default, no two neighbours alike, all text plain ASCII.
#pragma once

#include "ledger/fact.h"

namespace ledger {

class Filler {
 public:
  template <Message T>
  T message() {
    T out;
    std::apply([&](const auto&... f) { (fill(out.*(f.member)), ...); }, T::fields());
    return out;
  }

 private:
  template <class T>
  void fill(T& value) {
    ++count_;
    if constexpr (std::is_same_v<T, bool>) {
      value = true;
    } else if constexpr (std::is_same_v<T, double>) {
      value = static_cast<double>(count_) + 0.25;
    } else if constexpr (std::is_integral_v<T>) {
      value = std::is_signed_v<T> ? static_cast<T>(-1000 * count_) : static_cast<T>(1000 * count_);
    } else if constexpr (std::is_same_v<T, Msat>) {
      value = {1'000'000'000'000 + count_};
    } else if constexpr (std::is_same_v<T, TimeMs>) {
      value = {1'795'000'000'000 + count_};
    } else if constexpr (std::is_enum_v<T>) {
      value = static_cast<T>(enum_names(T{}).back().value);
    } else if constexpr (std::is_same_v<T, std::string>) {
      value = "text " + std::to_string(count_);
    } else if constexpr (wire::is_fixed_bytes<T>::value) {
      for (auto& byte : value.bytes) byte = static_cast<std::uint8_t>('a' + count_ % 26);
    } else if constexpr (wire::is_optional<T>::value) {
      fill(value.emplace());
    } else if constexpr (wire::is_vector<T>::value) {
      fill(value.emplace_back());
      fill(value.emplace_back());
    } else {
      value = message<T>();
    }
  }

  int count_ = 0;
};

template <Message T>
T filled() {
  return Filler().message<T>();
}

template <class... Facts>
std::vector<Fact> filled_alternatives(std::type_identity<std::variant<Facts...>>) {
  return {filled<Facts>()...};
}

// One of each type.
inline std::vector<Fact> every_event_filled() {
  return filled_alternatives(std::type_identity<Fact>{});
}

}  // namespace ledger
