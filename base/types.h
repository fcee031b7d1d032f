// The strong types that all layers share: identifiers, money, time. No I/O, no clock.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace base {

// N raw bytes that mean one thing: the tag keeps an event id from being passed for a public key.
template <std::size_t N, class Tag>
struct FixedBytes {
  static constexpr std::size_t kSize = N;
  std::array<std::uint8_t, N> bytes{};

  auto operator<=>(const FixedBytes&) const = default;

  std::string_view view() const { return {reinterpret_cast<const char*>(bytes.data()), N}; }
  std::string hex() const;
  bool is_zero() const { return *this == FixedBytes{}; }

  // Exactly N bytes, or nothing.
  static std::optional<FixedBytes> from_bytes(std::string_view raw);
  // Exactly 2N hexadecimal digits of either case, or nothing.
  static std::optional<FixedBytes> from_hex(std::string_view hex);
};

using Hash256 = FixedBytes<32, struct Hash256Tag>;      // a SHA-256 digest
using EventId = FixedBytes<32, struct EventIdTag>;      // a Nostr event id (NIP-01)
using PublicKey = FixedBytes<32, struct PublicKeyTag>;  // an x-only public key (BIP-340)
using Signature = FixedBytes<64, struct SignatureTag>;  // a Schnorr signature (BIP-340)
using TextRef = FixedBytes<32, struct TextRefTag>;      // SHA-256(salt || text), see ledger/text.h
using Salt = FixedBytes<32, struct SaltTag>;            // randomness hashed with a text, see ledger/text.h
using JobId = EventId;                                  // a job is named by the id of its request event

// A position in the ledger, counted from 0.
using Seq = std::uint64_t;

// Milliseconds since 1970-01-01 UTC. Time is always an argument: no pure code reads a clock.
struct TimeMs {
  std::int64_t ms = 0;
  auto operator<=>(const TimeMs&) const = default;
  TimeMs operator+(std::int64_t delta_ms) const { return {ms + delta_ms}; }
  TimeMs operator-(std::int64_t delta_ms) const { return {ms - delta_ms}; }
  std::int64_t operator-(TimeMs other) const { return ms - other.ms; }
};

inline constexpr std::int64_t kSecondMs = 1'000;
inline constexpr std::int64_t kMinuteMs = 60 * kSecondMs;
inline constexpr std::int64_t kHourMs = 60 * kMinuteMs;
inline constexpr std::int64_t kDayMs = 24 * kHourMs;

// Millisatoshi. Sums and products are checked: overflow throws std::overflow_error, it never wraps. Amounts from
// outside are bounded by `kMax` (all bitcoin there will ever be) before they become an Msat.
struct Msat {
  static constexpr std::int64_t kMax = 2'100'000'000'000'000'000;
  std::int64_t value = 0;

  auto operator<=>(const Msat&) const = default;
  Msat operator+(Msat other) const { return {checked_add(value, other.value)}; }
  Msat operator-(Msat other) const { return {checked_add(value, -other.value)}; }
  Msat& operator+=(Msat other) { return *this = *this + other; }
  Msat& operator-=(Msat other) { return *this = *this - other; }

  // value * numerator / denominator, rounded up; the product is taken in 128 bits.
  Msat scaled_up(std::int64_t numerator, std::int64_t denominator) const;
  // The next multiple of `unit` that is not below this amount.
  Msat rounded_up_to(Msat unit) const;
  // Plain decimal digits within 0..kMax, or nothing (signs, spaces and exponents are refused).
  static std::optional<Msat> from_digits(std::string_view digits);

 private:
  static std::int64_t checked_add(std::int64_t a, std::int64_t b);
};

// Lower-case hexadecimal of any bytes, and back (nothing on a bad digit or an odd length).
std::string to_hex(std::string_view raw);
std::optional<std::string> from_hex(std::string_view hex);

Hash256 sha256(std::string_view data);
// Of `first` followed by `second`, which need not lie together.
Hash256 sha256(std::string_view first, std::string_view second);
Hash256 hmac_sha256(std::string_view key, std::string_view data);

// Hash functor for unordered containers: the bytes are hashes already.
struct FixedBytesHash {
  template <std::size_t N, class Tag>
  std::size_t operator()(const FixedBytes<N, Tag>& value) const {
    std::size_t out = 0;
    std::memcpy(&out, value.bytes.data(), std::min(sizeof out, N));
    return out;
  }
};

// Bytes as C libraries take them.
inline const unsigned char* unsigned_data(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

// ---- details --------------------------------------------------------------------------------------------------------

template <std::size_t N, class Tag>
std::string FixedBytes<N, Tag>::hex() const {
  return to_hex(view());
}

template <std::size_t N, class Tag>
std::optional<FixedBytes<N, Tag>> FixedBytes<N, Tag>::from_bytes(std::string_view raw) {
  if (raw.size() != N) return std::nullopt;
  FixedBytes out;
  for (std::size_t i = 0; i < N; ++i) out.bytes[i] = static_cast<std::uint8_t>(raw[i]);
  return out;
}

template <std::size_t N, class Tag>
std::optional<FixedBytes<N, Tag>> FixedBytes<N, Tag>::from_hex(std::string_view hex) {
  const auto raw = base::from_hex(hex);
  return raw ? from_bytes(*raw) : std::nullopt;
}

}  // namespace base
