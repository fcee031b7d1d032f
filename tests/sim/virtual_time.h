// Time that passes only when nothing is left to do now. Tasks run in the order of their times, then of their making, so
// a run is repeated exactly.
#pragma once

#include <functional>
#include <memory>
#include <queue>

#include "base/scheduler.h"

namespace sim {

using base::TimeMs;

class VirtualTime {
 public:
  explicit VirtualTime(TimeMs start) : now_(start) {}

  TimeMs now() const { return now_; }
  void at(TimeMs time, std::function<void()> task) { tasks_.push({std::max(time, now_), order_++, std::move(task)}); }
  void after(std::int64_t delay_ms, std::function<void()> task) { at(now_ + delay_ms, std::move(task)); }

  // Runs the next task, unless it is later than `until`: then time moves there and false comes back.
  bool step(TimeMs until) {
    if (tasks_.empty() || tasks_.top().time > until) {
      now_ = std::max(now_, until);
      return false;
    }
    const Task task = tasks_.top();
    tasks_.pop();
    now_ = task.time;
    task.run();
    return true;
  }

 private:
  struct Task {
    TimeMs time;
    std::uint64_t order;
    std::function<void()> run;
    bool operator<(const Task& other) const { return std::tie(other.time, other.order) < std::tie(time, order); }
  };
  TimeMs now_;
  std::uint64_t order_ = 0;
  std::priority_queue<Task> tasks_;
};

// The clock and timers of one process: what it left to do dies with it. Its clock may be wrong, its timers are not.
class ProcessTime final : public base::Scheduler {
 public:
  explicit ProcessTime(VirtualTime& time, const std::int64_t& clock_error_ms = kNoError)
      : time_(time), clock_error_ms_(clock_error_ms) {}
  TimeMs now() const override { return time_.now() + clock_error_ms_; }
  void after(std::int64_t delay_ms, std::function<void()> task) override {
    time_.after(delay_ms, mortal(std::move(task)));
  }

  // The callback, as long as the process lives.
  template <class... Args>
  std::function<void(Args...)> mortal(std::function<void(Args...)> callback) const {
    return [alive = std::weak_ptr<bool>(alive_), callback = std::move(callback)](Args... args) {
      if (alive.lock()) callback(std::forward<Args>(args)...);
    };
  }

 private:
  static constexpr std::int64_t kNoError = 0;
  VirtualTime& time_;
  const std::int64_t& clock_error_ms_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sim
