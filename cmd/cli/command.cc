#include "cmd/cli/command.h"

#include <chrono>

namespace cmd {

Format Arguments::format() const {
  return has("json") ? Format::json : has("csv") ? Format::csv : Format::people;
}

void add_json_option(cxxopts::OptionAdder& add) {
  add("json", "for programs: one JSON object a line");
}

void add_json_and_csv_options(cxxopts::OptionAdder& add) {
  add_json_option(add);
  add("csv", "for spreadsheets");
}

base::TimeMs wall_clock() {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::milliseconds>(since_1970).count()};
}

}  // namespace cmd
