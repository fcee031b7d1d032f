// Completion: what the shells offer at the cursor. Bash is asked itself.
#include <gmock/gmock.h>

#include <sstream>

#include "ledger/ledger.h"
#include "ledger/rocksdb_store.h"
#include "tests/cli/cli.h"
#include "tests/support/sample_ledger.h"

namespace cli {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

class Completion : public CommandLine {
 protected:
  // The words that the program offers for what was typed; the last is the one at the cursor.
  std::vector<std::string> offered(const std::vector<std::string>& typed) const {
    std::vector<std::string> arguments = {"complete", "--"};
    arguments.insert(arguments.end(), typed.begin(), typed.end());
    const Ran ran = sellcompute(arguments);
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    EXPECT_EQ(ran.err, "") << "nobody can read it while typing";
    std::vector<std::string> out;
    std::istringstream lines(ran.out);
    for (std::string line; std::getline(lines, line);) out.push_back(line.substr(0, line.find('\t')));
    return out;
  }

  // What a person gets who types this into an interactive bash: the program's arguments, one per line.
  std::string typed_into_bash(const std::string& keys) const {
    write("rc",
          "PS1='READY> '\n"
          "source <(" SELLCOMPUTE_PROGRAM
          " completion bash)\n"
          "sellcompute() {\n"
          "  if [[ $1 == complete ]]; then " SELLCOMPUTE_PROGRAM
          " \"$@\"; else printf '%s\\n' \"$@\" >> arguments; fi\n"
          "}\n");
    type_into(home_, {"/bin/bash", "--noprofile", "--rcfile", "rc", "-i"}, "READY> ", keys + "\nexit\n");
    return read("arguments");
  }
};

TEST_F(Completion, OffersCommandsAndTheirCommands) {
  EXPECT_THAT(offered({""}), AllOf(IsSupersetOf({"init", "serve", "jobs", "help"}), Not(Contains("complete"))));
  EXPECT_THAT(offered({"serv"}), ElementsAre("serve"));
  EXPECT_THAT(offered({"event", ""}), ElementsAre("verify", "decode", "sign"));
  EXPECT_THAT(offered({"--color", "never", "--config=x", "event", "ver"}), ElementsAre("verify"));
  EXPECT_THAT(offered({"help", "event", "s"}), ElementsAre("sign"));
  EXPECT_THAT(offered({"completion", ""}), ElementsAre("bash", "zsh", "fish"));
  EXPECT_THAT(offered({"zebra", ""}), IsEmpty());
}

TEST_F(Completion, OffersOptionsOnlyBehindADash) {
  EXPECT_THAT(offered({"jobs", "list", "--s"}), IsSupersetOf({"--state", "--since"}));
  EXPECT_THAT(offered({"config", "--js"}), ElementsAre("--json"));
  for (const auto& typed : std::vector<std::vector<std::string>>{
           {"jobs", "list", ""}, {"jobs", "list", "--limit", ""}, {"serve", "--config", ""}, {"jobs", "show", ""}}) {
    EXPECT_THAT(offered(typed), Each(Not(StartsWith("-"))));
  }
}

TEST_F(Completion, OffersTheValuesOfOptions) {
  EXPECT_THAT(offered({"jobs", "list", "--state", "de"}), IsSupersetOf({"declined", "delivered_unpaid"}));
  EXPECT_THAT(offered({"jobs", "list", "--state=refund"}), Each(StartsWith("--state=refund")));
  EXPECT_THAT(offered({"earnings", "report", "--by", ""}),
              ElementsAre("day", "week", "month", "model", "customer", "wallet"));
  EXPECT_THAT(offered({"earnings", "report", "--money", "p"}), ElementsAre("play"));
  EXPECT_THAT(offered({"--color", ""}), ElementsAre("auto", "always", "never"));
  EXPECT_THAT(offered({"serve", "--wallet-kind", "l"}), ElementsAre("lnd", "lnbits", "lightning_address"));
  EXPECT_THAT(offered({"serve", "--relay", "wss://nos"}), IsSupersetOf({"wss://nos.lol"}));
}

TEST_F(Completion, KnowsNoJobsWithoutALedgerAndSaysNothing) {
  EXPECT_THAT(offered({"jobs", "show", ""}), IsEmpty());
  EXPECT_THAT(offered({"jobs", "list", "--model", ""}), IsEmpty());
  write("broken.toml", "[[[");
  EXPECT_THAT(offered({"--config", "broken.toml", "jobs", "list", "--model", ""}), IsEmpty());
}

TEST_F(Completion, OffersWhatIsInTheLedger) {
  {
    auto store = ledger::open_writer(home_ / "data/ledger");
    ASSERT_TRUE(store) << store.error().describe();
    auto ledger = ledger::Ledger::open(**store, {});
    ASSERT_TRUE(ledger) << ledger.error().describe();
    ASSERT_TRUE((*ledger)->append(std::vector{sim::sample_group(0, 33)}));
  }
  EXPECT_THAT(offered({"--data-dir", "data", "jobs", "show", ""}), IsEmpty()) << "its views are none of this program's";
  ASSERT_EQ(sellcompute({"--data-dir", "data", "replay", "--rebuild-views"}).exit_code, 0);
  const auto ids = offered({"--data-dir", "data", "jobs", "show", ""});
  ASSERT_THAT(ids, SizeIs(3));
  for (const std::string& id : ids) {
    EXPECT_THAT(offered({"--data-dir=data", "jobs", "cancel", id.substr(0, 4)}), Contains(id));
    EXPECT_THAT(offered({"--data-dir=data", "replay", "--job", id}), ElementsAre(id));
    EXPECT_THAT(offered({"--data-dir=data", "jobs", "show", id + "0"}), Each(SizeIs(64)));
  }
  EXPECT_THAT(offered({"--data-dir", "data", "jobs", "show", ids[0], ""}), IsEmpty()) << "one is enough";
  EXPECT_THAT(offered({"--data-dir", "data", "jobs", "list", "--customer", ""}), Each(StartsWith("npub1")));
  EXPECT_THAT(offered({"--data-dir", "data", "request", "--cancel", ""}), IsEmpty())
      << "a customer's jobs are not ours";
  EXPECT_THAT(offered({"--data-dir", "data", "jobs", "list", "--model", ""}), Not(IsEmpty()));
}

TEST_F(Completion, OffersTheModelsOfTheConfigFile) {
  write("a.toml", "[[models]]\nname = \"llama3.2:latest\"\n[[models]]\nname = \"$(touch owned)\"\n");
  EXPECT_THAT(offered({"--config", "a.toml", "jobs", "list", "--model", ""}), ElementsAre("llama3.2:latest"))
      << "nothing that a shell would run";
}

TEST_F(Completion, BashCompletesCommandsOptionsAndValues) {
  EXPECT_EQ(typed_into_bash("sellcompute jo\tli\t--sta\trefund_ow\t"), "jobs\nlist\n--state\nrefund_owed\n");
  std::filesystem::remove(home_ / "arguments");
  EXPECT_EQ(typed_into_bash("sellcompute jobs list --state=refund_owe\t"), "jobs\nlist\n--state=refund_owed\n");
}

TEST_F(Completion, BashCompletesBehindAColon) {
  write("a.toml", "[[models]]\nname = \"llama3.2:latest\"\n");
  EXPECT_EQ(typed_into_bash("sellcompute --config a.toml jobs list --model llama3.2:l\t"),
            "--config\na.toml\njobs\nlist\n--model\nllama3.2:latest\n");
}

TEST_F(Completion, BashOffersFilesWhereAFileIsMeant) {
  write("questions.txt", "");
  EXPECT_EQ(typed_into_bash("sellcompute request --file quest\t"), "request\n--file\nquestions.txt\n");
}

TEST_F(Completion, ScriptsForTheOtherShellsAskTheProgramToo) {
  EXPECT_THAT(sellcompute({"completion", "zsh"}).out,
              AllOf(StartsWith("#compdef sellcompute\n"), HasSubstr("complete -- ")));
  EXPECT_THAT(sellcompute({"completion", "fish"}).out, HasSubstr("complete -- "));
  EXPECT_EQ(sellcompute({"completion", "tcsh"}).exit_code, 2);
}

}  // namespace
}  // namespace cli
