#include "cmd/commands.h"

namespace cmd {

std::span<const Command> commands() {
  static const std::vector<Command> all = {
      config_command(),
      completion_command(),
  };
  return all;
}

}  // namespace cmd
