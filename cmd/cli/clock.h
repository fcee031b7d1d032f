// The wall clock, which tests may set to another day.
#pragma once

#include "base/scheduler.h"
#include "cmd/config/config.h"

namespace cmd {

// The wall clock. With SELLCOMPUTE_TEST_CLOCK_MS in the environment, a clock that started at that time when this was
// called.
base::Clock make_clock(const ConfigSources& sources);

// A variable of the tests ("KILL_AT" is SELLCOMPUTE_TEST_KILL_AT); empty when it is not set.
std::string test_variable(const ConfigSources& sources, std::string_view name);

}  // namespace cmd
