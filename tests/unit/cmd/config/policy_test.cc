// What settings become in the ledger, and where play money may go.
#include "cmd/config/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "cmd/config/template.h"

namespace cmd {
namespace {

class Policy : public testing::Test {
 protected:
  Config config(std::vector<std::pair<std::string_view, std::string>> flags = {}) {
    const auto loaded = load_config({.environment = {{"HOME", "/home/seller"}}, .flags = std::move(flags)});
    EXPECT_TRUE(loaded) << loaded.error().describe();
    return loaded ? *loaded : Config{};
  }
  const base::PublicKey us_ = *base::PublicKey::from_hex(std::string(64, 'a'));
  const WalletFacts wallet_{.play_money = true, .unit = {1'000}, .minimum = {1'000}};
};

TEST_F(Policy, SaysWhoSellsThroughWhichWallet) {
  const auto policy = to_policy(config(), us_, wallet_, {});
  EXPECT_EQ(policy.provider, us_);
  EXPECT_EQ(policy.wallet, "sandbox");
  EXPECT_TRUE(policy.play_money);
  EXPECT_EQ(policy.wallet_unit, base::Msat{1'000});
  EXPECT_EQ(policy.invoice_grace_ms, 120'000);
}

TEST_F(Policy, WithoutConfiguredModelsTheBackendsAreSoldAtTheDefaultPrice) {
  const std::vector<inference::ModelInfo> backend = {
      {"big", 131'072, false}, {"unknown", 0, false}, {"tiny", 512, true}};
  const auto models = to_policy(config(), us_, wallet_, backend).models;
  ASSERT_EQ(models.size(), 3U);
  EXPECT_EQ(models[0].base, base::Msat{1'000});
  EXPECT_EQ(models[0].context_tokens, 4'096U);
  EXPECT_EQ(models[1].context_tokens, 4'096U);
  EXPECT_EQ(models[2].context_tokens, 512U) << "never more than it can do";
  EXPECT_LT(models[2].max_output_tokens, models[2].context_tokens);
}

TEST_F(Policy, AModelThatCannotAnswerPromptsIsNeverSoldNorTheDefault) {
  const std::vector<inference::ModelInfo> backend = {
      {.name = "nomic-embed-text:latest", .context_tokens = 2'048, .completes = false}, {.name = "llama3.2:latest"}};
  const auto all = to_policy(config(), us_, wallet_, backend).models;
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].name, "llama3.2:latest");
  Config some = config();
  some.selling.models = {{.name = "nomic-embed-text"}, {.name = "llama3.2"}};
  const auto named = to_policy(some, us_, wallet_, backend).models;
  ASSERT_EQ(named.size(), 1U) << "though it was configured, without its tag";
  EXPECT_EQ(named[0].name, "llama3.2");
  EXPECT_EQ(to_policy(some, us_, wallet_, {}).models.size(), 2U) << "nobody knows while the backend is away";
}

TEST_F(Policy, ConfiguredModelsAreTheOnlyOnes) {
  Config some = config();
  some.selling.models.push_back({.name = "mine"});
  const std::vector<inference::ModelInfo> backend = {{"other", 0, false}};
  EXPECT_EQ(to_policy(some, us_, wallet_, backend).models.size(), 1U);
}

TEST_F(Policy, PlayMoneyStaysOnLoopback) {
  EXPECT_TRUE(check_play_money(config({{"relays.urls", "ws://127.0.0.1:7000,ws://localhost:1,ws://[::1]:2"}})));
  for (const char* relay : {"wss://relay.one", "ws://10.0.0.1:7000", "ws://localhost.evil.example"}) {
    const auto refused = check_play_money(config({{"relays.urls", std::string("ws://127.0.0.1:1,") + relay}}));
    ASSERT_FALSE(refused) << relay;
    EXPECT_EQ(refused.error().code, "config.play_money");
    EXPECT_THAT(refused.error().describe(), testing::HasSubstr(relay));
    EXPECT_THAT(refused.error().describe(), testing::HasSubstr("wallet.allow_public = true"));
  }
  EXPECT_TRUE(check_play_money(config({{"relays.urls", "wss://relay.one"}, {"wallet.allow_public", "true"}})));
}

TEST_F(Policy, AShopWithoutARelayIsToldHowToChooseOne) {
  EXPECT_TRUE(check_relays(config({{"relays.urls", "wss://relay.one"}})));
  const auto refused = check_relays(config());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().describe(),
            "no relay is chosen (/home/seller/.config/sellcompute/config.toml): name those that your customers use in "
            "`relays.urls`, or give --relay URL; public ones are, for example, wss://relay.damus.io and wss://nos.lol");
}

// ---- the file that init writes ----

TEST_F(Policy, TheWrittenConfigFileBeginsWithWhatEverybodyChooses) {
  const std::string text = config_template({}).value();
  const auto rest = text.find("# ---- Everything else");
  for (const char* living :
       {"\nrelays.urls = [\n", "\nwallet.kind = \"sandbox\"", "\nselling.default_base_msat = 1000",
        "\nselling.default_input_msat_per_1k_tokens = 2000", "\nselling.default_output_msat_per_1k_tokens = 10000"}) {
    EXPECT_LT(text.find(living), rest) << living;
  }
  for (const std::string_view url : public_relays()) {
    EXPECT_LT(text.find("\n#  \"" + std::string(url) + "\",\n"), rest) << "offered, not preset";
  }
  EXPECT_LT(std::ranges::count(text, '\n'), 120) << "one line per setting";
  EXPECT_THAT(text, testing::HasSubstr("\n#selling.slots = 1  "));
  EXPECT_THAT(text, testing::HasSubstr(" [1 to 1,024 inferences]\n"));
}

TEST_F(Policy, SettingsGivenToInitStandInTheFile) {
  const std::string text =
      config_template(
          {{"relays.urls", "wss://relay.one,wss://relay.two"}, {"wallet.kind", "nwc"}, {"log.format", "json"}})
          .value();
  EXPECT_THAT(text, testing::HasSubstr("\nrelays.urls = [\"wss://relay.one\", \"wss://relay.two\"]\n"));
  EXPECT_THAT(text, testing::HasSubstr("\nwallet.kind = \"nwc\" "));
  EXPECT_THAT(text, testing::HasSubstr("\nlog.format = \"json\" "));
  const auto refused = config_template({{"relays.urls", "http://relay.one"}});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().describe(), testing::StartsWith("`relays.urls` cannot be"));
}

TEST_F(Policy, TheWrittenConfigFileHoldsTheDefaultsAlsoWhenItsLinesAreTakenIn) {
  std::string text = config_template({}).value();
  for (std::size_t at = 0; (at = text.find("\n#", at)) != std::string::npos; ++at) {
    if (text[at + 2] != ' ') text.erase(at + 1, 1);
  }
  const auto file = std::filesystem::path(testing::TempDir()) / "policy_test.toml";
  std::ofstream(file) << text;
  const auto taken = load_config({.environment = {{"HOME", "/home/seller"}}, .config_file = file});
  std::filesystem::remove(file);
  ASSERT_TRUE(taken) << taken.error().describe();
  const Config defaults = config();
  for (const Setting& setting : defaults.settings) {
    const auto found = std::ranges::find(taken->settings, setting.name, &Setting::name);
    ASSERT_NE(found, taken->settings.end());
    EXPECT_EQ(found->source, Source::file) << setting.name;
    EXPECT_EQ(found->value, setting.value) << setting.name;
  }
  EXPECT_EQ(taken->selling.models.size(), 1U) << "the example";
}

}  // namespace
}  // namespace cmd
