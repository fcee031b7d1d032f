#include "pipeline/nostr/nip19.h"

#include <span>

#include "pipeline/nostr/bech32.h"

namespace nostr {
namespace {

enum TlvType : std::uint8_t { kSpecial = 0, kRelay = 1, kAuthor = 2, kKind = 3 };

auto nip19_error(std::string code, std::string message, std::string hint = {}) {
  return base::fail(base::ErrorKind::invocation, std::move(code), std::move(message), {}, std::move(hint));
}

std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string encode(std::string_view prefix, std::string_view payload) {
  auto groups = *convert_bits(bytes_of(payload), 8, 5, true);
  std::string text = encode_bech32(prefix, groups);
  wipe(groups.data(), groups.size());
  return text;
}

Result<std::string> decode(std::string_view prefix, std::string_view text) {
  auto decoded = decode_bech32(text, kMaxNip19Chars);
  if (!decoded) return tl::unexpected(decoded.error());
  if (decoded->prefix != prefix) {
    return nip19_error("nip19.prefix", "expected " + std::string(prefix) + "1…, got another kind of text");
  }
  auto raw = convert_bits(decoded->groups, 5, 8, false);
  wipe(decoded->groups.data(), decoded->groups.size());
  if (!raw) return nip19_error("nip19.data", "this " + std::string(prefix) + " is damaged");
  std::string payload(raw->begin(), raw->end());
  wipe(raw->data(), raw->size());
  return payload;
}

template <class Bytes>
Result<Bytes> decode_fixed(std::string_view prefix, std::string_view text) {
  auto payload = decode(prefix, text);
  if (!payload) return tl::unexpected(payload.error());
  const auto value = Bytes::from_bytes(*payload);
  wipe(payload->data(), payload->size());
  if (!value) return nip19_error("nip19.data", "this " + std::string(prefix) + " does not hold 32 bytes");
  return *value;
}

// ---- type, length, value --------------------------------------------------------------------------------------------

void put(std::string& out, TlvType type, std::string_view value) {
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(value.size()));
  out.append(value);
}

void put_relays(std::string& out, const std::vector<std::string>& relays) {
  for (const std::string& relay : relays) {
    if (relay.size() <= 255) put(out, kRelay, relay);  // a longer one has no encoding, and it is only a hint
  }
}

// Calls `visit(type, value)` for each record; false on a cut one, or as soon as `visit` says so.
template <class Visit>
bool for_each_record(std::string_view in, Visit visit) {
  while (!in.empty()) {
    if (in.size() < 2) return false;
    const auto type = static_cast<std::uint8_t>(in[0]);
    const auto size = static_cast<std::uint8_t>(in[1]);
    in.remove_prefix(2);
    if (in.size() < size || !visit(type, in.substr(0, size))) return false;
    in.remove_prefix(size);
  }
  return true;
}

template <class Value>
bool set(Value& out, const std::optional<Value>& value) {
  if (value) out = *value;
  return value.has_value();
}

std::optional<std::uint32_t> kind_from_bytes(std::string_view raw) {
  if (raw.size() != 4) return std::nullopt;
  std::uint32_t kind = 0;
  for (const char c : raw) kind = kind << 8 | static_cast<std::uint8_t>(c);
  return kind;
}

std::string_view without_uri_scheme(std::string_view text) {
  static constexpr std::string_view kScheme = "nostr:";
  return text.starts_with(kScheme) ? text.substr(kScheme.size()) : text;
}

}  // namespace

std::string encode_npub(const PublicKey& key) {
  return encode("npub", key.view());
}
std::string encode_note(const EventId& id) {
  return encode("note", id.view());
}
std::string encode_nsec(const SecretBytes& secret) {
  return encode("nsec", secret.view());
}

std::string encode_nevent(const Nevent& nevent) {
  std::string payload;
  put(payload, kSpecial, nevent.id.view());
  put_relays(payload, nevent.relays);
  if (nevent.author) put(payload, kAuthor, nevent.author->view());
  if (nevent.kind) {
    std::string big_endian;
    for (int shift = 24; shift >= 0; shift -= 8) big_endian.push_back(static_cast<char>(*nevent.kind >> shift));
    put(payload, kKind, big_endian);
  }
  return encode("nevent", payload);
}

std::string encode_nprofile(const Nprofile& nprofile) {
  std::string payload;
  put(payload, kSpecial, nprofile.key.view());
  put_relays(payload, nprofile.relays);
  return encode("nprofile", payload);
}

Result<PublicKey> decode_npub(std::string_view text) {
  return decode_fixed<PublicKey>("npub", text);
}
Result<EventId> decode_note(std::string_view text) {
  return decode_fixed<EventId>("note", text);
}
Result<SecretBytes> decode_nsec(std::string_view text) {
  return decode_fixed<SecretBytes>("nsec", text);
}
Result<std::string> decode_ncryptsec(std::string_view text) {
  return decode("ncryptsec", text);
}

Result<Nevent> decode_nevent(std::string_view text) {
  const auto payload = decode("nevent", text);
  if (!payload) return tl::unexpected(payload.error());
  Nevent out;
  bool has_id = false;
  const bool good = for_each_record(*payload, [&](std::uint8_t type, std::string_view value) {
    switch (type) {
      case kSpecial:
        return has_id = set(out.id, EventId::from_bytes(value));
      case kRelay:
        return out.relays.emplace_back(value), true;
      case kAuthor:
        return (out.author = PublicKey::from_bytes(value)).has_value();
      case kKind:
        return (out.kind = kind_from_bytes(value)).has_value();
      default:
        return true;
    }
  });
  if (!good || !has_id) return nip19_error("nip19.data", "this nevent is damaged");
  return out;
}

Result<Nprofile> decode_nprofile(std::string_view text) {
  const auto payload = decode("nprofile", text);
  if (!payload) return tl::unexpected(payload.error());
  Nprofile out;
  bool has_key = false;
  const bool good = for_each_record(*payload, [&](std::uint8_t type, std::string_view value) {
    switch (type) {
      case kSpecial:
        return has_key = set(out.key, PublicKey::from_bytes(value));
      case kRelay:
        return out.relays.emplace_back(value), true;
      default:
        return true;
    }
  });
  if (!good || !has_key) return nip19_error("nip19.data", "this nprofile is damaged");
  return out;
}

Result<PublicKey> parse_public_key(std::string_view text) {
  if (const auto key = PublicKey::from_hex(text)) return *key;
  const std::string_view bech32 = without_uri_scheme(text);
  if (bech32.starts_with("nsec1")) {
    return nip19_error("nip19.not_a_key", "this is a secret key, not a public one",
                       "keep it secret; give the npub instead");
  }
  if (auto key = decode_npub(bech32)) return *key;
  if (auto profile = decode_nprofile(bech32)) return profile->key;
  return nip19_error("nip19.not_a_key", "this is no public key", "give an npub, an nprofile or 64 digits of hex");
}

Result<EventId> parse_event_id(std::string_view text) {
  if (const auto id = EventId::from_hex(text)) return *id;
  const std::string_view bech32 = without_uri_scheme(text);
  if (auto id = decode_note(bech32)) return *id;
  if (auto nevent = decode_nevent(bech32)) return nevent->id;
  return nip19_error("nip19.not_an_id", "this is no event id", "give a note, an nevent or 64 digits of hex");
}

}  // namespace nostr
