// Bech32 text (BIP-173): a readable prefix, `1`, groups of five bits, a checksum. Used by NIP-19 and BOLT11, which both
// drop the BIP's limit on length. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace nostr {

inline constexpr std::size_t kBech32Bip173MaxChars = 90;

struct Bech32 {
  std::string prefix;                // lower case
  std::vector<std::uint8_t> groups;  // each 0..31, without the checksum
};

// The lower-case text. `prefix` must be lower case and `groups` below 32.
std::string encode_bech32(std::string_view prefix, std::span<const std::uint8_t> groups);

// All lower case or all upper case, at most `max_chars` long, with a good checksum. Fails with "bech32.length",
// "bech32.case", "bech32.character", "bech32.separator" or "bech32.checksum"; the message never repeats the text, which
// may be a secret.
base::Result<Bech32> decode_bech32(std::string_view text, std::size_t max_chars = kBech32Bip173MaxChars);

// Regroups bits, most significant first, from groups of `from` bits to groups of `to` (1..8 each). With `pad`, missing
// bits of the last group are zero; without, left-over bits must be fewer than `from` and all zero. Nothing if they are
// not, or if a value does not fit `from` bits.
std::optional<std::vector<std::uint8_t>> convert_bits(std::span<const std::uint8_t> in, unsigned from, unsigned to,
                                                      bool pad);

}  // namespace nostr
