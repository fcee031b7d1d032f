#include "tests/sim/process.h"

#include <stdexcept>

#include "replay/recovery.h"

namespace sim {
namespace {

constexpr std::int64_t kDiskMs = 1;
constexpr std::int64_t kTokenMs = 10;

const std::string kRelay = "wss://relay.example";

template <class T>
T must(ledger::Result<T> result) {
  if (!result) throw std::logic_error(result.error().describe());
  return std::move(*result);
}

}  // namespace

// Groups wait for the disk together and are durable together.
class Process::SimJournal final : public runtime::Journal {
 public:
  SimJournal(Process& process) : process_(process), reader_(process.world_.disk) {}

  void append(ledger::Group group, std::function<void(ledger::Result<void>)> done) override {
    if (groups_.empty()) process_.time_.after(kDiskMs, [this] { flush(); });
    groups_.push_back(std::move(group));
    waiting_.push_back(std::move(done));
  }
  ledger::Result<std::optional<std::string>> text(const ledger::TextRef& ref) override { return reader_.text(ref); }
  ledger::Result<std::optional<core::Job>> job(const ledger::JobId& id) override {
    return replay::find_job(reader_, id);
  }

 private:
  void flush() {
    const auto groups = std::exchange(groups_, {});
    const auto waiting = std::exchange(waiting_, {});
    const auto result = process_.ledger_->append(groups);  // may throw Crashed
    for (const auto& done : waiting) done(result);
  }
  Process& process_;
  ledger::Reader reader_;
  std::vector<ledger::Group> groups_;
  std::vector<std::function<void(ledger::Result<void>)>> waiting_;
};

class Process::SimWallet final : public wallet::Wallet {
 public:
  SimWallet(Process& process) : process_(process) {}
  std::string kind() const override { return "simulated"; }
  bool play_money() const override { return true; }
  ledger::Msat unit() const override { return {1000}; }
  ledger::Msat minimum() const override { return {1000}; }

  void create_invoice(const wallet::InvoiceOrder& order,
                      std::function<void(ledger::Result<std::string>)> done) override {
    World& world = process_.world_;
    // The order arrives whether or not the process lives to hear the answer.
    world.time.after(kNetworkMs, [&world, order, done = process_.time_.mortal(std::move(done))] {
      const std::string bolt11 = world.wallet.create(order, world.time.now());
      world.time.after(kNetworkMs, [done, bolt11] { done(bolt11); });
    });
  }

  void look_up(const ledger::Hash256& payment_hash,
               std::function<void(ledger::Result<wallet::LookupAnswer>)> done) override {
    World& world = process_.world_;
    world.time.after(kNetworkMs, [&world, payment_hash, done = process_.time_.mortal(std::move(done))] {
      done(answer(world, payment_hash));
    });
  }

  void status(std::function<void(ledger::Result<wallet::WalletStatus>)> done) override {
    process_.time_.after(kNetworkMs, [done = std::move(done)] { done(wallet::WalletStatus{.name = "simulated"}); });
  }

 private:
  static wallet::LookupAnswer answer(const World& world, const ledger::Hash256& payment_hash) {
    const auto it = world.wallet.invoices.find(payment_hash);
    if (it == world.wallet.invoices.end()) return wallet::Unknown{};
    const auto& invoice = it->second;
    if (invoice.paid_at) {
      return ledger::InvoiceSettled{
          .payment_hash = payment_hash, .received = invoice.amount, .settled_at = *invoice.paid_at, .evidence = "paid"};
    }
    if (invoice.expires_at <= world.time.now()) return wallet::Expired{.evidence = "expired"};
    return wallet::Open{};
  }
  Process& process_;
};

class Process::SimBackend final : public inference::Backend {
 public:
  SimBackend(Process& process) : process_(process) {}

  std::unique_ptr<inference::Generation> chat(const inference::ChatRequest& request, OnText text,
                                              OnDone done) override {
    World& world = process_.world_;
    if (world.inference_failures > 0) {
      --world.inference_failures;
      process_.time_.after(kTokenMs, [done] {
        done(tl::unexpected(inference::Failure{ledger::InferenceFailure::cut_off, "the stream ended early"}));
      });
      return std::make_unique<inference::Generation>();
    }
    const std::string answer = "You asked: " + request.messages.back().content;
    process_.time_.after(kTokenMs, [text, answer] { text(answer); });
    process_.time_.after(2 * kTokenMs, [done, answer] {
      done(inference::Completion{.text = answer,
                                 .input_tokens = 12,
                                 .output_tokens = 40,
                                 .finish = ledger::FinishReason::stop,
                                 .total_ms = 20});
    });
    return std::make_unique<inference::Generation>();
  }

  void status(std::function<void(ledger::Result<inference::BackendStatus>)> done) override {
    process_.time_.after(kNetworkMs, [done = std::move(done)] { done(inference::BackendStatus{}); });
  }

 private:
  Process& process_;
};

class Process::SimRelays final : public runtime::Relays {
 public:
  SimRelays(Process& process) : process_(process) {}
  void publish(const std::string& relay, const std::string& event_json, const ledger::EventId&,
               std::function<void(ledger::RelayAnswer)> done) override {
    World& world = process_.world_;
    world.time.after(kNetworkMs, [&world, relay, event_json, done = process_.time_.mortal(std::move(done))] {
      const auto answer = world.publish(relay, event_json);
      world.time.after(kNetworkMs, [done, answer] { done(answer); });
    });
  }

 private:
  Process& process_;
};

Process::Process(World& world, const core::Policy& policy)
    : world_(world), time_(world.time), projections_(replay::projections()) {
  std::vector<ledger::Projection*> views;
  for (const auto& one : projections_) views.push_back(one.get());
  auto opened = ledger::Ledger::open(world.disk, views);
  if (!opened) throw Crashed{};  // it says so and ends
  ledger_ = std::move(*opened);
  journal_ = std::make_unique<SimJournal>(*this);
  wallet_ = std::make_unique<SimWallet>(*this);
  backend_ = std::make_unique<SimBackend>(*this);
  relays_ = std::make_unique<SimRelays>(*this);
  runtime_ = std::make_unique<runtime::Runtime>(
      runtime::Ports{.journal = *journal_,
                     .wallet = *wallet_,
                     .backend = *backend_,
                     .relays = *relays_,
                     .scheduler = time_,
                     .random = [&world] { return seeded_bytes(1, world.next_number()); },
                     .disk_low = [] { return false; }},
      world.provider_key, runtime::Options{.own_relays = {kRelay}, .networks = {wallet::Network::regtest}},
      must(replay::recover(ledger::Reader(world.disk), world.time.now())),
      [this](ledger::Error error) { failure_ = std::move(error); });
  runtime_->start(policy, "simulated");
  // The relay sends everything that it holds, as after any reconnect.
  for (const auto& [id, job] : world.jobs) {
    time_.after(kNetworkMs, [this, &job] { runtime_->on_request(job.request, job.raw, kRelay, nullptr); });
  }
}

}  // namespace sim
