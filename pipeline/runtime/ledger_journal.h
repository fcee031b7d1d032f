// The journal that the program itself uses (tests have others): it appends to the ledger through the writer thread.
#pragma once

#include "ledger/group_commit.h"
#include "ledger/reader.h"
#include "pipeline/runtime/journal.h"

namespace boost::asio {
class io_context;
}

namespace runtime {

// The ledger as the runtime's journal. Answers of the writer thread come back on the io_context. `lookup` finds a job
// in the views (the journal does not know them).
class LedgerJournal final : public Journal {
 public:
  using JobLookup = std::function<base::Result<std::optional<core::Job>>(const ledger::Reader&, const base::JobId&)>;

  LedgerJournal(boost::asio::io_context& io, ledger::GroupCommit& commits, const ledger::KeyValue& store,
                JobLookup lookup)
      : io_(io), commits_(commits), reader_(store), lookup_(std::move(lookup)) {}

  void append(ledger::Group group, std::function<void(base::Result<void>)> done) override;
  base::Result<std::optional<std::string>> text(const base::TextRef& ref) override { return reader_.text(ref); }
  base::Result<std::optional<core::Job>> job(const base::JobId& id) override { return lookup_(reader_, id); }

 private:
  boost::asio::io_context& io_;
  ledger::GroupCommit& commits_;
  ledger::Reader reader_;
  JobLookup lookup_;
};

}  // namespace runtime
