// Going offline: it ends in the moment in which nothing is unfinished, and in time whatever model, wallet and relays
// do.
#include "pipeline/runtime/drain.h"

#include <gmock/gmock.h>

#include "pipeline/runtime/runtime.h"
#include "tests/unit/pipeline/runtime/part_test.h"

namespace runtime {
namespace {

using base::TimeMs;
using ledger::NoticePurpose;
using testing::ElementsAre;
using testing::IsEmpty;

// ---- by itself ------------------------------------------------------------------------------------------------------

class DrainTest : public testing::Test {
 protected:
  void begin(std::optional<std::int64_t> model_limit_ms = {}) {
    drain.begin("told so", model_limit_ms, [this] { ended.push_back(world.now().ms); });
  }
  void at(std::int64_t time_ms, std::function<void()> change) {
    time.after(time_ms - world.now().ms, [this, change = std::move(change)] {
      change();
      drain.check();
    });
  }
  void pass(std::int64_t ms) {
    const TimeMs until = world.now() + ms;
    while (world.step(until)) {
    }
  }
  void record(const std::string& reason) {
    reasons.push_back(reason);
    ++left.groups;
    at(world.now().ms + 1, [this] { --left.groups; });
  }

  sim::VirtualTime world{TimeMs{0}};
  sim::ProcessTime time{world};
  Unfinished left;
  std::vector<std::string> reasons, reports, given_up;
  std::vector<std::int64_t> ended;
  Drain drain{time,
              {.unfinished = [this] { return left; },
               .record = [this](const std::string& reason) { record(reason); },
               .waiting = [this](const std::string& what) { reports.push_back(what); },
               .given_up = [this](const std::string& what) { given_up.push_back(what); }}};
};

TEST_F(DrainTest, WithNothingUnfinishedEndsWhenItsReasonIsDurable) {
  begin();
  pass(60'000);
  EXPECT_THAT(ended, ElementsAre(1));
  EXPECT_THAT(reasons, ElementsAre("told so"));
  EXPECT_THAT(reports, IsEmpty());
}

TEST_F(DrainTest, EndsInTheMomentInWhichTheLastFactIsDurable) {
  left = {.models = 1};
  begin();
  at(7'000, [&] { left = {.groups = 1}; });
  at(7'005, [&] { left = {.results = 1}; });
  at(7'200, [&] { left = {}; });
  pass(60'000);
  EXPECT_THAT(ended, ElementsAre(7'201));
  EXPECT_THAT(given_up, IsEmpty());
}

TEST_F(DrainTest, TellsEveryFiveSecondsWhatItWaitsFor) {
  left = {.models = 2, .invoices = 1, .results = 3};
  begin();
  at(6'000, [&] { left = {.results = 1}; });
  at(11'000, [&] { left = {}; });
  pass(60'000);
  EXPECT_THAT(reports, ElementsAre("2 running jobs, 1 invoice, 3 results to be accepted by relays",
                                   "1 result to be accepted by relays"));
}

TEST_F(DrainTest, WalletAndRelaysHaveTwentySecondsAfterTheLastModel) {
  left = {.models = 1, .invoices = 1};
  begin();
  at(30'000, [&] { left = {.invoices = 1}; });
  pass(49'999);
  EXPECT_THAT(ended, IsEmpty());
  EXPECT_EQ(drain.waiting_for(), "1 invoice");
  pass(60'000);
  EXPECT_THAT(ended, ElementsAre(50'001));
  EXPECT_THAT(given_up, ElementsAre("1 invoice"));
  EXPECT_EQ(drain.left(), "1 invoice");
}

TEST_F(DrainTest, ModelsAreWaitedForAsLongAsTheyTakeUnlessTheProcessEnds) {
  left = {.models = 1};
  begin();
  pass(1'000'000);
  EXPECT_THAT(ended, IsEmpty());
  begin(Drain::kModelLimitMs);  // SIGTERM comes
  pass(60'000);
  EXPECT_THAT(ended, ElementsAre(1'045'001, 1'045'001));
  EXPECT_THAT(reasons, ElementsAre("told so"));
  EXPECT_THAT(given_up, ElementsAre("1 running job"));
}

TEST_F(DrainTest, AModelThatEndsJustInTimeLeavesTheRelaysTheirTime) {
  left = {.models = 1};
  begin(45'000);
  at(44'000, [&] { left = {.results = 1}; });
  at(55'000, [&] { left = {}; });
  pass(100'000);
  EXPECT_THAT(ended, ElementsAre(55'001));
}

TEST_F(DrainTest, FactsAreAlwaysWaitedFor) {
  left = {.groups = 1};
  begin(45'000);
  pass(100'000);
  EXPECT_THAT(ended, IsEmpty());
  EXPECT_EQ(drain.waiting_for(), "the disk");
  at(100'000, [&] { left = {}; });
  pass(1'000);
  EXPECT_THAT(ended, ElementsAre(100'001));
}

TEST_F(DrainTest, OfflineASecondOneRecordsNothingAndIsBoundedToo) {
  begin();
  pass(1'000);
  left = {.results = 1};
  begin();
  pass(100'000);
  EXPECT_THAT(ended, ElementsAre(1, 21'000));
  EXPECT_THAT(reasons, ElementsAre("told so"));
}

TEST_F(DrainTest, BeginsAnewAfterGoingOnline) {
  left = {.invoices = 1};
  begin();
  pass(30'000);
  drain.end();
  EXPECT_FALSE(drain.begun());
  begin();
  pass(30'000);
  EXPECT_THAT(ended, ElementsAre(20'001, 50'001)) << "it waits again";
  EXPECT_EQ(reasons.size(), 2u);
}

// ---- of a whole runtime ---------------------------------------------------------------------------------------------

// A shop that answers for nothing.
class DrainOfShop : public testing::Test {
 protected:
  static constexpr char kRelay[] = "wss://relay.example";

  void SetUp() override { start({}); }
  // A new process: what the one before left to timers and relays dies with it.
  void start(core::Recovery recovery) {
    runtime.reset();
    process = std::make_unique<sim::ProcessTime>(world);
    taken = relays.published.size();
    runtime =
        std::make_unique<Runtime>(Ports{.journal = journal,
                                        .wallet = wallet,
                                        .backend = backend,
                                        .relays = relays,
                                        .web = web,
                                        .scheduler = *process,
                                        .random = [] { return base::Salt{}; },
                                        .disk_low = [] { return false; }},
                                  key, Options{.own_relays = {kRelay}}, std::move(recovery),
                                  RuntimeHooks{.fatal = [](const base::Error& error) { FAIL() << error.describe(); }});
    runtime->start({.provider = key.public_key(),
                    .models = {{.name = "llama", .context_tokens = 4'096, .max_output_tokens = 100}},
                    .slots = 1,
                    .queue_limit = 8,
                    .delivery_deadline_ms = 3'600'000,
                    .request_age_limit_ms = 3'600'000,
                    .result_event_limit_bytes = 60'000,
                    .serve_broadcast = true},
                   "test");
    runtime->take_up_open_jobs();
    pass(1'000);
  }
  void pass(std::int64_t ms) {
    const TimeMs until = world.now() + ms;
    while (world.step(until)) {
    }
  }
  base::JobId ask(const std::string& prompt) {
    const nostr::Event event = nostr::sign(
        {.kind = 5050, .created_at_s = world.now().ms / 1000, .tags = {{"i", prompt, "text"}}, .content = {}}, customer,
        {});
    runtime->on_request(event, nostr::to_json(event), kRelay, {});
    pass(10);
    return event.id;
  }
  // The relay takes everything that came to it so far, and what follows from that.
  void accept() {
    while (taken < relays.published.size()) {
      const auto one = relays.published[taken++];
      one.done({.relay = one.relay, .accepted = true, .at = world.now()});
      pass(10);
    }
  }
  void drain() {
    began = world.now();
    runtime->drain("told so", Drain::kModelLimitMs, [this] { waited_ms = world.now() - began; });
    pass(10);
  }
  void finish_model() {
    const auto done = std::move(backend.done);
    done(inference::Completion{.text = "Once upon a time", .input_tokens = 3, .output_tokens = 4});
    pass(10);
  }
  core::Job job(const base::JobId& id) const {
    core::Job out;
    for (const auto& entry : journal.entries) {
      if (entry.job == id) core::evolve(out, entry.job, entry.time, entry.fact);
    }
    return out;
  }

  sim::VirtualTime world{TimeMs{1'700'000'000'000}};
  sim::ProcessTime time{world};
  nostr::SecretKey key = *nostr::SecretKey::from_bytes(std::string(32, '\x07'));
  nostr::SecretKey customer = *nostr::SecretKey::from_bytes(std::string(32, '\x09'));
  ScriptedJournal journal{time};
  RecordingWallet wallet;
  ScriptedBackend backend;
  RecordingRelays relays;
  ScriptedWeb web{time};
  std::unique_ptr<sim::ProcessTime> process;
  std::unique_ptr<Runtime> runtime;
  std::size_t taken = 0;
  TimeMs began;
  std::optional<std::int64_t> waited_ms;
};

TEST_F(DrainOfShop, FinishesWhatRunsAndStartsNothing) {
  const auto first = ask("Tell me a story");
  const auto second = ask("And another one");
  accept();
  ASSERT_EQ(backend.asked.size(), 1u);
  drain();
  EXPECT_EQ(runtime->last_drain().waiting_for(), "1 running job");
  finish_model();
  EXPECT_EQ(runtime->last_drain().waiting_for(), "1 result to be accepted by relays");
  EXPECT_FALSE(waited_ms);
  accept();
  EXPECT_TRUE(waited_ms);
  EXPECT_EQ(core::state(job(first)), core::State::delivered_free);
  EXPECT_EQ(core::state(job(second)), core::State::working) << "it is in the ledger, and waits for its turn";
  EXPECT_EQ(backend.asked.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<ledger::WentOffline>(journal.entries.back().fact));
  runtime->go_online("test");
  pass(10);
  EXPECT_EQ(backend.asked.size(), 2u);
}

TEST_F(DrainOfShop, ARelayThatNeverSaysOkIsWaitedForTwentySecondsAndHasItAfterTheNextStart) {
  const auto id = ask("Tell me a story");
  drain();
  finish_model();
  const std::int64_t finished_ms = world.now() - began;
  pass(60'000);
  ASSERT_TRUE(waited_ms);
  EXPECT_LE(*waited_ms, finished_ms + Drain::kLimitMs);
  const auto open = job(id);
  EXPECT_EQ(core::state(open), core::State::delivering);
  const auto result = core::find_notice(open, NoticePurpose::result)->notice.event;
  start({.time = world.now(), .open_jobs = {open}});
  const auto again = [&](const auto& one) { return one.event.id == result; };
  EXPECT_TRUE(std::ranges::any_of(relays.published, again)) << "the same bytes";
  EXPECT_EQ(backend.asked.size(), 1u);
}

TEST_F(DrainOfShop, AModelWithoutEndIsRunAgainAfterTheNextStart) {
  const auto id = ask("Tell me a story");
  accept();
  drain();
  pass(100'000);
  EXPECT_EQ(waited_ms, Drain::kModelLimitMs + 1);
  start({.time = world.now(), .open_jobs = {job(id)}});
  EXPECT_EQ(backend.asked.size(), 2u);
  finish_model();
  accept();
  EXPECT_EQ(core::state(job(id)), core::State::delivered_free);
}

}  // namespace
}  // namespace runtime
