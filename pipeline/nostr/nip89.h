// How providers are found: NIP-89 handler information (kind 31990) as NIP-90 sellers write it, the heartbeat that says
// that one is alive now (kind 11998), and taking the announcement back (NIP-09). Ours are written exactly, others' are
// read liberally. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ledger/fact.h"
#include "pipeline/nostr/event.h"
#include "pipeline/nostr/profile.h"

namespace nostr {

inline constexpr std::uint32_t kAnnouncementKind = 31'990;
inline constexpr std::uint32_t kHeartbeatKind = 11'998;

inline constexpr std::int64_t kHeartbeatIntervalS = 300;
// Limits of our announcements, and of what we read from others.
inline constexpr std::size_t kMaxAnnouncementBytes = 48 * 1024;  // of our content in its event: relays refuse 64 KiB
inline constexpr std::size_t kMaxAnnouncedModels = 64;           // more are left out
inline constexpr std::size_t kMaxAnnouncedNameBytes = 200;       // a model's name that is longer is left out or cut
inline constexpr std::size_t kMaxAnnouncedTextBytes = 4'096;     // of what is said about a provider
inline constexpr std::size_t kMaxAnnouncedTags = 64;             // kinds, and topics
inline constexpr std::int64_t kMaxAnnouncedPriceMsat = 100'000'000'000;  // one bitcoin; a higher price is ignored
inline constexpr std::int64_t kMaxAnnouncedTokens = 10'000'000;          // a higher limit is ignored

struct AnnouncedModel {
  std::string name;
  // The prices as they are written for machines; nothing where the provider says none that we can read. Limits in
  // tokens that are not said are zero.
  std::optional<ledger::ModelOffer> offer;
};

// What one provider says of itself. The content is the JSON that other sellers write too:
//   name, about, picture, lud16     as in a profile; left out where there is nothing to say
//   encryptionSupported             true: requests may be encrypted
//   nip90Params                     {"model":{"required":false,"values":["llama3.2",…]},"max_tokens":{…},…}: what
//                                   `param` tags may name; no values: any
// and, of our own, the price list in whole millisatoshi, the default model first:
//   prices    [{"model":"llama3.2","base_msat":1000,"input_msat_per_1k_tokens":2000,
//               "output_msat_per_1k_tokens":10000,"context_tokens":4096,"max_output_tokens":512},…]
struct Announcement {
  PublicKey provider;
  std::string d;  // tells the provider's announcements apart
  Profile profile;
  std::vector<std::uint32_t> kinds;  // of requests that are served
  std::vector<std::string> topics;   // `t` tags
  bool encryption = false;           // encrypted requests are served
  std::vector<AnnouncedModel> models;
};

// The kind 31990 that must replace `existing` (our newest so far; null: none), or nothing when that one says just this.
// The time is left for the caller. Models without an offer are named without a price.
std::optional<Unsigned> updated_announcement(const Announcement& ours, const Event* existing);

// Reads any provider's announcement. Returns nothing for an event of another kind. Whatever is missing or not readable
// is left empty: many write no prices, some no JSON at all. Words are made harmless (nip01.h) and cut.
std::optional<Announcement> read_announcement(const Event& event);

// A kind 11998 event for this time: the provider that announced itself as `d` is online and serves.
Unsigned heartbeat(const std::string& d, std::int64_t created_at_s);

// The kind 5 that takes back every announcement of this `d` up to its time, by its address and, for relays that know
// only those, by the ids.
Unsigned withdrawal(const PublicKey& provider, const std::string& d, const std::vector<EventId>& known,
                    std::int64_t created_at_s);

}  // namespace nostr
