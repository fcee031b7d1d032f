#include "pipeline/nostr/keys.h"

#include <openssl/crypto.h>
#include <secp256k1_ecdh.h>
#include <secp256k1_schnorrsig.h>

#include <algorithm>
#include <string>

#include "base/check.h"
#include "pipeline/nostr/nip19.h"

namespace nostr {
namespace {

using base::unsigned_data;

// With a valid key the calls below that are checked cannot fail. If one does, nothing that it wrote may be used.

// One context for all threads, for as long as the process lives: libsecp256k1 only reads it after it was made.
const secp256k1_context* context() {
  static const secp256k1_context* const kContext = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
  return kContext;
}

auto invalid() {
  return base::fail(base::ErrorKind::config, "key.invalid", "this is no secret key", {},
                    "give an nsec1… or 64 digits of hex");
}

int copy_x(unsigned char* out, const unsigned char* x, const unsigned char* /*y*/, void* /*data*/) {
  std::copy_n(x, SharedSecret::kSize, out);
  return 1;
}

}  // namespace

void wipe(void* data, std::size_t size) {
  OPENSSL_cleanse(data, size);
}

Result<SecretKey> SecretKey::from_bytes(std::string_view raw) {
  SecretKey key;
  if (raw.size() != SecretBytes::kSize || secp256k1_keypair_create(context(), &key.keypair_, unsigned_data(raw)) != 1) {
    return invalid();
  }
  secp256k1_xonly_pubkey point;
  CHECK(secp256k1_keypair_xonly_pub(context(), &point, nullptr, &key.keypair_) == 1);
  CHECK(secp256k1_xonly_pubkey_serialize(context(), key.public_key_.bytes.data(), &point) == 1);
  return key;
}

Result<SecretKey> SecretKey::from_text(std::string_view text) {
  if (auto raw = base::from_hex(text)) {
    auto key = from_bytes(*raw);
    wipe(raw->data(), raw->size());
    return key;
  }
  auto secret = decode_nsec(text);
  if (!secret) return invalid();
  auto key = from_bytes(secret->view());
  wipe(secret->bytes.data(), secret->bytes.size());
  return key;
}

SecretKey::SecretKey(SecretKey&& other) noexcept : keypair_(other.keypair_), public_key_(other.public_key_) {
  wipe(&other.keypair_, sizeof other.keypair_);
}

SecretKey& SecretKey::operator=(SecretKey&& other) noexcept {
  if (this == &other) return *this;
  keypair_ = other.keypair_;
  public_key_ = other.public_key_;
  wipe(&other.keypair_, sizeof other.keypair_);
  return *this;
}

SecretKey::~SecretKey() {
  wipe(&keypair_, sizeof keypair_);
}

Signature SecretKey::sign(std::string_view message, const AuxRandom& aux) const {
  AuxRandom aux_bytes = aux;
  secp256k1_schnorrsig_extraparams extra = SECP256K1_SCHNORRSIG_EXTRAPARAMS_INIT;
  extra.ndata = aux_bytes.bytes.data();
  Signature signature;
  CHECK(secp256k1_schnorrsig_sign_custom(context(), signature.bytes.data(), unsigned_data(message), message.size(),
                                         &keypair_, &extra) == 1);
  return signature;
}

Result<SharedSecret> SecretKey::shared_secret(const PublicKey& other) const {
  std::array<unsigned char, 1 + PublicKey::kSize> compressed{
      SECP256K1_TAG_PUBKEY_EVEN};  // the sign of y is all the same
  std::ranges::copy(other.bytes, compressed.begin() + 1);
  secp256k1_pubkey point;
  if (secp256k1_ec_pubkey_parse(context(), &point, compressed.data(), compressed.size()) != 1) {
    return base::fail(base::ErrorKind::job_request, "key.no_point", "nobody can own this public key", other.hex());
  }
  SecretBytes secret = reveal();
  SharedSecret out;
  CHECK(secp256k1_ecdh(context(), out.bytes.data(), &point, secret.bytes.data(), copy_x, nullptr) == 1);
  wipe(secret.bytes.data(), secret.bytes.size());
  return out;
}

SecretBytes SecretKey::reveal() const {
  SecretBytes out;
  CHECK(secp256k1_keypair_sec(context(), out.bytes.data(), &keypair_) == 1);
  return out;
}

bool verify_signature(const PublicKey& key, std::string_view message, const Signature& signature) {
  secp256k1_xonly_pubkey point;
  return secp256k1_xonly_pubkey_parse(context(), &point, key.bytes.data()) == 1 &&
         secp256k1_schnorrsig_verify(context(), signature.bytes.data(), unsigned_data(message), message.size(),
                                     &point) == 1;
}

bool is_point(const PublicKey& key) {
  secp256k1_xonly_pubkey point;
  return secp256k1_xonly_pubkey_parse(context(), &point, key.bytes.data()) == 1;
}

}  // namespace nostr
