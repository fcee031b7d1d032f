// The commands that look at the shop's parts: ledger, wallet, status.
#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "ledger/ledger.h"
#include "ledger/rocksdb_store.h"
#include "pipeline/loopback/loopback_ollama.h"
#include "pipeline/loopback/loopback_relay.h"
#include "pipeline/wallet/sandbox_books.h"
#include "tests/cli/cli.h"
#include "tests/support/sample_ledger.h"

namespace cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;

std::vector<json> rows_of(const std::string& text) {
  std::vector<json> rows;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) rows.push_back(json::parse(line));
  return rows;
}

// ---- ledger ---------------------------------------------------------------------------------------------------------

class LedgerCommand : public CommandLine {
 protected:
  void make_ledger(std::size_t entries) const {
    auto store = ledger::open_writer(home_ / ".local/share/sellcompute/ledger");
    ASSERT_TRUE(store) << store.error().describe();
    auto ledger = ledger::Ledger::open(**store, {});
    ASSERT_TRUE(ledger) << ledger.error().describe();
    const std::vector<ledger::Group> groups = {sim::sample_group(0, entries)};
    ASSERT_TRUE((*ledger)->append(groups));
  }
};

TEST_F(LedgerCommand, ExportsOneEntryALine) {
  make_ledger(33);
  const Ran ran = sellcompute({"ledger", "export"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  const auto rows = rows_of(ran.out);
  ASSERT_EQ(rows.size(), 33U);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i]["seq"], i);
    for (const char* key : {"time", "type", "job", "facts"}) EXPECT_TRUE(rows[i].contains(key)) << key;
  }
}

TEST_F(LedgerCommand, ExportsAPartOrAJob) {
  make_ledger(33);
  EXPECT_EQ(rows_of(sellcompute({"ledger", "export", "--from", "3", "--until", "5"}).out).size(), 2U);
  const std::string job = rows_of(sellcompute({"ledger", "export"}).out).back()["job"];
  const auto rows = rows_of(sellcompute({"ledger", "export", "--job", job.substr(0, 10)}).out);
  ASSERT_FALSE(rows.empty());
  for (const json& row : rows) EXPECT_EQ(row["job"], job);
  EXPECT_EQ(sellcompute({"ledger", "export", "--job", "xyz"}).exit_code, 2);
  EXPECT_EQ(sellcompute({"ledger", "export", "--from", "x"}).exit_code, 2);
}

TEST_F(LedgerCommand, CountsWhatIsThere) {
  make_ledger(33);
  const json stats = json::parse(sellcompute({"ledger", "stats", "--json"}).out);
  EXPECT_EQ(stats["entries"], 33);
  std::int64_t sum = 0;
  for (const auto& [type, count] : stats["types"].items()) sum += count.get<std::int64_t>();
  EXPECT_EQ(sum, 33);
  EXPECT_THAT(sellcompute({"ledger", "stats"}).out, StartsWith("entries"));
}

TEST_F(LedgerCommand, CountsInAColumn) {
  make_ledger(1'200);
  std::istringstream lines(sellcompute({"ledger", "stats"}).out);
  std::string line;
  std::getline(lines, line);
  EXPECT_THAT(line, testing::EndsWith(" 1,200"));
  const std::size_t width = line.size();
  while (std::getline(lines, line) && !line.starts_with("from")) EXPECT_EQ(line.size(), width) << line;
}

TEST_F(LedgerCommand, OnlyWhatReadsViewsAsksForFreshOnes) {
  make_ledger(33);  // its views are none of this program's
  EXPECT_EQ(sellcompute({"ledger", "export"}).exit_code, 0);
  EXPECT_EQ(sellcompute({"ledger", "stats"}).exit_code, 0);
  EXPECT_THAT(sellcompute({"jobs", "list"}).err, HasSubstr("--rebuild-views"));
  EXPECT_EQ(sellcompute({"replay", "--rebuild-views"}).exit_code, 0);
  EXPECT_EQ(sellcompute({"jobs", "list"}).exit_code, 0);
}

TEST_F(LedgerCommand, WithoutALedgerItSaysSo) {
  for (const auto& words : {std::vector<std::string>{"ledger", "stats"}, {"jobs", "tail"}}) {
    const Ran ran = sellcompute(words);
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_THAT(ran.err, StartsWith("sellcompute: there is no ledger"));
  }
}

TEST_F(LedgerCommand, ShowsTheTextsOfAJobOrSaysWhyNot) {
  make_ledger(33);
  ASSERT_EQ(sellcompute({"replay", "--rebuild-views"}).exit_code, 0);
  const std::string job = rows_of(sellcompute({"ledger", "export"}).out).back()["job"];
  const auto shown = [&] { return rows_of(sellcompute({"jobs", "show", job, "--text", "--json"}).out).at(0); };
  const json whole = shown();
  EXPECT_EQ(whole["question_state"], "unreadable") << "the sample's request is no event";
  EXPECT_THAT(whole["answer"].get<std::string>(), StartsWith("result of sale 2: why is the sky blue"));
  EXPECT_EQ(whole["answer_state"], "kept");

  auto store = ledger::open_writer(home_ / ".local/share/sellcompute/ledger");
  ASSERT_TRUE(store) << store.error().describe();
  ledger::Batch batch;
  ASSERT_TRUE((*store)->scan(ledger::Family::texts, {}, {}, [&](auto key, auto) {
    batch.erase(ledger::Family::texts, std::string(key));
    return true;
  }));
  ASSERT_TRUE((*store)->commit(batch));
  store->reset();
  EXPECT_EQ(shown()["question_state"], "lost");
  EXPECT_EQ(shown()["answer_state"], "lost");
  EXPECT_THAT(sellcompute({"jobs", "show", job, "--text"}).out,
              HasSubstr("answer: a text is missing, and no fact says that it was pruned"));
}

TEST_F(LedgerCommand, PrintsItsSchema) {
  EXPECT_THAT(sellcompute({"ledger", "schema"}).out, HasSubstr("syntax = \"proto3\";"));
}

// ---- wallet ---------------------------------------------------------------------------------------------------------

class WalletCommand : public CommandLine {};

TEST_F(WalletCommand, PaysTheSandboxesInvoicesOnce) {
  sellcompute({"init"});
  const wallet::SandboxBooks books(home_ / ".local/share/sellcompute/wallet");
  ASSERT_TRUE(books.prepare());
  const auto secret = base::read_or_create_secret(home_ / ".config/sellcompute/wallet.secret");
  ASSERT_TRUE(secret);
  const base::TimeMs now{std::time(nullptr) * 1'000};
  const auto bolt11 = books.create(
      {.job = *base::JobId::from_hex(std::string(64, 'a')), .amount = {9'000}, .expiry_ms = 600'000}, *secret, now);
  ASSERT_TRUE(bolt11) << bolt11.error().describe();

  const Ran paid = sellcompute({"wallet", "pay", *bolt11, "--json"});
  EXPECT_EQ(paid.exit_code, 0) << paid.err;
  const json row = json::parse(paid.out);
  EXPECT_EQ(row["amount_msat"], 9'000);
  const auto preimage = base::from_hex(row["preimage"].get<std::string>());
  EXPECT_EQ(base::sha256(*preimage).hex(), row["payment_hash"].get<std::string>()) << "the preimage proves the payment";
  EXPECT_EQ(sellcompute({"wallet", "status"}).out,
            "sandbox  balance 9 sat (play money)\namounts in steps of 1 sat; an invoice that was interrupted is found "
            "again by preimage; payments are looked for, and can be held (escrow)\n");

  const auto listed = rows_of(sellcompute({"wallet", "settlements", "--json"}).out);
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0]["received_msat"], 9'000);
  EXPECT_EQ(listed[0]["job"], nullptr) << "no job of ours: the ledger never had it";

  const Ran again = sellcompute({"wallet", "pay", *bolt11});
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.err, StartsWith("sellcompute: "));
}

TEST_F(WalletCommand, RefusesWhatIsNoInvoiceOfOurs) {
  const Ran garbled = sellcompute({"wallet", "pay", "lnbc1nonsense"});
  EXPECT_EQ(garbled.exit_code, 2);
  EXPECT_EQ(garbled.err,
            "sellcompute: \"lnbc1nonsense\" is no Lightning invoice: characters are missing or wrong: copy the whole "
            "text of the invoice again\n");
  EXPECT_THAT(sellcompute({"wallet", "pay", "hello"}).err, HasSubstr("it does not begin with \"ln\""));
  EXPECT_EQ(sellcompute({"jobs", "refund", "a53c", "--invoice", "lnbc1nonsense"}).err, garbled.err);
  EXPECT_EQ(sellcompute({"wallet", "pay"}).exit_code, 2);
}

TEST_F(WalletCommand, AnAmountIsAWholeNumberOfSat) {
  for (const char* amount : {"abc", "0", "1.5", "100000001"}) {
    const Ran ran = sellcompute({"wallet", "invoice", amount});
    EXPECT_EQ(ran.exit_code, 2) << amount;
    EXPECT_THAT(ran.err, HasSubstr("give an amount in sat, a whole number from 1 to 100,000,000, like 21")) << amount;
  }
}

TEST_F(WalletCommand, WaitingForAnInvoiceThatTheWalletForgotSaysSo) {
  sellcompute({"init"});
  const std::string forget = "rm -f " + (home_ / ".local/share/sellcompute/wallet/").string() + "*.json";
  const std::string ends_later = "(sleep 1; " + forget + "; sleep 8; kill -TERM $$) & exec ";
  const Ran ran =
      type_into(home_, {"/bin/sh", "-c", ends_later + SELLCOMPUTE_PROGRAM + " wallet invoice 21 --wait"}, "", "");
  EXPECT_THAT(ran.out, HasSubstr("note: the wallet does not list this invoice yet"));
}

// ---- status ---------------------------------------------------------------------------------------------------------

// A relay and a backend on loopback, alive as long as the test.
class Status : public CommandLine {
 protected:
  void SetUp() override {
    CommandLine::SetUp();
    sellcompute({"init"});
    auto ollama = loopback::LoopbackOllama::start(io_);
    ASSERT_TRUE(ollama);
    ollama_ = std::move(*ollama);
    relay_ = std::make_unique<loopback::LoopbackRelay>(io_);
    ollama_url_ = ollama_->url();
    relay_url_ = relay_->url();
    thread_ = std::thread([this] { io_.run(); });
  }
  void TearDown() override {
    io_.stop();
    if (thread_.joinable()) thread_.join();
    CommandLine::TearDown();
  }
  Ran status(const std::string& relay, const std::string& ollama, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"status", "--relay", relay, "--inference-url", ollama};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return sellcompute(arguments);
  }

  boost::asio::io_context io_;
  std::unique_ptr<loopback::LoopbackOllama> ollama_;
  std::unique_ptr<loopback::LoopbackRelay> relay_;
  std::string ollama_url_, relay_url_;
  std::thread thread_;
};

TEST_F(Status, IsWellWhenEverythingAnswers) {
  const Ran ran = status(relay_url_, ollama_url_, {"--json"});
  EXPECT_EQ(ran.exit_code, 0) << ran.out << ran.err;
  const auto rows = rows_of(ran.out);
  ASSERT_EQ(rows.size(), 6U);
  for (const json& row : rows) EXPECT_TRUE(row["ok"]) << row;
  EXPECT_THAT(rows[2]["note"].get<std::string>(), HasSubstr(loopback::kStandInModel));
  EXPECT_THAT(status(relay_url_, ollama_url_).out, StartsWith("identity"));
}

TEST_F(Status, WhatCannotBeReachedIsNamedAndExitCode3) {
  const Ran no_relay = status("ws://127.0.0.1:1", ollama_url_);
  EXPECT_EQ(no_relay.exit_code, 3);
  EXPECT_THAT(no_relay.out, HasSubstr("ws://127.0.0.1:1"));
  EXPECT_THAT(no_relay.out, HasSubstr("FAIL"));
  EXPECT_EQ(status(relay_url_, "http://127.0.0.1:1").exit_code, 3);
}

TEST_F(Status, WhatIsConfiguredWronglyIsExitCode2) {
  const Ran none = sellcompute({"status", "--inference-url", ollama_url_});
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_THAT(none.out, HasSubstr("no relay is chosen"));
  write("a.toml",
        "[identity]\nkey_file = \".config/sellcompute/identity.key\"\n[wallet]\nsecret_file = "
        "\".config/sellcompute/wallet.secret\"\n[[models]]\nname = \"missing\"\n");
  const Ran missing = status(relay_url_, ollama_url_, {"--config", "a.toml"});
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_THAT(missing.out, HasSubstr("the model server has no model `missing`: `ollama pull missing`"));
}

TEST_F(Status, BeforeInitIsOneLineThatNamesInit) {
  std::filesystem::remove_all(home_ / ".config");
  const Ran ran = status(relay_url_, ollama_url_);
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_EQ(ran.out, "setup  FAIL  nothing is set up yet: `sellcompute init` writes a config file and a key\n");
}

TEST_F(Status, PlayMoneyIsKeptFromPublicRelays) {
  EXPECT_THAT(status("wss://relay.invalid", ollama_url_).out, HasSubstr("play money"));
}

}  // namespace
}  // namespace cli
