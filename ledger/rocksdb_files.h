// What can be told about a store from its files alone, without opening it.
#pragma once

#include <filesystem>
#include <string>

#include "ledger/durable_mark.h"

namespace ledger {

// Fails with "ledger.damaged" if the MANIFEST in use is older or shorter than the mark says, or if no record ends at
// the marked size when its records are read one after the other by their lengths. RocksDB would take a wrong length
// before that size for a torn tail. It would then ignore the rest of the MANIFEST and delete the table files that the
// rest names. (A torn tail after the marked size is accepted.)
Result<void> check_manifest(const std::filesystem::path& folder, const Durable& durable);

// The newest write-ahead log that is not empty; a torn or damaged end can only be there. The folder itself if there is
// none.
std::string newest_log(const std::filesystem::path& folder);

// Whether the newest log ends in a write that was torn, as by a power failure: from its first bad record on, no other
// write begins. Writes are synced one after the other, so the torn write was never reported as durable. (Where a later
// write can be read, the bad one was synced before it: that is damage.)
bool ends_torn(const std::filesystem::path& folder);

}  // namespace ledger
