// Time as a port: what the time is, and calls at a later time. Production reads the system's clock
// (net/io_scheduler.h); the simulator moves its own.
#pragma once

#include <cstdint>
#include <functional>

#include "base/types.h"

namespace base {

using Clock = std::function<TimeMs()>;

class Scheduler {
 public:
  virtual ~Scheduler() = default;
  virtual TimeMs now() const = 0;
  // Calls `task` once, `delay_ms` from now or later, on the owner's thread and never inside this call.
  virtual void after(std::int64_t delay_ms, std::function<void()> task) = 0;
};

}  // namespace base
