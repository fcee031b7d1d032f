// The jobs view: the state of every job, the indexes that lists need, and the sums over each customer's jobs. Rows of
// projection "jobs" (times and positions are 8 bytes, big-endian; `newest` is a time subtracted from 2^64-1, so that an
// ascending scan is newest first):
//   j job                    -> core::Job
//   o job                    -> (empty)  the job is open: recovery takes it up
//   e job seq                -> (empty)  the positions of a job's facts
//   t newest job             -> (empty)  all jobs, newest request first
//   s state newest job       -> (empty)  by core::State, one byte
//   c customer newest job    -> (empty)
//   m model 0 newest job     -> (empty)  by the model that answers
//   h payment_hash           -> job
//   u customer               -> CustomerRow
//   P                        -> the policy in force, as ProviderConfigured
//   R                        -> the last rollback that was accepted, as RollbackAccepted
#pragma once

#include "ledger/projection.h"
#include "ledger/reader.h"
#include "pipeline/core/engine.h"

namespace replay {

struct CustomerRow {
  std::uint64_t jobs = 0;
  std::uint64_t declined = 0;
  base::TimeMs first_seen;
  base::TimeMs last_seen;
  std::vector<core::CreditDay> days;  // ascending by day
  static constexpr auto fields() {
    using T = CustomerRow;
    using ledger::field;
    return std::tuple{field(1, "jobs", &T::jobs), field(2, "declined", &T::declined),
                      field(3, "first_seen_ms", &T::first_seen), field(4, "last_seen_ms", &T::last_seen),
                      field(5, "days", &T::days)};
  }
};

class JobsView final : public ledger::Projection {
 public:
  static constexpr std::string_view kName = "jobs";
  std::string_view name() const override { return kName; }
  std::uint32_t version() const override { return 4; }
  base::Result<void> apply(const ledger::Entry& entry, ledger::Rows& rows) override;
};

// What a list may be narrowed by. One index serves it; the other conditions are checked on the jobs it gives.
struct JobFilter {
  std::optional<core::State> state;
  std::optional<base::PublicKey> customer;
  std::optional<std::string> model;
  std::optional<base::TimeMs> since;
  std::size_t limit = 20;
};

// Jobs from the view, newest request first.
base::Result<std::vector<core::Job>> list_jobs(const ledger::Reader& reader, const JobFilter& filter);

// The same one by one, until the visitor returns false.
using JobVisitor = std::function<bool(const core::Job&)>;
base::Result<void> for_each_job(const ledger::Reader& reader, const JobFilter& filter, const JobVisitor& visit);

// The number of jobs that match the filter, ignoring its limit, but at most `most`. Counts rows of an index and reads
// no job. So it returns nothing if the filter names more than one of state, customer and model.
base::Result<std::optional<std::size_t>> count_jobs(const ledger::Reader& reader, const JobFilter& filter,
                                                    std::size_t most);

// One job, or nothing.
base::Result<std::optional<core::Job>> find_job(const ledger::Reader& reader, const base::JobId& id);

// The ids that begin with these hexadecimal digits, at most `limit`.
base::Result<std::vector<base::JobId>> jobs_with_prefix(const ledger::Reader& reader, std::string_view hex_prefix,
                                                        std::size_t limit);

// The positions of a job's facts, ascending.
base::Result<std::vector<base::Seq>> positions_of(const ledger::Reader& reader, const base::JobId& id);

// Every job, in the order of ids, until the visitor returns false.
base::Result<void> for_each_job(const ledger::Reader& reader, const JobVisitor& visit);

// The job that an invoice with this payment hash was made for, or nothing.
base::Result<std::optional<base::JobId>> job_of_payment(const ledger::Reader& reader,
                                                        const base::Hash256& payment_hash);

// Every customer, in the order of keys.
using CustomerVisitor = std::function<void(const base::PublicKey&, const CustomerRow&)>;
base::Result<void> for_each_customer(const ledger::Reader& reader, const CustomerVisitor& visit);

// The policy in force at the end of the ledger, or nothing before the first start.
base::Result<std::optional<core::Policy>> policy_in_force(const ledger::Reader& reader);

// The last rollback of this ledger that was accepted, or nothing.
base::Result<std::optional<ledger::RollbackAccepted>> accepted_rollback(const ledger::Reader& reader);

// Every job that something is still due for.
base::Result<std::vector<core::Job>> open_jobs(const ledger::Reader& reader);

}  // namespace replay
