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

}  // namespace
}  // namespace runtime
