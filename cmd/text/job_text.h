// A job on the screen and as JSON: one row of a list, or its whole life.
#pragma once

#include <iosfwd>
#include <span>

#include "cmd/text/output.h"
#include "pipeline/core/job.h"
#include "replay/replayer.h"

namespace cmd {

// A list of jobs, in the order given; ages are seen from `now`.
Table job_table(std::span<const core::Job> jobs, base::TimeMs now);

// Who, what, how much, and what the relays said, for people.
void print_job(std::ostream& out, const Terminal& terminal, const core::Job& job);
// The members of a list's row, then the answers' notices and relays.
nlohmann::ordered_json job_json(const core::Job& job);

// "delivered, unpaid".
std::string state_text(core::State state);
Colour state_colour(core::State state);

}  // namespace cmd
