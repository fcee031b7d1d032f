// The keys of Lightning nodes: ECDSA over secp256k1 with public-key recovery, as BOLT11 signs. Pure.
#pragma once

#include <optional>

#include "base/result.h"
#include "base/types.h"

namespace wallet {

using NodeId = base::FixedBytes<33, struct NodeIdTag>;    // a compressed public key
using NodeKey = base::FixedBytes<32, struct NodeKeyTag>;  // a secret key: never printed

// r and s (32 bytes each). Up to four keys fit them; recovery_id (0..3) names the one that signed.
struct NodeSignature {
  base::FixedBytes<64, struct NodeSignatureTag> r_and_s;
  std::uint8_t recovery_id = 0;
};

// Fails with "node_key.invalid" for the numbers that are no key: zero, and those from the order of the curve on.
base::Result<NodeId> node_id(const NodeKey& key);

// A low-S signature with the nonce of RFC 6979: the same key and hash give the same bytes. Fails as node_id does.
base::Result<NodeSignature> sign(const NodeKey& key, const base::Hash256& hash);

// The node that made this signature; nothing if no key can have made it. High-S signatures have a signer too.
std::optional<NodeId> recover_signer(const base::Hash256& hash, const NodeSignature& signature);

// True when the node made this signature and it is canonical, that is low-S.
bool verify(const NodeId& node, const base::Hash256& hash, const NodeSignature& signature);

// True when the bytes are a point of the curve.
bool is_node_id(const NodeId& node);

}  // namespace wallet
