// Signs the notices that are due for jobs, and sends each to its relays.
#pragma once

#include <set>

#include "pipeline/runtime/context.h"
#include "pipeline/runtime/customer_relays.h"
#include "pipeline/runtime/job_texts.h"

namespace runtime {

// The operator's order to publish a result again. `done` is called once: with the relays that it goes to, or with the
// reason why nothing is published ("retry.…").
struct ResultRetry {
  core::JobId job;
  std::function<void(base::Result<std::vector<std::string>>)> done;
};

// One job whose texts are gone, or do not fit into a notice, is reported as a problem and stays as it is; the others go
// on. A ledger that cannot be read is reported as failed.
class NoticeSender {
 public:
  // All outlive it, and it outlives every callback of its ports. `progressed` is called when the numbers of waiting()
  // have fallen.
  NoticeSender(const Context& context, const JobTexts& texts, const CustomerRelays& customer_relays,
               std::function<void()> progressed)
      : context_(context), texts_(texts), customer_relays_(customer_relays), progressed_(std::move(progressed)) {}

  // Posts NoticeReady.
  void sign(const core::Job& job, const core::Work& work);
  // Posts RelayAnswered for each relay that gave a last answer, then PublishEnded.
  void publish(const core::Job& job, const core::Work& work);
  // Publishes a result again that no relay took: the same signed bytes, to the relays that it would go to today, until
  // a deadline of its own. Posts RetryOrdered.
  void retry(ResultRetry order);

  // Signed notices for which it is worth waiting before we hang up: results that no relay has accepted yet, and other
  // notices that no relay has accepted and that some relay has not answered at all yet.
  struct Waiting {
    std::size_t results = 0;
    std::size_t others = 0;
  };
  Waiting waiting() const;

 private:
  using Key = std::pair<core::JobId, ledger::NoticePurpose>;
  void stop_waiting(const Key& notice);
  base::Result<void> check_retry(const core::Job& job) const;
  base::Result<std::string> signed_event(const core::Job& job, const core::Notice& notice) const;
  void report(const core::Job& job, const base::Error& error) const;

  const Context& context_;
  const JobTexts& texts_;
  const CustomerRelays& customer_relays_;
  const std::function<void()> progressed_;
  std::set<Key> waiting_;
};

}  // namespace runtime
