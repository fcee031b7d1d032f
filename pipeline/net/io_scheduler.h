// The scheduler that the program itself uses (tests have others): timers on an io_context.
#pragma once

#include <boost/asio/io_context.hpp>

#include "base/scheduler.h"

namespace net {

// Tasks run on the io_context's thread; those that wait when the io_context is destroyed are dropped.
class IoScheduler final : public base::Scheduler {
 public:
  IoScheduler(boost::asio::io_context& io, base::Clock clock) : io_(io), clock_(std::move(clock)) {}
  base::TimeMs now() const override { return clock_(); }
  void after(std::int64_t delay_ms, std::function<void()> task) override;

 private:
  boost::asio::io_context& io_;
  base::Clock clock_;
};

}  // namespace net
