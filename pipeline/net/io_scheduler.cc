#include "pipeline/net/io_scheduler.h"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace net {

void IoScheduler::after(std::int64_t delay_ms, std::function<void()> task) {
  if (delay_ms <= 0) {
    boost::asio::post(io_, std::move(task));
    return;
  }
  auto timer = std::make_shared<boost::asio::steady_timer>(io_, std::chrono::milliseconds(delay_ms));
  timer->async_wait([timer, task = std::move(task)](const boost::system::error_code& error) {
    if (!error) task();
  });
}

}  // namespace net
