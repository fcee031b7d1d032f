// Signs the notices that jobs are due, and brings each to its relays.
#pragma once

#include "pipeline/runtime/context.h"
#include "pipeline/runtime/customer_relays.h"
#include "pipeline/runtime/job_texts.h"

namespace runtime {

// One job whose texts are gone, or do not fit into a notice, is reported as a problem and stays as it is; the others go
// on. A ledger that cannot be read is reported as failed.
class NoticeSender {
 public:
  // All outlive it, and it outlives every callback of its ports.
  NoticeSender(const Context& context, const JobTexts& texts, const CustomerRelays& customer_relays)
      : context_(context), texts_(texts), customer_relays_(customer_relays) {}

  // Posts NoticeReady.
  void sign(const core::Job& job, const core::Work& work);
  // Posts RelayAnswered for each relay that gave a last answer, then PublishEnded.
  void publish(const core::Job& job, const core::Work& work);

 private:
  void report(const core::Job& job, const base::Error& error) const;

  const Context& context_;
  const JobTexts& texts_;
  const CustomerRelays& customer_relays_;
};

}  // namespace runtime
