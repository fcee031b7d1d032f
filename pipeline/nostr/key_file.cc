#include "pipeline/nostr/key_file.h"

#include <openssl/rand.h>

#include <string>

#include "base/secret_file.h"
#include "pipeline/nostr/nip19.h"
#include "pipeline/nostr/nip49.h"

namespace nostr {
namespace {

using base::ErrorKind;
using base::fail;

// The same failure in the words of a key file.
auto translated(const base::Error& error, const std::filesystem::path& path, std::string otherwise) {
  if (error.code == "secret_file.missing") {
    return fail(ErrorKind::config, "key_file.missing", "there is no key file", path.string(),
                "`sellcompute init` makes one, or imports yours with --import");
  }
  if (error.code == "secret_file.permissions") {
    return fail(ErrorKind::config, "key_file.permissions", "others can read the key file", path.string(),
                "chmod 600 " + path.string() + "; if others had access to it, use a new key");
  }
  if (error.code == "secret_file.exists") {
    return fail(ErrorKind::config, "key_file.exists", "there is a key file already, and it is not overwritten",
                path.string(), "move it away first if you want another key");
  }
  return fail(ErrorKind::config, std::move(otherwise), error.message, path.string(), error.hint);
}

// The first line without white space around it; a view, so that no copy of the secret is left behind.
std::string_view first_line(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  static constexpr std::string_view kSpace = " \t\r";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

Result<SecretKey> unlock(std::string_view ncryptsec, const std::filesystem::path& path,
                         const PassphraseSource& source) {
  auto passphrase = source(path);
  if (!passphrase) return tl::unexpected(passphrase.error());
  auto key = decrypt_ncryptsec(ncryptsec, *passphrase);
  wipe(passphrase->data(), passphrase->size());
  if (!key) key.error().context = path.string();
  return key;
}

Result<SecretKey> read_key(std::string_view line, const std::filesystem::path& path, const PassphraseSource& source) {
  if (is_ncryptsec(line)) return unlock(line, path, source);
  if (auto key = SecretKey::from_text(line)) return key;
  return fail(ErrorKind::config, "key_file.malformed", "the first line of the key file is no secret key", path.string(),
              "it must be an nsec1…, an ncryptsec1… or 64 digits of hex");
}

Result<void> write_line(const std::filesystem::path& path, std::string line) {
  const auto created = base::create_private_file(path, line);
  wipe(line.data(), line.size());
  if (!created) return translated(created.error(), path, "key_file.unwritable");
  return {};
}

template <class Bytes>
Result<Bytes> random_bytes() {
  Bytes out;
  if (RAND_bytes(out.bytes.data(), static_cast<int>(out.bytes.size())) == 1) return out;
  return fail(ErrorKind::config, "key.no_randomness", "the system gives no randomness");
}

}  // namespace

Result<SecretKey> read_key_file(const std::filesystem::path& path, const PassphraseSource& passphrase) {
  auto text = base::read_private_file(path);
  if (!text) return translated(text.error(), path, "key_file.unreadable");
  auto key = read_key(first_line(*text), path, passphrase);
  wipe(text->data(), text->size());
  return key;
}

Result<void> create_key_file(const std::filesystem::path& path, const SecretKey& key) {
  SecretBytes secret = key.reveal();
  auto written = write_line(path, encode_nsec(secret) + "\n");
  wipe(secret.bytes.data(), secret.bytes.size());
  return written;
}

Result<void> copy_key_file(const std::filesystem::path& from, const std::filesystem::path& to) {
  auto text = base::read_private_file(from);
  if (!text) return translated(text.error(), from, "key_file.unreadable");
  auto written = write_line(to, std::string(first_line(*text)) + "\n");
  wipe(text->data(), text->size());
  return written;
}

Result<SecretKey> generate_key() {
  auto secret = random_bytes<SecretBytes>();
  if (!secret) return tl::unexpected(secret.error());
  auto key = SecretKey::from_bytes(secret->view());  // fails with a chance of 2^-128
  wipe(secret->bytes.data(), secret->bytes.size());
  return key;
}

Result<AuxRandom> generate_aux() {
  return random_bytes<AuxRandom>();
}

}  // namespace nostr
