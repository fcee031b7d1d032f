// The first screen of `serve`: who sells what, at which price, through which wallet and relays, and what is wrong.
#include "cmd/provider/first_screen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "cmd/text/humanize.h"

namespace cmd {
namespace {

using base::Error;
using base::ErrorKind;
using base::Msat;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const std::string kNpub = "npub1tkndzhfvtrzfcgj57ryygshqqvlree06l3nfuvttarhdu6gvu69q0ksr38";

core::Observations all_well() {
  return {.wallet = {.which = "nwc", .note = "Alby Hub, balance 12 sat"},
          .backend = {.which = "http://127.0.0.1:11434"},
          .models = {{.which = "llama3.2"}},
          .relays = {{.which = "wss://a.example", .note = "live"}, {.which = "wss://b.example", .note = "connecting"}},
          .rollback_checked = true};
}

ledger::ProviderConfigured selling(std::vector<ledger::ModelOffer> models) {
  ledger::ProviderConfigured out;
  out.models = std::move(models);
  out.payment_mode = ledger::PaymentMode::result_first;
  return out;
}

ledger::ModelOffer offer(std::string name, Msat base, Msat input, Msat output) {
  return {.name = std::move(name), .base = base, .input_per_1k_tokens = input, .output_per_1k_tokens = output};
}

std::string screen(const ledger::ProviderConfigured& policy, core::Observations seen = all_well(), int width = 200,
                   std::size_t unfinished = 0) {
  return first_screen(kNpub, policy, core::judge(std::move(seen)), unfinished,
                      Terminal{.is_terminal = true, .width = width});
}

TEST(FirstScreen, ShowsWhoSellsWhatThroughWhichWalletAndRelays) {
  EXPECT_EQ(screen(selling({offer("llama3.2", Msat{1'000}, Msat{500}, Msat{2'000})})),
            "selling  as " + kNpub +
                "\n"
                "wallet   nwc: Alby Hub, balance 12 sat\n"
                "models   llama3.2  1 sat a job + 0.5 sat in, 2 sat out per 1,000 tokens\n"
                "payment  after the work, within credit and the strangers' pool (result_first)\n"
                "relays   wss://a.example\n"
                "         wss://b.example\n"
                "keys     Ctrl-C goes offline when the started jobs are finished\n"
                "         `sellcompute jobs tail` in another terminal shows each step\n");
}

TEST(FirstScreen, LeavesOutOfAPriceWhatCostsNothing) {
  EXPECT_THAT(screen(selling({offer("a", Msat{}, Msat{}, Msat{})})), HasSubstr("models   a  free\n"));
  EXPECT_THAT(screen(selling({offer("a", Msat{5'000}, Msat{}, Msat{})})), HasSubstr("models   a  5 sat a job\n"));
  EXPECT_THAT(screen(selling({offer("a", Msat{}, Msat{}, Msat{2'000})})),
              HasSubstr("models   a  2 sat out per 1,000 tokens\n"));
}

TEST(FirstScreen, CountsTheModelsThatItDoesNotName) {
  std::vector<ledger::ModelOffer> models;
  for (int i = 1; i <= 11; ++i) models.push_back(offer("model-" + std::to_string(i), Msat{}, Msat{}, Msat{}));
  EXPECT_THAT(screen(selling(models)),
              AllOf(HasSubstr("model-8  free\n         and 3 more\n"), Not(HasSubstr("model-9"))));
}

TEST(FirstScreen, NamesWhatIsWrongAndThatMoneyIsPlayMoney) {
  auto seen = all_well();
  seen.wallet.error = Error{ErrorKind::payment, "wallet.unreachable", "the wallet does not answer", {}, "start it"};
  auto policy = selling({});
  policy.play_money = true;
  EXPECT_THAT(screen(policy, seen), AllOf(HasSubstr("wrong    the wallet does not answer"), HasSubstr("start it"),
                                          HasSubstr("note     the wallet's money is play money\n")));
}

TEST(FirstScreen, TellsOfJobsThatGoOn) {
  EXPECT_THAT(screen(selling({}), all_well(), 200, 2), HasSubstr("jobs     2 jobs from before: going on\n"));
  EXPECT_THAT(screen(selling({})), Not(HasSubstr("from before")));
}

TEST(FirstScreen, NamesTheRelayThatIsDown) {
  auto seen = all_well();
  seen.relays[1].error = Error{ErrorKind::connection, "relay.offline", "connection refused", {}, {}};
  EXPECT_THAT(screen(selling({}), seen), HasSubstr("wrong    wss://b.example: connection refused\n"));
}

TEST(FirstScreen, FitsTheTerminalButForWordsThatCanBeCopied) {
  auto seen = all_well();
  seen.wallet.error = Error{ErrorKind::payment,
                            "wallet.unreachable",
                            "the wallet does not answer, although it was asked three times within the last minute",
                            {},
                            "start it"};
  for (const int width : {72, 80, 100}) {
    const std::string text = screen(selling({offer("llama3.2", Msat{1'000}, Msat{500}, Msat{2'000})}), seen, width);
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(display_width(line), width) << line;
  }
}

TEST(FirstScreen, PassesNoControlCharactersOfAWalletOn) {
  auto seen = all_well();
  seen.wallet.note = "\x1b[2J\x1b]0;gone\a";
  EXPECT_THAT(screen(selling({}), seen), Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace cmd
