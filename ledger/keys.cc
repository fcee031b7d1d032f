#include "ledger/keys.h"

#include "base/check.h"
#include "ledger/fact.h"
#include "ledger/key_value.h"
#include "ledger/merkle.h"

namespace ledger {
namespace {

constexpr std::string_view kCursorPrefix = "cursor/";

std::string join(std::string_view prefix, std::string_view rest) {
  std::string out;
  out.reserve(prefix.size() + rest.size());
  return out.append(prefix).append(rest);
}

}  // namespace

std::string_view name(Family family) {
  switch (family) {
    case Family::entries:
      return "entries";
    case Family::texts:
      return "texts";
    case Family::tiles:
      return "tiles";
    case Family::views:
      return "views";
    case Family::meta:
      return "meta";
  }
  return "unknown";
}

std::string entry_key(Seq seq) {
  return big_endian(seq);
}
std::string view_prefix(std::string_view projection) {
  return join(projection, {"\0", 1});
}
std::string view_key(std::string_view projection, std::string_view key) {
  return view_prefix(projection).append(key);
}
std::string cursor_key(std::string_view relay) {
  return join(kCursorPrefix, relay);
}
std::string checkpoint_key(Seq size) {
  return join(kCheckpointPrefix, big_endian(size));
}

std::string big_endian(std::uint64_t value) {
  std::string out(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) out[i] = static_cast<char>(value >> (56 - 8 * i));
  return out;
}

std::optional<std::uint64_t> from_big_endian(std::string_view bytes) {
  if (bytes.size() != 8) return std::nullopt;
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<std::uint8_t>(byte);
  return value;
}

std::string after_prefix(std::string_view prefix) {
  CHECK(!prefix.empty() && prefix.back() != '\xff', prefix.size());
  std::string out(prefix);
  ++out.back();
  return out;
}

Result<State> read_state(const KeyValue& store) {
  auto bytes = store.get(Family::meta, kStateKey);
  if (!bytes) return tl::unexpected(bytes.error());
  if (!*bytes) {
    bool empty = true;
    auto scanned = store.scan(Family::entries, {}, {}, [&](auto, auto) { return empty = false; });
    if (!scanned) return tl::unexpected(scanned.error());
    if (!empty) return damaged("there are entries, but no record of how many", "meta state");
    return State{.format_version = kFormatVersion, .root = empty_root()};
  }
  auto state = decode<State>(**bytes);
  if (!state || state->format_version == 0 || state->size > kMaxEntries)
    return damaged("the record of the ledger's size is unreadable", "meta state");
  if (state->format_version > kFormatVersion) {
    return fail(ErrorKind::invocation, "ledger.newer_format",
                "the ledger has format " + std::to_string(state->format_version) + ", this program knows up to " +
                    std::to_string(kFormatVersion),
                {}, "update sellcompute");
  }
  return state;
}

void put_state(Batch& batch, const State& state) {
  batch.put(Family::meta, std::string(kStateKey), encode(state));
}

tl::unexpected<Error> damaged(std::string what, std::string position) {
  return fail(ErrorKind::invocation, "ledger.damaged", std::move(what), std::move(position),
              "nothing was changed; copy the ledger's folder away before anything else, then restore a backup");
}

std::string entry_position(Seq seq) {
  return "entry " + std::to_string(seq);
}

}  // namespace ledger
