// What the demo shows: the sale as it happens, with one line per fact and the source of that fact.
#pragma once

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "cmd/text/output.h"
#include "ledger/fact.h"

namespace cmd {

class DemoScreen {
 public:
  DemoScreen(std::ostream& out, const Terminal& terminal) : out_(out), terminal_(terminal) {}

  void title(std::string_view text);
  // A part of the set-up: "relay     ws://127.0.0.1:40123".
  void part(std::string_view name, std::string_view text);
  // Something that happened `elapsed_ms` after the beginning.
  void happened(std::int64_t elapsed_ms, std::string_view who, std::string_view what, Colour colour = Colour::plain);
  // A fact that the provider's ledger has now.
  void recorded(std::int64_t elapsed_ms, const ledger::Fact& fact);
  // Somebody's words, below what happened.
  void quote(std::string_view text);
  void separate();
  // A command as one would type it; what it prints follows.
  void command(std::string_view text);
  // What to do next, and what for.
  void hint(std::string_view what_for, const std::vector<std::string>& commands);

 private:
  std::ostream& out_;
  const Terminal terminal_;
};

}  // namespace cmd
