// What the operator of a running `serve` sees of its facts on a terminal.
#include "cmd/provider/activity.h"

#include <gtest/gtest.h>

namespace cmd {
namespace {

using base::Msat;
using ledger::NoticePurpose;

TEST(Headlines, AreMoneyAndTheEndsOfJobs) {
  EXPECT_TRUE(is_headline(ledger::NoticePublished{.purpose = NoticePurpose::result}));
  EXPECT_TRUE(is_headline(ledger::InvoiceSettled{}));
  EXPECT_TRUE(is_headline(ledger::RefundOwed{}));
  EXPECT_TRUE(is_headline(ledger::RefundPaid{}));
  EXPECT_TRUE(is_headline(ledger::RefundFailed{}));
  EXPECT_TRUE(is_headline(ledger::JobCancelled{}));
  EXPECT_TRUE(is_headline(ledger::InferenceFailed{}));
  EXPECT_TRUE(is_headline(ledger::InvoiceFailed{}));
}

TEST(Headlines, AreNotWhatIsTriedAgainOrComesOften) {
  EXPECT_FALSE(is_headline(ledger::InferenceFailed{.retry_at = base::TimeMs{1}}));
  EXPECT_FALSE(is_headline(ledger::InvoiceFailed{.retry_at = base::TimeMs{1}}));
  EXPECT_FALSE(is_headline(ledger::NoticePublished{.purpose = NoticePurpose::result, .final = true}));
  EXPECT_FALSE(is_headline(ledger::NoticePublished{.purpose = NoticePurpose::processing}));
  EXPECT_FALSE(is_headline(ledger::JobRequested{}));
  EXPECT_FALSE(is_headline(ledger::JobDeclined{}));
}

class LiveLine : public testing::Test {
 protected:
  LiveLine() {
    activity.relays = {{"wss://a.example", true}, {"wss://b.example", false}};
    activity.count({.fact = ledger::JobRequested{}});
    activity.count({.fact = ledger::NoticePublished{.purpose = NoticePurpose::result}});
    activity.count({.fact = ledger::InvoiceSettled{.received = Msat{9'000}}});
  }
  Activity activity;
};

TEST_F(LiveLine, ShowsStateRelaysWorkAndWhatHappened) {
  EXPECT_EQ(activity.live_line("online", 3, 200),
            "online · 1/2 relays · 3 in progress · since the start: 1 delivered, 9 sat settled, 1 request, 0 declined");
}

TEST_F(LiveLine, LeavesOutFromItsEndWhatDoesNotFit) {
  EXPECT_EQ(activity.live_line("online", 3, 70), "online · 1/2 relays · 3 in progress · since the start: 1 delivered");
  EXPECT_EQ(activity.live_line("online", 3, 40), "online · 1/2 relays · 3 in progress");
  EXPECT_EQ(activity.live_line("online", 3, 30), "online · 1/2 relays");
}

TEST_F(LiveLine, EndsWithWhatIsLeft) {
  EXPECT_EQ(activity.last_line(0, 200), "offline · since the start: 1 delivered, 9 sat settled, 1 request, 0 declined");
  EXPECT_EQ(activity.last_line(2, 60), "offline · 2 jobs go on after the next start");
}

}  // namespace
}  // namespace cmd
