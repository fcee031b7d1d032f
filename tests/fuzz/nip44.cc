// The input is an encrypted text of either form, and then a plaintext. As inventing a MAC takes ages, it is also the
// padded plaintext, or the ciphertext, of a payload that is otherwise good.
#include "pipeline/nostr/nip44.h"

#include <algorithm>

#include "base/base64.h"
#include "pipeline/nostr/encryption.h"
#include "pipeline/nostr/nip04.h"
#include "tests/fuzz/fuzz.h"

namespace {

using fuzz::require;
using namespace base;
using namespace nostr;

const SecretKey kOurs = *SecretKey::from_bytes(std::string(31, '\0') + '\1');
const SecretKey kTheirs = *SecretKey::from_bytes(std::string(31, '\0') + '\2');
const ConversationKey kConversation = *conversation_key(kOurs, kTheirs.public_key());

Nip44Nonce nonce_for(std::string_view text) {
  return {base::sha256(text).bytes};
}

std::string encrypt_for_them(Encryption form, std::string_view plaintext, const Nip44Nonce& random) {
  return encrypt(form, plaintext, kOurs, kTheirs.public_key(), random).value();
}

// The randomness with which a good payload was made.
Nip44Nonce randomness_in(std::string_view payload, Encryption form) {
  if (form == Encryption::nip44) return *Nip44Nonce::from_bytes(base::from_base64(payload)->substr(1, 32));
  const auto iv = *base::from_base64(payload.substr(payload.find(kNip04Separator) + kNip04Separator.size()));
  return *Nip44Nonce::from_bytes(iv + std::string(16, '\0'));
}

void check_payload(std::string_view payload) {
  const auto read = decrypt(payload, kTheirs, kOurs.public_key());
  if (!read) {
    const std::string& code = read.error().code;
    const Encryption form = detect_encryption(payload);
    const char* prefix = form == Encryption::nip44 ? "nip44." : form == Encryption::nip04 ? "nip04." : "encryption.";
    require(code.starts_with(prefix), "a refusal is of the form that the payload has");
    return;
  }
  require(read->form == detect_encryption(payload), "a payload is read in the form that it has");
  require(encrypt_for_them(read->form, read->plaintext, randomness_in(payload, read->form)) == payload,
          "a plaintext has one payload");
}

// One bit of it, which depends on the payload.
void check_damage(const std::string& payload) {
  std::string raw = *base::from_base64(payload);
  const std::size_t bit = base::FixedBytesHash{}(base::sha256(payload)) % (raw.size() * 8);
  raw[bit / 8] = static_cast<char>(raw[bit / 8] ^ (1 << bit % 8));
  require(!decrypt_nip44(base::to_base64(raw), kConversation), "an altered bit is noticed");
}

void check_plaintext(std::string_view plaintext) {
  const Nip44Nonce nonce = nonce_for(plaintext);
  for (const Encryption form : {Encryption::nip04, Encryption::nip44}) {
    const auto payload = encrypt(form, plaintext, kOurs, kTheirs.public_key(), nonce);
    const std::size_t fewest = form == Encryption::nip44 ? 1 : 0;
    const std::size_t most = form == Encryption::nip44 ? kMaxNip44PlaintextBytes : kMaxNip04PlaintextBytes;
    const bool fits = plaintext.size() >= fewest && plaintext.size() <= most;
    require(payload.has_value() == fits, "what is within the limits is encrypted");
    if (!payload) continue;
    const auto read = decrypt(*payload, kTheirs, kOurs.public_key());
    require(read && *read == Decrypted{form, std::string(plaintext)}, "what is encrypted is read as it was");
    if (form == Encryption::nip44) check_damage(*payload);
  }
}

// A good payload but for what is in it.
std::string with_mac(std::string_view padded) {
  const Nip44Nonce nonce = nonce_for(padded);
  const MessageKeys keys = message_keys(kConversation, nonce);
  const std::string message = std::string(nonce.view()) + chacha20(keys.chacha_key(), keys.chacha_nonce(), padded);
  return base::to_base64('\2' + message + std::string(base::hmac_sha256(keys.hmac_key(), message).view()));
}

std::string with_iv(std::string_view ciphertext) {
  return base::to_base64(ciphertext) + std::string(kNip04Separator) + base::to_base64(std::string(16, 'i'));
}

void check_padding(std::size_t size) {
  const std::size_t padded = padded_size(size);
  require(padded >= size && padded - size < std::max<std::size_t>(32, size / 4), "padding adds a quarter at most");
  require(padded % 32 == 0 && padded_size(padded) == padded, "what is padded needs no more");
  require(padded_size(size + 1) >= padded, "a longer text is not padded to less");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  check_payload(text);
  check_plaintext(text);
  check_payload(with_mac(text));
  check_payload(with_iv(text));
  fuzz::Choices choices(text);
  check_padding(choices.below(1 << 17) + 1);
  return 0;
}
