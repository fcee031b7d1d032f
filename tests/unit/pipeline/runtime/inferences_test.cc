// Generations under way: what is posted of their ends, what customers are shown, and what is kept.
#include "pipeline/runtime/inferences.h"

#include <gmock/gmock.h>

#include "base/utf8.h"
#include "pipeline/nostr/encryption.h"
#include "tests/unit/pipeline/runtime/part_test.h"

namespace runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr core::Work kInfer{.action = core::Action::infer, .attempt = 2};

class InferencesTest : public PartTest {
 protected:
  void start(const core::Job& job) {
    open({job});
    inferences.start(*engine.find(job.id), kInfer);
  }
  // A job whose customer asks to see the answer grow, and may.
  core::Job streaming_job() {
    core::Job job = sample_job();
    job.request->stream = true;
    job.quote->payment_mode = ledger::PaymentMode::payment_first;
    return job;
  }

  std::string request_json() const { return journal.texts.begin()->second; }  // of the one sample job

  CustomerRelays customer_relays{relays, time, options.own_relays};
  JobTexts texts{journal, key, ports.random};
  Inferences inferences{context, texts, customer_relays};
};

TEST_F(InferencesTest, AskForTheQuotedModelWithinTheQuotedCaps) {
  core::Job job = sample_job();
  job.request->output = "application/json";
  start(job);
  ASSERT_THAT(backend.asked, SizeIs(1));
  const inference::ChatRequest& asked = backend.asked.front();
  EXPECT_EQ(asked.model, "llama");
  EXPECT_EQ(asked.max_output_tokens, 100U);
  EXPECT_EQ(asked.context_tokens, 4'096U);
  EXPECT_TRUE(asked.json);
  ASSERT_THAT(asked.messages, SizeIs(1));
  EXPECT_EQ(asked.messages.front().content, "Tell me a story");
}

TEST_F(InferencesTest, PostTheAnswerAsTheLedgerKeepsIt) {
  start(sample_job());
  backend.done(inference::Completion{
      .text = "Once\x7f", .output_tokens = 3, .finish = ledger::FinishReason::stop, .total_ms = 40});
  const auto ended = all<core::InferenceEnded>();
  ASSERT_THAT(ended, SizeIs(1));
  EXPECT_EQ(ended[0].work, kInfer);
  EXPECT_EQ(ended[0].result.bytes, "Once\xef\xbf\xbd");
  EXPECT_EQ(ended[0].completion.result, ledger::ref(ended[0].result));
  EXPECT_EQ(ended[0].completion.attempt, 2U);
  EXPECT_EQ(ended[0].completion.output_tokens, 3U);
  EXPECT_EQ(ended[0].completion.partials, 0U);
}

TEST_F(InferencesTest, KeepTheGenerationUntilItsBackendIsOffTheStack) {
  start(sample_job());
  backend.done(inference::Completion{.text = "Once"});
  EXPECT_TRUE(backend.running);
  pass(1);
  EXPECT_FALSE(backend.running);
}

TEST_F(InferencesTest, PostAFailureInTheBackendsWords) {
  start(sample_job());
  backend.done(tl::unexpected(inference::Failure{ledger::InferenceFailure::unreachable, "no route"}));
  const auto broke = all<core::InferenceBroke>();
  ASSERT_THAT(broke, SizeIs(1));
  EXPECT_EQ(broke[0].failure, ledger::InferenceFailure::unreachable);
  EXPECT_EQ(broke[0].message, "no route");
}

TEST_F(InferencesTest, EndAnAnswerThatOutgrowsWhatRelaysTake) {
  start(sample_job());
  backend.text(std::string(30'000, 'a'));
  pass(5);
  backend.text(std::string(40'000, 'b'));
  const auto ended = all<core::InferenceEnded>();
  ASSERT_THAT(ended, SizeIs(1));
  EXPECT_EQ(ended[0].completion.finish, ledger::FinishReason::length);
  const std::string& kept = ended[0].result.bytes;
  EXPECT_EQ(kept.substr(0, 30'000), std::string(30'000, 'a'));
  EXPECT_EQ(kept.find_first_not_of('b', 30'000), std::string::npos) << "and the start of what came then";
  const std::size_t event_bytes = nostr::result_event_bytes(request_json(), kept.size());
  EXPECT_EQ(event_bytes, engine.policy().result_event_limit_bytes) << "to the last byte";
  EXPECT_EQ(ended[0].completion.output_tokens, 2U) << "the chunks that are kept";
  EXPECT_EQ(ended[0].completion.total_ms, 5);
  backend.done(inference::Completion{.text = "all of it"});
  EXPECT_THAT(posted, SizeIs(1)) << "it has ended";
}

TEST_F(InferencesTest, CutAnAnswerBetweenTwoCharacters) {
  start(sample_job());
  std::string euros;
  for (int i = 0; i < 30'000; ++i) euros += "€";
  backend.text(euros);
  const auto ended = all<core::InferenceEnded>();
  ASSERT_THAT(ended, SizeIs(1)) << "one chunk may be all there is, and too much";
  EXPECT_TRUE(base::is_utf8(ended[0].result.bytes));
  EXPECT_GT(ended[0].result.bytes.size(), 50'000U);
}

// ---- nothing to sell ------------------------------------------------------------------------------------------------

TEST_F(InferencesTest, AnAnswerWithoutVisibleTextHasFailed) {
  for (const char* text : {"", " \n\t ", "\u200B\u3000", "\x1b"}) {
    posted.clear();
    start(sample_job());
    backend.done(inference::Completion{.text = text, .output_tokens = 512, .finish = ledger::FinishReason::length});
    const auto broke = all<core::InferenceBroke>();
    ASSERT_THAT(broke, SizeIs(1)) << text;
    EXPECT_EQ(broke[0].failure, ledger::InferenceFailure::empty);
    EXPECT_EQ(broke[0].message, "the model ended (length) after 512 tokens without any visible text");
  }
}

TEST_F(InferencesTest, BlanksUpToTheSizeLimitHaveFailedToo) {
  start(sample_job());
  for (int i = 0; i < 70 && posted.empty(); ++i) backend.text(std::string(1'000, '\n'));
  const auto broke = all<core::InferenceBroke>();
  ASSERT_THAT(broke, SizeIs(1));
  EXPECT_EQ(broke[0].failure, ledger::InferenceFailure::empty);
}

TEST_F(InferencesTest, ShowNothingBeforeThereIsSomethingToSee) {
  const core::Job job = streaming_job();
  start(job);
  backend.text("\n\n");
  EXPECT_THAT(relays.published, IsEmpty());
  backend.text("Once");
  ASSERT_THAT(relays.published, SizeIs(2));
  EXPECT_EQ(relays.published[0].event.content, "\n\nOnce");
}

// ---- the time limit -------------------------------------------------------------------------------------------------

TEST_F(InferencesTest, WhatIsNotOverInTimeHasFailedAndIsStopped) {
  options.answer_limit_ms = 60'000;
  for (const char* said : {"", "\n", "Once upon a time"}) {
    posted.clear();
    start(sample_job());
    if (*said) backend.text(said);
    pass(59'999);
    EXPECT_THAT(posted, IsEmpty());
    pass(1);
    const auto broke = all<core::InferenceBroke>();
    ASSERT_THAT(broke, SizeIs(1)) << said;
    EXPECT_EQ(broke[0].failure, ledger::InferenceFailure::timed_out);
    EXPECT_EQ(broke[0].message, "the answer was not over after 60000 ms");
    pass(1);
    EXPECT_FALSE(backend.running);
  }
}

TEST_F(InferencesTest, TheTimeOfOneStartDoesNotEndTheNext) {
  options.answer_limit_ms = 60'000;
  const core::Job job = sample_job();
  start(job);
  pass(59'000);
  backend.done(tl::unexpected(inference::Failure{ledger::InferenceFailure::cut_off, "cut"}));
  inferences.start(*engine.find(job.id), kInfer);
  pass(2'000);
  EXPECT_THAT(posted, SizeIs(1));
  backend.done(inference::Completion{.text = "Once"});
  EXPECT_THAT(all<core::InferenceEnded>(), SizeIs(1));
  pass(60'000);
  EXPECT_THAT(posted, SizeIs(2));
}

// ---- what cannot start ----------------------------------------------------------------------------------------------

TEST_F(InferencesTest, CannotStartWithoutTheRequestsText) {
  const core::Job job = sample_job();
  journal.texts.clear();
  start(job);
  EXPECT_THAT(backend.asked, IsEmpty());
  const auto broke = all<core::InferenceBroke>();
  ASSERT_THAT(broke, SizeIs(1));
  EXPECT_EQ(broke[0].failure, ledger::InferenceFailure::rejected);
  EXPECT_THAT(broke[0].message, HasSubstr("pruned"));
  EXPECT_THAT(failures, IsEmpty());
}

TEST_F(InferencesTest, ReportALedgerThatCannotBeRead) {
  const core::Job job = sample_job();
  journal.broken = unreadable();
  start(job);
  ASSERT_THAT(failures, SizeIs(1));
  EXPECT_EQ(failures[0].code, "ledger.io");
  EXPECT_THAT(posted, IsEmpty());
}

TEST_F(InferencesTest, DoNotStartForAJobThatHasEnded) {
  core::Job job = sample_job();
  job.cancelled = ledger::JobCancelled{.by = ledger::CancelledBy::customer};
  start(job);
  EXPECT_THAT(backend.asked, IsEmpty());
}

TEST_F(InferencesTest, StoppedBeforeAnythingWasShownLeaveNoAnswer) {
  start(sample_job());
  const auto id = sample_job().id;
  backend.text("Once");
  EXPECT_FALSE(inferences.stop(id));
  EXPECT_FALSE(backend.running);
  backend.text(" upon");
  backend.done(inference::Completion{.text = "Once upon"});
  EXPECT_THAT(posted, IsEmpty());
  EXPECT_FALSE(inferences.stop(id)) << "none is under way";
}

TEST_F(InferencesTest, StoppedAfterTheCustomerSawAPartLeaveThatAnswer) {
  const core::Job job = streaming_job();
  start(job);
  backend.text("Once");
  ASSERT_THAT(relays.published, SizeIs(2));
  EXPECT_EQ(relays.published[0].relay, "wss://theirs.example");
  EXPECT_EQ(relays.published[1].relay, "wss://ours.example");
  relays.published[0].done({.relay = "wss://theirs.example", .accepted = true});
  backend.text(" upon");
  const auto answer = inferences.stop(job.id);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->result.bytes, "Once upon");
  EXPECT_EQ(answer->completion.finish, ledger::FinishReason::cancelled);
  EXPECT_EQ(answer->completion.input_tokens, 8U) << "as quoted: the backend has not counted";
  EXPECT_EQ(answer->completion.output_tokens, 2U);
  EXPECT_EQ(answer->completion.partials, 1U);
  EXPECT_THAT(posted, IsEmpty());
}

TEST_F(InferencesTest, ShowNothingUnlessItIsAskedForOrTheOptionsSayAlways) {
  core::Job job = streaming_job();
  job.request->stream = false;
  start(job);
  backend.text("Once");
  EXPECT_THAT(relays.published, IsEmpty());
  inferences.stop(job.id);
  options.stream = Options::Stream::always;
  inferences.start(*engine.find(job.id), kInfer);
  backend.text("Once");
  EXPECT_THAT(relays.published, SizeIs(2));
}

TEST_F(InferencesTest, ShowNothingToACustomerWhoIsNotTrustedWithIt) {
  core::Job job = streaming_job();
  job.quote->payment_mode = ledger::PaymentMode::result_first;
  start(job);
  backend.text("Once");
  EXPECT_THAT(relays.published, IsEmpty());
}

TEST_F(InferencesTest, KeepAnEncryptedJobsAnswerEncrypted) {
  core::Job job = sample_job();
  job.request->encryption = ledger::Encryption::nip44;
  start(job);
  backend.done(inference::Completion{.text = "Once"});
  const auto ended = all<core::InferenceEnded>();
  ASSERT_THAT(ended, SizeIs(1));
  const auto opened = nostr::decrypt(ended[0].result.bytes, customer, key.public_key());
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->plaintext, "Once");
}

}  // namespace
}  // namespace runtime
