// How many requests are recorded: each takes space in the ledger for good. Requests beyond these shares are counted and
// dropped. Pure; what it remembers is lost with the process.
#pragma once

#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "pipeline/core/shares.h"

namespace runtime {

using core::EntryLimits;

// A key that has paid may send this many times the usual number of requests.
inline constexpr std::uint32_t kEntriesOfPayingKeys = 60;
// At most this many keys are counted.
inline constexpr std::size_t kMaxCountedKeys = 20'000;

class EntryShares {
 public:
  EntryShares(EntryLimits limits, base::TimeMs now);

  // The sender of a request.
  struct Asker {
    base::PublicKey key;
    core::Standing standing = core::Standing::fresh;
    bool drawn = true;      // the key was drawn for this minute
    bool crowded = false;   // more fresh keys ask than can be served
    bool too_late = false;  // the request will be declined, whoever sent it
  };
  // Why its request is not recorded: "share_of_key", "share_of_strangers"; or empty: it is, and counts.
  std::string_view refuse(const Asker& asker, base::TimeMs now);

  // What was asked since the last call.
  core::Demand take_demand();
  // Fresh keys that can be recorded in a minute.
  std::uint64_t places_per_minute() const;

 private:
  bool fresh_has_entry(const Asker& asker);
  void advance(base::TimeMs now);

  const EntryLimits limits_;
  base::TimeMs hour_began_;
  base::TimeMs refilled_;
  double fresh_left_;   // entries left for fresh keys; full at first, refilled evenly over time
  double worked_left_;  // the same for requests with proof of work
  std::unordered_map<base::PublicKey, std::uint32_t, base::FixedBytesHash> of_key_;  // in this hour
  std::unordered_set<base::PublicKey, base::FixedBytesHash> fresh_keys_;             // in this minute
  std::unordered_set<base::PublicKey, base::FixedBytesHash> recorded_;               // fresh keys, while `crowded`
  std::uint64_t worked_requests_ = 0;                                                // in this minute
};

}  // namespace runtime
