// How many files this process may have open at a time: connections, table files of the ledger.
#pragma once

#include <cstdint>

namespace cmd {

// Below this, a busy `serve` may run out: some 500 table files, and connections to relays, wallets and web pages.
inline constexpr std::uint64_t kFilesNeeded = 2'048;

// Raises the limit as far as the system allows, and returns it.
std::uint64_t raise_file_limit();

}  // namespace cmd
