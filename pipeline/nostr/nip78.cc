#include "pipeline/nostr/nip78.h"

namespace nostr {
namespace {

constexpr std::uint64_t kMostCheckpoints = 10;  // of a relay that does not replace them

}  // namespace

std::string checkpoint_d(const base::Hash256& first_entry) {
  return "sellcompute/checkpoint/" + first_entry.hex();
}

Unsigned checkpoint_event(const base::Hash256& first_entry, const std::string& note, std::int64_t created_at_s) {
  return {.kind = kApplicationDataKind,
          .created_at_s = created_at_s,
          .tags = {{"d", checkpoint_d(first_entry)}},
          .content = note};
}

Filter checkpoint_filter(const PublicKey& provider, const base::Hash256& first_entry) {
  return {.authors = {provider},
          .kinds = {kApplicationDataKind},
          .tags = {{'d', {checkpoint_d(first_entry)}}},
          .limit = kMostCheckpoints};
}

}  // namespace nostr
