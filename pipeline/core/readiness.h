// Readiness: whether the provider can sell now, judged from observations of everything that selling depends on.
// Admission, heartbeat, log, live line and `status` use this one judgement, so they always agree. Pure.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ledger/fact.h"

namespace core {

using base::TimeMs;
using ledger::PaymentMode;
using ledger::ReadinessPart;

// One thing that was looked at: the wallet, a model, a relay.
struct Observation {
  std::string which;                       // "nwc", "llama3.2", "wss://relay.one"
  std::optional<base::Error> error;        // what is wrong; nothing: it works
  std::optional<base::Error> warning;      // it works, and this must be known
  std::string note;                        // for a person, of what works: "balance 12 sat"
  std::optional<std::int64_t> latency_ms;  // of its last answer
  std::optional<TimeMs> observed_at;       // when that came; nothing: it is observed all the time
};

// What was observed, all of it at about the same time.
struct Observations {
  Observation wallet;
  Observation backend;
  std::vector<Observation> models;  // those that are offered
  std::vector<Observation> relays;  // those of the settings
  bool disk_low = false;
  TimeMs ledger_time;  // of the last entry; zero: there is none
  TimeMs clock;        // this machine's
  bool rollback_checked = true;
};

// One thing, and what it means for selling.
struct Condition {
  ReadinessPart part = ReadinessPart::unspecified;
  Observation seen;
  bool stops_escrow = false;  // nothing can be sold in escrow while this lasts
  bool stops_all = false;     // nothing can be sold at all
};

// Whether one part allows selling in the shop's payment mode.
struct PartReadiness {
  ReadinessPart part = ReadinessPart::unspecified;
  std::string code;  // of the error that stops selling; empty: ready
  bool ready() const { return code.empty(); }
  bool operator==(const PartReadiness&) const = default;
};

struct Readiness {
  std::vector<Condition> conditions;  // in the order of the parts

  // The first condition that stops selling in this mode; null: the provider is ready.
  const Condition* obstacle(PaymentMode mode) const;
  bool ready(PaymentMode mode) const { return !obstacle(mode); }
  // The same for each part that has a condition.
  std::vector<PartReadiness> parts(PaymentMode mode) const;
  // Offered models that cannot be sold now.
  std::set<std::string> failing_models() const;
};

// With less space in the ledger's file system no new jobs are taken.
inline constexpr std::uint64_t kLowDiskBytes = std::uint64_t{256} << 20;
// Whether so little space is left that new requests wait. Space that the system does not tell is enough.
inline bool is_disk_low(std::optional<std::uint64_t> free_bytes) {
  return free_bytes && *free_bytes < kLowDiskBytes;
}
// The ledger's last entry may be this far ahead of the clock without a warning.
inline constexpr std::int64_t kClockToleranceMs = base::kMinuteMs;

// Selling needs the wallet, the model server, one offered model, one relay (if any was observed) and disk space. A
// wallet that cannot hold payments ("config.escrow") stops escrow only. A clock behind the ledger and an unchecked
// rollback are warnings.
Readiness judge(Observations seen);

}  // namespace core
