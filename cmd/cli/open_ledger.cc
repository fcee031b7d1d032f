#include "cmd/cli/open_ledger.h"

#include <algorithm>
#include <iterator>

#include "base/ascii.h"
#include "ledger/views.h"
#include "pipeline/nostr/nip19.h"
#include "replay/jobs_view.h"
#include "replay/projections.h"

namespace cmd {
namespace {

using base::Result;

constexpr std::string_view kNote = "note1";

bool is_note(std::string_view text) {
  return text.starts_with(kNote);
}

std::string in_bech32(const base::JobId& job) {
  return nostr::encode_note(job);
}
std::string in_bech32(const base::PublicKey& customer) {
  return nostr::encode_npub(customer);
}

// The beginnings of both, in the form that was typed, as far as they tell one from the other.
template <class Id>
std::string candidates(const Id& one, const Id& other, bool bech32) {
  constexpr std::size_t kShown = 4;  // characters from the first that differs on
  const std::string a = bech32 ? in_bech32(one) : one.hex(), b = bech32 ? in_bech32(other) : other.hex();
  const auto same = static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
  return a.substr(0, same + kShown) + " or " + b.substr(0, same + kShown);
}

template <class Id>
tl::unexpected<base::Error> ambiguous(const std::vector<Id>& found, const std::string& kind, const std::string& text) {
  const bool bech32 = is_note(text) || text.starts_with("npub1");
  return base::fail(base::ErrorKind::invocation, kind + ".ambiguous", "more than one " + kind + " begins with this",
                    text, "give more of it: " + candidates(found[0], found[1], bech32));
}

// Without what may stand around an id: the scheme of a URI, and the "…" with which lists end what they shorten.
std::string bare(std::string_view text) {
  constexpr std::string_view kScheme = "nostr:", kEllipsis = "…";
  if (text.starts_with(kScheme)) text.remove_prefix(kScheme.size());
  if (text.ends_with(kEllipsis)) text.remove_suffix(kEllipsis.size());
  return base::lower(text);
}

// The jobs whose notes begin so. The view knows ids in hex: their first byte fixes the first character of the note, so
// that only one job in 32 has to be compared.
Result<std::vector<base::JobId>> jobs_with_note(const ledger::Reader& reader, const std::string& prefix) {
  std::vector<base::JobId> out;
  for (int byte = 0; byte < 256; ++byte) {
    base::JobId first;
    first.bytes[0] = static_cast<std::uint8_t>(byte);
    if (nostr::encode_note(first)[kNote.size()] != prefix[kNote.size()]) continue;
    const auto ids = replay::jobs_with_prefix(reader, first.hex().substr(0, 2), SIZE_MAX);
    if (!ids) return ids;
    std::ranges::copy_if(*ids, std::back_inserter(out), [&](const auto& id) { return begins_with(id, prefix); });
  }
  return out;
}

}  // namespace

Result<OpenLedger> open_ledger(const Context& context, Views views) {
  const auto paths = find_paths(context.sources);
  if (!paths) return tl::unexpected(paths.error());
  auto store = ledger::open_reader(paths->ledger(), views);
  if (!store) return tl::unexpected(store.error());
  const ledger::Reader reader(**store);
  if (views == Views::needed) {
    const auto state = reader.state();
    if (!state) return tl::unexpected(state.error());
    const auto projections = replay::projections();
    if (auto fresh = ledger::check_views(*state, replay::pointers(projections)); !fresh)
      return tl::unexpected(fresh.error());
  }
  return OpenLedger{std::move(*store), reader};
}

tl::unexpected<base::Error> unknown_job(const std::string& text) {
  return base::fail(base::ErrorKind::invocation, "job.unknown", "the ledger has no such job", text,
                    "see `sellcompute jobs list`");
}

Result<std::string> job_prefix(const std::string& typed) {
  const std::string text = bare(typed);
  if (const auto whole = nostr::parse_event_id(text)) return whole->hex();
  const bool hex = base::is_hex(text) && text.size() <= 2 * base::JobId::kSize;
  if (!hex && !is_note(text))
    return usage_error("this names no job", "give its id, a note or nevent, or the beginning of one");
  if (text.size() - (hex ? 0 : kNote.size()) < kMinPrefix)
    return usage_error("this is too short for a job", "give at least two characters of its id");
  return text;
}

bool begins_with(const base::JobId& id, std::string_view prefix) {
  return (is_note(prefix) ? nostr::encode_note(id) : id.hex()).starts_with(prefix);
}

Result<base::JobId> find_job_id(const ledger::Reader& reader, const std::string& text) {
  const auto prefix = job_prefix(text);
  if (!prefix) return tl::unexpected(prefix.error());
  const auto found = is_note(*prefix) ? jobs_with_note(reader, *prefix) : replay::jobs_with_prefix(reader, *prefix, 2);
  if (!found) return tl::unexpected(found.error());
  if (found->empty()) return unknown_job(text);
  if (found->size() > 1) return ambiguous(*found, "job", text);
  return found->front();
}

Result<base::PublicKey> find_customer(const ledger::Reader& reader, const std::string& text) {
  const std::string prefix = bare(text);
  const auto whole = nostr::parse_public_key(text);
  if (whole || prefix.starts_with("nsec1")) return whole;  // a secret is not repeated
  std::vector<base::PublicKey> found;
  const auto read = replay::for_each_customer(reader, [&](const base::PublicKey& key, const auto&) {
    const bool named = key.hex().starts_with(prefix) || nostr::encode_npub(key).starts_with(prefix);
    if (named && found.size() < 2) found.push_back(key);
  });
  if (!read) return tl::unexpected(read.error());
  if (found.size() > 1) return ambiguous(found, "customer", text);
  if (found.size() == 1) return found.front();
  return base::fail(base::ErrorKind::invocation, "customer.unknown", "no customer's key begins with this", text,
                    "see `sellcompute earnings report --by customer`");
}

}  // namespace cmd
