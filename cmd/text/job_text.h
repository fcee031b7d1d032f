// A job on the screen and as JSON: one row of a list, or its whole life.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cmd/text/output.h"
#include "pipeline/core/job.h"
#include "replay/replayer.h"

namespace cmd {

// The table for a list of jobs, and one more job in it; ages are seen from `now`.
Table job_table();
void add_job(Table& table, const core::Job& job, base::TimeMs now);

// Who, what, how much, and what the relays said, for people.
// `more` are lines below these: a name and a text each.
using NamedTexts = std::vector<std::pair<std::string, std::string>>;
void print_job(std::ostream& out, const Terminal& terminal, const core::Job& job, const NamedTexts& more = {});
// The members of a list's row, then the answers' notices and relays.
nlohmann::ordered_json job_json(const core::Job& job);

// "delivered, unpaid"; "never paid".
std::string state_text(core::State state);
// The state that this text names, in upper or lower case, with spaces, hyphens or underscores ("delivered_unpaid").
// Nothing if it names no state.
std::optional<core::State> parse_state(std::string_view text);
Colour state_colour(core::State state);

}  // namespace cmd
