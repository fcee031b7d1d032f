#include "pipeline/nostr/nip13.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <span>

#include "base/check.h"
#include "pipeline/nostr/nip01.h"

namespace nostr {
namespace {

constexpr std::uint64_t kMostHashedBytes = 256ULL * 1024 * 1024;  // about half a second
constexpr std::size_t kEventFrameBytes = 200;                     // key, time, kind and what stands around them

constexpr char kNonce[] = "nonce";
constexpr std::string_view kNonceTag = R"(["nonce",")";  // up to its digits

bool is_nonce(const Tag& tag) {
  return !tag.empty() && tag[0] == kNonce;
}

// Counting up from here needs no further digit for `max_tries`.
std::string first_nonce(std::uint64_t max_tries) {
  return "1" + std::string(std::to_string(max_tries).size(), '0');
}

// Counts up decimal digits where they stand.
void increment(std::span<char> digits) {
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) {
    if (*digit != '9') {
      ++*digit;
      return;
    }
    *digit = '0';
  }
}

}  // namespace

unsigned leading_zero_bits(const EventId& id) {
  const auto first = std::find_if(id.bytes.begin(), id.bytes.end(), [](std::uint8_t byte) { return byte != 0; });
  const auto zeros = 8 * static_cast<unsigned>(first - id.bytes.begin());
  return first == id.bytes.end() ? zeros : zeros + static_cast<unsigned>(std::countl_zero(*first));
}

unsigned committed_difficulty(const Event& event) {
  const auto nonce = std::find_if(event.tags.begin(), event.tags.end(),
                                  [](const Tag& tag) { return tag.size() >= 3 && tag[0] == kNonce; });
  if (nonce == event.tags.end()) return 0;
  const std::string& target = (*nonce)[2];
  unsigned bits = 0;
  const auto [end, error] = std::from_chars(target.data(), target.data() + target.size(), bits);
  if (error != std::errc() || end != target.data() + target.size()) return 0;
  return std::min(bits, leading_zero_bits(event.id));
}

Event without_work(Event event) {
  std::erase_if(event.tags, is_nonce);
  return event;
}

std::optional<Unsigned> mine(Unsigned event, const PublicKey& author, unsigned bits, std::uint64_t max_tries) {
  std::erase_if(event.tags, is_nonce);
  event.tags.push_back({kNonce, first_nonce(max_tries), std::to_string(bits)});
  // Written once; only the digits change. No other text has an unescaped quotation mark behind a bracket and this name.
  std::string text = canonical({.pubkey = author,
                                .created_at = event.created_at_s,
                                .kind = event.kind,
                                .tags = event.tags,
                                .content = event.content});
  std::string& nonce = event.tags.back()[1];
  const std::size_t tag = text.find(kNonceTag);
  CHECK(tag != std::string::npos && tag + kNonceTag.size() + nonce.size() < text.size(), tag, text.size());
  const std::span digits(text.data() + tag + kNonceTag.size(), nonce.size());
  for (std::uint64_t tries = 0; tries < max_tries; ++tries, increment(digits)) {
    if (leading_zero_bits(EventId{base::sha256(text).bytes}) < bits) continue;
    nonce.assign(digits.begin(), digits.end());
    return event;
  }
  return std::nullopt;
}

// The whole event is hashed at each try.
Unsigned with_work(Unsigned event, const PublicKey& author, unsigned bits) {
  if (bits == 0) return event;
  std::size_t bytes = event.content.size() + kEventFrameBytes;
  for (const auto& tag : event.tags) {
    for (const auto& value : tag) bytes += value.size();
  }
  auto mined = mine(event, author, std::min(bits, kMaxWorkBits), kMostHashedBytes / bytes);
  return mined ? std::move(*mined) : std::move(event);
}

}  // namespace nostr
