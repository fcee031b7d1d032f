// What lies where in the store: the keys of every family and the one record that says how far the ledger reaches.
//
//   entries  seq (8 bytes, big-endian)                  -> varint(size of header) || header || facts
//   texts    TextRef (32 bytes)                         -> salt (32 bytes) || text, or nothing: pruned
//   tiles    TileId::key()                              -> 256 hashes (ledger/merkle.h)
//   views    projection's name || 0x00 || its own key   -> its own value
//   meta     "state"                                    -> State
//            "cursor/" || relay URL                     -> time in ms (8 bytes, big-endian)
//            "checkpoint/" || size (8 bytes, big-endian) -> signed note
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ledger/codec.h"

namespace ledger {

using base::Error;
using base::Hash256;
using base::Seq;

std::string entry_key(Seq seq);
std::string view_prefix(std::string_view projection);
std::string view_key(std::string_view projection, std::string_view key);
std::string cursor_key(std::string_view relay);
std::string checkpoint_key(Seq size);

inline constexpr std::string_view kStateKey = "state";
inline constexpr std::string_view kCheckpointPrefix = "checkpoint/";

// Eight bytes, big-endian, so that byte order is number order; and back (nothing unless there are exactly eight).
std::string big_endian(std::uint64_t value);
std::optional<std::uint64_t> from_big_endian(std::string_view bytes);

// The first key after all keys that start with `prefix`, for the end of a scan. The prefix must not end in 0xff.
std::string after_prefix(std::string_view prefix);

// A projection whose rows are in the store.
struct ViewVersion {
  std::string name;
  std::uint32_t version = 0;
  std::string unknown_fields;
  static constexpr auto fields() {
    return std::tuple{field(1, "name", &ViewVersion::name), field(2, "version", &ViewVersion::version)};
  }
};

// No ledger has more: at a thousand entries per second, this takes nine thousand years.
inline constexpr Seq kMaxEntries = Seq{1} << 48;

// How far the ledger reaches. Written in the same batch as the entries it counts, so it is never ahead of or behind
// them.
struct State {
  std::uint32_t format_version = 0;
  Seq size = 0;        // number of entries
  TimeMs time;         // of the last entry
  Hash256 root;        // of the Merkle tree over the headers
  Seq views_size = 0;  // number of entries that the views have seen; below `size` while they are rebuilt
  std::vector<ViewVersion> views;
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = State;
    return std::tuple{field(1, "format_version", &T::format_version),
                      field(2, "size", &T::size),
                      field(3, "time_ms", &T::time),
                      field(4, "root", &T::root),
                      field(5, "views_size", &T::views_size),
                      field(6, "views", &T::views)};
  }
};

class KeyValue;
struct Batch;

// The state of a store; that of an empty ledger where none was ever written. Errors: "ledger.damaged", and
// "ledger.newer_format" when a newer version of the program wrote it.
Result<State> read_state(const KeyValue& store);
void put_state(Batch& batch, const State& state);

// "ledger.damaged": what is wrong, at which position, and what to do about damage.
tl::unexpected<Error> damaged(std::string what, std::string position);
// The words for a position in an error: "entry 812".
std::string entry_position(Seq seq);

}  // namespace ledger
