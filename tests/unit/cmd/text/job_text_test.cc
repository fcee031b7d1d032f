// Jobs as rows of a table, and as people and programs name their states.
#include "cmd/text/job_text.h"

#include <gtest/gtest.h>

#include <sstream>

#include "cmd/text/humanize.h"
#include "tests/unit/pipeline/core/engine_driver.h"

namespace cmd {
namespace {

using core::EngineDriver;
using core::State;

// One job that is paid, one that is not, one whose bid was too low for a model with a long name.
std::vector<core::Job> jobs() {
  auto policy = EngineDriver::policy();
  policy.models[0].name = "hf.co/unsloth/a-model-with-a-rather-long-name:Q4_K_M";
  EngineDriver driver(policy);
  driver.ask(0xA5);
  driver.pay(0xA5);
  driver.ask(0x77);
  auto hopeless = driver.request();
  hopeless.bid = base::Msat{2'000};
  driver.ask(0x0C, hopeless);
  return {driver.job(0x0C), driver.job(0x77), driver.job(0xA5)};
}

std::string printed(const std::vector<core::Job>& some, int width) {
  Table table = job_table();
  for (const core::Job& job : some) add_job(table, job, some.front().updated_at);
  std::ostringstream out;
  table.print(out, Format::people, {.width = width});
  return out.str();
}

int widest(const std::string& text) {
  int out = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) out = std::max(out, display_width(line));
  return out;
}

TEST(JobTable, FitsEveryTerminalOf60ColumnsAndMoreOnOneLineAJob) {
  for (int width = 60; width <= 200; ++width) {
    const std::string text = printed(jobs(), width);
    EXPECT_LE(widest(text), width);
    EXPECT_EQ(std::ranges::count(text, '\n'), 4);
    for (const char* always : {"JOB", "WHEN", "STATE", "PRICE", "SETTLED", "delivered, unpaid"})
      EXPECT_NE(text.find(always), std::string::npos) << width;
  }
}

TEST(JobTable, ShowsMoreWhereThereIsRoom) {
  const std::vector<core::Job> sold{jobs()[1], jobs()[2]};
  EXPECT_EQ(printed(sold, 60).find("CUSTOMER"), std::string::npos);
  EXPECT_NE(printed(sold, 80).find("CUSTOMER"), std::string::npos);
  EXPECT_NE(printed(sold, 80).find("MODEL"), std::string::npos);
  EXPECT_NE(printed(jobs(), 120).find("TOKENS"), std::string::npos);
  EXPECT_NE(printed(jobs(), 200).find("bid 2 sat, asked "), std::string::npos) << printed(jobs(), 200);
  EXPECT_NE(printed({jobs()[0]}, 80).find("bid 2 sat, asked"), std::string::npos)
      << "columns that say nothing give their place to the reason";
}

TEST(JobTable, TheReasonIsLeftOutLast) {
  EXPECT_NE(printed(jobs(), 80).find("bid 2 sat, asked "), std::string::npos) << printed(jobs(), 80);
  EXPECT_EQ(printed(jobs(), 80).find("CUSTOMER"), std::string::npos);
}

TEST(JobTable, LeavesOutWhatPeopleNeedNotRead) {
  auto policy = EngineDriver::policy();
  policy.models[0].name = "llama3.2:latest";
  EngineDriver driver(policy);
  driver.ask(1);
  const std::string sold = printed({driver.job(1)}, 200);
  EXPECT_NE(sold.find("  llama3.2  "), std::string::npos) << sold;
  EXPECT_EQ(job_json(driver.job(1))["model"], "llama3.2:latest");

  driver.inference_fails = ledger::InferenceFailure::rejected;
  driver.ask(2);
  ASSERT_EQ(core::state(driver.job(2)), State::failed);
  EXPECT_EQ(printed({driver.job(2)}, 200).find("PRICE"), std::string::npos) << "nothing is to be paid";
  EXPECT_GT(job_json(driver.job(2))["quoted_msat"], 0);
}

TEST(JobText, EveryLineBeginsItsTextInTheSameColumn) {
  std::ostringstream out;
  print_job(out, {.width = 80}, jobs()[2], {{"texts", "pruned"}});
  const std::string text = out.str();
  const auto column = [&](const std::string& line) {
    const auto begin = text.find("\n" + line.substr(0, line.find(' ')) + " ") + 1;
    return text.find(line.substr(line.find(' ') + 1), begin) - begin;
  };
  EXPECT_EQ(column("texts pruned"), column("state settled")) << text;
}

TEST(JobStates, AreNamedAsPeopleSeeThemAndAsProgramsDo) {
  for (const State state : core::all_states()) {
    EXPECT_EQ(parse_state(core::name(state)), state);
    EXPECT_EQ(parse_state(state_text(state)), state);
  }
  EXPECT_EQ(parse_state("delivered-unpaid"), State::delivered_unpaid);
  EXPECT_EQ(parse_state("Owed Back"), State::refund_owed);
  EXPECT_EQ(parse_state("setled"), std::nullopt);
  EXPECT_EQ(parse_state(""), std::nullopt);
}

}  // namespace
}  // namespace cmd
