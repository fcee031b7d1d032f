// How far back the wallet's list is asked for, and what becomes of what it shows.
#include "cmd/provider/bookkeeper.h"

#include <gmock/gmock.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include "pipeline/wallet/wallet_in_front.h"
#include "tests/sim/virtual_time.h"
#include "tests/unit/pipeline/wallet/wallet_behind.h"
#include "tests/unit/replay/shop_ledger.h"

namespace cmd {
namespace {

using base::kDayMs;
using base::kHourMs;
using base::kMinuteMs;
using base::TimeMs;
using core::EngineDriver;
using testing::ElementsAre;
using testing::SizeIs;

// Lists what the test says.
struct ListingWallet final : wallet::WalletInFront {
  explicit ListingWallet(const sim::ProcessTime& time) : WalletInFront(std::make_unique<wallet::WalletBehind>(time)) {}
  std::string kind() const override { return "sandbox"; }
  wallet::Abilities abilities() const override { return {.lists = true}; }
  void list_paid(const wallet::ListOrder& order,
                 std::function<void(base::Result<std::vector<wallet::PaidInvoice>>)> done) override {
    asked_since.push_back(order.since);
    done(lists);
  }
  std::vector<TimeMs> asked_since;
  base::Result<std::vector<wallet::PaidInvoice>> lists;
};

class BookkeeperTest : public testing::Test {
 protected:
  BookkeeperTest() {
    invoice = shop.ask(1).invoices.at(0).issued;
    ledger.write(shop.entries);
    last_entry = shop.entries.back().time;
  }
  // A process that starts so long after the last entry.
  void start(std::int64_t later_ms) {
    bookkeeper.reset();
    while (world.step(last_entry + later_ms)) {
    }
    bookkeeper = std::make_unique<Bookkeeper>(
        io, time, ledger.disk, std::vector<wallet::Wallet*>{&wallet}, replay::WalletHabits{},
        Bookkeeper::Hooks{
            .problem = [this](const std::string& what) { problems.push_back(what); },
            .orphan = [this](const replay::Difference& orphan) { orphans.push_back(orphan); },
            .unrecorded = [this](const base::JobId& job, const base::Hash256&) { unrecorded.push_back(job); }});
    bookkeeper->start([this] { ++compared; });
  }
  // What the wallet lists is compared on another thread, in real time.
  void pass(std::int64_t ms) {
    const TimeMs until = world.now() + ms;
    while (world.step(until)) {
      const bool listed = std::exchange(looked, wallet.asked_since.size()) < wallet.asked_since.size();
      if (listed && wallet.lists) io.run_one_for(std::chrono::seconds(5));
    }
  }
  // The process ends; what it had for the ledger is durable.
  void end() {
    const ledger::Group group{.entries = {}, .cursors = bookkeeper->cursors()};
    ASSERT_TRUE(ledger.ledger->append({&group, 1}));
    bookkeeper.reset();
  }

  EngineDriver shop{EngineDriver::policy()};
  replay::ShopLedger ledger;
  ledger::InvoiceIssued invoice;
  TimeMs last_entry;
  sim::VirtualTime world{TimeMs{1'700'000'000'000}};
  sim::ProcessTime time{world};
  boost::asio::io_context io;
  const boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{io.get_executor()};
  ListingWallet wallet{time};
  std::size_t looked = 0;
  std::vector<std::string> problems;
  std::vector<base::JobId> unrecorded;
  std::vector<replay::Difference> orphans;
  int compared = 0;
  std::unique_ptr<Bookkeeper> bookkeeper;
};

TEST_F(BookkeeperTest, LooksBackToAWeekBeforeTheLastProcessEnded) {
  start(40 * kDayMs);
  pass(kMinuteMs);
  ASSERT_THAT(wallet.asked_since, SizeIs(2)) << "at once, and when what was young then can be compared";
  EXPECT_EQ(wallet.asked_since[0], last_entry - 7 * kDayMs) << "however long it was away";
}

TEST_F(BookkeeperTest, GoesOnFromTheLastLookThatSucceeded) {
  start(0);
  pass(30 * kDayMs);
  ASSERT_GE(wallet.asked_since.size(), 30U);
  EXPECT_GE(wallet.asked_since.back(), world.now() - 9 * kDayMs);
  end();
  const TimeMs ended = world.now();
  const std::size_t before = wallet.asked_since.size();
  start(60 * kDayMs);
  pass(kMinuteMs);
  EXPECT_GE(wallet.asked_since.at(before), ended - 9 * kDayMs);
  EXPECT_LE(wallet.asked_since.at(before), ended - 7 * kDayMs);
}

TEST_F(BookkeeperTest, AWalletThatWasAwayIsAskedAboutAllThatTime) {
  start(0);
  pass(kMinuteMs);
  const TimeMs first = wallet.asked_since.front();
  wallet.lists = tl::unexpected(wallet::wallet_error("wallet.unreachable"));
  pass(20 * kDayMs);
  end();
  const std::size_t before = wallet.asked_since.size();
  start(21 * kDayMs);
  wallet.lists = std::vector<wallet::PaidInvoice>();
  pass(kMinuteMs);
  EXPECT_LE(wallet.asked_since.at(before), first + 8 * kDayMs);
}

TEST_F(BookkeeperTest, AWalletThatCannotAnswerNowIsAskedSoonAgain) {
  for (const char* code : {"wallet.unreachable", "wallet.rate_limited"}) {
    wallet.lists = tl::unexpected(wallet::wallet_error(code));
    start(0);
    wallet.asked_since.clear();
    looked = 0;
    pass(kHourMs);
    EXPECT_GE(wallet.asked_since.size(), 5U) << code;
  }
}

TEST_F(BookkeeperTest, APaymentOfAnInvoiceThatWasGivenUpIsToldHoweverLongWeWereAway) {
  shop.entries.clear();
  shop.give(core::NeverPaid{EngineDriver::id(1), {.payment_hash = invoice.payment_hash}});
  ledger.write(shop.entries);
  const TimeMs paid_at = last_entry + kDayMs;
  wallet.lists = std::vector<wallet::PaidInvoice>{
      {.payment_hash = invoice.payment_hash, .received = invoice.amount, .settled_at = paid_at}};
  start(40 * kDayMs);
  pass(kMinuteMs);
  EXPECT_LE(wallet.asked_since.front(), paid_at);
  EXPECT_THAT(unrecorded, ElementsAre(EngineDriver::id(1)));
  EXPECT_THAT(problems, SizeIs(1));
}

TEST_F(BookkeeperTest, APaymentForAnInvoiceThatTheLedgerNeverHadIsToldAtOnce) {
  wallet.lists = std::vector<wallet::PaidInvoice>{{.payment_hash = base::sha256("lost"),
                                                   .received = {9'000},
                                                   .settled_at = last_entry,
                                                   .description = std::string(wallet::kJobDescription) + "01020304"}};
  start(kMinuteMs);
  EXPECT_EQ(compared, 0) << "inside the call that started it";
  pass(1'000);
  ASSERT_THAT(orphans, SizeIs(1));
  EXPECT_EQ(orphans[0].job_digits, "01020304");
  EXPECT_EQ(compared, 1);
}

}  // namespace
}  // namespace cmd
