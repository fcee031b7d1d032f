// Going offline: what the provider waits for, and how long. Nothing is lost when the provider stops waiting: the ledger
// records the unfinished work, which continues when the provider is online again or after the next start.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/lifetime.h"
#include "base/scheduler.h"

namespace runtime {

// The work that a drain waits for. It does not wait for watched invoices, refunds, inputs that are being gathered, or
// jobs that wait for a slot or a retry.
struct Unfinished {
  std::size_t models = 0;         // jobs whose model runs
  std::size_t invoices = 0;       // that the wallet is making
  std::size_t held_payments = 0;  // that the wallet is taking
  std::size_t results = 0;        // signed, and accepted by no relay yet
  std::size_t notices = 0;        // being signed, or on the way to relays for the first time
  std::size_t groups = 0;         // of facts that are not durable yet

  bool nothing() const { return models + invoices + held_payments + results + notices + groups == 0; }
};
// "2 running jobs, 1 invoice, 3 results to be accepted by relays"; empty when nothing is unfinished.
std::string describe(const Unfinished& unfinished);

class Drain {
 public:
  // The longest that it waits for wallet and relays once no model runs.
  static constexpr std::int64_t kLimitMs = 20'000;
  // The longest wait for running models when the process ends. Together with kLimitMs and the time for the last
  // checkpoint it is below the 90 s after which systemd kills the process.
  static constexpr std::int64_t kModelLimitMs = 45'000;
  static constexpr std::int64_t kReportMs = 5'000;

  struct Hooks {
    std::function<Unfinished()> unfinished;
    // Records why we are offline. Called once per drain. The owner calls check() again when the record is durable.
    std::function<void(const std::string& reason)> record;
    std::function<void(const std::string& what)> waiting;   // every kReportMs: what is waited for
    std::function<void(const std::string& what)> given_up;  // what is waited for no longer
  };
  // The scheduler outlives it.
  Drain(base::Scheduler& scheduler, Hooks hooks) : scheduler_(scheduler), hooks_(std::move(hooks)) {}

  // Calls `done` in a later task, when nothing is unfinished or the time is over. Models have `model_limit_ms` (none:
  // no limit). The rest has kLimitMs after the last model has ended, but no more time when the limit of the models is
  // over. The drain always waits until facts are durable. begin() may be called again during and after a drain: the
  // first reason and the shortest limit apply.
  void begin(std::string reason, std::optional<std::int64_t> model_limit_ms, std::function<void()> done);
  // Something may have ended.
  void check();
  // We are online again. Must not be called while a drain waits.
  void end();

  bool begun() const { return begun_; }
  // What the last one did not wait for any longer; empty: all of it ended.
  const std::string& left() const { return left_; }
  // What it waits for; empty when it does not wait.
  std::string waiting_for() const { return done_.empty() ? std::string() : describe(hooks_.unfinished()); }

 private:
  void give_up_after(std::int64_t limit_ms, bool on_models);
  void report_regularly();

  base::Scheduler& scheduler_;
  const Hooks hooks_;
  bool begun_ = false;
  bool models_ended_ = false;
  bool gave_up_ = false;
  std::string left_;
  std::optional<std::string> reason_;  // until it is recorded
  std::vector<std::function<void()>> done_;
  base::Lifetime lifetime_;  // of this drain's timers
};

}  // namespace runtime
