// Checkpoints: a signed statement of how long the ledger was and what its Merkle root was, in the forms of C2SP
// tlog-checkpoint (https://c2sp.org/tlog-checkpoint) and signed-note (https://c2sp.org/signed-note):
//
//   sellcompute/<provider's public key in hex>
//   <number of entries>
//   <base64 of the Merkle root>
//   time <milliseconds since 1970>
//
//   — sellcompute/<the same key> <base64 of 4-byte key id || 64-byte signature>
//
// key id = first 4 bytes of SHA-256(name || 0x0a || 0xff || "sellcompute-bip340" || public key); signature = BIP-340
// over the tagged hash "sellcompute/checkpoint" of all lines before the empty one. So the Nostr key signs it, and what
// it signs here can never pass for a Nostr event.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/types.h"

namespace ledger {

using base::Hash256;
using base::PublicKey;
using base::Result;
using base::Seq;
using base::Signature;
using base::TimeMs;

// Checkpoints that come from outside are refused above this size.
inline constexpr std::size_t kMaxCheckpointBytes = 16 * 1024;

struct Checkpoint {
  Seq size = 0;  // number of entries
  Hash256 root;  // of the Merkle tree over them
  TimeMs time;   // when it was made

  bool operator==(const Checkpoint&) const = default;
};

// The first line of a provider's checkpoints, and the name under which they are signed.
std::string checkpoint_origin(const PublicKey& provider);

// Signs 32 bytes with the provider's key (BIP-340). The key lives elsewhere.
using DigestSigner = std::function<Result<Signature>(const Hash256& digest)>;

// The signed note. Fails only as the signer does.
Result<std::string> sign_checkpoint(const Checkpoint& checkpoint, const PublicKey& provider, const DigestSigner& sign);

// What this note states, if this provider signed it. Signatures of others (witnesses) and extension lines that are not
// ours are allowed and ignored. Errors: "checkpoint.too_long", "checkpoint.malformed" (says which line),
// "checkpoint.origin" (it is another provider's), "checkpoint.unsigned" (no signature by the provider) and
// "checkpoint.signature" (a wrong one).
Result<Checkpoint> verify_checkpoint(std::string_view note, const PublicKey& provider);

}  // namespace ledger
