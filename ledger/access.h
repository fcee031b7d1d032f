// Checks before a ledger is opened whether this user may use its files. Otherwise RocksDB would report a missing right
// as damage.
#pragma once

#include <filesystem>

#include "ledger/key_value.h"

namespace ledger {

enum class Access { read, write };

// Fails with "ledger.not_permitted", which names the first folder or file that the system refuses, and its owner. A
// folder that is not there is permitted.
Result<void> check_access(const std::filesystem::path& folder, Access access);

}  // namespace ledger
