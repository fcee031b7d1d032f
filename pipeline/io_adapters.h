// The runtime's ports in production: timers and wake-ups on an io_context, the ledger behind its writer thread.
#pragma once

#include <boost/asio/io_context.hpp>

#include "ledger/group_commit.h"
#include "ledger/reader.h"
#include "pipeline/ports.h"

namespace runtime {

using Clock = std::function<ledger::TimeMs()>;

// Tasks run on the io_context's thread; those that wait when it is destroyed are dropped.
class IoScheduler final : public Scheduler {
 public:
  IoScheduler(boost::asio::io_context& io, Clock clock) : io_(io), clock_(std::move(clock)) {}
  ledger::TimeMs now() const override { return clock_(); }
  void after(std::int64_t delay_ms, std::function<void()> task) override;

 private:
  boost::asio::io_context& io_;
  Clock clock_;
};

// The ledger as the runtime's journal. Answers of the writer thread come back on the io_context. `lookup` finds a job
// in the views (the journal does not know them).
class LedgerJournal final : public Journal {
 public:
  using JobLookup =
      std::function<ledger::Result<std::optional<core::Job>>(const ledger::Reader&, const ledger::JobId&)>;

  LedgerJournal(boost::asio::io_context& io, ledger::GroupCommit& commits, const ledger::KeyValue& store,
                JobLookup lookup)
      : io_(io), commits_(commits), reader_(store), lookup_(std::move(lookup)) {}

  void append(ledger::Group group, std::function<void(ledger::Result<void>)> done) override;
  ledger::Result<std::optional<std::string>> text(const ledger::TextRef& ref) override { return reader_.text(ref); }
  ledger::Result<std::optional<core::Job>> job(const ledger::JobId& id) override { return lookup_(reader_, id); }

 private:
  boost::asio::io_context& io_;
  ledger::GroupCommit& commits_;
  ledger::Reader reader_;
  JobLookup lookup_;
};

}  // namespace runtime
