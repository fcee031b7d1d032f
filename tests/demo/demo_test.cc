// `sellcompute demo`: one whole sale with the real program, in both payment modes.
#include <gmock/gmock.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/cli/cli.h"

namespace cli {
namespace {

using testing::HasSubstr;

class Demo : public CommandLine {
 protected:
  Ran in_ledger(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"--data-dir", "demo-ledger"});
    return sellcompute(arguments);
  }
  // What the ledger adds up to.
  nlohmann::json total() const {
    const Ran ran = in_ledger({"earnings", "report", "--json"});
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    return nlohmann::json::parse(ran.out).at("total");
  }
  void expect_a_whole_sale(const Ran& ran, const std::string& mode) const {
    ASSERT_EQ(ran.exit_code, 0) << ran.out << ran.err;
    EXPECT_THAT(ran.out, HasSubstr(mode));
    EXPECT_THAT(ran.out, HasSubstr("customer   pays"));
    EXPECT_THAT(ran.out, HasSubstr("wallet     settled"));
    EXPECT_EQ(ran.out.find('\x1b'), std::string::npos) << "colours are for terminals";
    const auto figures = total();
    EXPECT_EQ(figures.at("jobs"), 1);
    EXPECT_EQ(figures.at("sales"), 1);
    EXPECT_GT(figures.at("settled_msat"), 0);
    EXPECT_EQ(figures.at("settled_msat"), figures.at("invoiced_msat"));
    EXPECT_EQ(figures.at("unpaid_msat"), 0);
    EXPECT_EQ(figures.at("owed_back_msat"), 0);
    EXPECT_EQ(in_ledger({"audit"}).exit_code, 0);
  }
};

TEST_F(Demo, SellsWithTheResultFirst) {
  expect_a_whole_sale(sellcompute({"demo"}), "to pay afterwards");
}

TEST_F(Demo, SellsWithThePaymentFirst) {
  expect_a_whole_sale(sellcompute({"demo", "--payment-first"}), "to pay first");
}

TEST_F(Demo, GoesOnInTheFolderOfAnEarlierDemo) {
  ASSERT_EQ(sellcompute({"demo"}).exit_code, 0);
  ASSERT_EQ(sellcompute({"demo"}).exit_code, 0);
  EXPECT_EQ(total().at("sales"), 2);
}

TEST_F(Demo, DoesNotUseTheUsersOwnSettings) {
  write("broken.toml", "this is no TOML");
  variables_ = {"SELLCOMPUTE_CONFIG=broken.toml", "SELLCOMPUTE_RELAYS_URLS=wss://relay.one"};
  EXPECT_EQ(sellcompute({"demo"}).exit_code, 0);
}

TEST_F(Demo, LeavesAFolderThatIsNoDemosAlone) {
  std::filesystem::create_directory(home_ / "mine");
  write("mine/thesis.txt", "the only copy");
  const Ran ran = sellcompute({"demo", "--keep", "mine"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, HasSubstr("mine"));
  EXPECT_EQ(read("mine/thesis.txt"), "the only copy");
  EXPECT_FALSE(std::filesystem::exists(home_ / "mine/config.toml"));
}

}  // namespace
}  // namespace cli
