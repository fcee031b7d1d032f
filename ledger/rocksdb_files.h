// What can be told about a store from its files alone, without opening it.
#pragma once

#include <filesystem>
#include <string>

#include "ledger/durable_mark.h"

namespace ledger {

// Fails with "ledger.damaged" if the MANIFEST in use is older or shorter than the mark says, or if its records,
// followed by their lengths, do not come out at the marked size: RocksDB takes a wrong length there for a torn tail,
// forgets the table files named after it, and deletes them. (A torn tail after the marked size is just that.)
Result<void> check_manifest(const std::filesystem::path& folder, const Durable& durable);

// The newest write-ahead log that holds anything: where a torn or damaged end is. The folder itself if there is none.
std::string newest_log(const std::filesystem::path& folder);

// Whether the newest log ends in a write that was torn, as by a power failure: from its first bad record on, no other
// write begins. Writes are synced one after the other, so nobody was told of that one. (Where a later write can be
// read, the bad one was synced before it: that is damage.)
bool ends_torn(const std::filesystem::path& folder);

}  // namespace ledger
