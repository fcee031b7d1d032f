#include "tests/sim/process.h"

#include "ledger/checkpoint.h"
#include "pipeline/nostr/nip42.h"
#include "pipeline/wallet/paced_wallet.h"
#include "pipeline/wallet/supervised_wallet.h"
#include "replay/jobs_view.h"
#include "replay/pruning.h"
#include "replay/reconciliation.h"
#include "replay/recovery.h"
#include "tests/sim/referee.h"
#include "tests/sim/sim_link.h"

namespace sim {
namespace {

constexpr std::int64_t kDiskMs = 1;
constexpr std::int64_t kLongestCommitMs = 1'000;  // of all that waits for the disk
constexpr std::int64_t kReconciledMs = 3'600'000;
constexpr std::int64_t kFirstCheckpointMs = 1'000;
constexpr std::int64_t kCheckpointMs = 900'000;
constexpr std::int64_t kLongestAgeMs = 2 * 3'600'000;  // that any policy lets a request have

// What the process cannot read ends it, as it would end the real one. A disk that failed may work the next time.
template <class T>
T or_crash(base::Result<T> result) {
  if (!result && result.error().code.starts_with("sim.")) throw Crashed{};
  if (!result) throw Violation("the process does not start: " + result.error().describe());
  return std::move(*result);
}

// The world's wallet, as the real provider opens its own.
std::unique_ptr<wallet::Wallet> open_wallet(World& world, ProcessTime& time, const core::Policy& policy) {
  auto paced = std::make_unique<wallet::PacedWallet>(std::make_unique<SimWallet>(world, time), time);
  const wallet::ShopNeeds needs{.network = wallet::Network::regtest,
                                .hold = policy.payment_mode == ledger::PaymentMode::escrow};
  return std::make_unique<wallet::SupervisedWallet>(
      std::move(paced), needs, time, [&world] { return seeded_bytes(3, world.next_number()); },
      [](const std::string&) {});
}

std::unique_ptr<inference::Backend> open_backend(World& world, ProcessTime& time, const core::Policy& policy) {
  std::vector<std::string> models;
  for (const ledger::ModelOffer& offer : policy.models) models.push_back(offer.name);
  return std::make_unique<SimBackend>(world, time, std::move(models));
}

}  // namespace

// What relays lost on the way: an answer to what we asked may have come in part.
std::uint64_t lost_frames(const Faults& faults) {
  std::uint64_t out = 0;
  for (const Mishap one : {Mishap::relay_cut, Mishap::relay_dead, Mishap::relay_delays})
    out += faults.counts()[static_cast<std::size_t>(one)];
  return out;
}

// The world's disk as this process reads it.
class Process::ReadDisk final : public ledger::KeyValue {
 public:
  explicit ReadDisk(World& world) : world_(world) {}
  base::Result<void> commit(const ledger::Batch& batch) override { return world_.disk.commit(batch); }
  base::Result<std::optional<std::string>> get(ledger::Family family, std::string_view key) const override {
    if (fails()) return failure();
    return world_.disk.get(family, key);
  }
  base::Result<void> scan(ledger::Family family, std::string_view from, std::string_view until,
                          const Visitor& visit) const override {
    if (fails()) return failure();
    return world_.disk.scan(family, from, until, visit);
  }
  base::Result<void> scan_back(ledger::Family family, std::string_view from, std::string_view until,
                               const Visitor& visit) const override {
    if (fails()) return failure();
    return world_.disk.scan_back(family, from, until, visit);
  }

 private:
  bool fails() const { return world_.faults.strikes(Mishap::store_read_fails); }
  static tl::unexpected<base::Error> failure() {
    return base::fail(base::ErrorKind::invocation, "sim.read_failed", "the simulated disk cannot be read");
  }
  World& world_;
};

// Groups wait for the disk together and are durable together.
class Process::SimJournal final : public runtime::Journal {
 public:
  explicit SimJournal(Process& process) : process_(process), reader_(*process.disk_) {}

  void append(ledger::Group group, std::function<void(base::Result<void>)> done) override {
    if (groups_.empty()) process_.time_.after(kDiskMs, [this] { flush(); });
    groups_.push_back(std::move(group));
    waiting_.push_back(std::move(done));
  }
  base::Result<std::optional<std::string>> text(const base::TextRef& ref) override { return reader_.text(ref); }
  base::Result<std::optional<core::Job>> job(const base::JobId& id) override { return replay::find_job(reader_, id); }
  bool idle() const { return waiting_.empty(); }

 private:
  void flush() {
    const auto groups = std::exchange(groups_, {});
    const std::size_t count = groups.size();
    const auto result = process_.ledger_->append(groups);  // may throw Crashed
    for (std::size_t i = 0; i < count; ++i) {
      const auto done = std::move(waiting_.front());
      waiting_.pop_front();
      done(result);
    }
  }
  Process& process_;
  ledger::Reader reader_;
  std::vector<ledger::Group> groups_;
  std::deque<std::function<void(base::Result<void>)>> waiting_;
};

Process::Process(World& world, const core::Policy& policy, core::EntryLimits entries)
    : world_(world),
      time_(world.time, world.clock_error_ms),
      projections_(replay::projections()),
      disk_(std::make_unique<ReadDisk>(world)),
      wallet_(open_wallet(world, time_, policy)),
      payer_(world, time_),
      backend_(open_backend(world, time_, policy), time_),
      web_(world, time_),
      policy_(policy),
      lost_frames_(lost_frames(world.faults)) {
  policy_.provider = world.provider_key.public_key();
  world.referee->begin_life();
  std::vector<ledger::Projection*> views;
  for (const auto& one : projections_) views.push_back(one.get());
  ledger_ = or_crash(ledger::Ledger::open(*disk_, views));
  journal_ = std::make_unique<SimJournal>(*this);
  runtime_ = std::make_unique<runtime::Runtime>(
      runtime::Ports{.journal = *journal_,
                     .wallet = *wallet_,
                     .payer = &payer_,
                     .payer_account = "simulated 01",
                     .backend = backend_,
                     .relays = relays_,
                     .web = web_,
                     .scheduler = time_,
                     .random = [&world] { return seeded_bytes(1, world.next_number()); },
                     .disk_low = [&world] { return world.time.now() < world.space_back_at; }},
      world.provider_key,
      runtime::Options{.own_relays = world.relay_urls(),
                       .networks = {wallet::Network::regtest},
                       .entries = entries,
                       .answer_limit_ms = kAnswerLimitMs},
      or_crash(replay::recover(ledger::Reader(*disk_), time_.now())),
      runtime::RuntimeHooks{.fatal = [this](base::Error error) { failure_ = std::move(error); },
                            .readiness = {.observe = [this](core::Observations& seen) { observe(seen); }},
                            .cursors = [this] { return cursors(); }});
}

void Process::start(bool accept_rollback) {
  start_relays();
  start_watch(accept_rollback);
}

void Process::observe(core::Observations& seen) const {
  if (!hub_) return;
  for (const nostr::RelayHealth& relay : hub_->health()) {
    if (!relay.own) continue;
    core::Observation& one = seen.relays.emplace_back(core::Observation{.which = relay.url});
    if (relay.state != nostr::RelayState::live && !relay.reason.empty())
      one.error = base::Error{base::ErrorKind::connection, "relay.unreachable", relay.reason, {}, {}};
  }
}

void Process::start_watch(bool accept_rollback) {
  watch_ = std::make_unique<runtime::RollbackWatch>(
      runtime::RollbackWatch::Ports{.relays = relays_,
                                    .scheduler = time_,
                                    .journal = *journal_,
                                    .reader = ledger::Reader(*disk_),
                                    .accepted = [this] { return replay::accepted_rollback(ledger::Reader(*disk_)); },
                                    .ask_wallet = [this](const std::function<void()>& done) { reconcile(done); },
                                    .sign =
                                        [this](nostr::Unsigned event) {
                                          return nostr::sign(std::move(event), world_.provider_key,
                                                             {seeded_bytes(3, world_.next_number()).bytes});
                                        }},
      runtime::RollbackWatch::Options{
          .us = world_.provider_key.public_key(), .own_relays = world_.relay_urls(), .accept = accept_rollback},
      runtime::RollbackWatch::Hooks{.open = [this] { open(); },
                                    .release = [this] { release(); },
                                    .readable = [this] { go_on(); },
                                    .accepted =
                                        [this](ledger::RollbackAccepted accepted) {
                                          runtime_->order(core::RollbackConfirmed{std::move(accepted)});
                                        },
                                    .refused = [this](base::Error error) { failure_ = std::move(error); }});
  watch_->start();
}

void Process::open() {
  backend_.prove(policy_.models);
  runtime_->start(policy_, "simulated");
  online_ = true;
  reconcile_later();
  time_.after(kFirstCheckpointMs, [this] { publish_checkpoints(); });
}

void Process::release() {
  // A clock that was wrong puts what it signed before what was accepted.
  const bool clock_was_right = world_.clock_set_at == TimeMs{};
  const bool heard_all = watch_->all_checked() && lost_frames(world_.faults) == lost_frames_ && clock_was_right;
  world_.referee->on_release(heard_all);
  may_resume_ = true;
  go_on();
}

void Process::go_on() {
  if (!may_resume_ || !hub_ || runtime_->draining()) return;
  if (!std::exchange(taken_up_, true)) runtime_->take_up_open_jobs();
  for (const std::string& relay : watch_->readable()) hub_->read(relay);
}

std::string Process::checkpoint() {
  const auto sign = [this](const base::Hash256& digest) {
    return base::Result<base::Signature>(
        world_.provider_key.sign(digest.view(), {seeded_bytes(4, world_.next_number()).bytes}));
  };
  const ledger::TreeHead head = ledger_->head();
  const auto note = or_crash(ledger::sign_checkpoint({.size = head.size, .root = head.root, .time = time_.now()},
                                                     world_.provider_key.public_key(), sign));
  if (const auto kept = ledger_->put_checkpoint(head.size, note); !kept) failure_ = kept.error();
  return note;
}

void Process::publish_checkpoints() {
  watch_->publish(checkpoint());
  time_.after(kCheckpointMs, [this] { publish_checkpoints(); });
}

// As the real provider does, but hourly: what the wallet lists and the ledger lacks is looked up again.
void Process::reconcile_later() {
  time_.after(kReconciledMs, [this] { reconcile([this] { reconcile_later(); }); });
}

void Process::reconcile(const std::function<void()>& done) {
  wallet_->list_paid({}, [this, done](const base::Result<std::vector<wallet::PaidInvoice>>& listed) {
    if (listed) compare(*listed);
    done();
  });
}

void Process::compare(const std::vector<wallet::PaidInvoice>& listed) {
  const auto books = or_crash(replay::reconcile(ledger::Reader(*disk_), {{wallet_->kind(), listed}},
                                                {.since = TimeMs{}, .until = TimeMs{INT64_MAX}}));
  for (const replay::Difference& difference : books.differences) {
    if (difference.kind == replay::Difference::Kind::not_recorded) {
      runtime_->invoicing().settle_late(difference.job, difference.payment_hash);
    }
    const bool may_be_ours =
        difference.kind == replay::Difference::Kind::orphan && world_.wallet.identity == WalletIdentity::label;
    if (!may_be_ours) continue;
    const auto lost =
        or_crash(replay::job_of_lost_invoice(ledger::Reader(*disk_), difference, &WalletBooks::preimage_of));
    if (lost) watch_->found({"the wallet was paid for a lost invoice of job " + lost->hex(), difference.settled_at});
  }
}

std::vector<std::pair<std::string, TimeMs>> Process::cursors() const {
  std::vector<std::pair<std::string, TimeMs>> out;
  if (!hub_) return out;
  for (const auto& url : world_.relay_urls()) {
    if (const auto cursor = hub_->cursor(url)) out.emplace_back(url, *cursor);
  }
  return out;
}

Process::~Process() {
  watch_.reset();
  if (hub_) hub_->abandon();
}

void Process::start_relays() {
  nostr::HubOptions options{
      .wanted = {nostr::request_filter(world_.provider_key.public_key(), true, nostr::served_kinds({}))},
      .reads_at_once = false,
      .us = world_.provider_key.public_key(),
      .limits = {.overlap_ms = kLongestAgeMs},
      .clock = [this] { return time_.now(); }};
  nostr::HubPorts ports{
      .link =
          [this](const net::RelayUrl& url, bool own, nostr::RelayLinkHandlers handlers) {
            nostr::RelaySessionOptions session{
                .url = url.text(),
                .persistent = own,
                .random = [&world = world_] { return static_cast<double>(world.next_number() % 97) / 97; },
                .sign_auth =
                    [&world = world_](const std::string& relay, const std::string& challenge, TimeMs now) {
                      return std::optional(nostr::auth_event(world.provider_key, relay, challenge, now,
                                                             {seeded_bytes(2, world.next_number()).bytes}));
                    }};
            return std::make_unique<SimLink>(world_, time_, session, std::move(handlers));
          },
      .post = [this](std::function<void()> task) { time_.after(0, std::move(task)); },
      .dispatch = [](const std::function<void()>& task) { task(); },
      .verify =
          [this](std::shared_ptr<const nostr::Event> event, std::function<void(std::optional<nostr::Refusal>)> done) {
            time_.after(1, [event = std::move(event), done = std::move(done)] { done(nostr::judge(*event)); });
          }};
  nostr::PoolHandlers handlers{
      .on_event =
          [this](nostr::Received received) {
            runtime_->on_request(received.event, std::move(received.raw), received.relay, std::move(received.receipt));
          },
      .on_control = [this](const nostr::Received& received) { runtime_->on_control(received.event, received.relay); },
      .on_refused = [this](const std::string&,
                           nostr::Refusal why) { runtime_->on_refused(std::string(nostr::name(why))); },
      .on_health =
          [this](const std::string& relay, nostr::RelayState state, const std::string&) {
            state == nostr::RelayState::live ? watch_->connected(relay) : watch_->disconnected(relay);
            runtime_->readiness_watch().judge();
          },
      .on_notice = [](const std::string&, const std::string&) {}};
  hub_ = std::make_shared<nostr::RelayHub>(std::move(options), std::move(ports), std::move(handlers));
  std::map<std::string, TimeMs> cursors;
  for (const auto& url : world_.relay_urls()) {
    hub_->add_own(*net::parse_relay_url(url));
    if (const auto cursor = or_crash(ledger::Reader(*disk_).cursor(url))) cursors[url] = *cursor;
  }
  relays_.use(hub_.get());
  hub_->start(cursors);
}

void Process::go_offline(bool at_once) {
  if (!online_ || runtime_->draining()) return;
  drain_under_way_ = ++drains_;
  if (at_once) {
    time_.after(runtime::Drain::kModelLimitMs + runtime::Drain::kLimitMs + kLongestCommitMs, [this, drain = drains_] {
      if (drain == drain_under_way_)
        throw Violation("a drain does not end: it waits for " + runtime_->last_drain().waiting_for());
    });
  }
  const auto model_limit_ms = at_once ? std::optional(runtime::Drain::kModelLimitMs) : std::nullopt;
  runtime_->drain("told so", model_limit_ms, [this] {
    drain_under_way_ = 0;
    watch_->publish_last(checkpoint(), [this] {
      relays_.use(nullptr);
      hub_->shut_down();
      // What still waited in the hub is answered first.
      time_.after(1, [this] {
        hub_->abandon();
        hub_.reset();
      });
    });
  });
}

void Process::go_online() {
  if (hub_) return;  // never offline, or still draining
  runtime_->go_online("simulated");
  backend_.prove(policy_.models);
  start_relays();
  go_on();
}

void Process::prune(TimeMs before) {
  or_crash(replay::prune(ledger::Reader(*disk_), before, [this](core::PruningOrdered batch) {
    runtime_->order(std::move(batch));
    return base::Result<void>();
  }));
}

void Process::pay_back(const base::JobId& job, const std::string& bolt11) {
  if (!may_resume_) return;
  runtime_->refund_desk().order(job, {.bolt11 = bolt11}, [](const base::Result<runtime::RefundOutcome>&) {});
}

void Process::close(const base::JobId& job) {
  runtime_->invoicing().close(job, "never paid: simulated", [](const base::Result<void>&) {});
}

void Process::retry(const base::JobId& job) {
  if (!may_resume_) return;
  runtime_->order(runtime::ResultRetry{job, [](const base::Result<std::vector<std::string>>&) {}});
}

const core::Engine* Process::settled_engine() const {
  return journal_->idle() ? &runtime_->engine() : nullptr;
}

}  // namespace sim
