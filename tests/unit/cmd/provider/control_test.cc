// Every method of the control socket, over actions that only note that they were called.
#include "cmd/provider/control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cmd {
namespace {

using base::Msat;
using nlohmann::json;
using runtime::RefundOrder;
using runtime::RefundOutcome;
using testing::ElementsAre;
using testing::IsEmpty;

const std::string kJob(64, 'a');

class ControlTest : public testing::Test {
 protected:
  ControlActions actions() {
    return {.state = [this] { return state; },
            .summary =
                [] {
                  return json{{"npub", "npub1"}};
                },
            .go_online = [this] { calls.push_back("go_online"); },
            .go_offline =
                [this](const std::string& reason, std::function<void()> done) {
                  calls.push_back("go_offline " + reason);
                  drained = std::move(done);
                },
            .cancel =
                [this](const base::JobId& job) {
                  calls.push_back("cancel " + job.hex());
                  return cancels;
                },
            .refund =
                [this](const base::JobId& job, const RefundOrder& asked, auto done) {
                  calls.push_back("refund " + job.hex());
                  order = asked;
                  done(refund);
                },
            .give_up_refund =
                [this](const base::JobId& job, const std::string& word, auto done) {
                  calls.push_back("give up " + job.hex() + " " + word);
                  done(given_up);
                },
            .close =
                [this](const base::JobId& job, const std::string& word, auto done) {
                  calls.push_back("close " + job.hex() + " " + word);
                  done(closed);
                },
            .retry =
                [this](const base::JobId& job, auto done) {
                  calls.push_back("retry " + job.hex());
                  done(retried);
                },
            .may_announce = may_announce,
            .announce = [this] { calls.push_back("announce"); },
            .withdraw = [this](auto done) { withdrawn = std::move(done); },
            .checkpoint = [this](auto done) { done(note); },
            .prune =
                [this](std::int64_t older_than_ms, auto done) {
                  calls.push_back("prune " + std::to_string(older_than_ms));
                  done(pruned);
                }};
  }

  // The answers so far to this request; normally one.
  std::vector<json> ask(const json& request) {
    const auto answers = std::make_shared<std::vector<json>>();
    last = answers;
    Control(actions()).handle(request, [answers](const json& answer) { answers->push_back(answer); });
    return *answers;
  }
  json answer(const json& request) {
    const auto answers = ask(request);
    EXPECT_EQ(answers.size(), 1U) << request;
    return answers.empty() ? json() : answers.front();
  }

  ControlActions::State state{.online = true};
  bool cancels = true;
  bool may_announce = true;
  base::Result<RefundOutcome> refund = ledger::RefundStarted{};
  base::Result<void> given_up;
  base::Result<void> closed;
  base::Result<std::vector<std::string>> retried = std::vector<std::string>{"wss://a.example", "wss://b.example"};
  base::Result<std::string> note = std::string("a signed note");
  base::Result<ledger::TextsPruned> pruned = ledger::TextsPruned{.jobs = 2, .texts = 7, .bytes = 900};

  std::vector<std::string> calls;
  RefundOrder order;
  std::function<void()> drained;
  std::function<void(const std::vector<runtime::Visibility>&)> withdrawn;
  std::shared_ptr<std::vector<json>> last;
};

json told(const std::string& text) {
  return {{"ok", true}, {"text", text}};
}
json refused(const std::string& error) {
  return {{"ok", false}, {"error", error}};
}

TEST_F(ControlTest, RefusesMethodsThatThereAreNot) {
  EXPECT_EQ(answer({{"method", "dance"}}), refused("unknown method \"dance\""));
  EXPECT_EQ(answer(json::object()), refused("unknown method \"\""));
  EXPECT_EQ(answer({{"method", "Status"}}), refused("unknown method \"Status\""));
  EXPECT_THAT(calls, IsEmpty());
}

TEST_F(ControlTest, AFieldOfAWrongTypeIsLeftToTheSocket) {
  EXPECT_THROW(ask({{"method", 7}}), json::exception);
  EXPECT_THROW(ask({{"method", "cancel"}, {"job", 7}}), json::exception);
  EXPECT_THROW(ask({{"method", "offline"}, {"drain", "yes"}}), json::exception);
  EXPECT_THROW(ask({{"method", "refund"}, {"job", kJob}, {"bolt11", true}}), json::exception);
  EXPECT_THAT(calls, IsEmpty());
}

TEST_F(ControlTest, StatusIsTheSummary) {
  EXPECT_EQ(answer({{"method", "status"}}), (json{{"ok", true}, {"status", {{"npub", "npub1"}}}}));
}

TEST_F(ControlTest, RetriesResultsWhileWeAreOnline) {
  json answered = told("the same result is published again, to 2 relays; `sellcompute jobs show` shows the outcome");
  answered["relays"] = {"wss://a.example", "wss://b.example"};
  EXPECT_EQ(answer({{"method", "retry"}, {"job", kJob}}), answered);
  retried = base::fail(base::ErrorKind::job_processing, "retry.delivered", "a relay has taken the result already");
  EXPECT_EQ(answer({{"method", "retry"}, {"job", kJob}})["error"], "a relay has taken the result already");
  EXPECT_THAT(calls, ElementsAre("retry " + kJob, "retry " + kJob));
  calls.clear();
  EXPECT_EQ(answer({{"method", "retry"}}), refused("no job was named"));
  state.draining = true;
  EXPECT_EQ(answer({{"method", "retry"}, {"job", kJob}}), refused("we are offline: say `sellcompute online` first"));
  EXPECT_THAT(calls, IsEmpty());
}

TEST_F(ControlTest, ClosesByTheOperatorsWord) {
  EXPECT_EQ(answer({{"method", "close"}, {"job", kJob}, {"never_paid", "I looked"}})["ok"], true);
  EXPECT_EQ(answer({{"method", "close"}, {"job", kJob}, {"paid_elsewhere", "in cash"}})["ok"], true);
  EXPECT_THAT(calls,
              ElementsAre("close " + kJob + " never paid: I looked", "close " + kJob + " paid elsewhere: in cash"));
  calls.clear();
  EXPECT_EQ(answer({{"method", "close"}, {"job", "a53c"}, {"never_paid", "I looked"}}), refused("no job was named"));
  EXPECT_EQ(answer({{"method", "close"}, {"job", kJob}}), refused("was it never paid, or paid elsewhere?"));
  EXPECT_THAT(calls, IsEmpty());
  closed = base::fail(base::ErrorKind::payment, "close.paid", "it was paid", {}, "look");
  EXPECT_EQ(answer({{"method", "close"}, {"job", kJob}, {"never_paid", "I looked"}}),
            (json{{"ok", false}, {"error", "it was paid"}, {"hint", "look"}}));
}

TEST_F(ControlTest, GoesOnlineOnlyWhenItIsOffline) {
  EXPECT_EQ(answer({{"method", "online"}}), told("already online"));
  state = {.online = true, .draining = true};
  EXPECT_EQ(answer({{"method", "online"}}), refused("still finishing started jobs; try again"));
  state = {.online = false, .draining = true, .ending = true};
  EXPECT_EQ(answer({{"method", "online"}}), refused("it is ending"));
  EXPECT_THAT(calls, IsEmpty());
  state = {};
  EXPECT_EQ(answer({{"method", "online"}}), told("online"));
  EXPECT_THAT(calls, ElementsAre("go_online"));
}

TEST_F(ControlTest, GoesOfflineAndAnswersAtOnce) {
  EXPECT_EQ(answer({{"method", "offline"}}), told("offline for new jobs; started ones finish"));
  EXPECT_THAT(calls, ElementsAre("go_offline told so"));
  drained();
  EXPECT_EQ(last->size(), 1U) << "answered twice";
}

TEST_F(ControlTest, GoesOfflineAndAnswersAfterTheDrain) {
  EXPECT_THAT(ask({{"method", "offline"}, {"drain", true}}), IsEmpty());
  drained();
  EXPECT_THAT(*last, ElementsAre(told("offline; every started job is finished")));
}

TEST_F(ControlTest, SaysWhatTheDrainDidNotWaitFor) {
  EXPECT_THAT(ask({{"method", "offline"}, {"drain", true}}), IsEmpty());
  state.left = "1 invoice";
  drained();
  EXPECT_THAT(*last, ElementsAre(told("offline; this took too long and goes on when we are online again: 1 invoice")));
}

TEST_F(ControlTest, OfflineItStaysOffline) {
  state = {};
  EXPECT_EQ(answer({{"method", "offline"}, {"drain", true}}), told("already offline"));
  EXPECT_THAT(calls, IsEmpty());
}

TEST_F(ControlTest, CancelsAJob) {
  EXPECT_EQ(answer({{"method", "cancel"}, {"job", kJob}}), told("cancelled; the customer is told"));
  EXPECT_THAT(calls, ElementsAre("cancel " + kJob));
}

TEST_F(ControlTest, SaysWhenAJobCannotBeCancelled) {
  const json too_late = refused("it is too late: the job has ended, or its result is signed");
  EXPECT_EQ(answer({{"method", "cancel"}}), too_late);
  EXPECT_EQ(answer({{"method", "cancel"}, {"job", "abc"}}), too_late);
  EXPECT_THAT(calls, IsEmpty());
  cancels = false;
  EXPECT_EQ(answer({{"method", "cancel"}, {"job", kJob}}), too_late);
}

TEST_F(ControlTest, ARefundNamesItsJob) {
  EXPECT_EQ(answer({{"method", "refund"}, {"bolt11", "lnbc1"}}), refused("no job was named"));
  EXPECT_EQ(answer({{"method", "refund"}, {"job", "abc"}, {"not_paid", "seen"}}), refused("no job was named"));
  EXPECT_THAT(calls, IsEmpty());
}

TEST_F(ControlTest, ARefundGoesToAnInvoiceOrAnEvent) {
  answer({{"method", "refund"}, {"job", kJob}, {"bolt11", "lnbc1"}, {"fee_limit_msat", 0}});
  EXPECT_THAT(calls, ElementsAre("refund " + kJob));
  EXPECT_EQ(order.bolt11, "lnbc1");
  EXPECT_EQ(order.event_json, "");
  EXPECT_EQ(order.fee_limit, Msat{0}) << "no fee is a limit too";
  answer({{"method", "refund"}, {"job", kJob}, {"event", "{}"}});
  EXPECT_EQ(order.bolt11, "");
  EXPECT_EQ(order.event_json, "{}");
  EXPECT_FALSE(order.fee_limit);
}

TEST_F(ControlTest, TellsWhatBecameOfARefund) {
  const json request{{"method", "refund"}, {"job", kJob}, {"bolt11", "lnbc1"}};
  EXPECT_EQ(answer(request), (json{{"ok", true},
                                   {"state", "under_way"},
                                   {"text", "the payment is under way; `sellcompute jobs show` shows the outcome"}}));
  refund = ledger::RefundPaid{.amount = Msat{9'000}, .fee = Msat{1'000}};
  EXPECT_EQ(
      answer(request),
      (json{{"ok", true}, {"state", "paid"}, {"text", "paid back 9 sat, for a fee of 1 sat"}, {"fee_msat", 1'000}}));
  const std::string preimage(64, 'b');
  refund = ledger::RefundPaid{.amount = Msat{9'000}, .fee = Msat{0}, .preimage = *base::Hash256::from_hex(preimage)};
  EXPECT_EQ(answer(request)["text"], "paid back 9 sat, for a fee of 0 sat; preimage " + preimage);
  refund = ledger::RefundFailed{.message = "no route"};
  EXPECT_EQ(answer(request), (json{{"ok", false},
                                   {"error", "it was not paid: no route"},
                                   {"hint", "it is owed as before: ask the customer for another invoice"}}));
  refund = base::fail(base::ErrorKind::payment, "refund.nothing_owed", "nothing is owed", {}, "see jobs show");
  EXPECT_EQ(answer(request), (json{{"ok", false}, {"error", "nothing is owed"}, {"hint", "see jobs show"}}));
}

TEST_F(ControlTest, GivesUpARefundByAPersonsWord) {
  const json request{{"method", "refund"}, {"job", kJob}, {"not_paid", "the wallet shows none"}};
  EXPECT_EQ(answer(request), told("it is owed as before; pay it back to another invoice of the customer's"));
  EXPECT_THAT(calls, ElementsAre("give up " + kJob + " the wallet shows none"));
  given_up = base::fail(base::ErrorKind::payment, "refund.none", "none is under way", {}, "look again");
  EXPECT_EQ(answer(request), (json{{"ok", false}, {"error", "none is under way"}, {"hint", "look again"}}));
}

TEST_F(ControlTest, AnnouncesWhileItTakesJobs) {
  EXPECT_EQ(answer({{"method", "announce"}}), told("announcing; `sellcompute status` shows where it is seen"));
  EXPECT_THAT(calls, ElementsAre("announce"));
  const json offline = refused("we are offline: `sellcompute online` announces too");
  state = {.online = true, .draining = true};
  EXPECT_EQ(answer({{"method", "announce"}}), offline);
  state = {};
  EXPECT_EQ(answer({{"method", "announce"}}), offline);
  may_announce = false;
  EXPECT_EQ(answer({{"method", "announce"}}), refused("the settings say not to: set announce.enabled = true"));
  EXPECT_EQ(calls.size(), 1U);
}

TEST_F(ControlTest, TellsWhereAnAnnouncementIsStillSeenAfterItsWithdrawal) {
  EXPECT_THAT(ask({{"method", "withdraw"}}), IsEmpty());
  withdrawn({{.relay = "wss://one", .visible = true, .looked_at = base::TimeMs{5}, .trouble = "refused"}});
  EXPECT_THAT(
      *last,
      ElementsAre(json{
          {"ok", true},
          {"relays",
           json::array({{{"relay", "wss://one"}, {"visible", true}, {"looked_at_ms", 5}, {"trouble", "refused"}}})}}));
}

TEST_F(ControlTest, ACheckpointIsAnsweredWithItsNote) {
  EXPECT_EQ(answer({{"method", "checkpoint"}}), (json{{"ok", true}, {"note", "a signed note"}}));
  note = base::fail(base::ErrorKind::invocation, "ledger.stopped", "the ledger is being closed");
  EXPECT_EQ(answer({{"method", "checkpoint"}})["error"], "the ledger is being closed");
}

TEST_F(ControlTest, PruningIsAnsweredWithWhatWasRemoved) {
  EXPECT_EQ(answer({{"method", "prune"}, {"older_than_ms", 1000}}),
            (json{{"ok", true}, {"jobs", 2}, {"texts", 7}, {"bytes", 900}}));
  EXPECT_THAT(calls, ElementsAre("prune 1000"));
  EXPECT_EQ(answer({{"method", "prune"}}), refused("how old must the texts be?"));
}

}  // namespace
}  // namespace cmd
