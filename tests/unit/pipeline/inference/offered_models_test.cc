// What a model server has, held against what is offered.
#include "pipeline/inference/offered_models.h"

#include <gtest/gtest.h>

namespace inference {
namespace {

const BackendStatus kServer{.version = "0.24",
                            .models = {{.name = "llama3.2:latest", .loaded = true},
                                       {.name = "qwen3:8b"},
                                       {.name = "nomic-embed-text:latest", .completes = false}}};

std::string code_of(const std::string& offered, const BackendStatus& status = kServer) {
  const ledger::ModelOffer offer{.name = offered};
  const auto seen = observe_models({&offer, 1}, status);
  EXPECT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].which, offered);
  return seen[0].error ? seen[0].error->code : "";
}

TEST(OfferedModels, AreFoundWithAndWithoutTheirTag) {
  EXPECT_EQ(code_of("llama3.2"), "");
  EXPECT_EQ(code_of("llama3.2:latest"), "");
  EXPECT_EQ(code_of("qwen3:8b"), "");
  EXPECT_EQ(code_of("qwen3"), "inference.unknown_model") << "the tag names another size";
}

TEST(OfferedModels, MustAnswerPrompts) {
  EXPECT_EQ(code_of("nomic-embed-text"), "inference.no_completion");
}

TEST(OfferedModels, ThatWereTriedAndFailedAreNotSold) {
  BackendStatus status = kServer;
  status.models[1].trouble = base::Error{.code = "inference.model_fails", .message = "out of memory"};
  EXPECT_EQ(code_of("qwen3:8b", status), "inference.model_fails");
}

TEST(OfferedModels, AtLeastOneIsNeeded) {
  const auto seen = observe_models({}, kServer);
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].error->code, "inference.no_models");
}

TEST(OfferedModels, AreListedForAPerson) {
  EXPECT_EQ(list_models(kServer),
            "llama3.2:latest (loaded), qwen3:8b, nomic-embed-text:latest (embeddings only, not sold)");
}

}  // namespace
}  // namespace inference
