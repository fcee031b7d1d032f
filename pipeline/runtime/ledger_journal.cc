#include "pipeline/runtime/ledger_journal.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

namespace runtime {

void LedgerJournal::append(ledger::Group group, std::function<void(base::Result<void>)> done) {
  const auto answer = [this, done](base::Result<void> result) {
    boost::asio::post(io_, [done, result = std::move(result)] { done(result); });
  };
  const auto queued = commits_.submit(std::move(group), answer);
  if (!queued) answer(queued);
}

}  // namespace runtime
