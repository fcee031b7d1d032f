// The commands of the runtime: what the engine asks of the wallet, the backend, the relays and the web, and how their
// answers become its inputs.
#include <algorithm>

#include "pipeline/core/chat_message.h"
#include "pipeline/nostr/json.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip90_answer.h"
#include "pipeline/nostr/nip90_notice.h"
#include "pipeline/nostr/nip90_request.h"
#include "pipeline/runtime/delivery.h"
#include "pipeline/runtime/notice.h"
#include "pipeline/runtime/runtime.h"

namespace runtime {

using base::Result;
using base::TimeMs;
using core::Job;
using core::Work;
using nostr::notice_json;
using nostr::required_pow;

namespace {

constexpr char kPruned[] = "ledger.pruned";
constexpr std::size_t kMaxTargets = 8;
constexpr std::int64_t kFirstHoldPauseMs = 5'000;
constexpr std::int64_t kLongestHoldPauseMs = 60'000;

// By its own text: wallets may give it another life than it was ordered with.
TimeMs made_at(const ledger::InvoiceIssued& invoice) {
  const auto decoded = wallet::decode_bolt11(invoice.bolt11);
  return decoded ? TimeMs{decoded->timestamp_s * 1000} : invoice.expires_at;
}

// The texts of an encrypted job's inputs are kept encrypted, and so are no longer than what its form takes.
std::size_t max_gathered_bytes(ledger::Encryption form) {
  return form == ledger::Encryption::none ? kMaxGatheredBytes : nostr::kMaxNip44PlaintextBytes;
}

// The conversation that a question stands for: its request's text, then those of its inputs, as the ledger keeps them.
Result<std::vector<core::ChatMessage>> conversation(const Job& job, std::span<const std::string> question,
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

Result<std::string> Runtime::text_of(const base::TextRef& ref) {
  auto text = ports_.journal.text(ref);
  if (!text) return tl::unexpected(text.error());
  if (!*text) {
    return base::fail(base::ErrorKind::job_processing, kPruned, "a text that is still needed was pruned", ref.hex());
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

void Runtime::end_gathering(const base::JobId& id, const Work& work, Result<std::vector<std::string>> texts) {
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
  std::vector<base::TextRef> refs{job.request->request};
  if (job.inputs) std::ranges::copy(job.inputs->texts, std::back_inserter(refs));
  std::vector<std::string> out;
  for (const base::TextRef& ref : refs) {
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
  const base::JobId id = job.id;
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

// The answer up to here. The backend gives no count any more: a chunk is a token.
inference::Completion Runtime::so_far(const base::JobId& id, const Running& running,
                                      ledger::FinishReason finish) const {
  return {.text = running.text,
          .input_tokens = engine_.find(id)->quote->input_tokens,
          .output_tokens = running.chunks,
          .finish = finish,
          .first_token_ms = running.first_token_ms,
          .total_ms = ports_.scheduler.now() - running.started};
}

// The answer ends here, as at its token cap.
void Runtime::end_at_limit(const base::JobId& id, const Work& work) {
  end_inference(id, work, so_far(id, running_.at(id), ledger::FinishReason::length));
}

void Runtime::end_inference(const base::JobId& id, const Work& work,
                            tl::expected<inference::Completion, inference::Failure> outcome) {
  const auto running = running_.find(id);
  if (running == running_.end()) return;  // ended already
  const std::uint32_t partials = running->second.partials ? running->second.partials->shown() : 0;
  // The backend is on the stack: its generation goes when it is not.
  std::shared_ptr<inference::Generation> generation = std::move(running->second.generation);
  ports_.scheduler.after(0, [generation = std::move(generation)] {});
  running_.erase(running);
  if (!outcome) return post(core::InferenceBroke{id, work, outcome.error().kind, outcome.error().message});
  auto kept = keep_answer(id, work.attempt, std::move(*outcome), partials);
  if (!kept) {
    return post(core::InferenceBroke{id, work, ledger::InferenceFailure::rejected, kept.error().describe()});
  }
  post(core::InferenceEnded{id, work, std::move(kept->completion), std::move(kept->result)});
}

// What the model had made of an answer that the customer was shown in part. One that cannot be kept is not billed.
std::optional<core::Answer> Runtime::stop_inference(const core::JobId& id) {
  const auto found = running_.find(id);
  if (found == running_.end()) return std::nullopt;
  const Running running = std::move(found->second);
  running_.erase(found);
  const std::uint32_t partials = running.partials ? running.partials->shown() : 0;
  if (partials == 0) return std::nullopt;
  auto kept = keep_answer(id, engine_.find(id)->inference_started, so_far(id, running, ledger::FinishReason::cancelled),
                          partials);
  return kept ? std::optional(std::move(*kept)) : std::nullopt;
}

// An answer as the ledger keeps it.
Result<core::Answer> Runtime::keep_answer(const base::JobId& id, std::uint32_t attempt, inference::Completion made,
                                          std::uint32_t partials) const {
  auto answer = seal(id, nostr::without_disputed_controls(std::move(made.text)));
  if (!answer) return tl::unexpected(answer.error());
  ledger::Text result{.salt = ports_.random(), .bytes = std::move(*answer)};
  return core::Answer{.completion = {.attempt = attempt,
                                     .result = ledger::ref(result),
                                     .result_bytes = result.bytes.size(),
                                     .input_tokens = made.input_tokens,
                                     .output_tokens = made.output_tokens,
                                     .finish = made.finish,
                                     .first_token_ms = made.first_token_ms,
                                     .total_ms = made.total_ms,
                                     .partials = partials},
                      .result = std::move(result)};
}

// An encrypted job's answer is kept as it will cross the wire, and in no other form; so are the texts of its inputs.
Result<std::string> Runtime::seal(const base::JobId& id, std::string text) const {
  const ledger::JobRequested& request = *engine_.find(id)->request;
  if (text.empty() && request.encryption == ledger::Encryption::nip44) text = "\n";  // NIP-44 encrypts no empty text
  return nostr::encrypt(request.encryption, text, key_, request.customer, {ports_.random().bytes});
}

void Runtime::create_invoice(const Job& job, const Work& work) {
  const wallet::InvoiceOrder order{.job = job.id,
                                   .purpose = ledger::InvoicePurpose::job,
                                   .attempt = work.attempt,
                                   .amount = core::amount_due(job),
                                   .description = std::string(wallet::kJobDescription) + job.id.hex().substr(0, 8),
                                   .expiry_ms = engine_.policy().invoice_expiry_ms,
                                   .hold = core::escrowed(job)};
  if (order.hold && !ports_.wallet.abilities().holds) {
    return post(core::InvoiceNotCreated{job.id, work, "the wallet cannot hold payments", false});
  }
  ports_.wallet.create_invoice(order, [this, order, work](const Result<wallet::MadeInvoice>& made) {
    // The engine's time: after a clock that ran ahead, an invoice that is fresh by the clock may be over by the ledger.
    const TimeMs now = std::max(engine_.now(), ports_.scheduler.now());
    const auto invoice =
        made ? wallet::check_invoice(made->bolt11, order.amount, options_.networks, now, made->payment_hash)
             : Result<wallet::DecodedInvoice>(tl::unexpected(made.error()));
    if (!invoice) {
      const bool stale = made.has_value();  // the same order would give the same invoice again
      return post(core::InvoiceNotCreated{order.job, work, invoice.error().describe(), stale});
    }
    post(core::InvoiceCreated{order.job,
                              work,
                              {.purpose = order.purpose,
                               .attempt = order.attempt,
                               .wallet = ports_.wallet.kind(),
                               .bolt11 = made->bolt11,
                               .payment_hash = invoice->payment_hash,
                               .amount = order.amount,
                               .expires_at = invoice->expires_at(),
                               .reference = made->reference,
                               .hold = order.hold}});
  });
}

// One job's texts are gone or do not fit: the others go on. A store that cannot be read ends the process.
void Runtime::problem(const Job& job, const base::Error& error) {
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
  const unsigned pow_bits = required_pow(ports_.relays, targets);
  auto notice = make_notice(
      job, work, engine_.policy(), std::move(targets), [this](const base::TextRef& ref) { return text_of(ref); }, key_,
      ports_.random, std::max(engine_.now(), ports_.scheduler.now()), pow_bits);
  if (!notice) return problem(job, notice.error());
  post(std::move(*notice));
}

void Runtime::publish(const Job& job, const Work& work) {
  const core::Notice* notice = core::find_notice(job, work.purpose);
  auto json =
      notice_json(job, notice->notice, key_.public_key(), [this](const base::TextRef& ref) { return text_of(ref); });
  if (!json) return problem(job, json.error());
  const base::JobId id = job.id;
  deliver(ports_.relays, ports_.scheduler,
          {.event_json = std::move(*json),
           .event = notice->notice.event,
           .targets = notice->notice.targets,
           .deadline = core::deadline_of(job, *notice),
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
  const base::JobId id = job.id;
  const bool watched = settlements_.watch({.invoice = invoice,
                                           .since = made_at(invoice),
                                           .give_up_at = invoice.expires_at + engine_.policy().invoice_grace_ms,
                                           .settled =
                                               [this, id](ledger::InvoiceSettled settlement) {
                                                 post(core::Settled{id, std::move(settlement)});
                                               },
                                           .held =
                                               [this, id](ledger::InvoiceHeld facts) {
                                                 post(core::PaymentHeld{id, std::move(facts)});
                                               },
                                           .never_paid =
                                               [this, id](ledger::InvoiceExpired expiry) {
                                                 const Job* now = engine_.find(id);
                                                 const core::Invoice* held = now ? core::held(*now) : nullptr;
                                                 if (held && held->issued.payment_hash == expiry.payment_hash)
                                                   stop_inference(id);  // nobody pays for the rest
                                                 post(core::NeverPaid{id, std::move(expiry)});
                                               }});
  if (watched) return;
  // No other can say whether it was paid: the job stays open until its own wallet is back.
  on_problem("job " + id.hex() + " waits for the wallet \"" + invoice.wallet +
             "\", which is not configured: name it in wallet.former_file");
}

// Until the wallet's own word about the payment ends it: nothing that it answers here does. Of several accounts of its
// kind each is told in turn.
void Runtime::resolve_hold(const core::JobId& id, const Work& work, std::uint32_t turn) {
  const Job* job = engine_.find(id);
  if (!job || failed_ || !engine_.in_flight(id, work)) return;
  const ledger::InvoiceIssued& invoice = job->invoices[work.attempt].issued;
  std::vector<wallet::Wallet*> accounts;
  std::ranges::copy_if(wallets_, std::back_inserter(accounts),
                       [&](auto* one) { return one->kind() == invoice.wallet; });
  if (accounts.empty()) return;  // said when it was to be watched
  const wallet::InvoiceOrder order{
      .job = id, .purpose = invoice.purpose, .attempt = invoice.attempt, .amount = invoice.amount, .hold = true};
  const auto done = [this, id, work, turn, hash = invoice.payment_hash](const Result<void>&) {
    settlements_.look(hash);
    const std::int64_t pause_ms = std::min(kLongestHoldPauseMs, kFirstHoldPauseMs << std::min(turn, 10u));
    ports_.scheduler.after(pause_ms, [this, id, work, turn] { resolve_hold(id, work, turn + 1); });
  };
  wallet::Wallet& account = *accounts[turn % accounts.size()];
  work.action == core::Action::take ? account.take(order, done) : account.give_back(order, done);
}

}  // namespace runtime
