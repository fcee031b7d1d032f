// Drives an Engine as a runtime would, with adapters that answer at once and as told; keeps all entries for a second
// fold.
#pragma once

#include <algorithm>
#include <deque>

#include "pipeline/core/engine.h"

namespace core {

// One part of what selling depends on fails.
inline ReadinessJudged stopped(ReadinessPart part) {
  return {.parts = {{part, "test.stopped"}}};
}

class EngineDriver {
 public:
  explicit EngineDriver(Policy policy) { give(Configured{std::move(policy)}); }

  TimeMs now{1'700'000'000'000};
  // How the world answers.
  bool relays_accept = true;
  bool wallet_creates = true;
  std::optional<ledger::InferenceFailure> inference_fails;
  std::optional<std::string> inputs_missing;  // why
  bool hold_inputs = false;
  bool hold_inference = false;
  bool hold_signing = false;

  static Policy policy() {
    return {.wallet = "sandbox",
            .wallet_unit = Msat{1000},
            .wallet_minimum = Msat{1000},
            .models = {{.name = "llama3.2:latest",
                        .base = Msat{1000},
                        .input_per_1k_tokens = Msat{1000},
                        .output_per_1k_tokens = Msat{10'000},
                        .context_tokens = 4096,
                        .max_output_tokens = 500}},
            .payment_mode = ledger::PaymentMode::result_first,
            .slots = 1,
            .queue_limit = 8,  // two for one fresh key
            .credit_percent = 20,
            .credit_window_ms = 30 * kDayMs,
            .stranger_pool = Msat{80'000},  // 40 sat for fresh keys, 20 for one
            .stranger_window_ms = 3'600'000,
            .exposure_limit = Msat{1'000'000},
            .invoice_expiry_ms = 900'000,
            .invoice_grace_ms = 60'000,
            .inference_attempts = 3,
            .inference_retry_ms = 2'000,
            .invoice_attempts = 3,
            .invoice_retry_ms = 1'000,
            .delivery_deadline_ms = 3'600'000,
            .request_age_limit_ms = 3'600'000,
            .result_event_limit_bytes = 60 * 1024,
            .serve_broadcast = true,
            .error_notices_per_customer = 2,
            .offers_limit = 12,   // three for one fresh key
            .error_notices = 8};  // four for strangers
  }

  static JobId id(std::uint16_t n) {
    JobId out;
    out.bytes.fill(static_cast<std::uint8_t>(n));
    out.bytes[0] = static_cast<std::uint8_t>(n >> 8);
    return out;
  }

  ledger::JobRequested request(std::uint8_t customer = 7) const {
    ledger::JobRequested out{.kind = 5050,
                             .created_at_s = now.ms / 1000,
                             .relay = "wss://relay.example",
                             .addressed = true,
                             .prompt_bytes = 40,
                             .input_tokens = 20,
                             .request_bytes = 400};
    out.customer.bytes.fill(customer);
    return out;
  }

  // The job after everything that follows from its arrival has been answered.
  Job ask(std::uint8_t n, std::optional<ledger::JobRequested> facts = {}) {
    give(RequestArrived{id(n), facts ? *facts : request(), {}});
    return job(n);
  }

  void pay(std::uint8_t n) {
    const Job before = job(n);
    const auto& invoice = before.invoices.front().issued;
    give(Settled{id(n), {.payment_hash = invoice.payment_hash, .received = invoice.amount, .settled_at = now}});
  }

  void hold(std::uint8_t n) {
    const auto invoice = job(n).invoices.front().issued;
    give(PaymentHeld{id(n), {.payment_hash = invoice.payment_hash, .amount = invoice.amount}});
  }

  void invoice_never_paid(std::uint8_t n) {
    give(NeverPaid{id(n), {.payment_hash = job(n).invoices.front().issued.payment_hash, .evidence = "expired"}});
  }

  void wait(std::int64_t ms) {
    const TimeMs until = now + ms;
    while (engine_.next_wake() && *engine_.next_wake() <= until) {
      now = std::max(now, *engine_.next_wake());
      give(Tick{});
    }
    now = until;
    give(Tick{});
  }

  void give(Input input) {
    take(engine_.step(std::move(input), now));
    answer_all();
  }

  // Dies, and comes back with nothing but the facts.
  void restart(const Policy& policy, Job job) {
    engine_ = Engine(Recovery{.time = now, .policy = policy, .open_jobs = {std::move(job)}});
    take(engine_.resume(now));
    answer_all();
  }

  void release_inference() {
    hold_inference = false;
    for (const Command& command : std::exchange(held_, {})) answer(command);
    answer_all();
  }

  // Folded anew from the entries: the only truth about closed jobs, and a check on the engine about open ones.
  Job job(std::uint8_t n) const {
    Job out;
    for (const auto& entry : entries) {
      if (entry.job == id(n)) evolve(out, entry.job, entry.time, entry.fact);
    }
    return out;
  }

  std::vector<std::string> types(std::uint8_t n) const {
    std::vector<std::string> out;
    for (const auto& entry : entries) {
      if (entry.job == id(n)) out.emplace_back(ledger::type_name(ledger::type_of(entry.fact)));
    }
    return out;
  }

  std::vector<NoticePurpose> notices(std::uint8_t n) const {
    std::vector<NoticePurpose> out;
    for (const Notice& notice : job(n).notices) out.push_back(notice.notice.purpose);
    return out;
  }

  const Engine& engine() const { return engine_; }
  std::vector<ledger::NewEntry> entries;
  std::vector<Work> holds;     // what was to become of payments that are held
  std::vector<Work> payments;  // what was to be paid back
  std::optional<bool> purse;   // whether it pays; without it, nobody knows yet

 private:
  void take(Step step) {
    std::ranges::move(step.entries, std::back_inserter(entries));
    std::ranges::copy(step.commands, std::back_inserter(commands_));
  }

  void tell(Input input) { take(engine_.step(std::move(input), now)); }

  void answer_all() {
    while (!commands_.empty()) {
      const Command command = commands_.front();
      commands_.pop_front();
      answer(command);
    }
  }

  void answer(const Command& command) {
    switch (command.work.action) {
      case Action::gather:
        return answer_gather(command);
      case Action::infer:
        return answer_inference(command);
      case Action::create_invoice:
        return answer_invoice(command);
      case Action::sign:
        return answer_sign(command);
      case Action::publish:
        return answer_publish(command);
      case Action::pay_back:
        return answer_pay_back(command);
      case Action::take:
      case Action::give_back:
        return holds.push_back(command.work);
      case Action::watch:
        return;
    }
  }

  void answer_gather(const Command& command) {
    const auto& [id, work] = command;
    if (hold_inputs) return;
    if (inputs_missing) return tell(InputsMissing{id, work, {.message = *inputs_missing}});
    tell(InputsReady{id, work, {.texts = {{}}, .prompt_bytes = 4'000, .input_tokens = 1'000}, {}});
  }

  void answer_inference(const Command& command) {
    const auto& [id, work] = command;
    if (hold_inference) {
      held_.push_back(command);
    } else if (inference_fails) {
      tell(InferenceBroke{id, work, *inference_fails, "broken"});
    } else {
      tell(InferenceEnded{id, work, {.attempt = work.attempt, .input_tokens = 18, .output_tokens = 100}, {}});
    }
  }

  void answer_invoice(const Command& command) {
    const auto& [id, work] = command;
    if (!wallet_creates) return tell(InvoiceNotCreated{id, work, "wallet is down"});
    tell(InvoiceCreated{id,
                        work,
                        {.purpose = ledger::InvoicePurpose::job,
                         .attempt = work.attempt,
                         .wallet = "sandbox",
                         .bolt11 = "lnbcrt",
                         .payment_hash = base::sha256(id.hex() + std::to_string(work.attempt)),
                         .amount = amount_due(*engine_.find(id)),
                         .expires_at = now + 900'000,
                         .hold = escrowed(*engine_.find(id))}});
  }

  void answer_sign(const Command& command) {
    if (hold_signing) return;
    ledger::NoticeSigned notice{
        .purpose = command.work.purpose, .targets = {"wss://relay.example"}, .deadline = now + 3'600'000};
    notice.event.bytes.fill(static_cast<std::uint8_t>(command.work.purpose));
    tell(NoticeReady{command.job, command.work, std::move(notice), {}});
  }

  void answer_pay_back(const Command& command) {
    payments.push_back(command.work);
    if (!purse) return;
    const auto& started = *engine_.find(command.job)->refunds[command.work.index].started;
    RefundEnded ended{command.job, command.work, {}};
    if (*purse) {
      ended.outcome = ledger::RefundPaid{
          .payment_hash = started.payment_hash, .attempt = started.attempt, .amount = started.amount};
    } else {
      ended.outcome = ledger::RefundFailed{.payment_hash = started.payment_hash, .attempt = started.attempt};
    }
    tell(std::move(ended));
  }

  void answer_publish(const Command& command) {
    if (!relays_accept) return;
    tell(RelayAnswered{command.job, command.work, {.relay = "wss://relay.example", .accepted = true, .at = now}});
    tell(PublishEnded{command.job, command.work});
  }

  Engine engine_;
  std::deque<Command> commands_;
  std::vector<Command> held_;
};

}  // namespace core
