// Settings: who wins, and what is said when something is wrong.
#include "cmd/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "tests/support/not_root.h"

namespace cmd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class Configuration : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              (std::string("config-") + testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
    sources_.environment = {{"HOME", "/home/seller"}};
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(std::string_view toml) {
    sources_.config_file = folder_ / "config.toml";
    std::ofstream(sources_.config_file) << toml;
  }
  void set(std::string_view variable, std::string_view value) {
    sources_.environment.insert_or_assign(std::string(variable), std::string(value));
  }
  Config loaded() {
    auto config = load_config(sources_);
    EXPECT_TRUE(config) << config.error().describe();
    return config ? *config : Config{};
  }
  // What a person reads, with the folder's name left out.
  std::string complaint() {
    const auto config = load_config(sources_);
    if (config) return "none";
    EXPECT_EQ(config.error().kind, base::ErrorKind::config);
    std::string text = config.error().describe();
    const std::string prefix = folder_.string() + "/";
    for (std::size_t at = 0; (at = text.find(prefix)) != std::string::npos;) text.erase(at, prefix.size());
    return text;
  }
  std::string complaint_about(std::string_view toml) {
    write(toml);
    return complaint();
  }
  Setting setting(const std::string& name) {
    const Config config = loaded();
    const auto found = std::ranges::find(config.settings, name, &Setting::name);
    return found == config.settings.end() ? Setting{} : *found;
  }

  std::filesystem::path folder_;
  ConfigSources sources_;
};

TEST_F(Configuration, WithoutAFileTheDefaultsHold) {
  const Config config = loaded();
  EXPECT_EQ(config.inference.url, "http://127.0.0.1:11434");
  EXPECT_EQ(config.wallet.kind, "sandbox");
  EXPECT_EQ(config.selling.slots, 1U);
  EXPECT_EQ(config.selling.payment_mode, ledger::PaymentMode::result_first);
  EXPECT_EQ(config.selling.invoice_expiry_ms, 3'600'000);
  EXPECT_EQ(config.selling.stranger_pool, base::Msat{100'000});
  EXPECT_TRUE(config.selling.models.empty()) << "whatever the backend has is offered";
  EXPECT_TRUE(config.relays.urls.empty());
}

TEST_F(Configuration, EveryKeyHasADefaultADescriptionAndAPlace) {
  const Config config = loaded();
  for (const Key& key : config_keys()) {
    EXPECT_FALSE(key.description.empty()) << key.name;
    EXPECT_LE(key.minimum, key.maximum) << key.name;
    if (key.of_list()) continue;
    EXPECT_EQ(std::ranges::count(config.settings, key.name, &Setting::name), 1) << key.name;
    EXPECT_EQ(key.environment_name().find('.'), std::string::npos) << key.name;
  }
}

TEST_F(Configuration, FlagsWinOverTheEnvironmentThisOverTheFileThatOverDefaults) {
  EXPECT_EQ(setting("selling.slots").source, Source::fallback);
  write("[selling]\nslots = 2\n");
  EXPECT_EQ(loaded().selling.slots, 2U);
  EXPECT_EQ(setting("selling.slots").where, sources_.config_file + ":2");
  set("SELLCOMPUTE_SELLING_SLOTS", "3");
  EXPECT_EQ(loaded().selling.slots, 3U);
  EXPECT_EQ(setting("selling.slots").where, "SELLCOMPUTE_SELLING_SLOTS");
  sources_.flags = {{"selling.slots", "4"}};
  EXPECT_EQ(loaded().selling.slots, 4U);
  EXPECT_EQ(setting("selling.slots").where, "--slots");
}

TEST_F(Configuration, ListsInTheEnvironmentAreSeparatedByCommas) {
  set("SELLCOMPUTE_RELAYS_URLS", "wss://relay.one, ws://127.0.0.1:7000");
  EXPECT_THAT(loaded().relays.urls, ElementsAre("wss://relay.one", "ws://127.0.0.1:7000"));
}

TEST_F(Configuration, FilesAreWhereXdgSaysUnlessToldOtherwise) {
  EXPECT_EQ(loaded().paths.config_file, "/home/seller/.config/sellcompute/config.toml");
  EXPECT_EQ(loaded().paths.ledger(), "/home/seller/.local/share/sellcompute/ledger");
  set("XDG_CONFIG_HOME", "/xdg/config");
  set("XDG_DATA_HOME", "/xdg/data");
  EXPECT_EQ(loaded().identity.key_file, "/xdg/config/sellcompute/identity.key");
  EXPECT_EQ(loaded().wallet.folder, "/xdg/data/sellcompute/wallet");
  set("XDG_DATA_HOME", "relative/is/invalid");
  EXPECT_EQ(loaded().paths.data_dir, "/home/seller/.local/share/sellcompute");
  set("SELLCOMPUTE_DATA_DIR", "/data");
  EXPECT_EQ(loaded().paths.ledger(), "/data/ledger");
  sources_.data_dir = "/other";
  EXPECT_EQ(loaded().paths.ledger(), "/other/ledger");
}

TEST_F(Configuration, PathsStartAtTheConfigFileOrAtHome) {
  write("[identity]\nkey_file = \"keys/mine\"\n[wallet]\nsecret_file = \"~/secret\"\nfolder = \"/var/wallet\"\n");
  const Config config = loaded();
  EXPECT_EQ(config.identity.key_file, folder_ / "keys/mine");
  EXPECT_EQ(config.wallet.secret_file, "/home/seller/secret");
  EXPECT_EQ(config.wallet.folder, "/var/wallet");
}

TEST_F(Configuration, ModelsTakeWhatTheyDoNotSayFromTheDefaultOffer) {
  write(
      "[[models]]\nname = \"llama3.2\"\nbase_msat = 5000\n"
      "[[models]]\nname = \"qwen3:8b\"\n"
      "[selling]\ndefault_output_msat_per_1k_tokens = 7000\n");
  const auto models = loaded().selling.models;
  ASSERT_EQ(models.size(), 2U);
  EXPECT_EQ(models[0].name, "llama3.2");
  EXPECT_EQ(models[0].base, base::Msat{5'000});
  EXPECT_EQ(models[0].output_per_1k_tokens, base::Msat{7'000});
  EXPECT_EQ(models[1].base, base::Msat{1'000});
  EXPECT_EQ(setting("models[0].base_msat").where, sources_.config_file + ":3");
}

// ---- what is said ---------------------------------------------------------------------------------------------------

TEST_F(Configuration, AnUnknownKeyNamesTheNearestAndWhatIsAllowed) {
  EXPECT_EQ(complaint_about("[wallet]\nkimd = \"sandbox\"\n"),
            "there is no setting `wallet.kimd` (config.toml:2): did you mean `wallet.kind`?");
  EXPECT_EQ(complaint_about("[web]\nzebra = 1\n"),
            "there is no setting `web.zebra` (config.toml:2): known here: allow_private");
  EXPECT_THAT(complaint_about("[wallet]\nslots = 1\n"), HasSubstr("did you mean `selling.slots`?"))
      << "the right name in the wrong section";
  EXPECT_THAT(complaint_about("slots = 1\n"), HasSubstr("did you mean `selling.slots`?"));
  EXPECT_EQ(complaint_about("[sellin]\nslots = 1\n"),
            "there is no setting `sellin` (config.toml:1): did you mean `selling`?");
  EXPECT_EQ(complaint_about("[zebra]\n"),
            "there is no setting `zebra` (config.toml:1): known here: identity, relays, web, inference, wallet, "
            "selling, announce, log, models, kinds");
  EXPECT_THAT(complaint_about("[[models]]\nname = \"a\"\nprice = 1\n"),
              StartsWith("there is no setting `models.price` (config.toml:3): known here: name, base_msat,"));
}

TEST_F(Configuration, TheNearestNameOfTheSameTableIsMeantFirst) {
  EXPECT_THAT(complaint_about("[relays]\nurl = [\"wss://a.example\"]\n"), HasSubstr("did you mean `relays.urls`?"))
      << "though inference.url is the very word";
  EXPECT_THAT(complaint_about("[wallet]\nurls = \"http://a.example\"\n"), HasSubstr("did you mean `wallet.url`?"));
  EXPECT_THAT(complaint_about("[[models]]\nname = \"a\"\nbase = 1\n"), HasSubstr("did you mean `models.base_msat`?"));
}

TEST_F(Configuration, AllFaultsAreToldAtOnceInTheOrderOfTheFileThenEnvironmentThenFlags) {
  set("SELLCOMPUTE_SLOTS", "2");
  set("SELLCOMPUTE_LOG_LEVEL", "loud");
  sources_.flags = {{"selling.payment_mode", "later"}};
  EXPECT_EQ(
      complaint_about("[wallet]\n"
                      "network = \"moon\"\n"
                      "[selling]\n"
                      "slots = 0\n"
                      "serve_broadcast = 1.5\n"
                      "[relays]\n"
                      "url = []\n"
                      "[[models]]\n"
                      "base_msat = -1\n"
                      "[[kinds]]\n"
                      "kind = 5050\n"
                      "instruction = \"x\"\n"),
      "the configuration has 10 faults:\n"
      "  `wallet.network` cannot be \"moon\" (config.toml:2): it is one of bitcoin, testnet, signet, regtest\n"
      "  `selling.slots` cannot be 0 (config.toml:4): it is a whole number from 1 to 1,024 (inferences)\n"
      "  `selling.serve_broadcast` has the wrong type (config.toml:5): it is true or false\n"
      "  there is no setting `relays.url` (config.toml:7): did you mean `relays.urls`?\n"
      "  a [[models]] table has no `name` (config.toml:8): add a line that begins with `name = `\n"
      "  `models.base_msat` cannot be -1 (config.toml:9): it is a whole number from 0 to 100,000,000,000 (msat)\n"
      "  kind 5050 is served already (config.toml:10): keep one of its [[kinds]] tables; 5050 needs none\n"
      "  there is no setting for the variable SELLCOMPUTE_SLOTS (environment): did you mean "
      "SELLCOMPUTE_SELLING_SLOTS?\n"
      "  `log.level` cannot be \"loud\" (SELLCOMPUTE_LOG_LEVEL): it is one of trace, debug, info, warning, error\n"
      "  `selling.payment_mode` cannot be \"later\" (--payment-mode): it is one of result_first, payment_first, "
      "escrow");
}

TEST_F(Configuration, AFaultyValueIsToldAlsoWhereAnotherSourceOverridesIt) {
  write("[selling]\nslots = 0\n");
  sources_.flags = {{"selling.slots", "4"}};
  EXPECT_THAT(complaint(), StartsWith("`selling.slots` cannot be 0 (config.toml:2)"));
}

TEST_F(Configuration, OfManyFaultsTheFirstAreShownAndTheRestCounted) {
  std::string toml = "[selling]\n";
  for (int i = 0; i < 27; ++i) toml += "zebra" + std::to_string(i) + " = 1\n";
  const std::string text = complaint_about(toml);
  EXPECT_THAT(text,
              StartsWith("the configuration has 27 faults:\n  there is no setting `selling.zebra0` (config.toml:2)"));
  EXPECT_EQ(std::ranges::count(text, '\n'), 21);
  EXPECT_THAT(text, HasSubstr("zebra19"));
  EXPECT_THAT(text, testing::EndsWith("\n  and 7 more"));
}

TEST_F(Configuration, WhatStandsInTheFileCannotCommandTheTerminal) {
  const std::string text = complaint_about("[selling]\n\"a\\nb\\u001b[2J\" = 1\nc = 1\n");
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(std::ranges::count(text, '\n'), 2) << "one line per fault";
}

TEST_F(Configuration, BrokenTomlIsToldBesideTheOtherSources) {
  set("SELLCOMPUTE_LOG_LEVEL", "loud");
  EXPECT_THAT(complaint_about("[selling\nslots = 2\n"),
              testing::AllOf(StartsWith("the configuration has 2 faults:\n  the config file is no TOML: "),
                             HasSubstr("`log.level` cannot be \"loud\"")));
}

TEST_F(Configuration, AFileOfAnotherUserIsAnOrdinaryFault) {
  write("[selling]\nslots = 2\n");
  std::filesystem::permissions(sources_.config_file, std::filesystem::perms::none);
  {
    const NotRoot user;
    EXPECT_EQ(
        complaint(),
        "the config file cannot be read: Permission denied (config.toml): run this as the user whose file it is, or "
        "name your own with --config");
  }
  std::filesystem::permissions(folder_, std::filesystem::perms::none);
  {
    const NotRoot user;
    EXPECT_THAT(complaint(), StartsWith("the config file cannot be read: Permission denied"));
  }
  std::filesystem::permissions(folder_, std::filesystem::perms::owner_all);
}

TEST_F(Configuration, AFileOfAnEarlierVersionKeepsItsMeaning) {
  sources_.config_file = SOURCE_DIR "/fixtures/config-v1/config.toml";
  const Config config = loaded();
  int from_file = 0;
  for (const Setting& setting : config.settings) {
    const auto key = std::ranges::find(config_keys(), setting.name, &Key::name);
    if (key == config_keys().end()) continue;          // of a list
    if (setting.source == Source::fallback) continue;  // it is newer than the file
    ++from_file;
    EXPECT_EQ(setting.value, value_of_text(*key, key->fallback)) << setting.name;
  }
  EXPECT_EQ(from_file, 64) << "the settings of that version";
  EXPECT_EQ(config.selling.models.size(), 1U);
  EXPECT_EQ(config.selling.templates.size(), 1U);
}

TEST_F(Configuration, AWrongTypeOrRangeNamesKeyValueAndWhatIsAllowed) {
  EXPECT_EQ(complaint_about("[selling]\nslots = \"many\"\n"),
            "`selling.slots` cannot be \"many\" (config.toml:2): it is a whole number from 1 to 1,024 (inferences)");
  EXPECT_EQ(complaint_about("[selling]\nslots = 0\n"),
            "`selling.slots` cannot be 0 (config.toml:2): it is a whole number from 1 to 1,024 (inferences)");
  EXPECT_EQ(complaint_about("[selling]\nslots = 1.5\n"),
            "`selling.slots` has the wrong type (config.toml:2): it is a whole number from 1 to 1,024 (inferences)");
  EXPECT_EQ(complaint_about("[selling]\ninvoice_expiry = 60\n"),
            "`selling.invoice_expiry` cannot be 60 (config.toml:2): it is a duration with its unit (ms, s, min, h, d) "
            "from \"1 min\" to \"30 d\"");
  EXPECT_EQ(complaint_about("[selling]\nserve_broadcast = \"yes\"\n"),
            "`selling.serve_broadcast` cannot be \"yes\" (config.toml:2): it is true or false");
  EXPECT_EQ(
      complaint_about("[selling]\npayment_mode = \"later\"\n"),
      "`selling.payment_mode` cannot be \"later\" (config.toml:2): it is one of result_first, payment_first, escrow");
  EXPECT_EQ(
      complaint_about("[inference]\nurl = \"localhost:11434\"\n"),
      "`inference.url` cannot be \"localhost:11434\" (config.toml:2): it is an address that starts with http:// or "
      "https://, without a password in it");
  EXPECT_EQ(complaint_about("[relays]\nurls = \"wss://a\"\n"),
            "`relays.urls` cannot be \"wss://a\" (config.toml:2): it is a list of addresses that start with ws:// or "
            "wss://");
  EXPECT_EQ(
      complaint_about("[relays]\nurls = [\"https://a\"]\n"),
      "`relays.urls` cannot be [\"https://a\"] (config.toml:2): it is a list of addresses that start with ws:// or "
      "wss://");
  EXPECT_EQ(complaint_about("[relays]\nurls = [1]\n"),
            "`relays.urls` has the wrong type (config.toml:2): it is a list of addresses that start with ws:// or "
            "wss://");
  EXPECT_EQ(complaint_about("[identity]\nkey_file = \"\"\n"),
            "`identity.key_file` cannot be \"\" (config.toml:2): it is the path of a file");
}

TEST_F(Configuration, AWrongVariableOrFlagIsNamedAsTheSource) {
  set("SELLCOMPUTE_SELLING_SLOTS", "x");
  EXPECT_EQ(complaint(),
            "`selling.slots` cannot be \"x\" (SELLCOMPUTE_SELLING_SLOTS): it is a whole number from 1 to 1,024 "
            "(inferences)");
  set("SELLCOMPUTE_SELLING_SLOTS", "3");
  sources_.flags = {{"selling.slots", "2000"}};
  EXPECT_THAT(complaint(), StartsWith("`selling.slots` cannot be 2000 (--slots): "));
}

TEST_F(Configuration, AnUnknownVariableIsAnErrorToo) {
  set("SELLCOMPUTE_SLOTS", "2");
  EXPECT_EQ(complaint(),
            "there is no setting for the variable SELLCOMPUTE_SLOTS (environment): did you mean "
            "SELLCOMPUTE_SELLING_SLOTS?");
  sources_.environment.erase("SELLCOMPUTE_SLOTS");
  set("SELLCOMPUTE_TEST_ANYTHING", "2");
  EXPECT_EQ(complaint(), "none") << "the tests' own";
}

TEST_F(Configuration, SectionsAndValuesAreNotMistakenForEachOther) {
  EXPECT_EQ(complaint_about("wallet = \"sandbox\"\n"),
            "`wallet` is a section, not a value (config.toml:1): write [wallet] on a line of its own");
  EXPECT_EQ(complaint_about("[models]\nname = \"a\"\n"),
            "`models` is not a list of tables (config.toml:1): begin each with a line [[models]]");
  EXPECT_EQ(complaint_about("[[models]]\nbase_msat = 1\n"),
            "a [[models]] table has no `name` (config.toml:1): add a line that begins with `name = `");
  EXPECT_THAT(complaint_about("[selling]\nslots = { a = 1 }\n"), StartsWith("`selling.slots` has the wrong type"));
}

TEST_F(Configuration, BrokenTomlNamesItsLine) {
  EXPECT_THAT(complaint_about("[selling\nslots = 2\n"),
              testing::AllOf(StartsWith("the config file is no TOML: "), HasSubstr("(config.toml:1)")));
}

TEST_F(Configuration, ASettingThatIsSetTwiceNamesBothLines) {
  EXPECT_EQ(
      complaint_about("relays.urls = [\n  \"wss://a\"\n]\nlog.level = \"info\"\nrelays.urls = [\n  \"wss://b\"\n]\n"),
      "`relays.urls` is set twice (config.toml:1 and :5): keep one of the two lines");
  EXPECT_EQ(complaint_about("[wallet]\nkind = \"nwc\"\n# one more\nkind = \"lnd\"\n"),
            "`wallet.kind` is set twice (config.toml:2 and :4): keep one of the two lines");
  EXPECT_EQ(complaint_about("[[models]]\nname = \"a\"\n[[models]]\nname = \"b\"\nname = \"c\"\n"),
            "`models.name` is set twice (config.toml:4 and :5): keep one of the two lines");
}

TEST_F(Configuration, ASectionThatBeginsTwiceNamesBothLines) {
  EXPECT_EQ(complaint_about("[wallet]\nkind = \"nwc\"\n[log]\n[wallet]\nshared = true\n"),
            "[wallet] begins twice (config.toml:1 and :4): move its settings below the first one");
  EXPECT_EQ(
      complaint_about("wallet.kind = \"nwc\"\n\n[wallet]\nshared = true\n"),
      "[wallet] cannot begin below `wallet.kind` (config.toml:1 and :3): remove the line [wallet], and write each "
      "setting below it as wallet.NAME = VALUE; do not set any twice")
      << "as the file is that init writes";
}

TEST_F(Configuration, ATextWithoutQuotesIsShownWithThem) {
  EXPECT_EQ(complaint_about("wallet.kind = nwc  # which receives\n"),
            "the text of `wallet.kind` needs quotes (config.toml:1): write it in straight quotes: wallet.kind = "
            "\"nwc\"");
  EXPECT_EQ(complaint_about("[wallet]\nkind = lnd\n"),
            "the text of `wallet.kind` needs quotes (config.toml:2): write it in straight quotes: kind = \"lnd\"");
  EXPECT_THAT(complaint_about("selling.invoice_expiry = 30 min\n"), HasSubstr("selling.invoice_expiry = \"30 min\""));
  EXPECT_THAT(complaint_about("[[models]]\nname = llama3.2\n"), HasSubstr("the text of `models.name` needs quotes"));
  for (const char* line : {"wallet.kind = \"nwc\n", "wallet.kind = “nwc”\n", "wallet.kind = \"nwc\" or so\n"}) {
    EXPECT_THAT(complaint_about(line), StartsWith("the text of `wallet.kind` needs quotes (config.toml:1)")) << line;
  }
}

TEST_F(Configuration, AddressesOfRelaysWithoutQuotesOrCommasAreExplained) {
  for (const char* text : {"relays.urls = [wss://a]\n", "relays.urls = wss://a\n", "relays.urls = [\"wss://a]\n"}) {
    EXPECT_EQ(complaint_about(text),
              "the addresses in `relays.urls` need quotes (config.toml:1): write each in straight quotes, with commas "
              "between them: [\"wss://…\", \"wss://…\"]")
        << text;
  }
  EXPECT_THAT(complaint_about("relays.urls = [\n  wss://a,\n]\n"),
              StartsWith("the addresses in `relays.urls` need quotes (config.toml:2)"));
  EXPECT_EQ(complaint_about("relays.urls = [\n  \"wss://a\"\n  \"wss://b\"\n]\n"),
            "a list in [ ] is not complete (config.toml:3): put a comma between its entries, and a ] at its end");
  EXPECT_THAT(complaint_about("relays.urls = [\"wss://a\"\nwallet.kind = \"nwc\"\n"),
              StartsWith("a list in [ ] is not complete (config.toml:2)"));
}

TEST_F(Configuration, AValueThatCannotBeReadNamesItsSettingAndWhatIsAllowed) {
  EXPECT_EQ(complaint_about("selling.default_base_msat = 1,000\n"),
            "the value of `selling.default_base_msat` cannot be read (config.toml:1): it is a whole number from 0 to "
            "100,000,000,000 (msat), written in digits only, without quotes and commas");
  EXPECT_EQ(complaint_about("wallet.shared = yes\n"),
            "the value of `wallet.shared` cannot be read (config.toml:1): it is true or false");
  EXPECT_THAT(complaint_about("log.level =\n"),
              StartsWith("`log.level` has no value (config.toml:1): it is one of trace,"));
  for (const char* line : {"wallet.kind \"nwc\"\n", "wallet.kind: \"nwc\"\n", "choose a wallet\n"}) {
    EXPECT_EQ(complaint_about(line),
              "this line sets nothing (config.toml:1): write a setting as NAME = VALUE, and begin a comment with #")
        << line;
  }
}

TEST_F(Configuration, ASettingBelowTheWrongTableIsToldToMove) {
  EXPECT_EQ(complaint_about("[[models]]\nname = \"a\"\nwallet.kind = \"nwc\"\n"),
            "a setting of `wallet` stands in the table [models] (config.toml:3): move the line above the first line "
            "that begins with [");
}

TEST_F(Configuration, ASecretThatWasPastedIntoTheFileIsNotRepeated) {
  const std::string secret = "secre7";
  for (const std::string& line :
       {"nostr+walletconnect://" + secret, "wallet.credential = " + secret, "wallet.credential_file = " + secret,
        "wallet.credential_file = \"" + secret, "wallet.kind = " + secret, secret,
        "wallet.url = http://me:" + secret + "@a", "relays.urls = [wss://me:" + secret + "@a]",
        "zebra = nostr+walletconnect://a?secret=" + secret, "zebra = " + secret, "\"zebra\" = " + secret}) {
    EXPECT_THAT(complaint_about(line + "\n"),
                testing::AllOf(HasSubstr("(config.toml:1)"), testing::Not(HasSubstr(secret))))
        << line;
  }
}

TEST_F(Configuration, AFileThatWasNamedMustBeThere) {
  sources_.config_file = folder_ / "none.toml";
  EXPECT_EQ(complaint(),
            "the config file cannot be read: No such file or directory (none.toml): `sellcompute init` writes one");
  sources_.config_file = folder_;
  EXPECT_THAT(complaint(), StartsWith("the config file cannot be read: "));
}

TEST_F(Configuration, AHugeFileIsNotRead) {
  write(std::string(kMaxConfigFileBytes + 1, '#'));
  EXPECT_THAT(complaint(), HasSubstr("it is larger than 1 MiB"));
}

TEST_F(Configuration, WithoutAHomeThePlacesMustBeNamed) {
  sources_.environment.clear();
  EXPECT_EQ(complaint(),
            "HOME is not set, so there is no place for files (environment): set HOME, or give --config and --data-dir");
}

TEST_F(Configuration, AValueIsShownAsTheFileTakesIt) {
  write("[identity]\nkey_file = \"a\\u007f\\u001b\\\"b\"\n");
  const Value value = setting("identity.key_file").value;
  write("[identity]\nkey_file = " + toml_text(value) + "\n");
  EXPECT_EQ(setting("identity.key_file").value, value);
}

TEST_F(Configuration, WhatIsAnnouncedMayBeLeftOutButMustBeWhatItIs) {
  EXPECT_TRUE(loaded().announce.profile.says_nothing());
  write(
      "[announce]\nname = \"A shop\"\nabout = \"\"\npicture = \"https://me.example/p.png\"\n"
      "lud16 = \"me+tips@pay.example\"\n");
  EXPECT_EQ(loaded().announce.profile,
            (nostr::Profile{.name = "A shop", .picture = "https://me.example/p.png", .lud16 = "me+tips@pay.example"}));
  for (const char* address : {"me", "@pay.example", "me@", "Me@pay.example", "a@b@c", "me@pay/x"}) {
    EXPECT_EQ(complaint_about("[announce]\nlud16 = \"" + std::string(address) + "\"\n"),
              "`announce.lud16` cannot be \"" + std::string(address) +
                  "\" (config.toml:2): it is an address like name@domain in small letters, or \"\" for none");
  }
  EXPECT_THAT(complaint_about("[announce]\npicture = \"p.png\"\n"), HasSubstr("http:// or https://"));
  EXPECT_THAT(complaint_about("[announce]\nname = \"" + std::string(201, 'x') + "\"\n"),
              HasSubstr("at most 200 bytes"));
  write("");
  set("SELLCOMPUTE_ANNOUNCE_NAME", "\xff");
  EXPECT_THAT(complaint(), HasSubstr("`announce.name` cannot be"));
}

TEST_F(Configuration, OffersMustMakeSense) {
  EXPECT_EQ(
      complaint_about("[[models]]\nname = \"a\"\nmax_output_tokens = 4096\n"),
      "model `a`: an answer of 4,096 tokens leaves no room for a prompt in a context of 4,096 (config.toml:1): lower "
      "max_output_tokens or raise context_tokens");
  EXPECT_EQ(complaint_about("[[kinds]]\nkind = 5001\n"),
            "a [[kinds]] table has no `instruction` (config.toml:1): add a line that begins with `instruction = `");
  EXPECT_EQ(complaint_about("[[kinds]]\nkind = 5050\ninstruction = \"x\"\n"),
            "kind 5050 is served already (config.toml:1): keep one of its [[kinds]] tables; 5050 needs none");
  EXPECT_EQ(complaint_about("[[models]]\nname = \"a\"\n[[models]]\nname = \"a\"\n"),
            "model `a` is offered twice (config.toml:3): keep one of its [[models]] tables");
  EXPECT_THAT(
      complaint_about("[selling]\ndefault_context_tokens = 1000\n"),
      StartsWith("the default offer: an answer of 1,024 tokens leaves no room for a prompt in a context of 1,000 "
                 "(config.toml:2)"));
}

}  // namespace
}  // namespace cmd
