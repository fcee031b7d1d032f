#include "cmd/cli/passphrase.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/secret_file.h"

namespace cmd {
namespace {

using base::ErrorKind;
using base::fail;
using base::Result;

constexpr int kInterrupted = -2;  // UI_process(3): by SIGINT

// OpenSSL would read standard input where there is none, which may hold something else.
bool has_terminal() {
  const int terminal = ::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal >= 0) ::close(terminal);
  return terminal >= 0;
}

}  // namespace

Result<std::string> ask_passphrase(const std::filesystem::path& key_file) {
  if (!has_terminal()) {
    return fail(ErrorKind::config, "passphrase.no_terminal",
                "the key is encrypted, and there is no terminal to ask for its passphrase", key_file.string(),
                "write it into the file that the setting identity.passphrase_file names, or run this in a terminal");
  }
  std::array<char, kMaxPassphraseBytes + 1> typed{};
  const std::string prompt = "Passphrase of " + key_file.string() + ": ";
  const int result = EVP_read_pw_string(typed.data(), kMaxPassphraseBytes, prompt.c_str(), 0);
  std::string passphrase(result == 0 ? typed.data() : "");
  nostr::wipe(typed.data(), typed.size());
  if (result == 0) return passphrase;
  if (result == kInterrupted) {
    return fail(ErrorKind::invocation, "interrupted", "interrupted: no passphrase was given", key_file.string());
  }
  return fail(ErrorKind::config, "passphrase.cancelled", "no passphrase was given", key_file.string());
}

nostr::PassphraseSource passphrase_source(const Config::Identity& identity) {
  return [file = identity.passphrase_file](const std::filesystem::path& key_file) -> Result<std::string> {
    auto text = base::read_private_file(file);
    if (!text && text.error().code == "secret_file.missing") return ask_passphrase(key_file);
    if (text) text->resize(std::min(text->find_first_of("\r\n"), text->size()));
    return text;
  };
}

}  // namespace cmd
