// Requests in: recorded, made to wait, or refused and counted, each with its receipt.
#include "pipeline/runtime/intake_gate.h"

#include <gmock/gmock.h>

#include "tests/unit/pipeline/runtime/part_test.h"

namespace runtime {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class IntakeGateTest : public PartTest {
 protected:
  IntakeGateTest() { open({}, {.serve_broadcast = true}); }

  nostr::Event request(int number) {
    return nostr::sign(
        {.kind = 5050, .created_at_s = kStart.ms / 1000, .tags = {{"i", "story " + std::to_string(number), "text"}}},
        customer, {});
  }
  void arrive(const nostr::Event& event) {
    const auto receipt = std::make_shared<int>();
    receipts.push_back(receipt);
    gate.on_request(event, nostr::to_json(event), "wss://theirs.example", receipt);
  }
  // Receipts that have not been given back.
  std::ptrdiff_t receipts_out() const {
    return std::ranges::count_if(receipts, [](const auto& one) { return !one.expired(); });
  }
  std::vector<core::JobId> recorded_jobs() const {
    std::vector<core::JobId> out;
    for (const auto& [arrived, receipt] : recorded) out.push_back(arrived.job);
    return out;
  }
  // What was counted as refused, as "reason count".
  std::vector<std::string> counted() {
    gate.record_refused();
    std::vector<std::string> out;
    for (const auto& one : all<core::RequestsRefused>()) {
      for (const auto& count : one.counts.counts) out.push_back(count.reason + " " + std::to_string(count.count));
    }
    return out;
  }

  std::size_t backlog = 0;
  std::vector<base::EventId> recording;
  std::vector<std::pair<core::RequestArrived, std::shared_ptr<void>>> recorded;
  std::vector<std::weak_ptr<int>> receipts;
  CustomerRelays customer_relays{relays, time, options.own_relays};
  IntakeGate gate{context,
                  customer_relays,
                  {.backlog = [this] { return backlog; },
                   .is_recording = [this](const base::EventId& id) { return std::ranges::count(recording, id) > 0; },
                   .record =
                       [this](core::RequestArrived arrived, std::shared_ptr<void> receipt) {
                         recorded.emplace_back(std::move(arrived), std::move(receipt));
                       }}};
};

TEST_F(IntakeGateTest, RecordsARequestWithItsReceipt) {
  const nostr::Event event = request(1);
  arrive(event);
  ASSERT_THAT(recorded_jobs(), ElementsAre(event.id));
  const core::RequestArrived& arrived = recorded[0].first;
  EXPECT_EQ(arrived.text.bytes, nostr::to_json(event));
  EXPECT_EQ(arrived.request.request, ledger::ref(arrived.text));
  EXPECT_EQ(arrived.request.customer, customer.public_key());
  EXPECT_EQ(arrived.request.relay, "wss://theirs.example");
  EXPECT_EQ(relays.queries, 1) << "where the customer reads is looked up";
  EXPECT_EQ(receipts_out(), 1);
  recorded.clear();
  EXPECT_EQ(receipts_out(), 0) << "the gate keeps no copy";
}

TEST_F(IntakeGateTest, PassesOverARequestThatIsKnown) {
  const nostr::Event on_its_way = request(1);
  recording.push_back(on_its_way.id);
  arrive(on_its_way);
  const nostr::Event closed = request(2);
  journal.jobs[closed.id] = core::Job{.id = closed.id};
  arrive(closed);
  const core::Job job = sample_job();
  open({job}, {.serve_broadcast = true});
  arrive(*nostr::parse_event(journal.text(job.request->request)->value()));
  EXPECT_THAT(recorded, IsEmpty());
  EXPECT_EQ(receipts_out(), 0);
  EXPECT_THAT(counted(), IsEmpty()) << "that is no refusal";
}

TEST_F(IntakeGateTest, RefusesWhatIsNotOurs) {
  nostr::Event other = request(1);
  other.kind = 5999;
  arrive(other);
  open({}, {.serve_broadcast = false});
  arrive(request(2));
  EXPECT_THAT(recorded, IsEmpty());
  EXPECT_EQ(receipts_out(), 0);
  EXPECT_THAT(counted(), ElementsAre("not_ours 2"));
}

TEST_F(IntakeGateTest, CountsWhatWasRefusedSinceTheLastTime) {
  gate.on_refused("bad_signature");
  gate.on_refused("too_old");
  gate.on_refused("too_old");
  pass(60'000);
  EXPECT_THAT(counted(), ElementsAre("bad_signature 1", "too_old 2"));
  const auto dropped = all<core::RequestsRefused>().front().counts;
  EXPECT_EQ(dropped.from, kStart);
  EXPECT_EQ(dropped.until, kStart + 60'000);
  posted.clear();
  EXPECT_THAT(counted(), IsEmpty());
  EXPECT_THAT(posted, IsEmpty());
}

TEST_F(IntakeGateTest, LetsRequestsWaitWhileTheDiskIsFull) {
  disk_low = true;
  arrive(request(1));
  arrive(request(2));
  gate.take_waiting();
  EXPECT_THAT(recorded, IsEmpty());
  EXPECT_EQ(receipts_out(), 2);
  disk_low = false;
  gate.take_waiting();
  EXPECT_THAT(recorded_jobs(), ElementsAre(request(1).id, request(2).id));
}

TEST_F(IntakeGateTest, RefusesThoseBeyondSomeOfOneKeyAndSomeHundredsOfStrangers) {
  disk_low = true;
  nostr::Event event = request(1);
  for (int n = 0; n < 66; ++n) arrive(event);
  EXPECT_EQ(receipts_out(), 64);
  EXPECT_THAT(counted(), ElementsAre("disk_full 2"));
  for (int n = 0; n < 200; ++n) {
    event.pubkey.bytes[0] = static_cast<std::uint8_t>(n);
    event.pubkey.bytes[1] = 1;
    arrive(event);
  }
  EXPECT_EQ(receipts_out(), 256) << "the other half is for those who have paid";
}

TEST_F(IntakeGateTest, LetsRequestsWaitWhileTheDiskFallsBehind) {
  backlog = 1'025;
  arrive(request(1));
  EXPECT_THAT(recorded, IsEmpty());
  EXPECT_THAT(problems, IsEmpty()) << "the operator need not know";
  backlog = 1'024;
  gate.take_waiting();
  EXPECT_THAT(recorded, SizeIs(1));
}

TEST_F(IntakeGateTest, DropsRequestsWhileItIsClosed) {
  disk_low = true;
  arrive(request(1));
  gate.close();
  disk_low = false;
  gate.take_waiting();
  for (unsigned i = 2; i < 2'000; ++i) arrive(request(2));
  EXPECT_THAT(recorded, IsEmpty());
  EXPECT_EQ(receipts_out(), 0) << "or the relays would not be read any more";
  gate.open();
  arrive(request(2));
  EXPECT_THAT(recorded_jobs(), ElementsAre(request(2).id));
}

TEST_F(IntakeGateTest, ReportsALedgerThatCannotBeReadAndTakesNothingFromThenOn) {
  journal.broken = unreadable();
  arrive(request(1));
  ASSERT_THAT(failures, SizeIs(1));
  arrive(request(2));
  EXPECT_THAT(recorded, IsEmpty());
  EXPECT_THAT(failures, SizeIs(1));
}

}  // namespace
}  // namespace runtime
