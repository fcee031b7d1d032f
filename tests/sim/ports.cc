#include "tests/sim/ports.h"

#include <nlohmann/json.hpp>

#include "pipeline/inference/ollama_api.h"
#include "pipeline/inference/ollama_stream.h"
#include "pipeline/inference/supervised_backend.h"
#include "pipeline/loopback/stand_in.h"
#include "pipeline/runtime/gathering.h"
#include "pipeline/wallet/replies.h"
#include "pipeline/wallet/supervised_wallet.h"
#include "tests/sim/referee.h"

namespace sim {

using base::ErrorKind;
using nlohmann::json;

namespace {

constexpr std::int64_t kWalletTimeoutMs = 10'000;
constexpr std::int64_t kStallMs = 60'000;
constexpr std::int64_t kThoughtMs = 5'000;  // between two lines of a model that never ends

constexpr std::int64_t kLongestPauseS = 30;  // that the wallet asks for
constexpr std::int64_t kLongestInabilityMs = 1'800'000;

constexpr double kForgottenForGood = 0.02;

// For some minutes, or for longer than we ask about it.
void maybe_forget(World& world, const base::Hash256& payment_hash) {
  const TimeMs now = world.time.now();
  if (!world.wallet.may_be_forgotten(payment_hash, now) || !world.faults.strikes(Mishap::wallet_forgets)) return;
  Dice& dice = world.faults.dice();
  const bool for_good = dice.chance(kForgottenForGood);
  world.wallet.forget(payment_hash, now + (for_good ? dice.between(25, 27) * kHourMs : dice.between(1, 90) * 60'000));
}

auto unreachable_error() {
  return base::fail(ErrorKind::payment, "wallet.unreachable", "the wallet does not answer");
}

// An invoice that proves what the wallet can do. It is of no job.
bool is_probe(const wallet::InvoiceOrder& order) {
  return order.description.starts_with(wallet::kProbeDescription);
}

}  // namespace

// ---- the wallet -----------------------------------------------------------------------------------------------------

bool SimWallet::unreachable() {
  if (world_.faults.strikes(Mishap::wallet_unreachable)) {
    world_.wallet_back_at = world_.time.now() + world_.faults.dice().between(1'000, 300'000);
  }
  return world_.time.now() < world_.wallet_back_at;
}

// For a while it makes no invoices: a credential without that right.
bool SimWallet::unable() {
  if (world_.time.now() < world_.wallet_able_at) return true;
  if (!world_.faults.strikes(Mishap::wallet_is_unable)) return false;
  world_.wallet_able_at = world_.time.now() + world_.faults.dice().between(1'000, kLongestInabilityMs);
  world_.wallet_blind = world_.faults.dice().chance(0.5);
  world_.referee->on_unable();
  return true;
}

// It cannot be reached, or wants to be left alone.
bool SimWallet::turns_away(const Refused& refused) {
  if (unreachable()) {
    refuse(kWalletTimeoutMs, refused, unreachable_error());
    return true;
  }
  const TimeMs now = world_.time.now();
  world_.referee->on_wallet_call();
  const bool wants_more = now < world_.wallet_alone_until;
  if (!wants_more && !world_.faults.strikes(Mishap::wallet_throttles)) return false;
  std::int64_t pause_s = (world_.wallet_alone_until - now + 999) / 1'000;
  if (!wants_more) pause_s = world_.faults.dice().between(0, kLongestPauseS);
  if (!wants_more) world_.wallet_alone_until = now + pause_s * 1'000;
  world_.referee->on_pause_asked(now + 2 * kNetworkMs, now + 2 * kNetworkMs + pause_s * 1'000);
  refuse(2 * kNetworkMs, refused, wallet::rate_limited("slow down", pause_s));
  return true;
}

void SimWallet::refuse(std::int64_t after_ms, const Refused& refused, const tl::unexpected<base::Error>& why) {
  time_.after(after_ms, [this, refused, why] {
    world_.wallet_failed_at = world_.time.now();
    refused(why);
  });
}

void SimWallet::create_invoice(const wallet::InvoiceOrder& order,
                               std::function<void(base::Result<wallet::MadeInvoice>)> done) {
  world_.on_port_call();
  if (turns_away(done)) return;
  if (!is_probe(order)) world_.referee->on_order(order);
  if (unable()) {
    refuse(
        2 * kNetworkMs,
        [this, done](const auto& why) {
          world_.referee->on_order_refused();
          done(why);
        },
        wallet::unauthorized("permission denied"));
    return world_.on_port_call();
  }
  if (world_.faults.strikes(Mishap::wallet_fails)) {
    refuse(2 * kNetworkMs, done, unreachable_error());
    return world_.on_port_call();
  }
  // The order arrives whether or not the process lives to hear the answer.
  world_.time.after(kNetworkMs, [&world = world_, order, done = time_.mortal(std::move(done))] {
    const bool wrong = world.faults.strikes(Mishap::wallet_wrong_amount);
    const std::string bolt11 =
        wrong ? world.wallet.create_wrong(order, world.time.now()) : world.wallet.create(order, world.time.now());
    if (wrong) world.wallet_failed_at = world.time.now();
    if (world.faults.strikes(Mishap::wallet_loses_answer)) {
      world.wallet_failed_at = world.time.now() + kWalletTimeoutMs;
      return world.time.after(kWalletTimeoutMs, [done] { done(unreachable_error()); });
    }
    world.time.after(kNetworkMs, [done, bolt11] { done(wallet::MadeInvoice{.bolt11 = bolt11}); });
  });
  world_.on_port_call();
}

void SimWallet::look_up(const ledger::InvoiceIssued& invoice,
                        std::function<void(base::Result<wallet::LookupAnswer>)> done) {
  world_.on_port_call();
  if (turns_away(done)) return;
  if (world_.time.now() < world_.wallet_able_at && world_.wallet_blind)
    return refuse(2 * kNetworkMs, done, wallet::unauthorized("permission denied"));
  world_.time.after(kNetworkMs,
                    [&world = world_, payment_hash = invoice.payment_hash, done = time_.mortal(std::move(done))] {
                      maybe_forget(world, payment_hash);
                      const auto answer = world.wallet.look_up(payment_hash, world.time.now());
                      done(answer);
                      const bool settled = std::holds_alternative<ledger::InvoiceSettled>(answer);
                      if (settled && world.faults.strikes(Mishap::wallet_tells_twice)) {
                        world.time.after(world.faults.dice().between(1, 1'000), [done, answer] { done(answer); });
                      }
                    });
}

wallet::Abilities SimWallet::abilities() const {
  const bool none = world_.wallet.identity == WalletIdentity::none;
  return {.repeats = none ? wallet::Repeats::never : wallet::Repeats::by_label,
          .pushes = world_.wallet_pushes,
          .lists = true,
          .holds = true,
          .calls_per_minute = world_.wallet_calls_per_minute};
}

void SimWallet::list_paid(const wallet::ListOrder&,
                          std::function<void(base::Result<std::vector<wallet::PaidInvoice>>)> done) {
  if (turns_away(done)) return;
  time_.after(kNetworkMs, [this, done = std::move(done)] { done(world_.wallet.list_paid(world_.time.now())); });
}

void SimWallet::take(const wallet::InvoiceOrder& order, std::function<void(base::Result<void>)> done) {
  world_.on_port_call();
  if (turns_away(done)) return;
  world_.referee->on_take(order);
  resolve_hold([&world = world_, order] { world.wallet.take(order, world.time.now()); }, std::move(done));
}

void SimWallet::give_back(const wallet::InvoiceOrder& order, std::function<void(base::Result<void>)> done) {
  world_.on_port_call();
  if (turns_away(done)) return;
  if (!is_probe(order)) world_.referee->on_give_back(order);
  resolve_hold([&world = world_, order] { world.wallet.give_back(order); }, std::move(done));
}

// The order arrives whether or not the process lives to hear the answer.
void SimWallet::resolve_hold(std::function<void()> resolve, std::function<void(base::Result<void>)> done) {
  if (world_.faults.strikes(Mishap::wallet_fails_hold)) return refuse(kWalletTimeoutMs, done, unreachable_error());
  world_.time.after(kNetworkMs, std::move(resolve));
  time_.after(2 * kNetworkMs, [done] { done({}); });
  world_.on_port_call();
}

void SimWallet::on_news(News news) {
  const std::function<void(std::optional<base::Hash256>)> tell = std::move(news);
  world_.on_paid = [tell = time_.mortal(tell)](const base::Hash256& hash) { tell(hash); };
}

void SimWallet::status(std::function<void(base::Result<wallet::WalletStatus>)> done) {
  if (turns_away(done)) return;
  time_.after(kNetworkMs, [done = std::move(done)] { done(wallet::WalletStatus{.name = "simulated"}); });
}

// ---- paying back ----------------------------------------------------------------------------------------------------

void SimPayer::pay(const wallet::PaymentOrder& order, std::function<void(base::Result<wallet::PaymentAnswer>)> done) {
  world_.on_port_call();
  world_.referee->on_payment(order);
  Faults& faults = world_.faults;
  const auto lose = [&](std::int64_t after_ms) { time_.after(after_ms, [done] { done(unreachable_error()); }); };
  if (faults.strikes(Mishap::payer_refuses)) {
    return time_.after(2 * kNetworkMs,
                       [done] { done(base::fail(base::ErrorKind::payment, "wallet.refused", "not enough money")); });
  }
  if (world_.time.now() < world_.wallet_back_at || faults.strikes(Mishap::payer_loses_order)) {
    return lose(kWalletTimeoutMs);
  }
  PurseBooks::Payment payment{.amount = order.amount, .ends_at = world_.time.now() + 100};
  if (faults.strikes(Mishap::payer_fails)) payment.end = PurseBooks::End::failed;
  if (faults.strikes(Mishap::payer_is_slow))
    payment.ends_at = payment.ends_at + faults.dice().between(1'000, 3'600'000);
  // The order arrives whether or not the process lives to hear the answer.
  world_.time.after(kNetworkMs,
                    [&world = world_, order, payment] { world.purse.pay(order, payment, world.time.now()); });
  if (faults.strikes(Mishap::payer_loses_answer)) return lose(kWalletTimeoutMs);
  time_.after(200, [this, order, done] { done(world_.purse.look_up(order.payment_hash, world_.time.now())); });
  world_.on_port_call();
}

void SimPayer::look_up(const wallet::PaymentOrder& order,
                       std::function<void(base::Result<wallet::PaymentAnswer>)> done) {
  world_.on_port_call();
  if (world_.time.now() < world_.wallet_back_at) {
    return time_.after(kWalletTimeoutMs, [done = std::move(done)] { done(unreachable_error()); });
  }
  time_.after(kNetworkMs, [this, order, done = std::move(done)] {
    done(world_.purse.look_up(order.payment_hash, world_.time.now()));
  });
}

// ---- the backend ----------------------------------------------------------------------------------------------------

namespace {

// One stream under way. It ends with its generation or its process.
struct Stream : std::enable_shared_from_this<Stream> {
  ProcessTime& time;
  inference::Backend::OnText text;
  inference::Backend::OnDone done;
  inference::OllamaStream machine;
  std::int64_t line_ms;
  std::int64_t elapsed_ms = 0;

  Stream(ProcessTime& a_time, std::int64_t a_line_ms, inference::Backend::OnText on_text,
         inference::Backend::OnDone on_done)
      : time(a_time), text(std::move(on_text)), done(std::move(on_done)), line_ms(a_line_ms) {}

  // Feeds the machine after a while. What it says goes to the user.
  void then(std::int64_t delay_ms, std::function<inference::Progress(inference::OllamaStream&, std::int64_t)> feed) {
    elapsed_ms += delay_ms;
    time.after(elapsed_ms, [weak = weak_from_this(), feed = std::move(feed), at = elapsed_ms] {
      const auto self = weak.lock();
      if (!self) return;
      auto progress = feed(self->machine, at);
      if (!progress.text.empty()) self->text(progress.text);
      if (progress.end) self->done(std::move(*progress.end));
    });
  }
  void head(unsigned status) {
    then(line_ms, [status](auto& machine_, auto) { return machine_.on_head(status); });
  }
  void body(std::string bytes) {
    then(line_ms, [bytes = std::move(bytes)](auto& machine_, auto at) { return machine_.on_body(bytes, at); });
  }
  void end() {
    then(0, [](auto& machine_, auto at) { return machine_.on_end_of_body(at); });
  }
};

struct SimGeneration final : inference::Generation {
  explicit SimGeneration(std::shared_ptr<Stream> a_stream) : stream(std::move(a_stream)) {}
  std::shared_ptr<Stream> stream;
};

void refuse(Stream& stream, unsigned status, const std::string& message) {
  stream.head(status);
  stream.body(json{{"error", message}}.dump());
  stream.end();
}

std::string line(const std::string& model, const std::string& token) {
  return json{{"model", model}, {"message", {{"role", "assistant"}, {"content", token}}}, {"done", false}}.dump() +
         "\n";
}

std::string thinking_line(const std::string& model, const std::string& token) {
  const json message = {{"role", "assistant"}, {"content", ""}, {"thinking", token}};
  return json{{"model", model}, {"message", message}, {"done", false}}.dump() + "\n";
}

std::string last_line(const loopback::StandInAnswer& answer) {
  return json{{"model", answer.model},
              {"message", {{"role", "assistant"}, {"content", ""}}},
              {"done", true},
              {"done_reason", answer.done_reason},
              {"prompt_eval_count", answer.input_tokens},
              {"eval_count", answer.tokens.size()}}
             .dump() +
         "\n";
}

// Lines that bring no text, until long after the provider must have left.
void think_for_ever(Stream& stream, const std::string& model) {
  for (std::int64_t ms = 0; ms < 2 * kAnswerLimitMs; ms += kThoughtMs) {
    stream.then(kThoughtMs,
                [line = thinking_line(model, "Hm.")](auto& machine, auto at) { return machine.on_body(line, at); });
  }
}

// The tokens are spent, on thoughts or on blanks, and the stream ends as it should.
void say_nothing(Stream& stream, const loopback::StandInAnswer& answer, bool thinks) {
  for (const std::string& token : answer.tokens) {
    stream.body(thinks ? thinking_line(answer.model, token) : line(answer.model, " \n"));
  }
  stream.body(last_line(answer));
  stream.end();
}

// Whether it is so now; it may begin now, and then lasts for minutes.
bool lasts(World& world, Mishap mishap, TimeMs& until) {
  const TimeMs now = world.time.now();
  if (now >= until && world.faults.strikes(mishap))
    until = now + world.faults.dice().between(1'000, kLongestInabilityMs);
  if (now < until) world.backend_failed_at = until;
  return now < until;
}

std::uint64_t backend_failures(const Faults& faults) {
  std::uint64_t out = 0;
  for (auto i = static_cast<std::size_t>(Mishap::backend_refuses);
       i <= static_cast<std::size_t>(Mishap::backend_model_breaks); ++i)
    out += faults.counts()[i];
  return out;
}

void answer_with(World& world, Stream& stream, const loopback::StandInAnswer& answer, bool is_probe) {
  Faults& faults = world.faults;
  if (lasts(world, Mishap::backend_is_down, world.backend_back_at) || faults.strikes(Mishap::backend_refuses)) {
    return stream.then(kNetworkMs, [](auto& machine, auto) { return machine.on_connection_error("refused"); });
  }
  if (lasts(world, Mishap::backend_model_breaks, world.model_works_at)) {
    return refuse(stream, 500, "model requires more system memory than is available");
  }
  if (faults.strikes(Mishap::backend_5xx)) return refuse(stream, 500, "llama runner process has terminated");
  if (faults.strikes(Mishap::backend_busy)) return refuse(stream, 503, "server busy, please try again");
  if (answer.http_status != 200) return refuse(stream, answer.http_status, answer.error);
  stream.head(200);
  if (faults.strikes(Mishap::backend_never_ends)) return think_for_ever(stream, answer.model);
  if (faults.strikes(Mishap::backend_without_text)) return say_nothing(stream, answer, faults.dice().chance(0.5));
  bool cut = faults.strikes(Mishap::backend_cuts);
  if (!is_probe && world.inference_failures > 0) {
    --world.inference_failures;
    cut = true;
  }
  const bool bad = faults.strikes(Mishap::backend_bad_json);
  const bool error = faults.strikes(Mishap::backend_error_line);
  const bool stall = faults.strikes(Mishap::backend_stalls);
  const std::size_t whole = answer.tokens.size();
  const std::size_t sent = cut || bad || error || stall ? faults.dice().below(whole + 1) : whole;
  for (std::size_t i = 0; i < sent; ++i) stream.body(line(answer.model, answer.tokens[i]));
  if (bad) stream.body("<html>502</html>\n");
  if (error) stream.body(json{{"error", "an error was encountered while running the model"}}.dump() + "\n");
  if (stall) stream.then(kStallMs, [](auto& machine, auto) { return machine.on_timeout(kStallMs); });
  if (!cut) stream.body(last_line(answer));
  stream.end();
}

}  // namespace

std::unique_ptr<inference::Generation> SimBackend::chat(const inference::ChatRequest& request, OnText text,
                                                        OnDone done) {
  world_.on_port_call();
  const bool is_probe = request.messages.back().content == inference::kProbePrompt;
  if (!is_probe) world_.referee->on_chat(request.messages.back().content);
  const loopback::StandInModel models[] = {{request.model, 4096}};
  const auto answer = loopback::stand_in_answer(models, inference::make_chat_body(request));
  auto stream = std::make_shared<Stream>(time_, world_.line_ms, std::move(text), std::move(done));
  const auto failures = backend_failures(world_.faults);
  answer_with(world_, *stream, answer, is_probe);
  if (backend_failures(world_.faults) != failures)
    world_.backend_failed_at = std::max(world_.backend_failed_at, world_.time.now() + kAnswerLimitMs);
  world_.on_port_call();
  return std::make_unique<SimGeneration>(std::move(stream));
}

void SimBackend::status(std::function<void(base::Result<inference::BackendStatus>)> done) {
  time_.after(kNetworkMs, [this, done = std::move(done)] {
    if (world_.time.now() < world_.backend_back_at)
      return done(base::fail(ErrorKind::connection, "inference.unreachable", "connection refused"));
    inference::BackendStatus status;
    for (const std::string& model : models_) status.models.push_back({.name = model});
    done(std::move(status));
  });
}

// ---- the web --------------------------------------------------------------------------------------------------------

void SimWeb::get(const std::string& url, std::function<void(base::Result<std::string>)> done) {
  world_.on_port_call();
  Faults& faults = world_.faults;
  const std::int64_t after_ms = faults.strikes(Mishap::web_late) ? 2 * runtime::kMaxGatheringMs : 2 * kNetworkMs;
  base::Result<std::string> page = World::page(url);
  if (faults.strikes(Mishap::web_too_large)) page->append(runtime::kMaxGatheredBytes, '.');
  if (faults.strikes(Mishap::web_fails)) page = base::fail(ErrorKind::job_request, "web.status", "it is gone");
  time_.after(after_ms, [done = std::move(done), page = std::move(page)] { done(page); });
  world_.on_port_call();
}

}  // namespace sim
