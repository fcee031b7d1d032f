// NIP-19: keys and ids as bech32 text. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/nostr/event.h"
#include "pipeline/nostr/keys.h"

namespace nostr {

inline constexpr std::size_t kMaxNip19Chars = 5'000;  // NIP-19's own advice

struct Nevent {
  EventId id;
  std::vector<std::string> relays;
  std::optional<PublicKey> author;
  std::optional<std::uint32_t> kind;
  bool operator==(const Nevent&) const = default;
};

struct Nprofile {
  PublicKey key;
  std::vector<std::string> relays;
  bool operator==(const Nprofile&) const = default;
};

std::string encode_npub(const PublicKey& key);
std::string encode_note(const EventId& id);
std::string encode_nevent(const Nevent& nevent);
std::string encode_nprofile(const Nprofile& nprofile);
// The result is the secret: for the key file only.
std::string encode_nsec(const SecretBytes& secret);

// Each fails with a "bech32.…" code, or with "nip19.prefix" (another kind of text) or "nip19.data" (bad contents).
Result<PublicKey> decode_npub(std::string_view text);
Result<EventId> decode_note(std::string_view text);
Result<Nevent> decode_nevent(std::string_view text);
Result<Nprofile> decode_nprofile(std::string_view text);
Result<SecretBytes> decode_nsec(std::string_view text);
// The bytes that NIP-49 describes.
Result<std::string> decode_ncryptsec(std::string_view text);

// What a person may give for a key or an id: 64 digits of hex, npub or nprofile, note or nevent, each also as a
// `nostr:` URI (NIP-21). Fails with "nip19.not_a_key" or "nip19.not_an_id". An nsec is refused with a message that it
// must be kept secret.
Result<PublicKey> parse_public_key(std::string_view text);
Result<EventId> parse_event_id(std::string_view text);

}  // namespace nostr
