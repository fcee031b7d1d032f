// What customers are told when a job fails, and the work that relays ask of what we publish (NIP-13).
#include "pipeline/runtime/make_notice.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

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
             declined_job(), {.action = core::Action::sign, .purpose = ledger::NoticePurpose::error},
             {.texts = no_texts, .key = key, .random = [] { return base::Salt{}; }, .now = kNow, .pow_bits = pow_bits})
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

// ---- why a job could not be served ----------------------------------------------------------------------------------

// The words of the error notice of a job whose model has failed for good.
std::string told_of(ledger::InferenceFailure failure, bool paid = false) {
  core::Job job;
  const auto fold = [&](const ledger::Fact& fact) { core::evolve(job, {}, kNow, fact); };
  fold(ledger::JobRequested{.kind = 5050, .relay = "wss://relay.example", .addressed = true});
  fold(ledger::JobQuoted{.terms = {.name = "llama3.2", .context_tokens = 4'096},
                         .price = {9'000},
                         .payment_mode = ledger::PaymentMode::payment_first});
  fold(ledger::InvoiceIssued{.amount = {9'000}});
  if (paid) fold(ledger::InvoiceSettled{.received = {9'000}});
  fold(ledger::InferenceFailed{.attempt = 1, .failure = failure, .message = "HTTP 500: dial tcp 10.0.0.7:11434"});
  const auto key = *nostr::SecretKey::from_bytes(std::string(32, '\x07'));
  const auto no_texts = [](const base::TextRef&) { return base::Result<std::string>(); };
  const auto made = make_notice(job, {.action = core::Action::sign, .purpose = ledger::NoticePurpose::error},
                                {.texts = no_texts, .key = key, .random = [] { return base::Salt{}; }, .now = kNow});
  const auto tags = nostr::tags_from_json(made->texts.at(0).bytes).value();
  return std::ranges::find(tags, "status", [](const nostr::Tag& tag) { return tag.at(0); })->at(2);
}

TEST(ErrorNotice, SaysWhyTheModelFailedInPlainWords) {
  using enum ledger::InferenceFailure;
  const std::map<ledger::InferenceFailure, std::string> words = {
      {unspecified, "the model server failed"},
      {unreachable, "the model server could not be reached"},
      {timed_out, "the model did not answer in time"},
      {unknown_model, "the model server no longer has llama3.2"},
      {input_too_long,
       "the prompt is too long for llama3.2, which takes 4096 tokens for the prompt and its answer together"},
      {busy, "the model server was too busy"},
      {rejected, "the request cannot be served as it stands"},
      {server_error, "the model server failed while it worked on the request"},
      {cut_off, "the model server broke off its answer"},
      {malformed, "the model server gave an answer that cannot be read"},
      {empty, "the model ended without any text; a larger max_tokens or another prompt may help"},
  };
  for (const auto& entry : ledger::enum_names(unspecified)) {
    const auto failure = static_cast<ledger::InferenceFailure>(entry.value);
    ASSERT_TRUE(words.contains(failure)) << entry.name;
    EXPECT_EQ(told_of(failure), words.at(failure) + "; you owe nothing") << entry.name;
    EXPECT_EQ(told_of(failure, true), words.at(failure) + "; what you paid is owed back to you") << entry.name;
  }
}

TEST(ErrorNotice, NamesNothingOfTheProvidersNetwork) {
  for (const auto& entry : ledger::enum_names(ledger::InferenceFailure::unspecified)) {
    const std::string told = told_of(static_cast<ledger::InferenceFailure>(entry.value));
    for (const char* inside : {"10.0.0.7", "11434", "tcp", "HTTP"}) {
      EXPECT_EQ(told.find(inside), std::string::npos) << told;
    }
  }
}

}  // namespace
}  // namespace runtime
