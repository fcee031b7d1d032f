#include "pipeline/io_adapters.h"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace runtime {

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

void LedgerJournal::append(ledger::Group group, std::function<void(ledger::Result<void>)> done) {
  const auto answer = [this, done](ledger::Result<void> result) {
    boost::asio::post(io_, [done, result = std::move(result)] { done(result); });
  };
  const auto queued = commits_.submit(std::move(group), answer);
  if (!queued) answer(queued);
}

}  // namespace runtime
