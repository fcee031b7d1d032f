// Which changes of readiness the ledger records, and when: at most one per minute and part. Pure.
#pragma once

#include <map>
#include <vector>

#include "pipeline/core/readiness.h"

namespace core {

inline constexpr std::int64_t kReadinessFactIntervalMs = base::kMinuteMs;

class ReadinessChanges {
 public:
  // WentOnline or WentOffline was recorded: every part counts as ready, until it is observed again.
  void start_anew();
  void observe(const std::vector<PartReadiness>& parts);
  // Returns the changes to record now. A change within a minute of its part's last record is returned by a later call,
  // unless the part has changed back by then.
  std::vector<ledger::ReadinessChanged> take_due(TimeMs now);

 private:
  struct Part {
    std::string recorded;  // code of the last fact
    std::string observed;
    std::optional<TimeMs> recorded_at;
  };
  std::map<ReadinessPart, Part> parts_;
};

}  // namespace core
