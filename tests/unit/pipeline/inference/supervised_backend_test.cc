// Whether a model that is listed really answers.
#include "pipeline/inference/supervised_backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sim/virtual_time.h"

namespace inference {
namespace {

using ledger::InferenceFailure;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Answers each chat after 100 ms, or fails as it is told to.
struct BackendBehind final : Backend {
  struct Nothing final : Generation {};
  explicit BackendBehind(base::Scheduler& scheduler_) : scheduler(scheduler_) {}
  std::unique_ptr<Generation> chat(const ChatRequest& request, OnText, OnDone done) override {
    (request.messages.front().content == kProbePrompt ? probes : jobs).push_back(request);
    if (!silent) {
      scheduler.after(100, [this, model = request.model, done] {
        const auto fault = fails.find(model);
        if (fault == fails.end()) return done(Completion{.text = "yes"});
        done(tl::unexpected(Failure{fault->second, "out of memory"}));
      });
    }
    return std::make_unique<Nothing>();
  }
  void status(std::function<void(base::Result<BackendStatus>)> done) override {
    done(BackendStatus{.models = {{.name = "small:latest"}, {.name = "large"}}});
  }
  base::Scheduler& scheduler;
  std::map<std::string, InferenceFailure> fails;
  bool silent = false;
  std::vector<ChatRequest> probes;
  std::vector<ChatRequest> jobs;
};

class SupervisedBackendTest : public testing::Test {
 protected:
  void pass(std::int64_t ms) {
    const base::TimeMs until = time.now() + ms;
    while (time.step(until)) {
    }
  }
  void job(const std::string& model) {
    jobs.push_back(backend.chat(
        {.model = model, .messages = {{"user", "a question"}}, .context_tokens = 4'096}, [](std::string_view) {},
        [](const tl::expected<Completion, Failure>&) {}));
    pass(200);
  }
  // Model names with why they do not work.
  std::map<std::string, std::string> troubles() {
    std::map<std::string, std::string> out;
    backend.status([&](const base::Result<BackendStatus>& status) {
      for (const ModelInfo& model : status->models) {
        if (model.trouble) out[model.name] = model.trouble->message;
      }
    });
    return out;
  }
  std::vector<std::string> probed() const {
    std::vector<std::string> out;
    for (const ChatRequest& one : behind->probes) out.push_back(one.model);
    return out;
  }
  void prove() {
    backend.prove(std::vector<ledger::ModelOffer>{{.name = "small", .context_tokens = 8'192}, {.name = "large"}});
  }

  sim::VirtualTime time{base::TimeMs{1'800'000'000'000}};
  sim::ProcessTime process{time};
  std::unique_ptr<BackendBehind> owned = std::make_unique<BackendBehind>(process);
  BackendBehind* behind = owned.get();
  SupervisedBackend backend{std::move(owned), process};
  std::vector<std::unique_ptr<Generation>> jobs;
};

TEST_F(SupervisedBackendTest, EachModelIsAskedForOneTokenTheDefaultOneLast) {
  prove();
  pass(1'000);
  EXPECT_THAT(probed(), ElementsAre("large", "small"));
  EXPECT_EQ(behind->probes[1].max_output_tokens, 1U);
  EXPECT_EQ(behind->probes[1].context_tokens, 8'192U) << "another value would load the model anew";
  EXPECT_THAT(troubles(), IsEmpty());
}

TEST_F(SupervisedBackendTest, OneModelIsTriedAtATime) {
  behind->silent = true;
  prove();
  pass(1'000);
  EXPECT_THAT(probed(), ElementsAre("large"));
}

TEST_F(SupervisedBackendTest, AModelThatAnsweredWithinTheHourIsNotWokenForThat) {
  job("small");
  job("large");
  pass(kProofLastsMs - 1'000);
  prove();
  EXPECT_THAT(probed(), IsEmpty());
  pass(1'000);
  prove();
  pass(1'000);
  EXPECT_THAT(probed(), ElementsAre("large", "small"));
}

TEST_F(SupervisedBackendTest, AModelThatCannotBeLoadedIsReportedUntilItAnswers) {
  behind->fails["large"] = InferenceFailure::server_error;
  prove();
  pass(1'000);
  EXPECT_THAT(troubles()["large"], HasSubstr("does not work: out of memory"));
  EXPECT_FALSE(troubles().contains("small:latest"));
  behind->fails.clear();
  pass(kFirstProbePauseMs);
  EXPECT_THAT(troubles(), IsEmpty());
}

TEST_F(SupervisedBackendTest, ItIsTriedAgainAfterGrowingPauses) {
  behind->fails["large"] = InferenceFailure::server_error;
  prove();
  pass(base::kHourMs);
  // After 1, 2, 4 and 8 minutes, then every ten.
  EXPECT_EQ(std::ranges::count(probed(), "large"), 1 + 4 + 4);
}

TEST_F(SupervisedBackendTest, SeveralFailuresInARowHaveItTried) {
  behind->fails["large"] = InferenceFailure::cut_off;
  for (int i = 1; i < kFailuresBeforeProbe; ++i) job("large");
  EXPECT_THAT(probed(), IsEmpty());
  job("large");
  EXPECT_THAT(probed(), ElementsAre("large"));
  EXPECT_THAT(troubles()["large"], HasSubstr("out of memory"));
}

TEST_F(SupervisedBackendTest, OrdersThatNobodyCouldFillSayNothingOfTheModel) {
  behind->fails["large"] = InferenceFailure::input_too_long;
  for (int i = 0; i < 10; ++i) job("large");
  behind->fails["large"] = InferenceFailure::cut_off;
  job("large");
  behind->fails.clear();
  job("large");
  EXPECT_THAT(probed(), IsEmpty());
}

TEST_F(SupervisedBackendTest, AServerThatIsAwaySaysNothingOfItsModels) {
  behind->fails["large"] = behind->fails["small"] = InferenceFailure::unreachable;
  prove();
  pass(1'000);
  EXPECT_THAT(troubles(), IsEmpty());
}

TEST_F(SupervisedBackendTest, AnAnswerToAJobIsProofToo) {
  behind->fails["large"] = InferenceFailure::timed_out;
  prove();
  pass(1'000);
  EXPECT_FALSE(troubles().empty());
  behind->fails.clear();
  job("large");
  EXPECT_THAT(troubles(), IsEmpty());
  const std::size_t before = behind->probes.size();
  pass(base::kHourMs);
  EXPECT_EQ(behind->probes.size(), before) << "it need not be tried again";
}

TEST_F(SupervisedBackendTest, AProbeThatNeverEndsIsGivenUp) {
  behind->silent = true;
  prove();
  pass(kProbeLimitMs + 1'000);
  EXPECT_THAT(troubles()["large"], HasSubstr("took longer"));
  EXPECT_THAT(probed(), ElementsAre("large", "small")) << "the next one has its turn";
}

}  // namespace
}  // namespace inference
