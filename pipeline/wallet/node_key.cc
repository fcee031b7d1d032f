#include "pipeline/wallet/node_key.h"

#include <secp256k1_recovery.h>

#include "base/check.h"

namespace wallet {
namespace {

using base::Hash256;
using base::Result;

// Made once, and kept to the end of the process; only reading from it afterwards, threads may share it.
const secp256k1_context* signing_context() {
  static const secp256k1_context* const context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
  return context;
}

auto invalid_key() {
  return base::fail(base::ErrorKind::config, "node_key.invalid", "this number is no secp256k1 secret key");
}

NodeId serialize(const secp256k1_pubkey& key) {
  NodeId out;
  std::size_t size = NodeId::kSize;
  CHECK(secp256k1_ec_pubkey_serialize(secp256k1_context_static, out.bytes.data(), &size, &key,
                                      SECP256K1_EC_COMPRESSED) == 1);
  CHECK(size == NodeId::kSize, size);
  return out;
}

bool parse(const NodeId& node, secp256k1_pubkey& out) {
  return secp256k1_ec_pubkey_parse(secp256k1_context_static, &out, node.bytes.data(), NodeId::kSize) == 1;
}

bool parse(const NodeSignature& signature, secp256k1_ecdsa_recoverable_signature& out) {
  return signature.recovery_id <= 3 &&
         secp256k1_ecdsa_recoverable_signature_parse_compact(
             secp256k1_context_static, &out, signature.r_and_s.bytes.data(), signature.recovery_id) == 1;
}

}  // namespace

Result<NodeId> node_id(const NodeKey& key) {
  secp256k1_pubkey point;
  if (secp256k1_ec_pubkey_create(signing_context(), &point, key.bytes.data()) != 1) return invalid_key();
  return serialize(point);
}

Result<NodeSignature> sign(const NodeKey& key, const Hash256& hash) {
  secp256k1_ecdsa_recoverable_signature signature;
  if (secp256k1_ecdsa_sign_recoverable(signing_context(), &signature, hash.bytes.data(), key.bytes.data(), nullptr,
                                       nullptr) != 1) {
    return invalid_key();
  }
  NodeSignature out;
  int recovery_id = 0;
  secp256k1_ecdsa_recoverable_signature_serialize_compact(secp256k1_context_static, out.r_and_s.bytes.data(),
                                                          &recovery_id, &signature);
  out.recovery_id = static_cast<std::uint8_t>(recovery_id);
  return out;
}

std::optional<NodeId> recover_signer(const Hash256& hash, const NodeSignature& signature) {
  secp256k1_ecdsa_recoverable_signature parsed;
  secp256k1_pubkey signer;
  if (!parse(signature, parsed)) return std::nullopt;
  if (secp256k1_ecdsa_recover(secp256k1_context_static, &signer, &parsed, hash.bytes.data()) != 1) return std::nullopt;
  return serialize(signer);
}

bool verify(const NodeId& node, const Hash256& hash, const NodeSignature& signature) {
  secp256k1_pubkey point;
  secp256k1_ecdsa_recoverable_signature parsed;
  secp256k1_ecdsa_signature plain;
  return parse(node, point) && parse(signature, parsed) &&
         secp256k1_ecdsa_recoverable_signature_convert(secp256k1_context_static, &plain, &parsed) == 1 &&
         secp256k1_ecdsa_verify(secp256k1_context_static, &plain, hash.bytes.data(), &point) == 1;
}

bool is_node_id(const NodeId& node) {
  secp256k1_pubkey point;
  return parse(node, point);
}

}  // namespace wallet
