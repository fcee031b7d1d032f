// The commands that need no running engine, as a person or a script meets them.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "cmd/text/humanize.h"
#include "tests/cli/cli.h"

namespace cli {
namespace {

using nlohmann::json;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// ---- config ---------------------------------------------------------------------------------------------------------

class ConfigCommand : public CommandLine {};

TEST_F(ConfigCommand, NamesTheSourceOfEverySetting) {
  write("a.toml", "[selling]\nslots = 7\n");
  variables_ = {"SELLCOMPUTE_LOG_LEVEL=debug"};
  const Ran ran = sellcompute({"--config", "a.toml", "config", "--relay", "ws://127.0.0.1:7000", "--csv"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.out, StartsWith("key,value,source,where\n"));
  EXPECT_THAT(ran.out, HasSubstr("\nselling.queue_limit,16,default,\n"));
  EXPECT_THAT(ran.out, HasSubstr("\nlog.level,debug,environment,SELLCOMPUTE_LOG_LEVEL\n"));
  EXPECT_THAT(ran.out, HasSubstr("\nrelays.urls,\"[\"\"ws://127.0.0.1:7000\"\"]\",flag,--relay\n"));
}

TEST_F(ConfigCommand, OnATerminalTheValueHasTheRoom) {
  const std::string folder = ".config/sellcompute";
  std::filesystem::create_directories(home_ / folder);
  write(folder + "/config.toml", "[relays]\nurls = [\"wss://relay.one.example\", \"wss://relay.two.example\"]\n");
  variables_ = {"SELLCOMPUTE_LOG_LEVEL=debug", "NO_COLOR=1"};
  const auto shown = [&](int columns) {
    std::string text = run_at_terminal(home_, {"config", "--slots", "2"}, {}, variables_, columns).out;
    std::erase(text, '\r');
    return text;
  };
  for (const int columns : {60, 80, 200}) {
    std::istringstream lines(shown(columns));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(cmd::display_width(line), columns) << line;
  }
  EXPECT_THAT(shown(80), StartsWith("config file  ~/.config/sellcompute/config.toml\n"
                                    "data folder  ~/.local/share/sellcompute\n"));
  EXPECT_THAT(shown(200), ContainsRegex("\nrelays.urls  .*two.example\"]  +config.toml:2\n"));
  EXPECT_THAT(shown(80), ContainsRegex("\nlog.level +\"debug\" +environment\n"));
  EXPECT_THAT(shown(80), ContainsRegex("\nselling.slots +2 +flag\n"));
  const std::string piped = sellcompute({"config"}).out;
  EXPECT_THAT(piped, StartsWith("config file  " + (home_ / folder / "config.toml").string() + "\n"));
  EXPECT_THAT(piped, HasSubstr((home_ / folder / "config.toml:2").string())) << "a script can open it";
}

TEST_F(ConfigCommand, JsonIsOneObjectALine) {
  const Ran ran = sellcompute({"config", "--json"});
  std::istringstream lines(ran.out);
  for (std::string line; std::getline(lines, line);) EXPECT_TRUE(json::parse(line).contains("key")) << line;
}

TEST_F(ConfigCommand, AMistakeIsExitCode2AndNamesFileAndLine) {
  write("a.toml", "[selling]\nslot = 7\n");
  const Ran ran = sellcompute({"--config", "a.toml", "config"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, StartsWith("sellcompute: there is no setting `selling.slot` (" + (home_ / "a.toml").string() +
                                  ":2): did you mean `selling.slots`?"));
}

TEST_F(ConfigCommand, AllMistakesAreToldAtOnce) {
  write("a.toml", "[relays]\nurl = []\n[selling]\nslots = 0\n");
  variables_ = {"SELLCOMPUTE_LOG_LEVEL=loud"};
  const Ran ran = sellcompute({"--config", "a.toml", "config", "--wallet-kind", "purse"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err,
              StartsWith("sellcompute: the configuration has 4 faults:\n  there is no setting `relays.url` ("));
  EXPECT_EQ(std::ranges::count(ran.err, '\n'), 5);
}

// ---- init -----------------------------------------------------------------------------------------------------------

class Init : public CommandLine {
 protected:
  mode_t mode(const std::string& file) const {
    struct stat info {};
    EXPECT_EQ(stat((home_ / file).c_str(), &info), 0) << file;
    return info.st_mode & 0777;
  }
  // Without the line breaks that fit it into a terminal.
  static std::string on_one_line(const std::string& text) {
    std::istringstream words(text);
    std::string out;
    for (std::string word; words >> word;) out += word + " ";
    return out;
  }
  const std::string folder_ = ".config/sellcompute/";
};

TEST_F(Init, WritesAConfigFileAKeyAndAWalletSecretForOneUserOnly) {
  const Ran ran = sellcompute({"init"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("npub1"));
  EXPECT_EQ(ran.out.find("nsec1"), std::string::npos) << "secrets are not shown";
  EXPECT_EQ(mode(folder_ + "identity.key"), 0600U);
  EXPECT_EQ(mode(folder_ + "wallet.secret"), 0600U);
  EXPECT_EQ(sellcompute({"config"}).exit_code, 0) << "what it wrote can be read";
}

TEST_F(Init, NamesRelaysToChooseFromAndPresetsNone) {
  const Ran ran = sellcompute({"init"});
  EXPECT_THAT(ran.err, HasSubstr("wss://relay.damus.io"));
  EXPECT_THAT(ran.err, HasSubstr("we do not vouch"));
  EXPECT_THAT(sellcompute({"config", "--csv"}).out, HasSubstr("\nrelays.urls,[],file,"));
  const Ran served = sellcompute({"serve"});
  EXPECT_EQ(served.exit_code, 2);
  EXPECT_THAT(served.err, HasSubstr("no relay is chosen ("));
  EXPECT_THAT(served.err, HasSubstr("`relays.urls`, or give --relay URL"));
}

TEST_F(Init, WritesTheSettingsThatAreGivenIntoANewFile) {
  const Ran ran = sellcompute({"-v", "init", "--relay", "wss://relay.one", "--wallet-kind", "nwc"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.err.find("wss://"), std::string::npos) << "nothing is left to choose";
  const std::string config = sellcompute({"config", "--csv"}).out;
  EXPECT_THAT(config, HasSubstr("\nrelays.urls,\"[\"\"wss://relay.one\"\"]\",file,"));
  EXPECT_THAT(config, HasSubstr("\nwallet.kind,nwc,file,"));
  EXPECT_THAT(config, HasSubstr("\nlog.level,info,default,")) << "-v is no setting of the shop's";
}

TEST_F(Init, SaysOfAFileThatIsKeptWhatWasNotChangedAndWhereItIs) {
  std::filesystem::create_directories(home_ / folder_);
  write(folder_ + "config.toml", "wallet.kind = \"nwc\"\n");
  variables_ = {"SELLCOMPUTE_INFERENCE_URL=http://127.0.0.1:7"};
  const std::string file = (home_ / folder_ / "config.toml").string();
  const Ran ran =
      sellcompute({"init", "--wallet-kind", "lnd", "--slots", "2", "--inference-url", "http://127.0.0.1:8"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(
      on_one_line(ran.err),
      HasSubstr("warning: the config file was there and is kept. wallet.kind was NOT changed: it is \"nwc\". To "
                "change it, edit this line: " +
                file + ":1 "));
  EXPECT_THAT(on_one_line(ran.err),
              HasSubstr("selling.slots was NOT changed: it is 1, the default. To change it, set selling.slots = 2 in " +
                        file + ", above the first line that begins with ["));
  EXPECT_THAT(on_one_line(ran.err), HasSubstr("The variable SELLCOMPUTE_INFERENCE_URL sets it."));
  EXPECT_THAT(on_one_line(ran.err), HasSubstr("wallet.credential")) << "the steps are those of the wallet in the file";
  EXPECT_THAT(on_one_line(ran.err), Not(HasSubstr("macaroon")));
  EXPECT_EQ(read(folder_ + "config.toml"), "wallet.kind = \"nwc\"\n");
  EXPECT_THAT(sellcompute({"init", "--wallet-kind", "nwc"}).err, Not(HasSubstr("warning"))) << "it is so already";
}

TEST_F(Init, NamesTheCredentialFileOfTheWalletUntilItIsThere) {
  for (const char* kind : {"nwc", "lnd", "phoenixd", "lnbits", "electrum", "spark"}) {
    const std::string folder = std::string(kind) + "/";
    const std::string file = (home_ / folder / "wallet.credential").string();
    const auto init = [&] {
      return on_one_line(sellcompute({"--config", folder + "config.toml", "init", "--wallet-kind", kind}).err);
    };
    EXPECT_THAT(init(), HasSubstr(" into " + file + " - let nobody else read that file: chmod 600 " + file + " "))
        << kind;
    write(folder + "wallet.credential", "x");
    EXPECT_THAT(init(), Not(HasSubstr(file))) << kind;
  }
}

TEST_F(Init, NamesWhatAWalletWithoutACredentialNeeds) {
  const auto init = [&](const std::string& kind) {
    return on_one_line(sellcompute({"--config", kind + "/config.toml", "init", "--wallet-kind", kind}).err);
  };
  EXPECT_THAT(init("lightning_address"), HasSubstr("`wallet.address`"));
  EXPECT_THAT(init("core_lightning"), HasSubstr("lightning-rpc"));
  EXPECT_THAT(init("sandbox"), HasSubstr("play money"));
  for (const char* kind : {"lightning_address", "core_lightning", "sandbox"}) {
    EXPECT_THAT(init(kind), Not(HasSubstr("wallet.credential"))) << kind;
  }
}

TEST_F(Init, AServeThatCannotStartLeavesNoLedgerBehind) {
  EXPECT_EQ(sellcompute({"serve"}).exit_code, 2) << "without a key";
  sellcompute({"init", "--relay", "ws://127.0.0.1:1", "--wallet-kind", "nwc"});
  EXPECT_EQ(sellcompute({"serve"}).exit_code, 2) << "without a credential";
  EXPECT_FALSE(std::filesystem::exists(home_ / ".local"));
}

TEST_F(Init, RefusesAWrongSettingBeforeItWritesAnything) {
  EXPECT_EQ(sellcompute({"init", "--relay", "http://relay.one"}).exit_code, 2);
  EXPECT_FALSE(std::filesystem::exists(home_ / folder_));
}

TEST_F(Init, NeverOverwrites) {
  sellcompute({"init"});
  const std::string key = read(folder_ + "identity.key"), secret = read(folder_ + "wallet.secret");
  write(folder_ + "config.toml", "# mine\n");
  const Ran again = sellcompute({"init"});
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_THAT(again.out, HasSubstr("was there, kept"));
  EXPECT_EQ(read(folder_ + "identity.key"), key);
  EXPECT_EQ(read(folder_ + "wallet.secret"), secret);
  EXPECT_EQ(read(folder_ + "config.toml"), "# mine\n");
}

TEST_F(Init, ImportsAKeyButNotOverAnother) {
  // The secret key 3 of BIP-340's first test vector.
  write("hex", std::string(63, '0') + "3\n");
  chmod((home_ / "hex").c_str(), 0600);
  const Ran ran = sellcompute({"init", "--import", "hex"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(json::parse(sellcompute({"event", "sign"}, "{\"kind\":1}\n").out)["pubkey"],
            "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9");
  const Ran again = sellcompute({"init", "--import", "hex"});
  EXPECT_NE(again.exit_code, 0);
  EXPECT_THAT(again.err, StartsWith("sellcompute: "));
}

TEST_F(Init, RefusesAKeyThatOthersCanRead) {
  write("hex", std::string(63, '0') + "3\n");
  chmod((home_ / "hex").c_str(), 0644);
  const Ran ran = sellcompute({"init", "--import", "hex"});
  EXPECT_NE(ran.exit_code, 0);
  EXPECT_EQ(ran.err.find("0003"), std::string::npos);
}

TEST_F(Init, PutsFilesBesideANamedConfigFile) {
  EXPECT_EQ(sellcompute({"--config", "shop/config.toml", "init"}).exit_code, 0);
  EXPECT_EQ(mode("shop/identity.key"), 0600U);
}

// ---- an encrypted key -----------------------------------------------------------------------------------------------

class EncryptedKey : public Init {
 protected:
  void SetUp() override {
    Init::SetUp();
    write_private("ncryptsec", kNcryptsec);
  }
  void write_private(const std::string& file, const std::string& text) const {
    write(file, text);
    chmod((home_ / file).c_str(), 0600);
  }

  // The secret key 3 of BIP-340's first test vector behind "nostr", made with nostr-tools at a log_n of 2.
  const std::string kNcryptsec =
      "ncryptsec1qgprn8qcm8ctpw4nxc6uevfvcvjy2sha5mcc6lftepmkqze5tnz4cyl6gn2z9mw7kz0qy7xy8g06yhj8xwgp8g6t66jhmnlf9d3nhc"
      "0sppn3273y26uxsgyuxc4e58m59tzc04hs798ajl5e856ags0l\n";
  const std::string kPublicKey = "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9";
};

TEST_F(EncryptedKey, IsImportedAsItIsAndOpenedWithThePassphraseFile) {
  sellcompute({"init"});
  std::filesystem::remove(home_ / folder_ / "identity.key");
  write_private(folder_ + "identity.passphrase", "nostr\n");
  const Ran ran = sellcompute({"init", "--import", "ncryptsec"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(read(folder_ + "identity.key"), kNcryptsec);
  EXPECT_EQ(json::parse(sellcompute({"event", "sign"}, "{\"kind\":1}\n").out)["pubkey"], kPublicKey);
  EXPECT_THAT(sellcompute({"init"}).out, HasSubstr("was there, kept"));
}

TEST_F(EncryptedKey, NeedsAPassphraseThatOthersCannotRead) {
  write("passphrase", "nostr\n");
  chmod((home_ / "passphrase").c_str(), 0644);
  variables_ = {"SELLCOMPUTE_IDENTITY_PASSPHRASE_FILE=" + (home_ / "passphrase").string()};
  const Ran ran = sellcompute({"init", "--import", "ncryptsec"});
  EXPECT_NE(ran.exit_code, 0);
  EXPECT_THAT(ran.err, HasSubstr("chmod 600"));
  write_private("passphrase", "wrong\n");
  EXPECT_THAT(sellcompute({"init", "--import", "ncryptsec"}).err, HasSubstr("not the passphrase"));
  EXPECT_FALSE(std::filesystem::exists(home_ / folder_ / "identity.key")) << "what cannot be opened is not imported";
}

TEST_F(EncryptedKey, WithoutATerminalSaysWhereThePassphraseBelongs) {
  const Ran ran = sellcompute({"init", "--import", "ncryptsec"}, "nostr\n");
  EXPECT_NE(ran.exit_code, 0);
  EXPECT_THAT(ran.err, HasSubstr("identity.passphrase_file"));
}

TEST_F(EncryptedKey, IsOpenedAtTheTerminalWithoutShowingThePassphrase) {
  const Ran ran = run_at_terminal(home_, {"init", "--import", "ncryptsec"}, "nostr\n");
  EXPECT_EQ(ran.exit_code, 0) << ran.out;
  EXPECT_THAT(ran.out, HasSubstr("Passphrase of ncryptsec: "));
  EXPECT_THAT(ran.out, HasSubstr("npub1"));
  EXPECT_EQ(ran.out.find("nostr\r"), std::string::npos) << "it is not shown";
}

TEST_F(EncryptedKey, StaysClosedWhenTheQuestionIsInterrupted) {
  const Ran ran = run_at_terminal(home_, {"init", "--import", "ncryptsec"}, "\x03");
  EXPECT_EQ(ran.exit_code, 130);
  EXPECT_THAT(ran.out, HasSubstr("interrupted: no passphrase was given"));
  EXPECT_FALSE(std::filesystem::exists(home_ / folder_ / "identity.key"));
}

// ---- event ----------------------------------------------------------------------------------------------------------

class EventCommand : public CommandLine {
 protected:
  void SetUp() override {
    CommandLine::SetUp();
    sellcompute({"init"});
  }
  std::string signed_event(const std::string& draft) { return sellcompute({"event", "sign"}, draft + "\n").out; }
};

TEST_F(EventCommand, SignsWhatVerifyAccepts) {
  const std::string event = signed_event(R"({"kind":1,"content":"hello","tags":[["t","a"]],"created_at":5})");
  EXPECT_EQ(json::parse(event)["created_at"], 5);
  const Ran ran = sellcompute({"event", "verify"}, event);
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.err, "1 good, 0 bad\n");
}

TEST_F(EventCommand, VerifyPrintsTheBadOnesAndWhy) {
  const std::string good = signed_event(R"({"kind":1,"content":"hello"})");
  std::string changed = good;
  changed.replace(changed.find("hello"), 5, "hallo");
  std::string forged = good;
  forged[forged.find("\"sig\":\"") + 20] ^= 1;
  const Ran ran = sellcompute({"-q", "event", "verify"}, good + changed + "\nnonsense\n" + forged + good);
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_EQ(ran.out, changed + "nonsense\n" + forged);
  EXPECT_THAT(ran.err, StartsWith("line 2: "));
  EXPECT_THAT(ran.err, HasSubstr("\nline 4: "));
  EXPECT_THAT(ran.err, HasSubstr("\nline 5: "));
}

TEST_F(EventCommand, VerifyKeepsTheOrderOfManyLines) {
  const std::string good = signed_event(R"({"kind":1,"content":"hello"})");
  std::string input, expected;
  for (int i = 0; i < 5'000; ++i) {
    const std::string bad = "bad " + std::to_string(i) + "\n";
    input += i % 50 == 0 ? good : bad;
    if (i % 50 != 0) expected += bad;
  }
  const Ran ran = sellcompute({"event", "verify"}, input);
  EXPECT_EQ(ran.out, expected);
  EXPECT_THAT(ran.err, HasSubstr("\n100 good, 4,900 bad\n"));
}

TEST_F(EventCommand, EndlessLinesAreRefusedNotKept) {
  const Ran ran = sellcompute({"event", "verify"}, std::string(1'000'000, 'a') + "\n");
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, StartsWith("line 1: the event is larger than"));
  EXPECT_LT(ran.out.size(), 200'000U);
}

TEST_F(EventCommand, NothingIsNeitherGoodNorBad) {
  EXPECT_EQ(sellcompute({"event", "verify"}, "\n\n").err, "0 good, 0 bad\n");
}

TEST_F(EventCommand, DecodeShowsNamesAndTheCheck) {
  std::string event = signed_event(R"({"kind":1,"content":"hello","created_at":5})");
  const Ran people = sellcompute({"event", "decode"}, event);
  EXPECT_THAT(people.out, HasSubstr("npub1"));
  EXPECT_THAT(people.out, HasSubstr("1970-01-01T00:00:05.000Z"));
  EXPECT_THAT(people.out, HasSubstr("check    good"));
  event.replace(event.find("hello"), 5, "hallo");
  const json row = json::parse(sellcompute({"event", "decode", "--json"}, event).out);
  EXPECT_EQ(row["good"], false);
  EXPECT_THAT(row["fault"].get<std::string>(), HasSubstr("id"));
  EXPECT_THAT(row["note"].get<std::string>(), StartsWith("note1"));
}

TEST_F(EventCommand, DraftsThatCannotBeSignedAreNamed) {
  const Ran ran = sellcompute({"event", "sign"},
                              "{\"kind\":70000}\n{\"content\":\"x\"}\n[]\n{\"kind\":1,\"tags\":\"x\"}\n"
                              "{\"kind\":1,\"pubkey\":\"aa\"}\n{\"kind\":1,\"created_at\":-5}\n{\"kind\":1}\n");
  EXPECT_EQ(ran.exit_code, 1);
  for (int line = 1; line <= 6; ++line) EXPECT_THAT(ran.err, HasSubstr("line " + std::to_string(line) + ": "));
  EXPECT_EQ(json::parse(ran.out)["kind"], 1) << "the good one is signed all the same";
}

TEST_F(EventCommand, WithoutAKeyItSaysWhatToDo) {
  std::filesystem::remove(home_ / ".config/sellcompute/identity.key");
  const Ran ran = sellcompute({"event", "sign"}, "{\"kind\":1}\n");
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, HasSubstr("sellcompute init"));
}

// ---- request --------------------------------------------------------------------------------------------------------

TEST_F(CommandLine, RequestAsksAPersonForThePrompt) {
  const std::vector<std::string> words = {SELLCOMPUTE_PROGRAM, "request",   "--relay",
                                          "ws://127.0.0.1:1",  "--timeout", "1"};
  const Ran ran = type_into(home_, words, "Ctrl-D in an empty line:\r\n", "\x04");
  EXPECT_EQ(ran.exit_code, 2) << "nothing was asked: " << ran.out;
  EXPECT_THAT(ran.out, HasSubstr("type the prompt, then Ctrl-D in an empty line:"));
  EXPECT_THAT(sellcompute({"request", "--relay", "ws://127.0.0.1:1"}).err, Not(HasSubstr("type the prompt")));
}

}  // namespace
}  // namespace cli
