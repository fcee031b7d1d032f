// The door of the runtime when the disk runs low: nothing new is written, and nothing is lost.
#include "pipeline/runtime/runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/nostr/nip01.h"
#include "tests/sim/virtual_time.h"

namespace runtime {
namespace {

using nostr::required_pow;
using testing::ElementsAre;
using testing::IsEmpty;

struct MemoryJournal final : Journal {
  explicit MemoryJournal(sim::ProcessTime& clock) : time(clock) {}
  void append(ledger::Group group, std::function<void(base::Result<void>)> done) override {
    std::ranges::move(group.entries, std::back_inserter(entries));
    time.after(1, [done] { done({}); });
  }
  base::Result<std::optional<std::string>> text(const base::TextRef&) override { return std::nullopt; }
  base::Result<std::optional<core::Job>> job(const base::JobId&) override { return std::nullopt; }

  std::vector<base::JobId> jobs() const {
    std::vector<base::JobId> out;
    for (const auto& entry : entries) {
      if (std::holds_alternative<ledger::JobRequested>(entry.event)) out.push_back(entry.job);
    }
    return out;
  }
  std::uint64_t refused(const std::string& reason) const {
    std::uint64_t sum = 0;
    for (const auto& entry : entries) {
      const auto* dropped = std::get_if<ledger::RequestsDropped>(&entry.event);
      if (!dropped) continue;
      for (const auto& count : dropped->counts) sum += count.reason == reason ? count.count : 0;
    }
    return sum;
  }

  sim::ProcessTime& time;
  std::vector<ledger::NewEntry> entries;
};

struct SilentWallet final : wallet::Wallet {
  std::string kind() const override { return "silent"; }
  wallet::Abilities abilities() const override { return {}; }
  bool play_money() const override { return true; }
  base::Msat unit() const override { return {1}; }
  base::Msat minimum() const override { return {1}; }
  void create_invoice(const wallet::InvoiceOrder&, std::function<void(base::Result<wallet::MadeInvoice>)>) override {}
  void look_up(const ledger::InvoiceIssued&, std::function<void(base::Result<wallet::LookupAnswer>)>) override {}
  void status(std::function<void(base::Result<wallet::WalletStatus>)>) override {}
};

struct SilentBackend final : inference::Backend {
  std::unique_ptr<inference::Generation> chat(const inference::ChatRequest&, OnText, OnDone) override {
    return std::make_unique<inference::Generation>();
  }
  void status(std::function<void(base::Result<inference::BackendStatus>)>) override {}
};

struct SilentRelays final : Relays {
  void publish(const std::string&, const std::string&, const base::EventId&,
               std::function<void(ledger::RelayAnswer)>) override {}
  void query(const std::string&, nostr::Filter, std::function<void(base::Result<std::vector<nostr::Event>>)>) override {
  }
  base::Result<void> watch(std::vector<nostr::Filter>) override { return {}; }
  unsigned required_pow(const std::string&) const override { return 0; }
};

struct SilentWeb final : PageReader {
  void get(const std::string&, std::function<void(base::Result<std::string>)>) override {}
};

// A shop that only listens: every request is declined, and nobody is told.
class LowDisk : public testing::Test {
 protected:
  LowDisk() {
    runtime.on_problem = [this](const std::string& what) { problems.push_back(what); };
    runtime.start({.serve_broadcast = true}, "test");
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
  MemoryJournal journal{time};
  SilentWallet wallet;
  SilentBackend backend;
  SilentRelays relays;
  SilentWeb web;
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
                  [](const base::Error& error) { FAIL() << error.describe(); }};
};

TEST_F(LowDisk, ARequestIsRecordedAndItsReceiptGivenBack) {
  const auto id = request(1);
  pass(10);
  EXPECT_THAT(journal.jobs(), ElementsAre(id));
  EXPECT_EQ(receipts_out(), 0U);
}

TEST_F(LowDisk, RequestsWaitWithTheirReceiptsUntilThereIsRoom) {
  low = true;
  const auto one = request(1);
  const auto two = request(2);
  pass(600'000);
  EXPECT_THAT(journal.jobs(), IsEmpty());
  EXPECT_EQ(receipts_out(), 2U) << "the relays' cursors stay behind them";
  EXPECT_EQ(journal.refused("disk_full"), 0U);
  EXPECT_THAT(problems, ElementsAre("disk space runs low: new requests wait until there is room"));
  low = false;
  pass(60'010);
  EXPECT_THAT(journal.jobs(), ElementsAre(one, two));
  EXPECT_EQ(receipts_out(), 0U);
}

TEST_F(LowDisk, NotMoreThanSomeHundredsWait) {
  low = true;
  for (int n = 0; n < 600; ++n) request(n);
  pass(60'010);
  EXPECT_EQ(receipts_out(), 512U);
  EXPECT_EQ(journal.refused("disk_full"), 88U);
}

TEST_F(LowDisk, GoingOfflineKeepsTheReceiptsOut) {
  low = true;
  request(1);
  bool drained = false;
  runtime.drain("told so", [&] { drained = true; });
  pass(1'000);
  EXPECT_TRUE(drained);
  EXPECT_EQ(receipts_out(), 1U);
  low = false;
  runtime.go_online("test");
  pass(60'010);
  EXPECT_EQ(receipts_out(), 0U) << "the relays are asked for it again";
  EXPECT_THAT(journal.jobs(), IsEmpty());
}

}  // namespace
}  // namespace runtime
