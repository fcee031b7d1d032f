// CHECK(condition, values…) states what this process has made true itself, so that only a bug of ours can break it. It
// stands before something is written and before a command leaves. It is on in every build. If the condition is false,
// it prints the file, the line, the condition and the values to stderr, and aborts.
//
// Never on input: what is read from disk, wallet, relay, file or socket may be anything. Bad input is a Result
// (base/result.h), also when it comes from our own ledger: no byte string in the store may reach a CHECK.
//
//   CHECK(position < kTileWidth);
//   CHECK(used <= limit, used, limit);
//
// The values are evaluated only if the condition is false. Never name a secret among them.
#pragma once

#include <string>
#include <type_traits>

#define CHECK(condition, ...)                                                                             \
  do {                                                                                                    \
    if (!(condition)) {                                                                                   \
      ::base::check_failed(__FILE__, __LINE__, #condition, #__VA_ARGS__, ::base::values_of(__VA_ARGS__)); \
    }                                                                                                     \
  } while (false)

namespace base {

// For CHECK. `names` are the values as the source names them; empty: there are none.
[[noreturn]] void check_failed(const char* file, int line, const char* condition, const char* names,
                               const std::string& values);

// A value of a CHECK, for its message: a number, an amount in msat, a time in ms, or a text.
template <class T>
std::string shown(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_enum_v<T>) {
    return std::to_string(static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (std::is_arithmetic_v<T>) {
    return std::to_string(value);
  } else if constexpr (requires { value.ms; }) {
    return std::to_string(value.ms) + " ms";
  } else if constexpr (requires { value.value + 0; }) {
    return std::to_string(value.value) + " msat";
  } else {
    return std::string(value);
  }
}

// The values of a CHECK, separated as their names are.
template <class... T>
std::string values_of(const T&... values) {
  std::string out;
  ((out += (out.empty() ? "" : ", ") + shown(values)), ...);
  return out;
}

}  // namespace base
