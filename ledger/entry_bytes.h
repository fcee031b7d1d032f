// The bytes of an entry on disk: varint(size of header) || header || facts.
#pragma once

#include <string>
#include <string_view>

#include "ledger/entry.h"

namespace ledger {

// An entry as bytes, for code that checks them. The string_views are valid as long as the value from which
// split_entry() made them.
struct RawEntry {
  Seq seq = 0;
  std::string_view header;
  std::string_view facts;
};

struct EncodedEntry {
  Header header;
  std::string header_bytes;  // what the Merkle tree hashes
  std::string value;         // what is stored
};

EncodedEntry encode_entry(const NewEntry& entry);

// Errors of these: "ledger.damaged" with the position, "ledger.newer_format" and "ledger.unknown_type" for what a newer
// version wrote. None of them recomputes a hash: that is the auditor's work.
Result<RawEntry> split_entry(Seq seq, std::string_view value);
Result<Entry> decode_entry(const RawEntry& raw);
// As decode_entry(), but reuses the memory of `out`: for reading many entries. After a failure the value of `out` is
// unspecified.
Result<void> decode_entry_to(Entry& out, const RawEntry& raw);

}  // namespace ledger
