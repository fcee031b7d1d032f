// What `request` shows on a terminal, and to a pipe.
#include "cmd/customer/request_screen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <sstream>

#include "cmd/text/humanize.h"
#include "pipeline/nostr/nip19.h"

namespace cmd {
namespace {

using testing::HasSubstr;

constexpr char kRelay[] = "wss://relay.one";
constexpr char kAnswer[] = "A data vending machine is a service on Nostr that does work for a small payment.";

class Screen : public testing::Test {
 protected:
  explicit Screen(const Terminal& terminal = {.is_terminal = true, .interactive = true, .colour = true, .width = 60})
      : context_{in_, out_, err_, terminal, terminal, Verbosity::normal, {}} {}

  static nostr::Answer answer(const std::string& content) {
    return {.provider = *nostr::PublicKey::from_bytes(std::string(32, 2)),
            .is_result = true,
            .status = "result",
            .content = content};
  }

  std::istringstream in_;
  std::ostringstream out_, err_;
  Context context_;
  RequestScreen screen_{context_, false, [] { return base::TimeMs{1'000}; }};
};

class PipedScreen : public Screen {
 protected:
  PipedScreen() : Screen(Terminal{.width = 60}) {}
};

TEST_F(Screen, WrapsTheAnswerAtWords) {
  screen_.result(answer(kAnswer), kRelay);
  EXPECT_EQ(out_.str(),
            "A data vending machine is a service on Nostr that does work\n"
            "for a small payment.\n");
}

TEST_F(Screen, WrapsAnAnswerThatGrows) {
  const std::string whole = kAnswer;
  for (const std::size_t size : {4U, 50U, 65U}) screen_.partial(answer(whole.substr(0, size)), kRelay);
  EXPECT_EQ(out_.str(), "A data vending machine is a service on Nostr that does work\nfor");
  screen_.result(answer(whole), kRelay);
  EXPECT_EQ(out_.str(),
            "A data vending machine is a service on Nostr that does work\n"
            "for a small payment.\n");
}

TEST_F(Screen, GoesOnWithTheAnswerInALineOfItsOwn) {
  const std::string whole = kAnswer;
  screen_.partial(answer(whole.substr(0, 50)), kRelay);
  screen_.note("still here");
  screen_.result(answer(whole), kRelay);
  EXPECT_THAT(err_.str(), HasSubstr("\n\x1b[2m+0 ms    \x1b[0mstill here\n"));
  EXPECT_EQ(out_.str(),
            "A data vending machine is a service on Nostr that"
            "does work for a small payment.\n");
}

TEST_F(Screen, WrapsWhatProvidersSayAndPaintsTheStatus) {
  nostr::Answer refusal = answer("");
  refusal.is_result = false;
  refusal.known = nostr::Status::error;
  refusal.status = "error";
  refusal.text = "the model that you name is not among those that we serve at the moment";
  screen_.status(refusal, kRelay);
  const std::string npub = short_npub(nostr::encode_npub(refusal.provider));
  EXPECT_EQ(err_.str(), "\x1b[2m+0 ms    \x1b[0m" + npub +
                            " \x1b[31merror\x1b[0m: the model that you name is not\n"
                            "         among those that we serve at the moment\n");
}

TEST_F(Screen, NamesTheKeysOfSellersBelowWhereTheyHaveNoRoomBeside) {
  Seller seller{.suits = true, .alive = true, .price = base::Msat{4'000}};
  seller.announcement.provider = answer("").provider;
  seller.announcement.profile.name = "Ann's machine in the cellar, with two cards";
  seller.announcement.models = {{.name = "hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M"}, {.name = "qwen3:8b"}};
  screen_.sellers({seller});
  const std::string npub = nostr::encode_npub(seller.announcement.provider);
  EXPECT_THAT(err_.str(), HasSubstr(npub + "\n"));
  static const std::regex kColour("\x1b\\[[0-9;]*m");
  std::istringstream lines(std::regex_replace(err_.str(), kColour, ""));
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(line.ends_with(npub) || display_width(line) <= 60) << line;
  }
}

TEST_F(PipedScreen, GetsTheAnswerAsItIs) {
  screen_.partial(answer("A data"), kRelay);
  EXPECT_EQ(out_.str(), "A data");
  screen_.result(answer(std::string(kAnswer) + " \n"), kRelay);
  EXPECT_EQ(out_.str(), std::string(kAnswer) + " \n\n");
}

}  // namespace
}  // namespace cmd
