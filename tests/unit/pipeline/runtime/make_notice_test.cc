// The work that relays ask of what we publish (NIP-13).
#include "pipeline/runtime/make_notice.h"

#include <gtest/gtest.h>

#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip13.h"
#include "pipeline/nostr/nip90_answer.h"

namespace runtime {
namespace {

const base::TimeMs kNow{1'700'000'000'000};

core::Job declined_job() {
  core::Job job;
  const auto fold = [&](const ledger::Fact& event) { core::evolve(job, {}, kNow, event); };
  fold(ledger::JobRequested{.kind = 5050, .relay = "wss://relay.example", .addressed = true});
  fold(ledger::JobDeclined{.reason = ledger::DeclineReason::busy, .message = "try again later", .told = true});
  return job;
}

core::NoticeReady notice_with(unsigned pow_bits) {
  const auto key = *nostr::SecretKey::from_bytes(std::string(32, '\x07'));
  const auto no_texts = [](const base::TextRef&) { return base::Result<std::string>(); };
  return make_notice(
             declined_job(), {.action = core::Action::sign, .purpose = ledger::NoticePurpose::error}, {}, {}, no_texts,
             key, [] { return base::Salt{}; }, kNow, pow_bits)
      .value();
}

TEST(NoticeWork, IsDoneAsFarAsItIsAskedFor) {
  EXPECT_GE(nostr::leading_zero_bits(notice_with(12).notice.event), 12U);
  EXPECT_NE(notice_with(12).texts[0].bytes.find(R"(["nonce")"), std::string::npos) << "and committed to";
  EXPECT_EQ(notice_with(0).texts[0].bytes.find(R"(["nonce")"), std::string::npos);
}

TEST(NoticeWork, ThatWouldTakeForEverIsLeftAndTheNoticeGoesOut) {
  EXPECT_EQ(notice_with(250).notice.kind, nostr::kFeedbackKind);
}

}  // namespace
}  // namespace runtime
