#include "ledger/reader.h"

#include <algorithm>

namespace ledger {
namespace {

using base::sha256;

Result<RawEntry> split_stored(Seq seq, const std::optional<std::string>& value) {
  if (!value) return damaged("the entry is missing", entry_position(seq));
  return split_entry(seq, *value);
}

// The end of a range of rows in the store.
std::string rows_until(std::string_view projection, std::string_view until) {
  return until.empty() ? after_prefix(view_prefix(projection)) : view_key(projection, until);
}

KeyValue::Visitor without_prefix(std::string_view projection, const KeyValue::Visitor& visit) {
  const std::size_t prefix_size = projection.size() + 1;
  return [prefix_size, &visit](std::string_view key, std::string_view value) {
    return visit(key.substr(prefix_size), value);
  };
}

}  // namespace

Result<Seq> Reader::size() const {
  return state().map([](const State& state) { return state.size; });
}

Result<Entry> Reader::entry(Seq seq) const {
  auto value = store_->get(Family::entries, entry_key(seq));
  if (!value) return tl::unexpected(value.error());
  if (!*value) {
    auto ledger_size = size();
    if (!ledger_size) return tl::unexpected(ledger_size.error());
    if (seq >= *ledger_size) {
      return fail(ErrorKind::invocation, "ledger.no_entry",
                  "there is no entry " + std::to_string(seq) + ": the ledger has " + std::to_string(*ledger_size));
    }
  }
  return split_stored(seq, *value).and_then(decode_entry);
}

Result<Reader::Beginning> Reader::beginning() const {
  const auto first = entry(0);
  if (!first) return tl::unexpected(first.error());
  Beginning out{.leaf = {}, .time = first->header.time};
  const auto read = for_each_raw(0, 1, [&](const RawEntry& raw) {
    out.leaf = leaf_hash(raw.header);
    return true;
  });
  return read.map([&] { return out; });
}

Result<void> Reader::for_each(Seq from, Seq until, const Visitor& visit) const {
  Entry entry;
  Result<void> decoded;
  auto scanned = for_each_raw(from, until, [&](const RawEntry& raw) {
    decoded = decode_entry_to(entry, raw);
    return decoded && visit(entry);
  });
  return decoded ? scanned : decoded;
}

Result<void> Reader::for_each_raw(Seq from, Seq until, const RawVisitor& visit) const {
  auto ledger_size = size();
  if (!ledger_size) return tl::unexpected(ledger_size.error());
  until = std::min(until, *ledger_size);
  Seq next = from;
  bool stopped = false;
  Result<void> checked;
  auto scanned = store_->scan(Family::entries, entry_key(from), entry_key(until), [&](auto key, auto value) {
    if (from_big_endian(key) != next) return false;
    auto raw = split_entry(next, value);
    if (!raw) {
      checked = tl::unexpected(std::move(raw.error()));
      return false;
    }
    ++next;
    stopped = !visit(*raw);
    return !stopped;
  });
  if (!scanned) {
    scanned.error().context = entry_position(next) + ", " + scanned.error().context;
    return scanned;
  }
  if (!checked || stopped || next >= until) return checked;
  return damaged("the entry is missing", entry_position(next));
}

Result<std::optional<std::string>> Reader::text(const TextRef& ref) const {
  auto value = store_->get(Family::texts, ref.view());
  if (!value) return value;
  if (!*value) return damaged("a text is missing, and no fact says that it was pruned", "text " + ref.hex());
  if ((*value)->empty()) return std::nullopt;
  std::string& bytes = **value;
  if (bytes.size() < Salt::kSize || sha256(bytes).view() != ref.view()) {
    return damaged("the text is not the one that its entry refers to", "text " + ref.hex());
  }
  bytes.erase(0, Salt::kSize);
  return value;
}

Result<std::optional<std::string>> Reader::row(std::string_view projection, std::string_view key) const {
  return store_->get(Family::views, view_key(projection, key));
}

Result<void> Reader::rows(std::string_view projection, std::string_view from, std::string_view until,
                          const KeyValue::Visitor& visit) const {
  return store_->scan(Family::views, view_key(projection, from), rows_until(projection, until),
                      without_prefix(projection, visit));
}

Result<void> Reader::rows_back(std::string_view projection, std::string_view from, std::string_view until,
                               const KeyValue::Visitor& visit) const {
  return store_->scan_back(Family::views, view_key(projection, from), rows_until(projection, until),
                           without_prefix(projection, visit));
}

Result<std::optional<TimeMs>> Reader::cursor(std::string_view relay) const {
  auto value = store_->get(Family::meta, cursor_key(relay));
  if (!value) return tl::unexpected(value.error());
  if (!*value) return std::nullopt;
  const auto ms = from_big_endian(**value);
  if (!ms) return damaged("the relay's cursor is unreadable", "cursor " + std::string(relay));
  return TimeMs{static_cast<std::int64_t>(*ms)};
}

Result<std::vector<StoredCheckpoint>> Reader::checkpoints() const {
  std::vector<StoredCheckpoint> out;
  auto scanned =
      store_->scan(Family::meta, kCheckpointPrefix, after_prefix(kCheckpointPrefix), [&](auto key, auto note) {
        const auto size = from_big_endian(key.substr(kCheckpointPrefix.size()));
        if (size) out.push_back({*size, std::string(note)});
        return true;
      });
  if (!scanned) return tl::unexpected(scanned.error());
  return out;
}

Result<std::optional<StoredCheckpoint>> Reader::last_checkpoint() const {
  std::optional<StoredCheckpoint> out;
  auto scanned =
      store_->scan_back(Family::meta, kCheckpointPrefix, after_prefix(kCheckpointPrefix), [&](auto key, auto note) {
        const auto size = from_big_endian(key.substr(kCheckpointPrefix.size()));
        if (size) out = StoredCheckpoint{*size, std::string(note)};
        return !out;
      });
  if (!scanned) return tl::unexpected(scanned.error());
  return out;
}

Result<MerkleTree> Reader::tree() const {
  auto known = state();
  if (!known) return tl::unexpected(known.error());
  const LeafReader leaf = [this](Seq seq) -> Result<Hash256> {
    auto value = store_->get(Family::entries, entry_key(seq));
    if (!value) return tl::unexpected(value.error());
    return split_stored(seq, *value).map([](const RawEntry& raw) { return leaf_hash(raw.header); });
  };
  auto tree = MerkleTree::load(known->size, tile_reader(), leaf);
  if (tree && tree->root() != known->root) {
    return damaged("the Merkle tree's root is not the recorded one",
                   "tree of " + std::to_string(known->size) + " entries");
  }
  return tree;
}

TileReader Reader::tile_reader() const {
  return [store = store_](const TileId& id) -> Result<std::string> {
    auto value = store->get(Family::tiles, id.key());
    if (!value) return tl::unexpected(value.error());
    if (!*value) {
      return damaged("a tile of the Merkle tree is missing",
                     "tile " + std::to_string(id.level) + "/" + std::to_string(id.index));
    }
    return std::move(**value);
  };
}

}  // namespace ledger
