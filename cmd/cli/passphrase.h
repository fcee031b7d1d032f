// Where the passphrase of an encrypted key (ncryptsec, NIP-49) comes from.
#pragma once

#include <filesystem>
#include <string>

#include "cmd/config/config.h"
#include "pipeline/nostr/key_file.h"

namespace cmd {

inline constexpr int kMaxPassphraseBytes = 1'024;  // the most that is read from a terminal

// Asks at the terminal, whatever input and output are redirected to, and does not show what is typed. Fails with
// "passphrase.no_terminal", "passphrase.cancelled", or "interrupted" after Ctrl-C.
base::Result<std::string> ask_passphrase(const std::filesystem::path& key_file);

// The first line of the passphrase file; where there is no such file, the terminal is asked. Fails as read_private_file
// and ask_passphrase do.
nostr::PassphraseSource passphrase_source(const Config::Identity& identity);

}  // namespace cmd
