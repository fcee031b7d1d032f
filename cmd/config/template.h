// The config file that `init` writes: every setting with its description, range and default, all commented out.
#pragma once

#include <string>

namespace cmd {

std::string config_template();

}  // namespace cmd
