// NoticeSender: signed, brought to their relays, and what happens when their texts are gone.
#include "pipeline/runtime/notice_sender.h"

#include <gmock/gmock.h>

#include "pipeline/nostr/nip90_answer.h"
#include "tests/unit/pipeline/runtime/part_test.h"

namespace runtime {
namespace {

using ledger::NoticePurpose;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr core::Work kSign{.action = core::Action::sign, .purpose = NoticePurpose::processing};
constexpr core::Work kPublish{.action = core::Action::publish, .purpose = NoticePurpose::processing};

class NoticesTest : public PartTest {
 protected:
  void open_one(const core::Job& job) { open({job}, {.provider = key.public_key(), .delivery_deadline_ms = 600'000}); }
  // The sample job with its notice signed and durable.
  core::Job signed_job() {
    core::Job job = sample_job();
    open_one(job);
    notices.sign(job, kSign);
    const auto ready = all<core::NoticeReady>();
    for (const auto& text : ready.at(0).texts) journal.texts[ledger::ref(text).hex()] = text.bytes;
    job.notices.push_back({.notice = ready[0].notice});
    posted.clear();
    return job;
  }

  CustomerRelays customer_relays{relays, time, options.own_relays};
  JobTexts texts{journal, key, ports.random};
  int progressed = 0;
  NoticeSender notices{context, texts, customer_relays, [this] { ++progressed; }};
};

TEST_F(NoticesTest, AreSignedForTheCustomersRelaysAndOurOwn) {
  const core::Job job = sample_job();
  open_one(job);
  notices.sign(job, kSign);
  const auto ready = all<core::NoticeReady>();
  ASSERT_THAT(ready, SizeIs(1));
  EXPECT_EQ(ready[0].work, kSign);
  EXPECT_EQ(ready[0].notice.kind, nostr::kFeedbackKind);
  EXPECT_THAT(ready[0].notice.targets, ElementsAre("wss://theirs.example", "wss://ours.example"));
  EXPECT_EQ(ready[0].notice.deadline, kStart + 600'000);
}

TEST_F(NoticesTest, GoToEachRelayAsTheyWereSigned) {
  const core::Job job = signed_job();
  notices.publish(job, kPublish);
  ASSERT_THAT(relays.published, SizeIs(2));
  EXPECT_TRUE(nostr::verify(relays.published[0].event));
  EXPECT_EQ(relays.published[0].event.id, job.notices[0].notice.event);
  for (const auto& one : std::vector(relays.published)) one.done({.relay = one.relay, .accepted = true});
  EXPECT_THAT(all<core::RelayAnswered>(), SizeIs(2));
  EXPECT_THAT(all<core::PublishEnded>(), SizeIs(1));
}

TEST_F(NoticesTest, AreWaitedForUntilOneRelayHasThemOrEachHasAnswered) {
  const core::Job job = signed_job();
  notices.publish(job, kPublish);
  EXPECT_EQ(notices.waiting().others, 1u);
  const auto tries = relays.published;
  tries[0].done({.relay = tries[0].relay, .accepted = false, .message = "error: busy"});
  EXPECT_EQ(notices.waiting().others, 1u);
  tries[1].done({.relay = tries[1].relay, .accepted = false, .message = "error: busy"});
  EXPECT_EQ(notices.waiting().others, 0u) << "it is tried again later, and nobody waits for that";
  EXPECT_EQ(progressed, 1);
}

TEST_F(NoticesTest, AResultIsWaitedForUntilOneRelayHasIt) {
  core::Job job = signed_job();
  job.notices[0].notice.purpose = NoticePurpose::result;
  notices.publish(job, {.action = core::Action::publish, .purpose = NoticePurpose::result});
  for (const auto& one : std::vector(relays.published)) {
    one.done({.relay = one.relay, .accepted = false, .message = "error: busy"});
  }
  EXPECT_EQ(notices.waiting().results, 1u);
  pass(2'000);
  ASSERT_THAT(relays.published, SizeIs(4));
  relays.published[2].done({.relay = relays.published[2].relay, .accepted = true});
  EXPECT_EQ(notices.waiting().results, 0u);
  EXPECT_EQ(progressed, 1);
}

TEST_F(NoticesTest, WithoutTheirTextsStopOneJobOnly) {
  const core::Job job = signed_job();
  journal.texts.clear();
  notices.publish(job, kPublish);
  EXPECT_THAT(problems, ElementsAre(HasSubstr("job " + job.id.hex() + " is stuck")));
  EXPECT_THAT(relays.published, IsEmpty());
  EXPECT_THAT(posted, IsEmpty());
  EXPECT_THAT(failures, IsEmpty());
}

TEST_F(NoticesTest, ReportALedgerThatCannotBeRead) {
  const core::Job job = signed_job();
  journal.broken = unreadable();
  notices.publish(job, kPublish);
  ASSERT_THAT(failures, SizeIs(1));
  EXPECT_EQ(failures[0].code, "ledger.io");
  EXPECT_THAT(problems, IsEmpty());
}

// ---- published again ------------------------------------------------------------------------------------------------

class RetryTest : public NoticesTest {
 protected:
  // The sample job, whose result was signed and then given up.
  core::Job given_up_job() {
    core::Job job = sample_job();
    job.completion = ledger::InferenceCompleted{.result = journal.keep("Once upon a time")};
    open_one(job);
    notices.sign(job, {.action = core::Action::sign, .purpose = NoticePurpose::result});
    const auto ready = all<core::NoticeReady>();
    for (const auto& text : ready.at(0).texts) journal.texts[ledger::ref(text).hex()] = text.bytes;
    job.notices.push_back({.notice = ready[0].notice, .closed = true});
    posted.clear();
    open({});
    return job;
  }
  // The code of the refusal; empty when it is published again.
  std::string order(const core::Job& job) {
    journal.jobs[job.id] = job;
    std::vector<base::Result<std::vector<std::string>>> answers;
    notices.retry({job.id, [&](auto answer) { answers.push_back(std::move(answer)); }});
    EXPECT_THAT(answers, SizeIs(1));
    relays_told = answers.at(0).value_or(std::vector<std::string>());
    return answers[0] ? "" : answers[0].error().code;
  }

  std::vector<std::string> relays_told;
};

TEST_F(RetryTest, OrdersTheSignedEventForTheRelaysOfToday) {
  const core::Job job = given_up_job();
  EXPECT_EQ(order(job), "");
  const auto ordered = all<core::RetryOrdered>();
  ASSERT_THAT(ordered, SizeIs(1));
  EXPECT_EQ(ordered[0].job, job.id);
  EXPECT_EQ(ordered[0].at_rest->id, job.id);
  EXPECT_EQ(ordered[0].retry.event, job.notices[0].notice.event);
  EXPECT_THAT(ordered[0].retry.targets, ElementsAre("wss://theirs.example", "wss://ours.example"));
  EXPECT_EQ(relays_told, ordered[0].retry.targets);
}

TEST_F(RetryTest, PublishesTheSameBytesToTheRelaysOfTheOrder) {
  core::Job job = given_up_job();
  const auto sent = [&] {
    open_one(job);
    relays.published.clear();
    notices.publish(job, core::kPublishResult);
    return std::pair(relays.published.at(0).relay, nostr::to_json(relays.published.at(0).event));
  };
  const auto [first_relay, first] = sent();
  job.notices[0].retried = ledger::NoticeRetried{.targets = {"wss://another.example"}, .deadline = kStart + 1'000};
  const auto [second_relay, second] = sent();
  EXPECT_EQ(first_relay, "wss://theirs.example");
  EXPECT_EQ(second_relay, "wss://another.example");
  EXPECT_EQ(first, second);
}

TEST_F(RetryTest, RefusesWhatCannotBePublishedAgain) {
  const core::Job job = given_up_job();
  const auto code = [&](const auto& change) {
    core::Job changed = job;
    change(changed);
    return order(changed);
  };
  EXPECT_EQ(code([](core::Job& one) { one.notices.clear(); }), "retry.no_result");
  EXPECT_EQ(code([](core::Job& one) { one.notices[0].delivered = true; }), "retry.delivered");
  EXPECT_EQ(code([](core::Job& one) { one.notices[0].closed = false; }), "retry.not_over");
  EXPECT_EQ(code([](core::Job& one) { one.closed = ledger::JobClosed{}; }), "retry.closed");
  EXPECT_EQ(code([](core::Job& one) { one.refunds.push_back({.owed = {}, .paid = ledger::RefundPaid{}}); }),
            "retry.paid_back");
  EXPECT_EQ(code([](core::Job& one) { one.refunds.push_back({}); }), "") << "owed back, and still there to be given";
  posted.clear();
  journal.texts.clear();
  EXPECT_EQ(order(job), "retry.pruned");
  journal.jobs.clear();
  notices.retry({core::JobId{}, [](const auto& answer) { EXPECT_EQ(answer.error().code, "retry.no_job"); }});
  EXPECT_THAT(posted, IsEmpty());
}

}  // namespace
}  // namespace runtime
