// Shows the operator what happens in the shop: one log line per fact, or one live line on a terminal.
#pragma once

#include <iosfwd>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "cmd/config/config.h"
#include "ledger/entry.h"

namespace spdlog {
class logger;
}

namespace cmd {

// A logger on standard error: lines for people, in colour or not, or one JSON object per line, whose members after
// "level" the caller gives.
std::shared_ptr<spdlog::logger> make_logger(const std::string& level, bool json, bool colour);

// A fact as one line for a person: "job a53c9389 quoted 9 sat, llama3.2". Never the text of a prompt or a result.
std::string describe(const ledger::NewEntry& entry);

// Whether this fact is a line of its own for a person who watches the live line: a result that was delivered, money that
// came, is owed back or went back, and work that was cancelled or given up.
bool is_headline(const ledger::Fact& fact);

// The counters of the live line, since the program started.
struct Activity {
  std::uint64_t requested = 0;
  std::uint64_t declined = 0;
  std::uint64_t delivered = 0;
  base::Msat settled;
  std::map<std::string, bool> relays;  // live or not
  void count(const ledger::NewEntry& entry);
  // "online · 2/2 relays · 3 in progress · since the start: 9 delivered, 81 sat settled, …". Both lines have at most so
  // many columns: what does not fit is left out from the end. `state` as shop_state() (cli/readiness_report.h);
  // `unfinished` as core::Engine::unfinished_jobs().
  std::string live_line(std::string_view state, std::size_t unfinished, int width) const;
  // "offline · 1 job goes on after the next start · since the start: …"
  std::string last_line(std::size_t unfinished, int width) const;

 private:
  std::string line(std::vector<std::string> parts, int width) const;
};

}  // namespace cmd
