// Inputs gathered for a job: kept as the ledger keeps them, and the prompt measured.
#include "pipeline/runtime/job_inputs.h"

#include <gmock/gmock.h>

#include "pipeline/nostr/encryption.h"
#include "tests/unit/pipeline/runtime/part_test.h"

namespace runtime {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr core::Work kGather{.action = core::Action::gather};

class JobInputsTest : public PartTest {
 protected:
  void gather(core::Job job) {
    job.request->sources = {{.type = ledger::InputType::url, .data = "https://pages.example/one"}};
    open({job});
    inputs.gather(*engine.find(job.id), kGather);
  }

  JobTexts texts{journal, key, ports.random};
  JobInputs inputs{context, texts};
};

TEST_F(JobInputsTest, AreKeptAndCountedIntoThePrompt) {
  gather(sample_job());
  EXPECT_THAT(posted, IsEmpty()) << "never inside the call";
  pass(1'000);
  const auto ready = all<core::InputsReady>();
  ASSERT_THAT(ready, SizeIs(1));
  EXPECT_EQ(ready[0].work, kGather);
  ASSERT_THAT(ready[0].texts, SizeIs(1));
  EXPECT_EQ(ready[0].texts[0].bytes, "a page");
  EXPECT_EQ(ready[0].inputs.texts.at(0), ledger::ref(ready[0].texts[0]));
  EXPECT_GE(ready[0].inputs.prompt_bytes, std::string("Tell me a story").size());
  EXPECT_GT(ready[0].inputs.input_tokens, 0U);
}

TEST_F(JobInputsTest, OfAnEncryptedJobAreKeptEncrypted) {
  core::Job job = sample_job();
  job.request->encryption = ledger::Encryption::nip44;
  gather(job);
  pass(1'000);
  const auto ready = all<core::InputsReady>();
  ASSERT_THAT(ready, SizeIs(1));
  const auto opened = nostr::decrypt(ready[0].texts.at(0).bytes, customer, key.public_key());
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->plaintext, "a page");
}

TEST_F(JobInputsTest, ThatAreMissingAreSaidToTheCustomer) {
  web.page = base::fail(base::ErrorKind::job_processing, "web.status", "there is no such page");
  gather(sample_job());
  pass(1'000);
  const auto missing = all<core::InputsMissing>();
  ASSERT_THAT(missing, SizeIs(1));
  EXPECT_THAT(missing[0].failure.message, testing::HasSubstr("there is no such page"));
}

TEST_F(JobInputsTest, AreMissingWhenTheRequestsTextWasPruned) {
  gather(sample_job());
  journal.texts.clear();
  pass(1'000);
  EXPECT_THAT(all<core::InputsMissing>(), SizeIs(1));
  EXPECT_THAT(failures, IsEmpty());
}

TEST_F(JobInputsTest, ReportALedgerThatCannotBeRead) {
  gather(sample_job());
  journal.broken = unreadable();
  pass(1'000);
  EXPECT_THAT(failures, SizeIs(1));
  EXPECT_THAT(posted, IsEmpty());
}

TEST_F(JobInputsTest, OfAJobThatIsGoneAreDropped) {
  gather(sample_job());
  open({});
  pass(1'000);
  EXPECT_THAT(posted, IsEmpty());
}

}  // namespace
}  // namespace runtime
