// What the demo shows fits the terminal.
#include "cmd/text/demo_screen.h"

#include <gtest/gtest.h>

#include <sstream>

#include "cmd/text/humanize.h"

namespace cmd {
namespace {

// The longest sentences of a demo.
std::string shown(int width) {
  std::ostringstream out;
  DemoScreen screen(out, {.width = width});
  screen.title("One whole sale on this machine: a customer asks, a model answers, an invoice is settled.");
  screen.part("inference", "a stand-in without intelligence, because no Ollama answers at http://127.0.0.1:11434");
  screen.happened(71, "provider", "requested by npub1lq5f… through ws://127.0.0.1:44921, about 18 tokens");
  screen.quote("What is a data vending machine? Answer in one sentence.");
  screen.hint("Sell for real (init writes a config and a key; choose relays and models in it):", {"sellcompute init"});
  return out.str();
}

TEST(DemoScreen, FitsTheTerminal) {
  for (const int width : {60, 80}) {
    std::istringstream lines(shown(width));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(display_width(line), width) << line;
  }
  EXPECT_NE(shown(80).find("  inference  a stand-in without intelligence, because no Ollama answers at\n"
                           "             http://127.0.0.1:11434\n"),
            std::string::npos)
      << shown(80);
}

TEST(DemoScreen, HasWholeLinesWhereThereIsNoTerminal) {
  EXPECT_NE(shown(kAnyWidth).find("no Ollama answers at http://127.0.0.1:11434\n"), std::string::npos);
}

}  // namespace
}  // namespace cmd
