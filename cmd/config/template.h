// The config file that `init` writes: relays, wallet and prices to fill in, then every other setting on a commented
// line with its description, range and default.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "cmd/config/config.h"

namespace cmd {

// Public relays on which DVMDash, a monitor of data vending machines, listens. An operator chooses; none is preset.
std::span<const std::string_view> public_relays();

// Settings that `flags` give stand in the file with the given values, not as comments. Fails with "config.value" if one
// of them is wrong.
base::Result<std::string> config_template(const ConfigSources::Flags& flags);

}  // namespace cmd
