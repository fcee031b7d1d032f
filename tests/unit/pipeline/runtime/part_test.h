// One part of the runtime alone: ports whose answers a test scripts, an engine to read, and the inputs that the part
// has posted, in virtual time.
#pragma once

#include <gtest/gtest.h>

#include "pipeline/nostr/nip01.h"
#include "pipeline/runtime/context.h"
#include "tests/sim/virtual_time.h"

namespace runtime {

class ScriptedJournal final : public Journal {
 public:
  explicit ScriptedJournal(base::Scheduler& scheduler) : scheduler_(scheduler) {}
  void append(ledger::Group group, std::function<void(base::Result<void>)> done) override {
    for (const auto& entry : group.entries) {
      for (const ledger::Text& text : entry.texts) texts[ledger::ref(text).hex()] = text.bytes;
    }
    std::ranges::move(group.entries, std::back_inserter(entries));
    scheduler_.after(1, [done] { done({}); });
  }
  base::Result<std::optional<std::string>> text(const base::TextRef& ref) override {
    if (broken) return tl::unexpected(*broken);
    const auto found = texts.find(ref.hex());
    return found == texts.end() ? std::nullopt : std::optional(found->second);
  }
  base::Result<std::optional<core::Job>> job(const base::JobId& id) override {
    if (broken) return tl::unexpected(*broken);
    const auto found = jobs.find(id);
    return found == jobs.end() ? std::nullopt : std::optional(found->second);
  }
  // As if it had been appended before.
  base::TextRef keep(std::string bytes) {
    const ledger::Text text{.salt = {}, .bytes = std::move(bytes)};
    texts[ledger::ref(text).hex()] = text.bytes;
    return ledger::ref(text);
  }

  std::vector<ledger::NewEntry> entries;
  std::map<std::string, std::string> texts;
  std::map<base::JobId, core::Job> jobs;
  std::optional<base::Error> broken;  // when it cannot be read

 private:
  base::Scheduler& scheduler_;
};

// Keeps what it was asked; the test answers.
struct RecordingWallet final : wallet::Wallet {
  using Answered = std::function<void(base::Result<void>)>;
  std::string kind() const override { return name; }
  wallet::Abilities abilities() const override { return able; }
  bool play_money() const override { return true; }
  base::Msat unit() const override { return {1}; }
  base::Msat minimum() const override { return {1}; }
  void create_invoice(const wallet::InvoiceOrder& order,
                      std::function<void(base::Result<wallet::MadeInvoice>)> done) override {
    ordered.push_back(order);
    made = std::move(done);
  }
  void look_up(const ledger::InvoiceIssued&, std::function<void(base::Result<wallet::LookupAnswer>)> done) override {
    ++looked_up;
    found = std::move(done);
  }
  void status(std::function<void(base::Result<wallet::WalletStatus>)>) override {}
  void take(const wallet::InvoiceOrder& order, Answered done) override {
    taken.push_back(order);
    resolved = std::move(done);
  }
  void give_back(const wallet::InvoiceOrder& order, Answered done) override {
    given_back.push_back(order);
    resolved = std::move(done);
  }

  std::string name = "scripted";
  wallet::Abilities able;
  std::vector<wallet::InvoiceOrder> ordered;
  std::function<void(base::Result<wallet::MadeInvoice>)> made;
  int looked_up = 0;
  std::function<void(base::Result<wallet::LookupAnswer>)> found;
  std::vector<wallet::InvoiceOrder> taken;
  std::vector<wallet::InvoiceOrder> given_back;
  Answered resolved;
};

// Pays what it is told to, or answers as it is told to answer.
struct ScriptedSpender final : wallet::Payer {
  explicit ScriptedSpender(base::Scheduler& scheduler_) : scheduler(scheduler_) {}
  void pay(const wallet::PaymentOrder& order, std::function<void(base::Result<wallet::PaymentAnswer>)> done) override {
    paid.push_back(order);
    scheduler.after(10, [this, done] { done(pays); });
  }
  void look_up(const wallet::PaymentOrder&, std::function<void(base::Result<wallet::PaymentAnswer>)> done) override {
    scheduler.after(10, [this, done] { done(knows); });
  }
  base::Scheduler& scheduler;
  base::Result<wallet::PaymentAnswer> pays = wallet::PaymentMade{.fee = base::Msat{1'000}};
  base::Result<wallet::PaymentAnswer> knows = wallet::Unknown{};
  std::vector<wallet::PaymentOrder> paid;
};

// One generation at a time, which says what the test makes it say.
struct ScriptedBackend final : inference::Backend {
  struct One final : inference::Generation {
    explicit One(bool& running_) : running(running_) { running = true; }
    ~One() override { running = false; }
    bool& running;
  };
  std::unique_ptr<inference::Generation> chat(const inference::ChatRequest& request, OnText text_,
                                              OnDone done_) override {
    asked.push_back(request);
    text = std::move(text_);
    done = std::move(done_);
    return std::make_unique<One>(running);
  }
  void status(std::function<void(base::Result<inference::BackendStatus>)>) override {}
  std::vector<inference::ChatRequest> asked;
  OnText text;
  OnDone done;
  bool running = false;
};

// Keeps what was published and watched; the test gives the relays' answers.
struct RecordingRelays final : nostr::Relays {
  struct Publication {
    std::string relay;
    nostr::Event event;
    std::function<void(ledger::RelayAnswer)> done;
  };
  void publish_watched(const std::string& relay, const std::string& json, const base::EventId& id,
                       std::function<void(ledger::RelayAnswer)> done, std::function<void()> sent) override {
    publish(relay, json, id, std::move(done));
    sent();
  }
  void publish(const std::string& relay, const std::string& json, const base::EventId&,
               std::function<void(ledger::RelayAnswer)> done) override {
    published.push_back({relay, *nostr::parse_event(json), std::move(done)});
  }
  void query(const std::string&, nostr::Filter, std::function<void(base::Result<std::vector<nostr::Event>>)>) override {
    ++queries;
  }
  base::Result<void> watch(std::vector<nostr::Filter> filters) override {
    watched.push_back(std::move(filters));
    return watch_answer;
  }
  unsigned required_pow(const std::string&) const override { return 0; }
  std::vector<Publication> published;
  std::vector<std::vector<nostr::Filter>> watched;
  base::Result<void> watch_answer;
  int queries = 0;
};

// Every page has this text.
struct ScriptedWeb final : web::PageReader {
  explicit ScriptedWeb(base::Scheduler& scheduler_) : scheduler(scheduler_) {}
  void get(const std::string&, std::function<void(base::Result<std::string>)> done) override {
    scheduler.after(10, [this, done] { done(page); });
  }
  base::Scheduler& scheduler;
  base::Result<std::string> page = std::string("a page");
};

class PartTest : public testing::Test {
 protected:
  static constexpr base::TimeMs kStart{1'700'000'000'000};
  static constexpr std::int64_t kTestInvoiceLifeMs = 600'000;

  // The engine as it is with these jobs open.
  void open(std::vector<core::Job> jobs, core::Policy policy = {.result_event_limit_bytes = 60'000}) {
    engine = core::Engine({.time = kStart, .policy = std::move(policy), .open_jobs = std::move(jobs)});
  }
  void pass(std::int64_t ms) {
    const base::TimeMs until = world.now() + ms;
    while (world.step(until)) {
    }
  }
  // What was posted of this type, in order.
  template <class T>
  std::vector<T> all() const {
    std::vector<T> out;
    for (const core::Input& one : posted) {
      if (const T* found = std::get_if<T>(&one)) out.push_back(*found);
    }
    return out;
  }

  // A job that the customer asked for, quoted at 9 sat and to be paid afterwards; the ledger has its request.
  core::Job sample_job() {
    const nostr::Event request = nostr::sign(
        {.kind = 5050, .created_at_s = kStart.ms / 1000, .tags = {{"i", "Tell me a story", "text"}}, .content = {}},
        customer, {});
    core::Job job{.id = request.id, .requested_at = kStart, .updated_at = kStart};
    job.request = ledger::JobRequested{.request = journal.keep(nostr::to_json(request)),
                                       .customer = customer.public_key(),
                                       .kind = 5050,
                                       .relay = "wss://theirs.example"};
    job.quote = ledger::JobQuoted{.terms = {.name = "llama", .context_tokens = 4'096},
                                  .price = {9'000},
                                  .input_tokens = 8,
                                  .max_output_tokens = 100,
                                  .payment_mode = ledger::PaymentMode::result_first};
    return job;
  }

  // One that was made at kStart and lives for ten minutes.
  static std::string invoice(base::Msat amount, const std::string& preimage) {
    const auto hash = base::sha256(preimage);
    const wallet::Invoice one{.network = wallet::Network::regtest,
                              .amount = amount,
                              .timestamp_s = kStart.ms / 1000,
                              .payment_hash = hash,
                              .payment_secret = hash,
                              .description = "a test",
                              .expiry_s = kTestInvoiceLifeMs / 1000,
                              .features = {8, 14}};
    return wallet::encode_bolt11(one, wallet::NodeKey{base::sha256("node").bytes}).value();
  }

  sim::VirtualTime world{kStart};
  sim::ProcessTime time{world};
  nostr::SecretKey key = *nostr::SecretKey::from_bytes(std::string(32, '\x07'));
  nostr::SecretKey customer = *nostr::SecretKey::from_bytes(std::string(32, '\x09'));
  ScriptedJournal journal{time};
  RecordingWallet wallet;
  ScriptedSpender spender{time};
  ScriptedBackend backend;
  RecordingRelays relays;
  ScriptedWeb web{time};
  bool disk_low = false;
  Ports ports{.journal = journal,
              .wallet = wallet,
              .payer = &spender,
              .payer_account = "scripted 01",
              .backend = backend,
              .relays = relays,
              .web = web,
              .scheduler = time,
              .random = [] { return base::Salt{}; },
              .disk_low = [this] { return disk_low; }};
  Options options{.own_relays = {"wss://ours.example"}, .networks = {wallet::Network::regtest}};
  core::Engine engine;

  std::vector<core::Input> posted;
  std::vector<base::Error> failures;
  std::vector<std::string> problems;
  Context context{.ports = ports,
                  .key = key,
                  .options = options,
                  .engine = engine,
                  .post = [this](core::Input input) { posted.push_back(std::move(input)); },
                  .fail = [this](const base::Error& error) { failures.push_back(error); },
                  .all_durable = [] { return true; },
                  .failed = [this] { return !failures.empty(); },
                  .problem = [this](const std::string& what) { problems.push_back(what); }};
};

inline base::Error unreadable() {
  return {base::ErrorKind::job_processing, "ledger.io", "the disk does not answer"};
}

}  // namespace runtime
