#include "cmd/cli/clock.h"

#include <charconv>

#include "base/scheduler.h"
#include "cmd/cli/command.h"

namespace cmd {
std::string test_variable(const ConfigSources& sources, std::string_view name) {
  const auto it = sources.environment.find(std::string(kTestVariables) + std::string(name));
  return it == sources.environment.end() ? std::string() : it->second;
}

base::Clock make_clock(const ConfigSources& sources) {
  const std::string text = test_variable(sources, "CLOCK_MS");
  std::int64_t start_ms = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), start_ms);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return wall_clock;
  return [offset = start_ms - wall_clock().ms] { return wall_clock() + offset; };
}

}  // namespace cmd
