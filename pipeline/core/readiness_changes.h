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
  // What is to be recorded at this time; a change that comes too soon after the last record of its part is returned by
  // a later call, unless it was undone meanwhile.
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
