// The intake of the runtime when the disk runs low: nothing new is written, and nothing is lost.
#include "pipeline/runtime/runtime.h"

#include <gmock/gmock.h>

#include "tests/unit/pipeline/runtime/part_test.h"

namespace runtime {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A shop that only listens: every request is declined, and nobody is told.
class LowDisk : public testing::Test {
 protected:
  LowDisk() {
    runtime.start({.serve_broadcast = true}, "test");
    runtime.take_up_open_jobs();
    pass(1'000);
  }

  void pass(std::int64_t ms) {
    const TimeMs until = world.now() + ms;
    while (world.step(until)) {
    }
  }

  // A request of its own for each number; the pool has verified it.
  base::JobId request(int number) {
    nostr::Event event{.created_at = world.now().ms / 1000, .kind = 5050, .tags = {{"i", "hello", "text"}}};
    event.id.bytes.fill(1);
    event.id.bytes[0] = static_cast<std::uint8_t>(number);
    event.id.bytes[1] = static_cast<std::uint8_t>(number >> 8);
    const auto receipt = std::make_shared<int>(number);
    receipts.push_back(receipt);
    runtime.on_request(event, nostr::to_json(event), "wss://relay.example", receipt);
    return event.id;
  }
  std::vector<base::JobId> jobs() const {
    std::vector<base::JobId> out;
    for (const auto& entry : journal.entries) {
      if (std::holds_alternative<ledger::JobRequested>(entry.fact)) out.push_back(entry.job);
    }
    return out;
  }
  std::uint64_t refused(const std::string& reason) const {
    std::uint64_t sum = 0;
    for (const auto& entry : journal.entries) {
      const auto* dropped = std::get_if<ledger::RequestsDropped>(&entry.fact);
      if (!dropped) continue;
      for (const auto& count : dropped->counts) sum += count.reason == reason ? count.count : 0;
    }
    return sum;
  }
  std::size_t receipts_out() const {
    return static_cast<std::size_t>(std::ranges::count_if(receipts, [](const auto& one) { return !one.expired(); }));
  }

  using TimeMs = base::TimeMs;
  sim::VirtualTime world{TimeMs{1'700'000'000'000}};
  sim::ProcessTime time{world};
  bool low = false;
  std::vector<std::weak_ptr<int>> receipts;
  std::vector<std::string> problems;
  nostr::SecretKey key = *nostr::SecretKey::from_bytes(std::string(32, '\x07'));
  ScriptedJournal journal{time};
  RecordingWallet wallet;
  ScriptedBackend backend;
  RecordingRelays relays;
  ScriptedWeb web{time};
  Runtime runtime{{.journal = journal,
                   .wallet = wallet,
                   .backend = backend,
                   .relays = relays,
                   .web = web,
                   .scheduler = time,
                   .random = [] { return base::Salt{}; },
                   .disk_low = [this] { return low; }},
                  key,
                  {},
                  {},
                  {.fatal = [](const base::Error& error) { FAIL() << error.describe(); },
                   .problem = [this](const std::string& what) { problems.push_back(what); }}};
};

TEST_F(LowDisk, ARequestIsRecordedAndItsReceiptGivenBack) {
  const auto id = request(1);
  pass(10);
  EXPECT_THAT(jobs(), ElementsAre(id));
  EXPECT_EQ(receipts_out(), 0U);
}

TEST_F(LowDisk, RequestsWaitWithTheirReceiptsUntilThereIsRoom) {
  low = true;
  const auto one = request(1);
  const auto two = request(2);
  pass(600'000);
  EXPECT_THAT(jobs(), IsEmpty());
  EXPECT_EQ(receipts_out(), 2U) << "the relays' cursors stay behind them";
  EXPECT_EQ(refused("disk_full"), 0U);
  low = false;
  pass(60'010);
  EXPECT_THAT(jobs(), ElementsAre(one, two));
  EXPECT_EQ(receipts_out(), 0U);
}

TEST_F(LowDisk, NotMoreThanSomeOfOneCustomerWait) {
  low = true;
  for (int n = 0; n < 600; ++n) request(n);
  pass(60'010);
  EXPECT_EQ(receipts_out(), 64U);
  EXPECT_EQ(refused("disk_full"), 536U);
}

TEST_F(LowDisk, GoingOfflineKeepsTheReceiptsOut) {
  low = true;
  request(1);
  bool drained = false;
  runtime.drain("told so", {}, [&] { drained = true; });
  pass(1'000);
  EXPECT_TRUE(drained);
  EXPECT_EQ(receipts_out(), 1U);
  low = false;
  runtime.go_online("test");
  pass(60'010);
  EXPECT_EQ(receipts_out(), 0U) << "the relays are asked for it again";
  EXPECT_THAT(jobs(), IsEmpty());
}

}  // namespace
}  // namespace runtime
