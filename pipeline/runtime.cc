#include "pipeline/runtime.h"

#include <algorithm>

#include "pipeline/core/canary.h"
#include "pipeline/delivery.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip90.h"
#include "pipeline/notice.h"
#include "pipeline/settlement_watch.h"

namespace runtime {

using core::Action;
using core::Job;
using core::Work;
using ledger::Result;
using ledger::TimeMs;

namespace {

constexpr std::int64_t kMinuteMs = 60'000;
constexpr char kPruned[] = "ledger.pruned";
constexpr std::int64_t kHealthCheckMs = 15'000;
constexpr std::int64_t kCursorIntervalMs = 10'000;
// Appends that wait for the disk before requests wait too; the relays' receipts bound how many those are.
constexpr std::size_t kMaxPending = 1'024;
// Requests that wait until the disk has room again. Fewer than make the relays' reading pause (nostr::IntakeLimits):
// the same connections bring the answers to what is still published.
constexpr std::size_t kMaxWaitForRoom = 512;
constexpr std::size_t kMaxTargets = 8;
constexpr std::int64_t kWatchIntervalMs = 1'000;
constexpr std::size_t kMaxWatchedJobs = 500;  // what fits into one subscription (nostr::kMaxWatchValues)
constexpr std::int64_t kPingAgeMs = 2 * kMinuteMs;
constexpr std::uint32_t kMaxPongs = 30;  // a minute
constexpr unsigned kMaxPowBits = 20;     // of work that a relay is given: a million tries

// The texts of an encrypted job's inputs are kept encrypted, and so are no longer than what its form takes.
std::size_t max_gathered_bytes(ledger::Encryption form) {
  return form == ledger::Encryption::none ? kMaxGatheredBytes : nostr::kMaxNip44PlaintextBytes;
}

// The conversation that a question stands for: its request's text, then those of its inputs, as the ledger keeps them.
Result<std::vector<inference::ChatMessage>> conversation(const Job& job, std::span<const std::string> question,
                                                         const nostr::SecretKey& key) {
  const auto open = nostr::parse_event(question.front()).and_then([&](const nostr::Event& event) {
    return nostr::open_request(event, key);
  });
  if (!open) return tl::unexpected(open.error());
  std::vector<std::string> inputs;
  for (const std::string& kept : question.subspan(1)) {
    if (open->form == ledger::Encryption::none) {
      inputs.push_back(kept);
      continue;
    }
    auto text = nostr::decrypt(kept, key, open->event.pubkey);
    if (!text) return tl::unexpected(text.error());
    inputs.push_back(std::move(text->plaintext));
  }
  return nostr::messages_of(open->event, inputs, job.request->instruction);
}

}  // namespace

Runtime::Runtime(Ports ports, const nostr::SecretKey& key, Options options, core::Recovery recovery,
                 std::function<void(ledger::Error)> fatal)
    : ports_(std::move(ports)),
      key_(key),
      options_(std::move(options)),
      engine_(std::move(recovery)),
      customer_relays_(ports_.relays, ports_.scheduler, options_.own_relays),
      gatherer_(ports_.relays, ports_.web, ports_.scheduler, options_.own_relays),
      fatal_(std::move(fatal)),
      refused_since_(ports_.scheduler.now()) {}

void Runtime::start(core::Policy policy, std::string version) {
  post(core::Configured{std::move(policy)});
  post(core::Online{std::move(version)});
  commit(engine_.resume(ports_.scheduler.now()), {});
  check_health();
  ports_.scheduler.after(kMinuteMs, [this] { every_minute(); });
  ports_.scheduler.after(kCursorIntervalMs, [this] { save_cursors(); });
  watch_for_words();
}

// ---- inputs in, entries and commands out ----------------------------------------------------------------------------

void Runtime::post(core::Input input, std::shared_ptr<void> receipt) {
  if (failed_) return;
  commit(engine_.step(std::move(input), ports_.scheduler.now()), std::move(receipt));
}

// Commands wait for their own facts and for all facts before them.
void Runtime::commit(core::Step step, std::shared_ptr<void> receipt) {
  arm_wake();
  if (step.entries.empty()) {
    if (pending_.empty()) {
      for (const core::Command& command : step.commands) dispatch(command);
    } else {
      Pending& last = pending_.back();
      std::ranges::move(step.commands, std::back_inserter(last.commands));
      if (receipt) last.receipts.push_back(std::move(receipt));
    }
    finish_drain();
    return;
  }
  if (core::canary(core::Canary::command_before_durable)) {
    for (const core::Command& command : std::exchange(step.commands, {})) dispatch(command);
  }
  Pending& pending = pending_.emplace_back();
  pending.commands = std::move(step.commands);
  if (receipt) pending.receipts.push_back(std::move(receipt));
  if (on_entry) {
    for (const auto& entry : step.entries) pending.entries.push_back({entry.time, entry.job, entry.event, {}});
  }
  ports_.journal.append({.entries = std::move(step.entries)},
                        [this](const Result<void>& result) { on_durable(result); });
}

void Runtime::on_durable(const Result<void>& result) {
  if (failed_) return;
  if (!result) return fail(result.error());
  const Pending done = std::move(pending_.front());
  pending_.pop_front();
  for (const auto& entry : done.entries) on_entry(entry);
  for (const core::Command& command : done.commands) dispatch(command);
  take_waiting();
  finish_drain();
}

void Runtime::fail(const ledger::Error& error) {
  failed_ = true;
  fatal_(error);
}

void Runtime::dispatch(const core::Command& command) {
  const Job* job = engine_.find(command.job);
  if (!job || failed_) return;
  switch (command.work.action) {
    case Action::gather:
      return gather(*job, command.work);
    case Action::infer:
      return infer(*job, command.work);
    case Action::create_invoice:
      return create_invoice(*job, command.work);
    case Action::sign:
      return sign(*job, command.work);
    case Action::publish:
      return publish(*job, command.work);
    case Action::watch:
      return watch_invoice(*job, command.work);
    case Action::decide:
      return;  // the engine's own
  }
}

void Runtime::arm_wake() {
  const auto wake = engine_.next_wake();
  if (!wake || (armed_ && *armed_ <= *wake)) return;
  armed_ = wake;
  // Looks again at least every minute: right too when the wall clock is set, and no time is too far for a timer.
  ports_.scheduler.after(std::clamp<std::int64_t>(*wake - ports_.scheduler.now(), 0, kMinuteMs), [this, at = *wake] {
    if (armed_ == at) armed_.reset();
    post(core::Tick{});
  });
}

// ---- the door -------------------------------------------------------------------------------------------------------

void Runtime::on_request(const nostr::Event& event, std::string raw, const std::string& relay,
                         std::shared_ptr<void> receipt) {
  if (failed_ || draining_) {
    held_receipts_.push_back(std::move(receipt));
    return;
  }
  const bool low = ports_.disk_low();
  if (low && waiting_requests_.size() >= kMaxWaitForRoom) return on_refused("disk_full");
  if (low && waiting_requests_.empty()) on_problem("disk space runs low: new requests wait until there is room");
  if (low || pending_.size() > kMaxPending) {
    waiting_requests_.push_back({event, std::move(raw), relay, std::move(receipt)});
    return;
  }
  auto request = nostr::read_request(event, raw, key_, engine_.policy().templates);
  if (!request || (!request->addressed && !engine_.policy().serve_broadcast)) return on_refused("not_ours");
  const bool on_its_way = std::ranges::any_of(pending_, [&](const Pending& one) { return one.arrived == event.id; });
  if (on_its_way || engine_.find(event.id)) return;
  const auto known = ports_.journal.job(event.id);
  if (!known) return fail(known.error());
  if (*known) return;
  ledger::Text text{.salt = ports_.random(), .bytes = std::move(raw)};
  request->request = ledger::ref(text);
  request->relay = relay;
  customer_relays_.look_up(request->customer);
  post(core::RequestArrived{event.id, std::move(*request), std::move(text)}, std::move(receipt));
  if (!pending_.empty()) pending_.back().arrived = event.id;
}

void Runtime::take_waiting() {
  while (!waiting_requests_.empty() && pending_.size() <= kMaxPending && !ports_.disk_low()) {
    Request next = std::move(waiting_requests_.front());
    waiting_requests_.pop_front();
    on_request(next.event, std::move(next.raw), next.relay, std::move(next.receipt));
  }
}

// ---- words about open jobs, and to us
// ---------------------------------------------------------------------------------

void Runtime::on_control(const nostr::Event& event, const std::string& relay) {
  if (failed_) return;
  if (event.kind == nostr::kPingKind) return answer_ping(event, relay);
  if (event.kind != nostr::kDeletionKind) return;
  for (const nostr::Tag& tag : event.tags) {
    const auto id = tag.size() > 1 && tag[0] == "e" ? core::JobId::from_hex(tag[1]) : std::nullopt;
    const Job* job = id ? engine_.find(*id) : nullptr;
    if (!job || job->request->customer != event.pubkey) continue;
    cancel(*id,
           {.by = ledger::CancelledBy::customer, .event = event.id, .reason = nostr::clean_relay_text(event.content)});
  }
}

bool Runtime::cancel(const core::JobId& id, ledger::JobCancelled facts) {
  const Job* job = engine_.find(id);
  if (failed_ || !job || !core::cancellable(*job)) return false;
  post(core::Cancelled{id, std::move(facts), stop_inference(id)});
  return true;
}

// What the model had made of an answer that the customer was shown in part.
std::optional<core::Cancelled::Shown> Runtime::stop_inference(const core::JobId& id) {
  const auto found = running_.find(id);
  if (found == running_.end()) return std::nullopt;
  const Running running = std::move(found->second);
  running_.erase(found);
  if (!running.partials || running.partials->shown() == 0) return std::nullopt;
  auto answer = seal(id, running.text);
  if (!answer) return std::nullopt;
  const Job& job = *engine_.find(id);
  ledger::Text result{.salt = ports_.random(), .bytes = std::move(*answer)};
  return core::Cancelled::Shown{.completion = {.attempt = job.inference_started,
                                               .result = ledger::ref(result),
                                               .result_bytes = result.bytes.size(),
                                               .input_tokens = job.quote->input_tokens,
                                               .output_tokens = running.chunks,
                                               .finish = ledger::FinishReason::cancelled,
                                               .first_token_ms = running.first_token_ms,
                                               .total_ms = ports_.scheduler.now() - running.started,
                                               .partials = running.partials->shown()},
                                .result = std::move(result)};
}

void Runtime::answer_ping(const nostr::Event& ping, const std::string& relay) {
  const TimeMs now = ports_.scheduler.now();
  const std::int64_t age_ms = now.ms - ping.created_at * 1000;
  const std::string us = key_.public_key().hex();
  const bool ours = std::ranges::any_of(
      ping.tags, [&](const nostr::Tag& tag) { return tag.size() > 1 && tag[0] == "p" && tag[1] == us; });
  if (draining_ || !ours || age_ms > kPingAgeMs || age_ms < -kPingAgeMs || pongs_ >= kMaxPongs) return;
  ++pongs_;
  const nostr::Event pong =
      nostr::sign(nostr::feedback({ping.id, ping.pubkey, relay}, nostr::Status::pong, {}, std::nullopt, now.ms / 1000),
                  key_, {ports_.random().bytes});
  ports_.relays.publish(relay, nostr::to_json(pong), pong.id, [](const ledger::RelayAnswer&) {});
}

// Keeps what the relays are asked for in step with the jobs that are open.
void Runtime::watch_for_words() {
  if (failed_) return;
  auto jobs = engine_.cancellable_jobs(kMaxWatchedJobs);
  std::ranges::sort(jobs);
  if (!draining_ && (!watching_ || jobs != watched_)) {
    std::vector<nostr::Filter> filters(1);
    filters[0] = {.kinds = {nostr::kPingKind}, .tags = {{'p', {key_.public_key().hex()}}}, .limit = kMaxPongs};
    if (!jobs.empty()) {
      nostr::Filter& cancellations = filters.emplace_back();
      cancellations.kinds = {nostr::kDeletionKind};
      auto& ids = cancellations.tags.emplace_back('e', std::vector<std::string>()).second;
      for (const core::JobId& job : jobs) ids.push_back(job.hex());
    }
    watched_ = std::move(jobs);
    watching_ = ports_.relays.watch(std::move(filters)).has_value();
  }
  ports_.scheduler.after(kWatchIntervalMs, [this] { watch_for_words(); });
}

void Runtime::on_refused(const std::string& reason) {
  ++refused_[reason];
}

void Runtime::record_refused() {
  const TimeMs since = std::exchange(refused_since_, ports_.scheduler.now());
  if (refused_.empty()) return;
  ledger::RequestsDropped dropped{.from = since, .until = refused_since_};
  for (const auto& [reason, count] : std::exchange(refused_, {}))
    dropped.counts.push_back({.reason = reason, .count = count});
  post(core::RequestsRefused{std::move(dropped)});
}

void Runtime::every_minute() {
  if (failed_) return;
  record_refused();
  pongs_ = 0;
  post(core::Tick{});
  take_waiting();
  ports_.scheduler.after(kMinuteMs, [this] { every_minute(); });
}

void Runtime::save_cursors() {
  if (failed_) return;
  if (cursors && !draining_) {
    ledger::Group group{.cursors = cursors()};
    if (!group.cursors.empty()) {
      pending_.emplace_back();
      ports_.journal.append(std::move(group), [this](const Result<void>& result) { on_durable(result); });
    }
  }
  ports_.scheduler.after(kCursorIntervalMs, [this] { save_cursors(); });
}

void Runtime::check_health() {
  if (failed_) return;
  const auto changed = [this] {
    post(core::HealthChanged{.inference = inference_healthy_, .wallet = wallet_healthy_});
  };
  ports_.backend.status([this, changed](const Result<inference::BackendStatus>& status) {
    inference_healthy_ = status.has_value();
    changed();
  });
  ports_.wallet.status([this, changed](const Result<wallet::WalletStatus>& status) {
    wallet_healthy_ = status.has_value();
    changed();
  });
  ports_.scheduler.after(kHealthCheckMs, [this] { check_health(); });
}

void Runtime::drain(std::string reason, std::function<void()> done) {
  if (!draining_) drain_reason_ = std::move(reason);
  draining_ = true;
  drained_.push_back(std::move(done));
  finish_drain();
}

void Runtime::go_online(std::string version) {
  draining_ = false;
  watching_ = false;  // those are new connections
  held_receipts_.clear();
  waiting_requests_.clear();  // the relays are asked for them again
  post(core::Online{std::move(version)});
}

void Runtime::finish_drain() {
  if (!draining_ || drained_.empty() || !pending_.empty() || !engine_.drained()) return;
  if (!drain_reason_.empty()) {
    const std::string reason = std::exchange(drain_reason_, {});
    record_refused();
    return post(core::Offline{reason});  // and again from on_durable
  }
  for (auto& done : std::exchange(drained_, {})) ports_.scheduler.after(0, std::move(done));
}

// ---- commands -------------------------------------------------------------------------------------------------------

Result<std::string> Runtime::text_of(const ledger::TextRef& ref) {
  auto text = ports_.journal.text(ref);
  if (!text) return tl::unexpected(text.error());
  if (!*text) {
    return ledger::fail(ledger::ErrorKind::job_processing, kPruned, "a text that is still needed was pruned",
                        ref.hex());
  }
  return std::move(**text);
}

void Runtime::gather(const Job& job, const Work& work) {
  gatherer_.start({.sources = job.request->sources,
                   .max_bytes = max_gathered_bytes(job.request->encryption),
                   .done = [this, id = job.id, work](Result<std::vector<std::string>> texts) {
                     end_gathering(id, work, std::move(texts));
                   }});
}

void Runtime::end_gathering(const ledger::JobId& id, const Work& work, Result<std::vector<std::string>> texts) {
  const Job* job = engine_.find(id);
  if (!job || failed_) return;
  auto question = question_of(*job);
  if (!question && question.error().code != kPruned) return fail(question.error());
  auto ready = texts.and_then([&](const auto& gathered) {
    return question.and_then([&](auto& request) { return keep_inputs({.job = id, .work = work}, request, gathered); });
  });
  if (ready) return post(std::move(*ready));
  post(core::InputsMissing{id, work, {.message = ready.error().message}});
}

// The texts as the ledger will keep them, and the prompt measured as it will be read from there.
Result<core::InputsReady> Runtime::keep_inputs(core::InputsReady ready, std::vector<std::string>& question,
                                               const std::vector<std::string>& texts) const {
  for (const std::string& text : texts) {
    auto bytes = seal(ready.job, text);
    if (!bytes) return tl::unexpected(bytes.error());
    question.push_back(*bytes);
    ready.texts.push_back({.salt = ports_.random(), .bytes = std::move(*bytes)});
    ready.facts.texts.push_back(ledger::ref(ready.texts.back()));
  }
  const auto messages = conversation(*engine_.find(ready.job), question, key_);
  if (!messages) return tl::unexpected(messages.error());
  ready.facts.prompt_bytes = nostr::prompt_bytes(*messages);
  ready.facts.input_tokens = nostr::estimate_tokens(*messages);
  return ready;
}

// The texts that a job's prompt is made of, as they are kept: the request, then what was gathered for it.
Result<std::vector<std::string>> Runtime::question_of(const Job& job) {
  std::vector<ledger::TextRef> refs{job.request->request};
  if (job.inputs) std::ranges::copy(job.inputs->texts, std::back_inserter(refs));
  std::vector<std::string> out;
  for (const ledger::TextRef& ref : refs) {
    auto text = text_of(ref);
    if (!text) return tl::unexpected(text.error());
    out.push_back(std::move(*text));
  }
  return out;
}

void Runtime::infer(const Job& job, const Work& work) {
  if (core::ended_without_result(job)) return;  // cancelled while its start became durable
  const auto question = question_of(job);
  if (!question && question.error().code != kPruned) return fail(question.error());
  auto messages = question ? conversation(job, *question, key_) : tl::unexpected(question.error());
  if (!messages) {
    return post(core::InferenceBroke{job.id, work, ledger::InferenceFailure::rejected, messages.error().describe()});
  }
  const inference::ChatRequest request{.model = job.quote->terms.name,
                                       .messages = std::move(*messages),
                                       .params = job.request->params,
                                       .max_output_tokens = job.quote->max_output_tokens,
                                       .context_tokens = job.quote->terms.context_tokens,
                                       .json = job.request->output == "application/json"};
  const std::size_t taken = nostr::result_event_bytes(question->front(), 0);
  const std::size_t limit = engine_.policy().result_event_limit_bytes;
  const std::size_t room = limit > taken ? limit - taken : 0;
  const ledger::JobId id = job.id;
  Running& running = running_[id];
  running.started = ports_.scheduler.now();
  running.encryption = job.request->encryption;
  running.partials = partials_for(job);
  running.generation = ports_.backend.chat(
      request,
      [this, id, work, room](std::string_view chunk) {
        const auto one = running_.find(id);
        if (one != running_.end() && !add_text(one->second, chunk, room)) end_at_limit(id, work);
      },
      [this, id, work](tl::expected<inference::Completion, inference::Failure> outcome) {
        end_inference(id, work, std::move(outcome));
      });
}

// False once the answer outgrows what relays take.
bool Runtime::add_text(Running& running, std::string_view chunk, std::size_t room) {
  const std::string clean = nostr::without_disputed_controls(std::string(chunk));
  running.json_bytes += nostr::json_string_bytes(clean);
  const bool hidden = running.encryption != ledger::Encryption::none;
  const std::size_t wire_bytes =
      hidden ? nostr::encrypted_size(running.encryption, running.text.size() + clean.size()) : running.json_bytes;
  if (wire_bytes > room) return false;
  if (running.chunks == 0) running.first_token_ms = ports_.scheduler.now() - running.started;
  running.text += clean;
  ++running.chunks;
  if (running.partials) running.partials->grow(running.text);
  return true;
}

std::unique_ptr<Partials> Runtime::partials_for(const Job& job) {
  const ledger::JobRequested& request = *job.request;
  const bool wanted =
      options_.stream == Options::Stream::always || (options_.stream == Options::Stream::asked && request.stream);
  if (!wanted || !core::may_stream(job)) return nullptr;
  const bool hidden = request.encryption != ledger::Encryption::none;
  return std::make_unique<Partials>(ports_.relays, ports_.scheduler, ports_.random, key_,
                                    nostr::RequestRef{job.id, request.customer, request.relay, hidden},
                                    request.encryption, targets_of(job));
}

// The answer ends here, as at its token cap. The backend gives no count any more: a chunk is a token.
void Runtime::end_at_limit(const ledger::JobId& id, const Work& work) {
  const Running& running = running_.at(id);
  end_inference(id, work,
                inference::Completion{.text = running.text,
                                      .input_tokens = engine_.find(id)->quote->input_tokens,
                                      .output_tokens = running.chunks,
                                      .finish = ledger::FinishReason::length,
                                      .first_token_ms = running.first_token_ms,
                                      .total_ms = ports_.scheduler.now() - running.started});
}

void Runtime::end_inference(const ledger::JobId& id, const Work& work,
                            tl::expected<inference::Completion, inference::Failure> outcome) {
  const auto running = running_.find(id);
  if (running == running_.end()) return;  // ended already
  const std::uint32_t partials = running->second.partials ? running->second.partials->shown() : 0;
  // The backend is on the stack: its generation goes when it is not.
  std::shared_ptr<inference::Generation> generation = std::move(running->second.generation);
  ports_.scheduler.after(0, [generation = std::move(generation)] {});
  running_.erase(running);
  if (!outcome) return post(core::InferenceBroke{id, work, outcome.error().kind, outcome.error().message});
  auto answer = seal(id, nostr::without_disputed_controls(std::move(outcome->text)));
  if (!answer) {
    return post(core::InferenceBroke{id, work, ledger::InferenceFailure::rejected, answer.error().describe()});
  }
  ledger::Text result{.salt = ports_.random(), .bytes = std::move(*answer)};
  post(core::InferenceEnded{id,
                            work,
                            {.attempt = work.attempt,
                             .result = ledger::ref(result),
                             .result_bytes = result.bytes.size(),
                             .input_tokens = outcome->input_tokens,
                             .output_tokens = outcome->output_tokens,
                             .finish = outcome->finish,
                             .first_token_ms = outcome->first_token_ms,
                             .total_ms = outcome->total_ms,
                             .partials = partials},
                            std::move(result)});
}

// An encrypted job's answer is kept as it will cross the wire, and in no other form; so are the texts of its inputs.
Result<std::string> Runtime::seal(const ledger::JobId& id, std::string text) const {
  const ledger::JobRequested& request = *engine_.find(id)->request;
  if (text.empty() && request.encryption == ledger::Encryption::nip44) text = "\n";  // NIP-44 encrypts no empty text
  return nostr::encrypt(request.encryption, text, key_, request.customer, {ports_.random().bytes});
}

void Runtime::create_invoice(const Job& job, const Work& work) {
  const wallet::InvoiceOrder order{.job = job.id,
                                   .purpose = ledger::InvoicePurpose::job,
                                   .attempt = work.attempt,
                                   .amount = core::amount_due(job),
                                   .description = "sellcompute job " + job.id.hex().substr(0, 8),
                                   .expiry_ms = engine_.policy().invoice_expiry_ms};
  ports_.wallet.create_invoice(order, [this, order, work](const Result<std::string>& made) {
    // The engine's time: after a clock that ran ahead, an invoice that is fresh by the clock may be over by the ledger.
    const TimeMs now = std::max(engine_.now(), ports_.scheduler.now());
    const auto invoice = made ? wallet::check_invoice(*made, order.amount, options_.networks, now)
                              : Result<wallet::DecodedInvoice>(tl::unexpected(made.error()));
    if (!invoice) {
      const bool stale = invoice.error().code == "bolt11.expired";
      return post(core::InvoiceNotCreated{order.job, work, invoice.error().describe(), stale});
    }
    post(core::InvoiceCreated{order.job,
                              work,
                              {.purpose = order.purpose,
                               .attempt = order.attempt,
                               .wallet = ports_.wallet.kind(),
                               .bolt11 = *made,
                               .payment_hash = invoice->payment_hash,
                               .amount = order.amount,
                               .expires_at = invoice->expires_at()}});
  });
}

// One job's texts are gone or do not fit: the others go on. A store that cannot be read ends the process.
void Runtime::problem(const Job& job, const ledger::Error& error) {
  if (error.code != kPruned && !error.code.starts_with("notice.")) return fail(error);
  on_problem("job " + job.id.hex() + " is stuck: " + error.describe());
}

// Where answers go: to where the request came from, where the customer wants answers and where they read, and to our
// own relays; eight at most. Each URL was checked when it was read.
std::vector<std::string> Runtime::targets_of(const Job& job) const {
  std::vector<std::string> out;
  const auto add = [&](const std::string& relay) {
    const bool known = std::ranges::find(out, relay) != out.end();
    if (!relay.empty() && !known && out.size() < kMaxTargets) out.push_back(relay);
  };
  add(job.request->relay);
  std::ranges::for_each(job.request->reply_relays, add);
  std::ranges::for_each(customer_relays_.of(job.request->customer), add);
  std::ranges::for_each(options_.own_relays, add);
  return out;
}

void Runtime::sign(const Job& job, const Work& work) {
  auto targets = targets_of(job);
  unsigned pow_bits = 0;
  for (const auto& relay : targets) pow_bits = std::max(pow_bits, ports_.relays.required_pow(relay));
  auto notice = make_notice(
      job, work, engine_.policy(), std::move(targets), [this](const ledger::TextRef& ref) { return text_of(ref); },
      key_, ports_.random, std::max(engine_.now(), ports_.scheduler.now()), std::min(pow_bits, kMaxPowBits));
  if (!notice) return problem(job, notice.error());
  post(std::move(*notice));
}

void Runtime::publish(const Job& job, const Work& work) {
  const core::Notice* notice = core::find_notice(job, work.purpose);
  auto json =
      notice_json(job, notice->notice, key_.public_key(), [this](const ledger::TextRef& ref) { return text_of(ref); });
  if (!json) return problem(job, json.error());
  const ledger::JobId id = job.id;
  deliver(ports_.relays, ports_.scheduler,
          {.event_json = std::move(*json),
           .event = notice->notice.event,
           .targets = notice->notice.targets,
           .deadline = notice->notice.deadline,
           .answered =
               [this, id, work](ledger::RelayAnswer answer) {
                 post(core::RelayAnswered{id, work, std::move(answer)});
               },
           .ended =
               [this, id, work] {
                 post(core::PublishEnded{id, work});
               }});
}

void Runtime::watch_invoice(const Job& job, const Work& work) {
  const ledger::InvoiceIssued& invoice = job.invoices[work.attempt].issued;
  const ledger::JobId id = job.id;
  if (invoice.wallet != ports_.wallet.kind()) {
    // Another wallet cannot say whether this one was paid: the job stays open until its own wallet is back.
    return on_problem("job " + id.hex() + " waits for the wallet \"" + invoice.wallet + "\", which is not configured");
  }
  watch(ports_.wallet, ports_.scheduler,
        {.payment_hash = invoice.payment_hash,
         .since = invoice.expires_at - engine_.policy().invoice_expiry_ms,
         .give_up_at = invoice.expires_at + engine_.policy().invoice_grace_ms,
         .settled =
             [this, id](ledger::InvoiceSettled settlement) {
               post(core::Settled{id, std::move(settlement)});
             },
         .never_paid =
             [this, id](ledger::InvoiceExpired expiry) {
               post(core::NeverPaid{id, std::move(expiry)});
             }});
}

}  // namespace runtime
