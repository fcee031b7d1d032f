// One field list per struct defines how it is encoded: protobuf's wire format
// (https://protobuf.dev/programming-guides/encoding/) in canonical form. Fields are written in the order of the list,
// and proto3 defaults are left out, so equal values have equal bytes.
//
//   struct Point {
//     std::int64_t x = 0;
//     std::string unknown_fields;                       // what a newer version wrote; kept, and written back
//     static constexpr auto fields() { return std::tuple{field(1, "x", &Point::x)}; }
//   };
//
// Field numbers never change and are never used again. Types and their protobuf counterparts: bool; uint32/uint64;
// int64, Msat, TimeMs -> int64; double; enum class -> enum; std::string -> string; FixedBytes -> bytes (zero = absent);
// a struct with fields() -> message; std::optional -> optional; std::vector -> repeated (of strings, bytes or
// messages).
#pragma once

#include <bit>
#include <cstring>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace ledger {

using base::ErrorKind;
using base::fail;
using base::FixedBytes;
using base::Msat;
using base::Result;
using base::TimeMs;

template <class Struct, class Member>
struct Field {
  std::uint32_t number;
  std::string_view name;
  Member Struct::*member;
};

template <class Struct, class Member>
constexpr Field<Struct, Member> field(std::uint32_t number, std::string_view name, Member Struct::*member) {
  return {number, name, member};
}

template <class T>
concept Message = requires {
  T::fields();
};

template <class T>
void encode_to(std::string& out, const T& message);

template <Message T>
std::string encode(const T& message) {
  std::string out;
  encode_to(out, message);
  return out;
}

// The value these bytes stand for. Fields that T does not know go to `unknown_fields` where T has it. Fails with
// "ledger.corrupt" on bytes that are no protobuf message or whose known fields have another wire type or size.
template <Message T>
Result<T> decode(std::string_view bytes);

// ---- details --------------------------------------------------------------------------------------------------------

namespace wire {

enum Type : std::uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

template <Message T>
inline constexpr auto kFields = T::fields();

// Canonical bytes have their fields in the order of their numbers, each number once.
template <class... F>
constexpr bool ascending(const std::tuple<F...>& fields) {
  std::uint32_t last = 0;
  const auto follows = [&](std::uint32_t number) { return std::exchange(last, number) < number; };
  return std::apply([&](const auto&... f) { return (follows(f.number) && ...); }, fields);
}

template <Message T>
bool decode_into(std::string_view in, T& message);

template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};
template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};
template <class T>
struct is_fixed_bytes : std::false_type {};
template <std::size_t N, class Tag>
struct is_fixed_bytes<FixedBytes<N, Tag>> : std::true_type {};

inline void put_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

inline bool get_varint(std::string_view& in, std::uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64 && !in.empty(); shift += 7) {
    const auto byte = static_cast<std::uint8_t>(in.front());
    in.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return shift < 63 || byte <= 1;
  }
  return false;
}

inline bool get_bytes(std::string_view& in, std::string_view& value) {
  std::uint64_t size = 0;
  if (!get_varint(in, size) || size > in.size()) return false;
  value = in.substr(0, size);
  in.remove_prefix(size);
  return true;
}

inline void put_tag(std::string& out, std::uint32_t number, Type type) {
  put_varint(out, number << 3 | type);
}

template <class T>
constexpr Type type_of() {
  if constexpr (std::is_same_v<T, double>)
    return kFixed64;
  else if constexpr (std::is_integral_v<T> || std::is_enum_v<T> || std::is_same_v<T, Msat> || std::is_same_v<T, TimeMs>)
    return kVarint;
  else
    return kBytes;
}

template <class T>
std::uint64_t to_varint(const T& value) {
  if constexpr (std::is_same_v<T, Msat>)
    return static_cast<std::uint64_t>(value.value);
  else if constexpr (std::is_same_v<T, TimeMs>)
    return static_cast<std::uint64_t>(value.ms);
  else
    return static_cast<std::uint64_t>(value);
}

template <class T>
T from_varint(std::uint64_t raw) {
  if constexpr (std::is_same_v<T, Msat>)
    return Msat{static_cast<std::int64_t>(raw)};
  else if constexpr (std::is_same_v<T, TimeMs>)
    return TimeMs{static_cast<std::int64_t>(raw)};
  else
    return static_cast<T>(raw);
}

template <class T>
bool is_default(const T& value) {
  if constexpr (type_of<T>() == kVarint)
    return to_varint(value) == 0;
  else if constexpr (std::is_same_v<T, double>)
    return std::bit_cast<std::uint64_t>(value) == 0;
  else if constexpr (is_fixed_bytes<T>::value)
    return value.is_zero();
  else if constexpr (std::is_same_v<T, std::string>)
    return value.empty();
  else
    return false;
}

template <class T>
void put(std::string& out, std::uint32_t number, const T& value) {
  put_tag(out, number, type_of<T>());
  if constexpr (std::is_same_v<T, double>) {
    const auto raw = std::bit_cast<std::uint64_t>(value);
    for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>(raw >> shift));
  } else if constexpr (type_of<T>() == kVarint) {
    put_varint(out, to_varint(value));
  } else if constexpr (is_fixed_bytes<T>::value) {
    put_varint(out, T::kSize);
    out.append(value.view());
  } else if constexpr (std::is_same_v<T, std::string>) {
    put_varint(out, value.size());
    out.append(value);
  } else {
    const std::string inner = encode(value);
    put_varint(out, inner.size());
    out.append(inner);
  }
}

template <class T>
void put_field(std::string& out, std::uint32_t number, const T& value) {
  if constexpr (is_optional<T>::value) {
    if (value) put(out, number, *value);
  } else if constexpr (is_vector<T>::value) {
    for (const auto& element : value) put(out, number, element);
  } else {
    if (!is_default(value)) put(out, number, value);
  }
}

template <class T>
bool get(std::string_view& in, T& value) {
  if constexpr (std::is_same_v<T, double>) {
    if (in.size() < 8) return false;
    std::uint64_t raw = 0;
    for (int i = 7; i >= 0; --i) raw = raw << 8 | static_cast<std::uint8_t>(in[static_cast<std::size_t>(i)]);
    in.remove_prefix(8);
    value = std::bit_cast<double>(raw);
    return true;
  } else if constexpr (type_of<T>() == kVarint) {
    std::uint64_t raw = 0;
    if (!get_varint(in, raw)) return false;
    value = from_varint<T>(raw);
    return true;
  } else {
    std::string_view raw;
    if (!get_bytes(in, raw)) return false;
    if constexpr (is_fixed_bytes<T>::value) {
      if (raw.size() != T::kSize) return false;
      std::memcpy(value.bytes.data(), raw.data(), raw.size());
    } else if constexpr (std::is_same_v<T, std::string>) {
      value.assign(raw);
    } else {
      value = T{};  // said twice, the last one counts
      if (!decode_into(raw, value)) return false;
    }
    return true;
  }
}

template <class T>
bool get_field(std::string_view& in, std::uint32_t type, T& value) {
  if constexpr (is_optional<T>::value) {
    return get_field(in, type, value.emplace());
  } else if constexpr (is_vector<T>::value) {
    return get_field(in, type, value.emplace_back());
  } else {
    return type == type_of<T>() && get(in, value);
  }
}

inline bool skip(std::string_view& in, std::uint32_t type) {
  std::uint64_t ignored = 0;
  std::string_view bytes;
  switch (type) {
    case kVarint:
      return get_varint(in, ignored);
    case kBytes:
      return get_bytes(in, bytes);
    case kFixed64:
    case kFixed32: {
      const std::size_t size = type == kFixed64 ? 8 : 4;
      if (in.size() < size) return false;
      in.remove_prefix(size);
      return true;
    }
    default:
      return false;
  }
}

// The value of the field with this number, if T has it: then `good` is true if its bytes were valid.
template <Message T, std::size_t... I>
bool get_known(std::string_view& in, std::uint32_t number, std::uint32_t type, T& message, bool& good,
               std::index_sequence<I...>) {
  const auto try_field = [&]<std::size_t N>(std::integral_constant<std::size_t, N>) {
    constexpr auto f = std::get<N>(kFields<T>);
    if (f.number != number) return false;
    good = get_field(in, type, message.*(f.member));
    return true;
  };
  return (try_field(std::integral_constant<std::size_t, I>{}) || ...);
}

template <Message T>
bool decode_into(std::string_view in, T& message) {
  constexpr auto kIndices = std::make_index_sequence<std::tuple_size_v<decltype(T::fields())>>{};
  while (!in.empty()) {
    const std::string_view start = in;
    std::uint64_t tag = 0;
    if (!get_varint(in, tag) || tag >> 3 == 0 || tag >> 32 != 0) return false;
    const auto number = static_cast<std::uint32_t>(tag >> 3);
    const auto type = static_cast<std::uint32_t>(tag & 7);
    bool good = true;
    if (!get_known(in, number, type, message, good, kIndices)) {
      good = skip(in, type);
      if constexpr (requires { message.unknown_fields; }) {
        if (good) message.unknown_fields.append(start.substr(0, start.size() - in.size()));
      }
    }
    if (!good) return false;
  }
  return true;
}

}  // namespace wire

template <class T>
void encode_to(std::string& out, const T& message) {
  static_assert(wire::ascending(wire::kFields<T>));
  std::apply([&](const auto&... f) { (wire::put_field(out, f.number, message.*(f.member)), ...); }, wire::kFields<T>);
  if constexpr (requires { message.unknown_fields; }) out.append(message.unknown_fields);
}

template <Message T>
Result<T> decode(std::string_view bytes) {
  T message;
  if (!wire::decode_into(bytes, message)) {
    return fail(ErrorKind::invocation, "ledger.corrupt", "these bytes do not encode the record they should");
  }
  return message;
}

}  // namespace ledger
