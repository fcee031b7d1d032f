// The engine: no I/O, no clock, no randomness. step(Input) -> {entries, commands}. Entries go into the ledger as one
// group; commands leave only when that group is durable; what adapters answer comes back as Inputs. Recovery is no
// special case: give it the open jobs and ask what is due. Cost per step does not grow with the number of open jobs.
#pragma once

#include <array>
#include <map>
#include <queue>
#include <unordered_map>
#include <variant>

#include "pipeline/core/readiness_changes.h"
#include "pipeline/core/stages/stage.h"

namespace core {

// ---- inputs: what the world says ------------------------------------------------------------------------------------

struct Configured {
  Policy policy;
};
// The operator goes on with a ledger that lost its end. Closes the jobs that were taken over from it and that wait for
// resume().
struct RollbackConfirmed {
  ledger::RollbackAccepted accepted;
};
struct Online {
  std::string version;
};
// No model is started until the next Online. Jobs in the queue stay there until then.
struct Draining {};
struct Offline {
  std::string reason;
};
// A valid request that is ours to answer. One that the engine knows already is ignored; the runtime asks the ledger
// about those that are closed.
struct RequestArrived {
  JobId job;
  ledger::JobRequested request;
  ledger::Text text;  // request.request refers to it
};
struct RequestsRefused {
  ledger::RequestsDropped counts;
};
// The operator wants these texts removed. All of them belong to jobs that are not open (replay/pruning.h).
struct PruningOrdered {
  ledger::TextsPruned pruned;
  std::vector<base::TextRef> texts;
};
struct InputsReady {
  JobId job;
  Work work;
  ledger::InputsGathered inputs;
  std::vector<ledger::Text> texts;
};
struct InputsMissing {
  JobId job;
  Work work;
  ledger::InputsFailed failure;
};
struct InvoiceCreated {
  JobId job;
  Work work;
  ledger::InvoiceIssued invoice;
};
struct InvoiceNotCreated {
  JobId job;
  Work work;
  std::string message;
  bool stale = false;  // the wallet gave one that had expired already
};
// What a model made of a job, and its text; completion.result refers to it.
struct Answer {
  ledger::InferenceCompleted completion;
  ledger::Text result;
};
struct InferenceEnded {
  JobId job;
  Work work;
  ledger::InferenceCompleted completion;
  ledger::Text result;
};
struct InferenceBroke {
  JobId job;
  Work work;
  ledger::InferenceFailure failure;
  std::string message;
};
struct NoticeReady {
  JobId job;
  Work work;
  ledger::NoticeSigned notice;
  std::vector<ledger::Text> texts;
};
struct RelayAnswered {
  JobId job;
  Work work;
  ledger::RelayAnswer answer;
};
// Every target has given its last answer, or the deadline is over.
struct PublishEnded {
  JobId job;
  Work work;
};
// An invoice of this job was paid, however late. `at_rest` is the job as the ledger has it, for one that the engine
// does not hold.
struct Settled {
  JobId job;
  ledger::InvoiceSettled settlement;
  std::optional<Job> at_rest = {};
};
// The wallet holds a payment for it.
struct PaymentHeld {
  JobId job;
  ledger::InvoiceHeld hold;
};
// The account that made an invoice has answered twice in a row, after expiry plus grace, that it does not know it. This
// input comes again only if the account knew the invoice in between.
struct UnknownToWallet {
  JobId job;
  ledger::InvoiceUnknown unknown;
};
// Watching an invoice has ended without a payment, or the wallet returned a held payment. In the second case the sender
// of this input has stopped the model.
struct NeverPaid {
  JobId job;
  ledger::InvoiceExpired expiry;
};
// Ignored when it comes too late. The sender of this input has stopped the model. `shown` is the answer as far as it
// was made, if the customer had been shown a part of it.
struct Cancelled {
  JobId job;
  ledger::JobCancelled cancellation;
  std::optional<Answer> shown;
};
// The operator wants a result that no relay took to be published again. Ignored unless may_retry_result(), and while an
// earlier publication of it has not ended. `at_rest` as for RefundOrdered.
struct RetryOrdered {
  JobId job;
  std::optional<Job> at_rest;
  ledger::NoticeRetried retry;  // the engine sets its deadline
};
// The operator pays back. Ignored unless it is owed, not paid, and nothing is under way for it. `at_rest` is the job as
// the ledger has it, for one that the engine does not hold.
struct RefundOrdered {
  JobId job;
  std::optional<Job> at_rest;
  ledger::RefundStarted refund;  // the engine sets its attempt
};
struct RefundEnded {
  JobId job;
  Work work;
  std::variant<ledger::RefundPaid, ledger::RefundFailed> outcome;
};
// What the provider is able to do now. Changes are recorded, at most one per minute and part.
struct ReadinessJudged {
  std::vector<PartReadiness> parts;
  std::set<std::string> failing_models;
};
// A minute is over. In the next minute at most `places` fresh keys are served. They are drawn with `secret`, which is
// new for each minute.
struct NextDraw {
  Hash256 secret;
  Demand demand;  // of the minute that is over
  std::uint64_t places = 0;
};
struct Tick {};

using Input =
    std::variant<Configured, RollbackConfirmed, Online, Draining, Offline, RequestArrived, RequestsRefused,
                 PruningOrdered, InputsReady, InputsMissing, InvoiceCreated, InvoiceNotCreated, InferenceEnded,
                 InferenceBroke, NoticeReady, RelayAnswered, PublishEnded, Settled, PaymentHeld, UnknownToWallet,
                 NeverPaid, Cancelled, RetryOrdered, RefundOrdered, RefundEnded, ReadinessJudged, NextDraw, Tick>;

// ---- outputs --------------------------------------------------------------------------------------------------------

// Work for an adapter. Pure functions (job.h, rules.h) read its details from the job and the policy.
struct Command {
  JobId job;
  Work work;
};

struct Step {
  std::vector<ledger::NewEntry> entries;
  std::vector<Command> commands;
};

// What the ledger's views know at start.
struct Recovery {
  TimeMs time;                       // of the last entry
  TimeMs rollback_accepted_at = {};  // Shop::rollback_accepted_at
  std::optional<Policy> policy;
  std::vector<Job> open_jobs;
  // The next two must contain at least what lies within the windows of the policy that is about to be in force. More
  // does no harm.
  std::vector<std::pair<TimeMs, Job>> decisions;        // by when they were quoted or declined, ascending
  std::vector<std::pair<PublicKey, CreditDay>> credit;  // ascending by day
};

class Engine {
 public:
  Engine() = default;
  explicit Engine(Recovery recovery);

  // Returns the entries and commands that follow from one input. `now` is the time by this machine's clock. Entries
  // bear max(previous entry's time, now).
  Step step(Input input, TimeMs now);
  // Returns the work that is due for the jobs of the recovery. Call it once. Before that call, the engine records what
  // happens to these jobs but starts no work for them.
  Step resume(TimeMs now);

  // The job as it is after all steps so far; null when it is closed or unknown.
  const Job* find(const JobId& id) const;
  bool in_flight(const JobId& id, const Work& work) const;
  TimeMs now() const { return now_; }  // of the last step: never before the last entry
  const Policy& policy() const { return policy_; }
  const Shop& shop() const { return shop_; }
  std::size_t open_jobs() const { return jobs_.size(); }
  // Those of them that wait for us, not for a payment (is_unfinished()).
  std::size_t unfinished_jobs() const { return shop_.unfinished; }
  // Those that can still be cancelled: the newest, at most so many.
  std::vector<JobId> cancellable_jobs(std::size_t limit) const;
  // When the next Tick is wanted; nothing while only the world can wake a job.
  std::optional<TimeMs> next_wake() const;
  // How many works of this kind are in flight, over all jobs.
  std::size_t in_flight(Action action) const { return works_[static_cast<std::size_t>(action)]; }

 private:
  // The order of the queue: first jobs that were running when the last process ended, then by standing (paid first),
  // then by arrival.
  struct Place {
    bool starts_anew = true;
    Standing standing = Standing::fresh;
    std::uint64_t number = 0;
    auto operator<=>(const Place&) const = default;
  };
  struct Live {
    Job job;
    std::vector<Work> in_flight;
    std::optional<Place> place;  // in the queue for a slot
    bool waits_for_resume = false;
    std::optional<TimeMs> wake_at;
    std::vector<std::pair<NoticePurpose, ledger::RelayAnswer>> answers;  // not in the ledger yet
  };
  using Wake = std::pair<TimeMs, JobId>;

  void append(Step& step, const JobId& id, Fact fact, std::vector<ledger::Text> texts = {});
  void advance(Step& step, const JobId& id);
  Due decide_until_settled(Step& step, const JobId& id, const Live& live);
  void start_queued(Step& step);
  void enqueue(const JobId& id, Live& live);
  void leave_queue(Live& live);
  void started(Step& step, const JobId& id, Live& live, const Work& work);
  void finished(const JobId& id, const Work& work);
  void stopped_inference(const JobId& id);
  const Invoice* end_watch(const JobId& id, const Hash256& payment_hash);
  void take_from_rest(const JobId& id, std::optional<Job> job);
  void rest(const JobId& id);

  void on(Step& step, Configured& input);
  void on(Step& step, RollbackConfirmed& input);
  void on(Step& step, Online& input);
  void on(Step& step, Draining& input);
  void on(Step& step, Offline& input);
  void on(Step& step, RequestArrived& input);
  void on(Step& step, RequestsRefused& input);
  void on(Step& step, PruningOrdered& input);
  void on(Step& step, InputsReady& input);
  void on(Step& step, InputsMissing& input);
  void on(Step& step, InvoiceCreated& input);
  void on(Step& step, InvoiceNotCreated& input);
  void on(Step& step, InferenceEnded& input);
  void on(Step& step, InferenceBroke& input);
  void on(Step& step, NoticeReady& input);
  void on(Step& step, RelayAnswered& input);
  void on(Step& step, PublishEnded& input);
  void on(Step& step, Settled& input);
  void on(Step& step, PaymentHeld& input);
  void on(Step& step, UnknownToWallet& input);
  void on(Step& step, NeverPaid& input);
  void on(Step& step, Cancelled& input);
  void on(Step& step, RetryOrdered& input);
  void on(Step& step, RefundOrdered& input);
  void on(Step& step, RefundEnded& input);
  void on(Step& step, ReadinessJudged& input);
  void on(Step& step, NextDraw& input);
  void on(Step& step, Tick& input);

  TimeMs now_;    // of the current step; never goes back
  TimeMs clock_;  // this machine's clock in the current step; before now_ if the clock was ahead and was set back
  Policy policy_;
  Shop shop_;
  ReadinessChanges readiness_;
  std::unordered_map<JobId, Live, base::FixedBytesHash> jobs_;
  std::vector<JobId> taken_over_;              // jobs that wait for resume(), the oldest first
  std::map<Place, JobId> queue_;               // jobs that wait for a slot
  std::uint64_t places_ = 0;                   // given out in the queue so far
  bool starts_models_ = true;                  // false: we are going offline, or are
  std::array<std::size_t, kActions> works_{};  // in flight, by their Action
  std::priority_queue<Wake, std::vector<Wake>, std::greater<>> wakes_;
};

}  // namespace core
