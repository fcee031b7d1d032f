#include "tests/sim/simulation.h"

#include <algorithm>

#include "tests/sim/process.h"
#include "tests/sim/referee.h"

namespace sim {
namespace {

// After the faults have stopped. Longer than the clock can be wrong, than a request is served, and than a wallet
// forgets an invoice.
constexpr std::int64_t kLongestRestMs = 30 * kHourMs;
constexpr std::size_t kMostFactsPerRequest = 200;
constexpr std::uint64_t kOneOfWithSources = 8;  // requests, how many have inputs to gather
constexpr std::int64_t kRecoveryMs = 200;       // of a life: where it may die in recovery

ledger::PaymentMode draw_mode(Dice& dice) {
  using Mode = ledger::PaymentMode;
  constexpr Mode kModes[] = {Mode::result_first, Mode::result_first, Mode::payment_first, Mode::escrow};
  return dice.pick(kModes);
}

core::Policy draw_policy(Dice& dice) {
  return {.wallet = "simulated",
          .play_money = true,
          .wallet_unit = {1000},
          .wallet_minimum = {1000},
          .models = {{.name = "llama3.2:latest",
                      .base = {dice.between(0, 5) * 1000},
                      .output_per_1k_tokens = {dice.between(0, 100) * 1000},
                      .context_tokens = 4096,
                      .max_output_tokens = 200},
                     {.name = "free:latest", .context_tokens = 4096, .max_output_tokens = 50}},
          .payment_mode = draw_mode(dice),
          .slots = static_cast<std::uint32_t>(dice.between(1, 4)),
          .queue_limit = static_cast<std::uint32_t>(dice.between(2, 64)),
          .credit_percent = 50,
          .credit_window_ms = 30 * core::kDayMs,
          .stranger_pool = {dice.between(1, 500) * 1000},
          .stranger_window_ms = kHourMs,
          .exposure_limit = {dice.between(20, 2'000) * 1000},
          .invoice_expiry_ms = dice.between(2, 20) * 60'000,
          .invoice_grace_ms = dice.between(0, 60) * 1000,
          .inference_attempts = static_cast<std::uint32_t>(dice.between(1, 6)),
          .inference_retry_ms = dice.between(100, 5'000),
          .invoice_attempts = static_cast<std::uint32_t>(dice.between(1, 8)),
          .invoice_retry_ms = dice.between(100, 5'000),
          .delivery_deadline_ms = dice.between(1, 20) * 60'000,
          .request_age_limit_ms = kHourMs,
          .result_event_limit_bytes = 60 * 1024,
          .serve_broadcast = true,
          .error_notices_per_customer = 5,
          .offers_limit = static_cast<std::uint32_t>(dice.between(3, 100)),
          .error_notices = 50};
}

Ask draw_ask(Dice& dice, std::size_t number, std::size_t customers) {
  constexpr Payer kPayers[] = {Payer::at_once, Payer::at_once, Payer::at_once, Payer::at_once, Payer::at_once,
                               Payer::slowly,  Payer::slowly,  Payer::twice,   Payer::never,   Payer::second};
  Ask ask{.prompt = "Question " + std::to_string(number) + ": why" + std::string(dice.below(200), '?'),
          .payer = dice.pick(kPayers),
          .customer = dice.below(customers),
          .addressed = dice.chance(0.8),
          .first_relay = dice.below(8),
          .relays = dice.chance(0.5) ? SIZE_MAX : 1,
          .created_ago_ms = dice.chance(0.1) ? dice.between(0, 3'500'000) : 0,
          .expires_after_ms = dice.chance(0.1) ? dice.between(1, 600'000) : 0};
  constexpr ledger::Encryption kForms[] = {ledger::Encryption::nip04, ledger::Encryption::nip44};
  if (ask.addressed && dice.chance(0.25)) ask.encryption = dice.pick(kForms);
  if (dice.chance(0.3)) ask.more_tags.push_back({"param", "stream", "true"});
  ask.more_tags.push_back({"param", "max_tokens", std::to_string(dice.between(1, 120))});
  if (dice.chance(0.05)) ask.more_tags.push_back({"param", "model", "free"});
  if (dice.chance(0.03)) ask.more_tags.push_back({"param", "model", "unknown"});
  if (dice.chance(0.03)) ask.more_tags.push_back({"param", "temperature", "9"});
  if (dice.chance(0.1)) ask.more_tags.push_back({"bid", std::to_string(dice.between(1, 30) * 1000)});
  return ask;
}

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed)
      : dice_(seed),
        policy_(draw_policy(dice_)),
        world_(seed, Faults(dice_.below(UINT64_MAX)), 1 + dice_.below(3), dice_.chance(0.3) ? 25 : 500) {
    outcome_.seed = seed;
    if (dice_.chance(0.3)) world_.wallet.identity = WalletIdentity::none;
    world_.wallet_pushes = dice_.chance(0.5);
    constexpr int kCallsPerMinute[] = {0, 0, 0, 60, 30};
    world_.wallet_calls_per_minute = dice_.pick(kCallsPerMinute);
    constexpr std::int64_t kLineMs[] = {10, 10, 10, 100, 300};
    world_.line_ms = dice_.pick(kLineMs);
    world_.disk.on_commit([this](std::uint64_t, const ledger::Batch&) { return disk_fault(); });
    plan_requests();
    policy_.renew_invoices = dice_.chance(0.5);
  }

  Outcome run(SimDisk* disk) {
    try {
      live_until([this] { return world_.time.now() >= faults_end_; });
      make_well();
      const TimeMs latest = world_.time.now() + kLongestRestMs;
      live_until([this, latest] { return at_rest() || world_.time.now() >= latest; });
      world_.referee->check_end(world_.clock_set_at != TimeMs{});
    } catch (const Violation& violation) {
      outcome_.violation = std::string(violation.what()) + ", at step " + std::to_string(outcome_.steps) + ", entry " +
                           std::to_string(world_.referee->entries());
    }
    outcome_.requests = world_.jobs.size();
    outcome_.sales = world_.referee->sales();
    outcome_.entries = world_.referee->entries();
    outcome_.mishaps = world_.faults.counts();
    if (disk) {
      *disk = world_.disk;
      disk->on_commit({});
    }
    return outcome_;
  }

 private:
  void plan_requests() {
    const std::size_t count = 60 + dice_.below(120);
    const std::size_t customers = 1 + dice_.below(8);
    const std::int64_t longest_pause_ms = dice_.between(500, 30'000);
    TimeMs at = world_.time.now() + 1'000;
    for (std::size_t i = 0; i < count; ++i) {
      at = at + dice_.between(0, longest_pause_ms);
      world_.time.at(at, [this, ask = draw_ask(dice_, i, customers), draws = dice_.below(UINT64_MAX)]() mutable {
        if (draws % kOneOfWithSources == 0) ask.sources = sources(draws);
        world_.ask(ask);
      });
    }
    faults_end_ = at + 60'000;
  }

  // Inputs of each type; a job that was asked before may have its answer by now, or not.
  std::vector<nostr::Tag> sources(std::uint64_t draws) {
    Dice dice(draws);
    std::vector<nostr::Tag> out;
    const std::size_t count = 1 + dice.below(3);
    for (std::size_t i = 0; i < count; ++i) {
      const std::string name = std::to_string(dice.below(100));
      const std::size_t type = dice.below(3);
      if (type == 0) out.push_back({"i", "https://" + name + ".example/", "url"});
      if (type == 1)
        out.push_back({"i", world_.write_note("Note " + name).hex(), "event", world_.relays.front()->url()});
      if (type == 2 && !world_.jobs.empty()) {
        const auto job = std::next(world_.jobs.begin(), static_cast<std::ptrdiff_t>(dice.below(world_.jobs.size())));
        out.push_back({"i", job->first.hex(), "job"});
      }
    }
    return out;
  }

  // Lives one life after another until `over`.
  template <class Over>
  void live_until(const Over& over) {
    while (!over()) {
      try {
        Process process(world_, policy_);
        process.start(std::exchange(accepts_rollback_, false));
        live(process, over);
      } catch (const Crashed&) {
        die();
      }
    }
  }

  template <class Over>
  void live(Process& process, const Over& over) {
    const TimeMs born = world_.time.now();
    while (!over()) {
      engine_open_ = process.engine().open_jobs();
      step(world_.time.now() + 1'000);
      if (process.failure()) end_of(*process.failure());
      if (world_.disk.commits() != seen_commits_) {
        seen_commits_ = world_.disk.commits();
        world_.referee->catch_up(process.settled_engine());
        find_owed();
        find_overdue();
        find_undelivered();
        if (world_.referee->entries() > kMostFactsPerRequest * (world_.jobs.size() + 1)) {
          throw Violation("the ledger grows without end");
        }
      }
      if (world_.faults.strikes(Mishap::process_dies)) throw Crashed{};
      command(process);
      const bool recovering = world_.time.now() < born + kRecoveryMs;
      if (recovering && doomed_lives_ > 0) {
        --doomed_lives_;
        throw Crashed{};
      }
    }
  }

  // A disk that failed ends the process; so does a rollback, and then the operator gives their word.
  [[noreturn]] void end_of(const base::Error& failure) {
    if (failure.code == "ledger.rollback") {
      if (!rolled_back_) throw Violation("a rollback was seen that never was: " + failure.message);
      accepts_rollback_ = true;
    }
    throw Crashed{};
  }

  // The operator, at the keyboard of this life.
  void command(Process& process) {
    if (world_.faults.strikes(Mishap::operator_goes_offline)) {
      process.go_offline(world_.faults.strikes(Mishap::operator_is_in_a_hurry));
      online_again_at_ = world_.time.now() + world_.faults.dice().between(1'000, 300'000);
    }
    if (world_.time.now() >= online_again_at_) process.go_online();
    if (world_.faults.strikes(Mishap::operator_prunes_texts))
      process.prune(process.engine().now() - world_.faults.dice().between(0, 3'600'000));
    if (!overdue_.empty() && world_.faults.strikes(Mishap::operator_closes_job))
      process.close(overdue_[world_.faults.dice().below(overdue_.size())]);
    if (!undelivered_.empty() && world_.faults.strikes(Mishap::operator_retries_result))
      process.retry(undelivered_[world_.faults.dice().below(undelivered_.size())]);
    if (!owed_.empty() && world_.faults.strikes(Mishap::operator_pays_back)) pay_back(process);
  }

  void find_owed() {
    owed_.clear();
    for (const auto& [id, job] : world_.referee->jobs()) {
      if (core::still_owed(job) > base::Msat{}) owed_.push_back(id);
    }
  }

  // Open, with an invoice that is past its time.
  void find_overdue() {
    overdue_.clear();
    for (const auto& [id, job] : world_.referee->jobs()) {
      const auto waits = [&](const core::Invoice& one) {
        return !one.settled && !one.expired && one.issued.expires_at <= world_.time.now();
      };
      if (std::ranges::any_of(job.invoices, waits)) overdue_.push_back(id);
    }
  }

  // With a result that no relay took.
  void find_undelivered() {
    undelivered_.clear();
    for (const auto& [id, job] : world_.referee->jobs()) {
      if (core::undeliverable(job)) undelivered_.push_back(id);
    }
  }

  // Now and then to an invoice that was given for something else, and now and then twice at once.
  void pay_back(Process& process) {
    Faults& faults = world_.faults;
    const base::JobId id = owed_[faults.dice().below(owed_.size())];
    const core::Job& job = world_.referee->jobs().at(id);
    const auto refund = std::ranges::find_if(job.refunds, [](const core::Refund& one) { return !one.paid; });
    if (refund == job.refunds.end()) return;
    const bool repeats = !customer_invoice_.empty() && faults.strikes(Mishap::operator_repeats_invoice);
    if (!repeats) {
      customer_invoice_ =
          world_.purse.invoice(refund->owed.amount, world_.time.now(), faults.dice().between(60'000, 3'600'000));
    }
    process.pay_back(id, customer_invoice_);
    if (faults.dice().chance(0.2)) process.pay_back(id, customer_invoice_);
  }

  void step(TimeMs until) {
    ++outcome_.steps;
    world_.time.step(until);
    Faults& faults = world_.faults;
    if (faults.strikes(Mishap::clock_jumps_ahead)) set_clock(faults.dice().between(1'000, 1'800'000));
    if (faults.strikes(Mishap::clock_jumps_back)) set_clock(-faults.dice().between(1'000, 1'800'000));
    if (faults.strikes(Mishap::clock_ran_ahead)) {
      set_clock(faults.dice().between(1, 5) * kHourMs);
      world_.time.after(faults.dice().between(1'000, 60'000), [this] { set_clock(-world_.clock_error_ms); });
    }
  }

  void set_clock(std::int64_t by_ms) {
    if (by_ms == 0) return;
    world_.clock_error_ms += by_ms;
    world_.clock_set_at = world_.time.now();
  }

  void die() {
    ++outcome_.deaths;
    world_.disk.crash();
    world_.referee->catch_up(nullptr);
    Faults& faults = world_.faults;
    if (faults.strikes(Mishap::store_flips_bit)) world_.referee->check_bit_flip(faults.dice());
    go_back(faults);
    if (faults.strikes(Mishap::process_dies_in_recovery)) doomed_lives_ = 1;
    if (faults.strikes(Mishap::process_restart_storm)) doomed_lives_ = static_cast<int>(faults.dice().between(3, 10));
    const TimeMs restart = world_.time.now() + (doomed_lives_ > 0 ? 100 : dice_.between(100, 60'000));
    while (world_.time.step(restart)) {
    }
    if (dice_.chance(0.2)) change_prices();
  }

  // An older copy of the ledger takes the place of this one, which may come back later as another machine's.
  void go_back(Faults& faults) {
    const SimDisk now = world_.disk;
    const bool changes = backup_ && faults.strikes(Mishap::operator_changes_machine);
    const bool restores = !changes && backup_ && faults.strikes(Mishap::operator_restores_backup);
    if (changes || restores) {
      world_.disk.restore(*backup_);
      world_.referee->on_rollback();
      find_owed();
      rolled_back_ = true;
    }
    if (changes || faults.dice().chance(0.2)) backup_ = now;
  }

  // The operator changes the configuration between two lives; the limits of what may be owed stay.
  void change_prices() {
    policy_.models[0].base = {dice_.between(0, 5) * 1000};
    policy_.slots = static_cast<std::uint32_t>(dice_.between(1, 4));
    policy_.payment_mode = draw_mode(dice_);
  }

  Fault disk_fault() {
    Faults& faults = world_.faults;
    if (faults.strikes(Mishap::store_no_space)) {
      world_.space_back_at = world_.time.now() + faults.dice().between(1'000, 120'000);
    }
    if (faults.strikes(Mishap::store_write_fails)) return Fault::fail_lost;
    if (faults.strikes(Mishap::store_fsync_fails)) return Fault::fail_kept;
    if (faults.strikes(Mishap::store_torn_tail)) return Fault::crash_before;
    if (faults.strikes(Mishap::process_dies_after_commit)) return Fault::crash_after;
    return Fault::none;
  }

  void make_well() {
    outcome_.mishaps = world_.faults.counts();
    world_.faults.quiet();
    set_clock(-world_.clock_error_ms);
    world_.make_well();
    doomed_lives_ = 0;
    for (const auto& relay : world_.relays) relay->restart();
  }

  bool at_rest() const {
    const Referee& referee = *world_.referee;
    return engine_open_ == 0 && referee.settled() + referee.lost() == world_.wallet.received() &&
           referee.jobs().size() + referee.left_out() >= world_.jobs.size() &&
           std::ranges::none_of(world_.referee->jobs(), [](const auto& one) { return core::is_open(one.second); });
  }

  Dice dice_;
  core::Policy policy_;
  World world_;
  TimeMs faults_end_;
  TimeMs online_again_at_;
  Outcome outcome_;
  std::uint64_t seen_commits_ = 0;
  std::size_t engine_open_ = 0;
  std::vector<base::JobId> owed_;
  std::vector<base::JobId> overdue_;
  std::vector<base::JobId> undelivered_;
  std::string customer_invoice_;
  std::optional<SimDisk> backup_;
  bool rolled_back_ = false;
  bool accepts_rollback_ = false;
  int doomed_lives_ = 0;
};

}  // namespace

Outcome simulate(std::uint64_t seed, SimDisk* disk) {
  return Simulation(seed).run(disk);
}

}  // namespace sim
