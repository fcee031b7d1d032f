// The input is a checkpoint. It is read as it stands, and its text once more under a good signature.
#include "ledger/checkpoint.h"

#include "base/base64.h"
#include "pipeline/nostr/keys.h"
#include "tests/fuzz/fuzz.h"

namespace {

using fuzz::require;
using namespace base;
using namespace ledger;

const nostr::SecretKey& key() {
  static const nostr::SecretKey instance = *nostr::SecretKey::from_text(std::string(63, '0') + "3");
  return instance;
}
const PublicKey& provider() {
  return key().public_key();
}

Result<Signature> sign(const Hash256& digest) {
  return key().sign(digest.view(), {});
}

// The input's text, signed by the provider, with the signature lines that the input has of others.
std::string signed_note(std::string_view body, std::string_view others) {
  const Hash256 tag = sha256("sellcompute/checkpoint");
  const Hash256 digest = sha256(std::string(tag.view()).append(tag.view()), body);
  const std::string origin = checkpoint_origin(provider());
  const Hash256 named = sha256(origin + "\n\xffsellcompute-bip340", provider().view());
  const std::string signature = std::string(named.view().substr(0, 4)).append(sign(digest)->view());
  return std::string(body) + "\n" + std::string(others) + "\xe2\x80\x94 " + origin + " " + to_base64(signature) + "\n";
}

void check(std::string_view note) {
  const auto checkpoint = verify_checkpoint(note, provider());
  if (!checkpoint) {
    require(checkpoint.error().code.starts_with("checkpoint."), "every refusal has its code");
    return;
  }
  const auto ours = sign_checkpoint(*checkpoint, provider(), sign);
  require(ours && verify_checkpoint(*ours, provider()) == *checkpoint, "what is written is read as the same");
  require(!verify_checkpoint(note, PublicKey{sha256("another").bytes}), "it is nobody else's");

  // The signature is of every byte of the text.
  std::string altered(note);
  char& byte = altered[sha256(note).bytes[0] % (note.find("\n\n") + 1)];
  byte = static_cast<char>(byte ^ 1);
  require(!verify_checkpoint(altered, provider()), "an altered text is refused");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view note = fuzz::text_of(data, size);
  check(note);
  const std::size_t gap = note.find("\n\n");
  if (gap == std::string_view::npos) return 0;
  check(signed_note(note.substr(0, gap + 1), note.substr(gap + 2)));
  check(signed_note(note.substr(0, gap + 1), {}));
  return 0;
}
