// Keys and signatures of Nostr: BIP-340 Schnorr over secp256k1. Pure: randomness is an argument.
#pragma once

#include <secp256k1_extrakeys.h>

#include <string_view>

#include "pipeline/nostr/event.h"

namespace nostr {

using AuxRandom = base::FixedBytes<32, struct AuxRandomTag>;  // fresh randomness for one signature (BIP-340)
using SecretBytes = base::FixedBytes<32, struct SecretBytesTag>;

// Overwrites memory that held a secret; not optimised away.
void wipe(void* data, std::size_t size);

// Secret bytes of which each copy wipes itself.
template <class Bytes>
struct Wiped : Bytes {
  ~Wiped() { wipe(this->bytes.data(), this->bytes.size()); }
};
using SharedSecret = Wiped<base::FixedBytes<32, struct SharedSecretTag>>;

// A secret key. Moves, never copies, wipes itself; nothing prints it. One key may sign on several threads at once.
class SecretKey {
 public:
  // `raw` is 32 bytes, 1..n-1 as a number, or fails with "key.invalid".
  static Result<SecretKey> from_bytes(std::string_view raw);
  // 64 digits of hex, or an nsec (NIP-19). Fails with "key.invalid"; the message does not repeat the text.
  static Result<SecretKey> from_text(std::string_view text);

  SecretKey(SecretKey&& other) noexcept;
  SecretKey& operator=(SecretKey&& other) noexcept;
  SecretKey(const SecretKey&) = delete;
  SecretKey& operator=(const SecretKey&) = delete;
  ~SecretKey();

  const PublicKey& public_key() const { return public_key_; }

  // A BIP-340 signature of a message of any length; Nostr signs 32 bytes, the event's id.
  Signature sign(std::string_view message, const AuxRandom& aux) const;

  // What only the owners of the two keys can compute: the x coordinate of the point that is their product (ECDH, not
  // hashed, as NIP-04 and NIP-44 take it). Fails with "key.no_point" for a key that nobody can own.
  Result<SharedSecret> shared_secret(const PublicKey& other) const;

  // The secret itself: for the key file, never for a log. The caller wipes the copy (wipe()).
  SecretBytes reveal() const;

 private:
  SecretKey() = default;
  secp256k1_keypair keypair_{};
  PublicKey public_key_;
};

// True when `signature` is the key's BIP-340 signature of `message`; false too for a key that is no point of the curve.
bool verify_signature(const PublicKey& key, std::string_view message, const Signature& signature);

// True when the 32 bytes are the x coordinate of a point: a key that somebody can own.
bool is_point(const PublicKey& key);

}  // namespace nostr
