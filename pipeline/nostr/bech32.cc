#include "pipeline/nostr/bech32.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"

namespace nostr {
namespace {

constexpr std::string_view kAlphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
constexpr std::size_t kChecksumGroups = 6;

constexpr std::array<std::int8_t, 128> kGroupOf = [] {
  std::array<std::int8_t, 128> table{};
  table.fill(-1);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    table[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
  }
  return table;
}();

bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}

// The BCH code of BIP-173, fed group by group.
class Checksum {
 public:
  explicit Checksum(std::string_view prefix) {
    for (const char c : prefix) add(static_cast<std::uint8_t>(c) >> 5);
    add(0);
    for (const char c : prefix) add(static_cast<std::uint8_t>(c) & 31);
  }

  void add(unsigned group) {
    static constexpr std::array<std::uint32_t, 5> kGenerator = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd,
                                                                0x2a1462b3};
    const std::uint32_t top = state_ >> 25;
    state_ = (state_ & 0x1ffffff) << 5 ^ group;
    for (std::size_t i = 0; i < kGenerator.size(); ++i) {
      if ((top >> i & 1) != 0) state_ ^= kGenerator[i];
    }
  }

  std::uint32_t state() const { return state_; }

 private:
  std::uint32_t state_ = 1;
};

auto refuse(std::string code, std::string message) {
  return base::fail(base::ErrorKind::invocation, std::move(code), std::move(message));
}

}  // namespace

std::string encode_bech32(std::string_view prefix, std::span<const std::uint8_t> groups) {
  Checksum checksum(prefix);
  std::string out;
  out.reserve(prefix.size() + 1 + groups.size() + kChecksumGroups);
  out.append(prefix).push_back('1');
  for (const std::uint8_t group : groups) {
    checksum.add(group);
    out.push_back(kAlphabet[group & 31]);
  }
  for (std::size_t i = 0; i < kChecksumGroups; ++i) checksum.add(0);
  const std::uint32_t sum = checksum.state() ^ 1;
  for (std::size_t i = 0; i < kChecksumGroups; ++i) out.push_back(kAlphabet[sum >> 5 * (kChecksumGroups - 1 - i) & 31]);
  return out;
}

base::Result<Bech32> decode_bech32(std::string_view text, std::size_t max_chars) {
  if (text.size() > max_chars) return refuse("bech32.length", "this bech32 text is too long");
  if (std::any_of(text.begin(), text.end(), is_upper) && std::any_of(text.begin(), text.end(), is_lower)) {
    return refuse("bech32.case", "bech32 text mixes upper and lower case");
  }
  if (std::any_of(text.begin(), text.end(), [](char c) { return c < 33 || c > 126; })) {
    return refuse("bech32.character", "bech32 text holds a character that cannot be part of it");
  }
  const std::size_t separator = text.rfind('1');
  if (separator == std::string_view::npos || separator == 0 || text.size() - separator - 1 < kChecksumGroups) {
    return refuse("bech32.separator", "bech32 text is a prefix, a 1 and at least six characters: this one is not");
  }
  Bech32 out;
  out.prefix = base::lower(text.substr(0, separator));
  Checksum checksum(out.prefix);
  out.groups.reserve(text.size() - separator - 1);
  for (const char c : text.substr(separator + 1)) {
    const std::int8_t group = kGroupOf[static_cast<unsigned char>(base::lower(c))];
    if (group < 0) return refuse("bech32.character", "bech32 text holds a character that cannot be part of it");
    checksum.add(static_cast<unsigned>(group));
    out.groups.push_back(static_cast<std::uint8_t>(group));
  }
  if (checksum.state() != 1)
    return refuse("bech32.checksum", "the bech32 checksum is wrong: the text was cut or mistyped");
  out.groups.resize(out.groups.size() - kChecksumGroups);
  return out;
}

std::optional<std::vector<std::uint8_t>> convert_bits(std::span<const std::uint8_t> in, unsigned from, unsigned to,
                                                      bool pad) {
  std::vector<std::uint8_t> out;
  out.reserve((in.size() * from + to - 1) / to);
  unsigned pending = 0;  // never more than from + to bits
  unsigned bits = 0;
  for (const std::uint8_t value : in) {
    if (value >> from != 0) return std::nullopt;
    pending = (pending << from | value) & 0xffff;
    bits += from;
    while (bits >= to) {
      bits -= to;
      out.push_back(static_cast<std::uint8_t>(pending >> bits & ((1U << to) - 1)));
    }
  }
  const unsigned rest = pending & ((1U << bits) - 1);
  if (pad) {
    if (bits > 0) out.push_back(static_cast<std::uint8_t>(rest << (to - bits)));
  } else if (bits >= from || rest != 0) {
    return std::nullopt;
  }
  return out;
}

}  // namespace nostr
