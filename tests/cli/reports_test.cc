// The commands that read the ledger: jobs, earnings, replay, audit.
#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "cmd/text/humanize.h"
#include "ledger/checkpoint.h"
#include "ledger/ledger.h"
#include "ledger/rocksdb_store.h"
#include "pipeline/nostr/nip19.h"
#include "replay/projections.h"
#include "tests/cli/cli.h"
#include "tests/unit/replay/honest_shop.h"

namespace cli {
namespace {

using nlohmann::json;
using testing::ContainsRegex;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

std::vector<json> rows_of(const std::string& text) {
  std::vector<json> rows;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) rows.push_back(json::parse(line));
  return rows;
}

std::size_t lines_of(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

// A ledger with two sales, the first of them paid.
class Reports : public CommandLine {
 protected:
  void SetUp() override {
    CommandLine::SetUp();
    variables_.push_back("TZ=UTC");
    paid_ = shop_.ask("Why is the sky blue?");
    open_ = shop_.ask("And at dusk red?");
    shop_.pay(paid_);
    write_ledger();
  }

  void write_ledger() {
    store_ = std::move(ledger::open_writer(home_ / ".local/share/sellcompute/ledger").value());
    ledger_ = std::move(ledger::Ledger::open(*store_, replay::pointers(views_)).value());
    const std::vector<ledger::Group> groups = {{.entries = shop_.entries, .cursors = {}}};
    const auto done = ledger_->append(groups);
    ASSERT_TRUE(done) << done.error().describe();
  }
  void stop_writing() {
    ledger_.reset();
    store_.reset();
  }

  // What the shop did since the last time goes into the ledger too.
  void write_more() {
    const std::vector<ledger::Group> groups = {
        {.entries = {shop_.entries.begin() + static_cast<std::ptrdiff_t>(ledger_->size()), shop_.entries.end()},
         .cursors = {}}};
    ASSERT_TRUE(ledger_->append(groups));
  }
  // As a person sees it on a terminal that is so wide, without its colours.
  std::string shown(const std::vector<std::string>& arguments, int columns) const {
    const Ran ran = run_at_terminal(home_, arguments, {}, variables_, columns);
    EXPECT_EQ(ran.exit_code, 0) << ran.out;
    static const std::regex kOverwritten("[^\r\n]*\r(?!\n)");  // progress
    static const std::regex kColour("\x1b\\[[0-9;]*[mK]|\r");
    return std::regex_replace(std::regex_replace(ran.out, kOverwritten, ""), kColour, "");
  }

  json one(const std::vector<std::string>& arguments) const {
    const Ran ran = sellcompute(arguments);
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    const auto rows = rows_of(ran.out);
    EXPECT_EQ(rows.size(), 1U) << ran.out;
    return rows.empty() ? json() : rows.front();
  }

  replay::HonestShop shop_;
  base::JobId paid_, open_;
  std::vector<std::unique_ptr<ledger::Projection>> views_ = replay::projections();
  std::unique_ptr<ledger::KeyValue> store_;
  std::unique_ptr<ledger::Ledger> ledger_;
};

std::string billed(const json& job) {
  return std::to_string(job["invoiced_msat"].get<int>() / 1000) + " sat";
}

// ---- jobs -----------------------------------------------------------------------------------------------------------

TEST_F(Reports, JobsAreListedNewestFirstWhileTheLedgerIsHeld) {
  const Ran ran = sellcompute({"jobs", "list", "--json"});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  const auto rows = rows_of(ran.out);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0]["job"], open_.hex());
  EXPECT_EQ(rows[0]["state"], "delivered_unpaid");
  EXPECT_EQ(rows[0]["settled_msat"], 0);
  EXPECT_EQ(rows[1]["job"], paid_.hex());
  EXPECT_EQ(rows[1]["state"], "settled");
  EXPECT_EQ(rows[1]["settled_msat"], rows[1]["invoiced_msat"]);
  EXPECT_LE(rows[1]["invoiced_msat"], rows[1]["quoted_msat"]);
  EXPECT_THAT(sellcompute({"jobs", "list"}).out, HasSubstr("delivered, unpaid"));
  EXPECT_EQ(lines_of(sellcompute({"jobs", "list", "--csv"}).out), 3U);
}

TEST_F(Reports, ListsAreNarrowed) {
  const auto count = [&](std::vector<std::string> filter) {
    filter.insert(filter.begin(), {"jobs", "list", "--json"});
    const Ran ran = sellcompute(filter);
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    return lines_of(ran.out);
  };
  EXPECT_EQ(count({"--state", "settled"}), 1U);
  EXPECT_EQ(count({"--state", "delivered, unpaid"}), 1U);
  EXPECT_EQ(count({"--state", "OWED BACK"}), 0U);
  EXPECT_EQ(count({"--limit", "1"}), 1U);
  EXPECT_EQ(count({"--since", "2023-11-14"}), 2U);
  EXPECT_EQ(count({"--since", "1d"}), 0U);
  EXPECT_EQ(count({"--model", "llama3.2:latest"}), 2U);
  EXPECT_EQ(count({"--model", "llama3.2"}), 2U) << "as Ollama understands it";
  EXPECT_EQ(count({"--model", "another"}), 0U);
  const std::string customer = rows_of(sellcompute({"jobs", "list", "--json"}).out)[0]["customer"];
  EXPECT_EQ(count({"--customer", customer.substr(0, 6)}), 2U);
  const std::string npub = nostr::encode_npub(*base::PublicKey::from_hex(customer));
  for (const std::string& typed : {npub, npub.substr(0, 12), npub.substr(0, 9) + "…"})
    EXPECT_EQ(count({"--customer", typed}), 2U) << typed;
  EXPECT_THAT(sellcompute({"jobs", "list"}).out, HasSubstr(npub.substr(0, 9) + "…"));
  EXPECT_THAT(sellcompute({"jobs", "show", paid_.hex()}).out, HasSubstr("requested by " + npub.substr(0, 9) + "…"));
  EXPECT_EQ(sellcompute({"jobs", "list", "--customer", "npub1nobody"}).exit_code, 1);
  EXPECT_EQ(sellcompute({"jobs", "list", "--state", "setled"}).exit_code, 2);
  EXPECT_THAT(sellcompute({"jobs", "list", "--state", "setled"}).err, HasSubstr("did you mean settled?"));
  EXPECT_EQ(sellcompute({"jobs", "list", "--since", "2023-02-30"}).exit_code, 2);
}

TEST_F(Reports, ProgramsGetEveryJobAndPeopleTheNewestAndHowManyThereAre) {
  for (int i = 0; i < 30; ++i) shop_.ask("What is " + std::to_string(i) + "?");
  write_more();
  const std::string customer = rows_of(sellcompute({"jobs", "list", "--json"}).out)[0]["customer"];
  const auto lines = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"jobs", "list"});
    return lines_of(sellcompute(more).out);
  };
  EXPECT_EQ(lines({"--json"}), 32U);
  EXPECT_EQ(lines({"--csv"}), 33U);
  EXPECT_EQ(lines({"--json", "--limit", "3"}), 3U);
  EXPECT_EQ(lines({}), 1U + 20U + 1U);
  EXPECT_EQ(lines({"--limit", "100"}), 1U + 32U);
  EXPECT_THAT(sellcompute({"jobs", "list"}).out, EndsWith("\n20 of 32; more with --limit\n"));
  EXPECT_THAT(sellcompute({"jobs", "list", "--customer", customer, "--limit", "2"}).out,
              EndsWith("\n2 of 32; more with --limit\n"));
  EXPECT_THAT(sellcompute({"jobs", "list", "--customer", customer, "--model", "llama3.2", "--limit", "1"}).out,
              EndsWith("\n1 shown; more with --limit\n"))
      << "no index counts this";
  EXPECT_EQ(sellcompute({"jobs", "list", "--limit", "0"}).exit_code, 2);
}

TEST_F(Reports, AJobIsShownByAnyOfItsNames) {
  for (const std::string& name :
       {paid_.hex(), paid_.hex().substr(0, 8), nostr::encode_note(paid_), nostr::encode_note(paid_).substr(0, 12),
        "nostr:" + nostr::encode_note(paid_), paid_.hex().substr(0, 8) + "…"}) {
    const json job = one({"jobs", "show", name, "--json"});
    EXPECT_EQ(job["job"], paid_.hex()) << name;
    EXPECT_EQ(job["state"], "settled");
    EXPECT_EQ(job["facts"][0]["type"], "JobRequested");
    EXPECT_EQ(job["facts"].back()["type"], "InvoiceSettled");
  }
  const std::string shown = sellcompute({"jobs", "show", paid_.hex()}).out;
  for (const std::string part : {"settled", "wss://relay.example took it", "runs on llama3.2"})
    EXPECT_THAT(shown, HasSubstr(part));
  EXPECT_THAT(shown, HasSubstr("settled " + billed(one({"jobs", "show", paid_.hex(), "--json"}))));
  EXPECT_EQ(sellcompute({"jobs", "show", std::string(64, '0')}).exit_code, 1);
  EXPECT_THAT(sellcompute({"jobs", "show", std::string(64, '0')}).err, HasSubstr("no such job"));
}

// ---- earnings -------------------------------------------------------------------------------------------------------

TEST_F(Reports, EarnedIsWhatSettled) {
  const json job = one({"jobs", "show", paid_.hex(), "--json"});
  const json report = one({"earnings", "report", "--json"});
  EXPECT_EQ(report["by"], "day");
  EXPECT_EQ(report["money"], "real");
  EXPECT_EQ(report["total"]["jobs"], 2);
  EXPECT_EQ(report["total"]["sales"], 1);
  EXPECT_EQ(report["total"]["settled_msat"], job["settled_msat"]);
  EXPECT_EQ(report["total"]["delivered_unpaid_msat"], job["invoiced_msat"]);
  ASSERT_EQ(report["rows"].size(), 1U);
  EXPECT_EQ(report["rows"][0]["day"], "2023-11-14");
  EXPECT_EQ(one({"earnings", "report", "--by", "model", "--json"})["rows"][0]["model"], "llama3.2:latest");
  EXPECT_EQ(one({"earnings", "report", "--money", "play", "--json"})["total"]["jobs"], 0);
  EXPECT_EQ(one({"earnings", "report", "--since", "7d", "--json"})["total"]["jobs"], 0);
}

TEST_F(Reports, EarningsForPeopleEndInASentence) {
  const std::string sum = billed(one({"jobs", "show", paid_.hex(), "--json"}));
  const Ran ran = sellcompute({"earnings", "report", "--by", "customer"});
  EXPECT_THAT(ran.out, HasSubstr("what arrived in the wallet: " + sum + " in 1 sale; " + sum +
                                 " delivered and not yet paid; nothing owed back"));
  EXPECT_THAT(ran.out, HasSubstr("npub1"));
  EXPECT_EQ(lines_of(sellcompute({"earnings", "report", "--csv"}).out), 2U);
  EXPECT_THAT(sellcompute({"earnings", "report", "--by", "yar"}).err, HasSubstr("earnings cannot be grouped"));
}

TEST_F(Reports, EarningsSayWhatTheirColumnsMean) {
  const std::string terminal = shown({"earnings", "report"}, 100);
  EXPECT_THAT(terminal, HasSubstr("NOT YET PAID  delivered, and the invoice can still be paid"));
  EXPECT_THAT(terminal, Not(HasSubstr("INVOICED      differs")));
  EXPECT_THAT(sellcompute({"earnings", "report"}).out, Not(HasSubstr("can still be paid"))) << "scripts need it not";
}

TEST_F(Reports, EarningsOfOneRowHaveNoTotal) {
  EXPECT_THAT(sellcompute({"earnings", "report"}).out, Not(HasSubstr("total")));
}

TEST_F(Reports, TheEarlierMomentComesFirst) {
  const Ran ran = sellcompute({"earnings", "report", "--since", "2023-11-15", "--until", "2023-11-14"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, HasSubstr("--until is not later than --since"));
  EXPECT_EQ(sellcompute({"earnings", "report", "--since", "2023-11-14", "--until", "2023-11-14"}).exit_code, 2);
  EXPECT_EQ(sellcompute({"ledger", "export", "--from", "5", "--until", "3"}).exit_code, 2);
  EXPECT_EQ(one({"earnings", "report", "--since", "2023-11-14", "--until", "2023-11-15", "--json"})["total"]["jobs"],
            2);
}

TEST_F(Reports, EarningsAreAJournalForHledger) {
  const std::string id = paid_.hex();
  const std::string sum = billed(one({"jobs", "show", id, "--json"}));
  const auto right = [](const std::string& text) { return std::string(48 - 30 - text.size(), ' ') + text + "\n"; };
  EXPECT_EQ(sellcompute({"earnings", "report", "--journal"}).out,
            "; what sellcompute sold: 1 payment and 0 refunds of real money\n"
            "commodity 1000.000 sat\n"
            "\n"
            "2023-11-14 * job " +
                id.substr(0, 8) + "  ; job:" + id + "\n" + "    income:compute                " + right("-" + sum) +
                "    assets:lightning:sandbox      " + right(sum));
  EXPECT_THAT(sellcompute({"earnings", "report", "--journal", "--since", "1d"}).out, Not(HasSubstr("income")));
  EXPECT_EQ(sellcompute({"earnings", "report", "--journal", "--json"}).exit_code, 2);
  EXPECT_EQ(sellcompute({"earnings", "report", "--journal", "--by", "week"}).exit_code, 2);
}

// ---- replay ---------------------------------------------------------------------------------------------------------

TEST_F(Reports, AJobIsReplayedStepByStep) {
  const Ran ran = sellcompute({"replay", "--job", paid_.hex().substr(0, 8)});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  for (const std::string part : {"JobQuoted", "basis: 1 of 1 slot free, a stranger", "to do: run the model, attempt 1",
                                 "state: delivered, unpaid"})
    EXPECT_THAT(ran.out, HasSubstr(part));
  const auto steps = rows_of(sellcompute({"replay", "--job", paid_.hex(), "--json"}).out);
  EXPECT_EQ(steps.front()["state"], "requested");
  EXPECT_EQ(steps.front()["due"][0]["stage"], "admission");
  EXPECT_EQ(steps.back()["state"], "settled");
}

TEST_F(Reports, AReplayBeginsWithTheTimeOfTheRequest) {
  const std::string steps = sellcompute({"replay", "--job", paid_.hex()}).out;
  EXPECT_THAT(steps, ContainsRegex("^#[0-9]+  2023-11-14 [0-9:]+  JobRequested"));
  EXPECT_THAT(steps, ContainsRegex("\n#[0-9]+  \\+[0-9.]+ m?s  JobQuoted"));
}

TEST_F(Reports, AJobIsShownAsItWasThen) {
  const auto steps = rows_of(sellcompute({"replay", "--job", paid_.hex(), "--json"}).out);
  const std::string before_payment = "#" + std::to_string(steps.back()["seq"].get<int>() - 1);
  EXPECT_EQ(one({"replay", "--job", paid_.hex(), "--at", before_payment, "--json"})["state"], "delivered_unpaid");
  EXPECT_EQ(one({"replay", "--job", paid_.hex(), "--at", "2026-01-01", "--json"})["state"], "settled");
  EXPECT_EQ(sellcompute({"replay", "--job", paid_.hex(), "--at", "2020-01-01"}).exit_code, 1);
  EXPECT_EQ(sellcompute({"replay", "--job", paid_.hex(), "--at", "soon"}).exit_code, 2);
  EXPECT_EQ(sellcompute({"replay"}).exit_code, 2);
}

TEST_F(Reports, AtAcceptsWhateverJobsShowPrints) {
  const std::string shown_life = sellcompute({"jobs", "show", paid_.hex()}).out;
  static const std::regex kStep("(#[0-9]+) +([0-9-]+ [0-9:]+) +(\\+[0-9.]+ m?s)  .*");
  std::istringstream lines(shown_life);
  std::size_t steps = 0;
  for (std::string line; std::getline(lines, line);) {
    std::smatch step;
    if (!std::regex_match(line, step, kStep)) continue;
    ++steps;
    const std::int64_t seq = std::stoll(step[1].str().substr(1));
    EXPECT_EQ(one({"replay", "--job", paid_.hex(), "--at", step[1], "--json"})["seq"], seq);
    for (const std::string& printed : {step[2].str(), step[3].str()}) {
      EXPECT_GE(one({"replay", "--job", paid_.hex(), "--at", printed, "--json"})["seq"], seq) << printed;
    }
  }
  EXPECT_GE(steps, 10U) << shown_life;
  const auto facts = one({"jobs", "show", paid_.hex(), "--json"})["facts"];
  const std::string first_ms = std::to_string(facts[0]["time_ms"].get<std::int64_t>());
  EXPECT_GE(one({"replay", "--job", paid_.hex(), "--at", first_ms, "--json"})["seq"], facts[0]["seq"]);
}

TEST_F(Reports, ViewsAreMadeAgainOnlyWhileNobodyWrites) {
  const Ran locked = sellcompute({"replay", "--rebuild-views"});
  EXPECT_EQ(locked.exit_code, 5) << locked.err;
  const std::string before = sellcompute({"earnings", "report", "--json"}).out;
  stop_writing();
  const Ran rebuilt = sellcompute({"replay", "--rebuild-views"});
  EXPECT_EQ(rebuilt.exit_code, 0) << rebuilt.err;
  EXPECT_EQ(sellcompute({"earnings", "report", "--json"}).out, before);
  EXPECT_EQ(sellcompute({"audit"}).exit_code, 0);
}

// ---- audit ----------------------------------------------------------------------------------------------------------

TEST_F(Reports, AnHonestLedgerPassesTheAuditWhichSaysWhatItCannotShow) {
  const Ran ran = sellcompute({"audit"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("nothing is wrong"));
  EXPECT_THAT(ran.out, HasSubstr("only a checkpoint that somebody else keeps can show"));
  const json report = one({"audit", "--json"});
  EXPECT_EQ(report["entries"], shop_.entries.size());
  EXPECT_EQ(report["jobs"], 2);
  EXPECT_EQ(report["findings"].size(), 0U);
}

TEST_F(Reports, AWrongIsExitCode4AndNamesThePosition) {
  const auto again = shop_.position_of<ledger::InvoiceSettled>();
  const std::vector<ledger::Group> groups = {{.entries = {shop_.entries[again]}, .cursors = {}}};
  auto group = groups;
  group[0].entries[0].time = shop_.now;
  ASSERT_TRUE(ledger_->append(group));
  const Ran ran = sellcompute({"audit"});
  EXPECT_EQ(ran.exit_code, 4);
  EXPECT_THAT(ran.err, HasSubstr("entry " + std::to_string(shop_.entries.size())));
  EXPECT_THAT(ran.out, HasSubstr("the same invoice settled before"));
}

TEST_F(Reports, AHeldCheckpointIsComparedWithTheLedger) {
  const auto sign = [&](ledger::Checkpoint checkpoint) {
    return ledger::sign_checkpoint(checkpoint, shop_.key.public_key(),
                                   [&](const auto& digest) { return shop_.key.sign(digest.view(), {}); })
        .value();
  };
  const ledger::TreeHead head = ledger_->head();
  write("good.txt", sign({.size = head.size, .root = head.root, .time = shop_.now}));
  write("longer.txt", sign({.size = head.size + 1, .root = head.root, .time = shop_.now}));
  write("none.txt", "hello\n");
  EXPECT_EQ(sellcompute({"audit", "--against", "good.txt"}).exit_code, 0);
  const Ran longer = sellcompute({"audit", "--against", "longer.txt"});
  EXPECT_EQ(longer.exit_code, 4);
  EXPECT_THAT(longer.err, HasSubstr("cut off"));
  EXPECT_NE(sellcompute({"audit", "--against", "none.txt"}).exit_code, 0);
  EXPECT_EQ(sellcompute({"audit", "--against", "missing.txt"}).exit_code, 2);
}

// ---- what people see ------------------------------------------------------------------------------------------------

TEST_F(Reports, NothingIsWiderThanTheTerminal) {
  for (int i = 0; i < 10; ++i) shop_.ask("What is " + std::to_string(i) + "?");
  write_more();
  for (const int columns : {60, 80, 200}) {
    for (const std::vector<std::string>& command : {std::vector<std::string>{"jobs", "list"},
                                                    {"earnings", "report"},
                                                    {"earnings", "report", "--by", "customer"},
                                                    {"earnings", "report", "--by", "model"},
                                                    {"replay", "--job", paid_.hex()},
                                                    {"audit"}}) {
      std::istringstream lines(shown(command, columns));
      for (std::string line; std::getline(lines, line);) {
        EXPECT_LE(cmd::display_width(line), columns) << command[0] << ": " << line;
      }
    }
  }
  EXPECT_THAT(shown({"jobs", "list"}, 200), HasSubstr("TOKENS"));
  EXPECT_THAT(shown({"jobs", "list"}, 60), Not(HasSubstr("TOKENS")));
  EXPECT_THAT(sellcompute({"jobs", "list"}).out, HasSubstr("TOKENS")) << "a pipe has no width";
  variables_.push_back("COLUMNS=60");
  EXPECT_THAT(sellcompute({"jobs", "list"}).out, Not(HasSubstr("TOKENS"))) << "unless it tells";
}

TEST_F(Reports, ColoursAreForTerminalsThatWantThem) {
  const auto coloured = [&](const std::string& variable) {
    return run_at_terminal(home_, {"jobs", "list"}, {}, {variable}, 80).out.find('\x1b') != std::string::npos;
  };
  EXPECT_TRUE(coloured("TERM=xterm"));
  EXPECT_FALSE(coloured("TERM=dumb"));
  EXPECT_FALSE(coloured("NO_COLOR=1"));
  EXPECT_EQ(sellcompute({"jobs", "list"}).out.find('\x1b'), std::string::npos);
}

// Everything that could command or mislead a terminal, also one that reads C1 controls as UTF-8.
bool is_harmless(const std::string& text) {
  static const std::regex kHarmful(
      "[\\x01-\\x08\\x0b-\\x1f\\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]");
  return !std::regex_search(text, kHarmful);
}

TEST_F(Reports, WhatStrangersWroteCommandsNoTerminal) {
  const std::string hostile = "\x1b]52;c;aGk=\x07\u009B31m\x7f\u202Eevil\u2066\u200F\x1b[2J";
  ASSERT_FALSE(is_harmless(hostile));
  base::JobId job;
  job.bytes.fill(0xE5);
  std::vector<ledger::Group> groups(1);
  groups[0].entries = {
      {.time = shop_.now, .job = job, .fact = ledger::JobRequested{.relay = hostile, .model = hostile}},
      {.time = shop_.now, .job = job, .fact = ledger::JobDeclined{.message = hostile}}};
  ASSERT_TRUE(ledger_->append(groups));
  for (const std::vector<std::string>& command : {std::vector<std::string>{"jobs", "list"},
                                                  {"jobs", "show", "e5e5"},
                                                  {"replay", "--job", "e5e5"},
                                                  {"replay", "--job", "e5e5", "--at", "0 s"},
                                                  {"earnings", "report", "--by", "model"},
                                                  {"ledger", "export"}}) {
    for (const std::string format : {"", "--json", "--csv"}) {
      auto typed = command;
      if (!format.empty()) typed.push_back(format);
      typed.insert(typed.begin(), {"--color", "never"});
      const Ran piped = sellcompute(typed);
      if (piped.exit_code == 2) continue;  // it has no such format
      EXPECT_EQ(piped.exit_code, 0) << piped.err;
      EXPECT_TRUE(is_harmless(piped.out)) << command[0] << " " << format;
      std::string shown_there = run_at_terminal(home_, typed, {}, {"TERM=dumb"}, 80).out;
      std::erase(shown_there, '\r');
      EXPECT_TRUE(is_harmless(shown_there)) << command[0] << " " << format;
    }
  }
  const auto row = rows_of(sellcompute({"jobs", "list", "--json"}).out)[0];
  EXPECT_EQ(row["remark"], hostile) << "programs that read JSON get every byte";
}

// ---- checkpoints and pruning ----------------------------------------------------------------------------------------

TEST_F(Reports, ACheckpointIsSignedWithTheKeyThatServed) {
  stop_writing();
  sellcompute({"init"});
  const Ran other = sellcompute({"ledger", "checkpoint"});
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.err, HasSubstr("another key"));

  std::filesystem::remove(home_ / ".config/sellcompute/identity.key");
  std::string hex;
  for (int i = 0; i < 32; ++i) hex += "01";  // the honest shop's
  write("hex", hex + "\n");
  std::filesystem::permissions(home_ / "hex", std::filesystem::perms::owner_read);
  ASSERT_EQ(sellcompute({"init", "--import", "hex"}).exit_code, 0);
  const Ran signed_here = sellcompute({"ledger", "checkpoint", "--out", "note.txt"});
  EXPECT_EQ(signed_here.exit_code, 0) << signed_here.err;
  EXPECT_THAT(signed_here.err, HasSubstr("audit --against note.txt"));
  EXPECT_EQ(sellcompute({"audit", "--against", "note.txt"}).exit_code, 0);
  EXPECT_EQ(one({"audit", "--json"})["checkpoints"], 1) << "it is kept in the ledger too";
  EXPECT_EQ(sellcompute({"ledger", "checkpoint", "--out", "none/note.txt"}).exit_code, 2);
  EXPECT_EQ(shown({"ledger", "checkpoint", "--out", "note.txt"}, 80),
            "signed, in note.txt: keep it where this machine's owner cannot change it, and\n"
            "check with\n"
            "  sellcompute audit --against note.txt\n");
}

TEST_F(Reports, OldTextsArePrunedAndEverythingElseStays) {
  EXPECT_EQ(sellcompute({"ledger", "prune", "--older-than", "1d"}).exit_code, 5) << "somebody writes";
  stop_writing();
  const std::string before = sellcompute({"earnings", "report", "--json"}).out;
  EXPECT_EQ(sellcompute({"ledger", "prune"}).exit_code, 2);
  EXPECT_EQ(sellcompute({"ledger", "prune", "--older-than", "old"}).exit_code, 2);
  const json pruned = one({"ledger", "prune", "--older-than", "1d", "--json"});
  EXPECT_EQ(pruned["jobs"], 1) << "the other waits for its payment";
  EXPECT_THAT(sellcompute({"ledger", "prune", "--older-than", "1d"}).out, HasSubstr("no job that old"));
  EXPECT_EQ(sellcompute({"earnings", "report", "--json"}).out, before);
  const json report = one({"audit", "--json"});
  EXPECT_EQ(report["findings"].size(), 0U) << report;
  EXPECT_GT(report["pruned_texts"], 0);
  EXPECT_THAT(sellcompute({"audit"}).out, HasSubstr("pruned"));
  EXPECT_THAT(sellcompute({"ledger", "export"}).out, HasSubstr("TextsPruned"));
  EXPECT_EQ(one({"jobs", "show", paid_.hex(), "--json"})["texts"], "pruned");
  EXPECT_EQ(one({"jobs", "show", open_.hex(), "--json"})["texts"], "kept");
  EXPECT_THAT(sellcompute({"jobs", "show", paid_.hex()}).out,
              ContainsRegex("\nsuccess     delivered.*\ntexts       pruned\n"));
}

// ---- damage ---------------------------------------------------------------------------------------------------------

// A ledger whose entries lie in table files, one for each family.
class DamagedReports : public Reports {
 protected:
  void SetUp() override {
    Reports::SetUp();
    folder_ = home_ / ".local/share/sellcompute/ledger";
    stop_writing();
    ASSERT_TRUE(ledger::open_writer(folder_));  // which moves what is in the log into tables
    whole_ = folder_.string() + ".whole";
    std::filesystem::copy(folder_, whole_);
  }

  // Puts the whole ledger back, and flips a bit so far from the end of one of its tables.
  bool damage(const std::string& file, std::size_t from_end) const {
    std::filesystem::remove_all(folder_);
    std::filesystem::copy(whole_, folder_);
    std::fstream table(folder_ / file, std::ios::in | std::ios::out | std::ios::binary);
    table.seekg(-static_cast<std::streamoff>(from_end), std::ios::end);
    const char byte = static_cast<char>(table.get() ^ 1);
    table.seekp(-static_cast<std::streamoff>(from_end), std::ios::end);
    table.put(byte);
    return table.good();
  }

  std::vector<std::string> tables() const {
    std::vector<std::string> out;
    for (const auto& file : std::filesystem::directory_iterator(whole_)) {
      if (file.path().extension() == ".sst") out.push_back(file.path().filename());
    }
    return out;
  }

  std::filesystem::path folder_;
  std::filesystem::path whole_;
};

TEST_F(DamagedReports, NoReportSaysThatNothingArrived) {
  ASSERT_GE(tables().size(), 4U);
  const std::string before = sellcompute({"earnings", "report", "--json"}).out;
  for (const std::string& table : tables()) {
    for (const std::size_t from_end : {150U, 600U}) {  // in what names the other blocks, and in the properties
      ASSERT_TRUE(damage(table, from_end)) << table;
      const Ran report = sellcompute({"earnings", "report", "--json"});
      EXPECT_TRUE(report.exit_code == 5 || report.out == before) << table << " " << report.out << report.err;
      const Ran audit = sellcompute({"audit"});
      EXPECT_EQ(audit.exit_code, 4) << table << " " << audit.out << audit.err;
    }
  }
}

TEST_F(DamagedReports, DamagedViewsAreNamedAndMadeAgain) {
  const std::string before = sellcompute({"earnings", "report", "--json"}).out;
  int made_again = 0;
  for (const std::string& table : tables()) {
    ASSERT_TRUE(damage(table, 600));
    const Ran report = sellcompute({"earnings", "report"});
    if (report.err.find("views are damaged") == std::string::npos) continue;
    EXPECT_EQ(report.exit_code, 5);
    EXPECT_THAT(report.err, HasSubstr("--rebuild-views"));
    EXPECT_THAT(sellcompute({"status"}).out, HasSubstr("views are damaged"));
    EXPECT_EQ(sellcompute({"ledger", "export"}).exit_code, 0) << "the entries are whole";
    const Ran rebuilt = sellcompute({"replay", "--rebuild-views"});
    EXPECT_EQ(rebuilt.exit_code, 0) << rebuilt.err;
    EXPECT_EQ(sellcompute({"earnings", "report", "--json"}).out, before);
    EXPECT_EQ(sellcompute({"audit"}).exit_code, 0);
    ++made_again;
  }
  EXPECT_EQ(made_again, 1);
}

TEST_F(CommandLine, WithoutALedgerReportsSaySo) {
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"jobs", "list"}, {"earnings", "report"}, {"audit"}, {"replay", "--rebuild-views"}}) {
    const Ran ran = sellcompute(command);
    EXPECT_EQ(ran.exit_code, 1) << command[0];
    EXPECT_THAT(ran.err, HasSubstr("ledger")) << command[0];
  }
}

}  // namespace
}  // namespace cli
