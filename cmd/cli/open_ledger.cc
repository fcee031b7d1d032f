#include "cmd/cli/open_ledger.h"

#include "base/ascii.h"
#include "ledger/views.h"
#include "pipeline/nostr/nip19.h"
#include "replay/jobs_view.h"
#include "replay/projections.h"

namespace cmd {
namespace {

using base::Result;

template <class Id>
tl::unexpected<base::Error> ambiguous(const std::vector<Id>& found, const std::string& kind, const std::string& text) {
  return base::fail(base::ErrorKind::invocation, kind + ".ambiguous", "more than one " + kind + " begins with this",
                    text, "give more of it: " + found[0].hex() + ", " + found[1].hex());
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

Result<base::JobId> find_job_id(const ledger::Reader& reader, const std::string& text) {
  const std::string prefix = base::lower(text);
  if (!base::is_hex(prefix) || prefix.size() > 2 * base::JobId::kSize) return nostr::parse_event_id(text);
  if (prefix.size() < kMinPrefix)
    return usage_error("\"" + text + "\" is too short for a job", "give at least two digits of its id");
  const auto found = replay::jobs_with_prefix(reader, prefix, 2);
  if (!found) return tl::unexpected(found.error());
  if (found->empty()) return unknown_job(text);
  if (found->size() > 1) return ambiguous(*found, "job", text);
  return found->front();
}

Result<base::PublicKey> find_customer(const ledger::Reader& reader, const std::string& text) {
  if (const auto whole = nostr::parse_public_key(text)) return *whole;
  const std::string prefix = base::lower(text);
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
