// A job that is in memory, at rest, or nowhere.
#include "pipeline/runtime/find_job.h"

#include "tests/unit/pipeline/runtime/part_test.h"

namespace runtime {
namespace {

class FindJobTest : public PartTest {
 protected:
  void find() {
    find_settled_job(context, id, [this](FoundJob job) { found = std::move(job); });
  }
  const core::JobId id = sample_job().id;
  std::optional<FoundJob> found;
};

TEST_F(FindJobTest, AnOpenJobIsTheEngines) {
  journal.jobs[id] = {};
  open({sample_job()});
  find();
  ASSERT_TRUE(found && *found && **found);
  EXPECT_TRUE((**found)->quote);
}

TEST_F(FindJobTest, AJobAtRestIsReadWhenNothingWaitsForTheDisk) {
  bool durable = false;
  context.all_durable = [&] { return durable; };
  find();
  pass(1'000);
  EXPECT_FALSE(found);
  journal.jobs[id] = sample_job();
  durable = true;
  pass(1'000);
  ASSERT_TRUE(found && *found && **found);
}

TEST_F(FindJobTest, ThereMayBeNone) {
  find();
  ASSERT_TRUE(found && *found);
  EXPECT_FALSE(**found);
}

TEST_F(FindJobTest, AFailedLedgerIsAnError) {
  journal.broken = unreadable();
  find();
  EXPECT_EQ(found->error().code, "ledger.io");
  failures.push_back(unreadable());
  find();
  EXPECT_EQ(found->error().code, "ledger.failed");
}

}  // namespace
}  // namespace runtime
