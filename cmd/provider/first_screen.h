// What an operator sees first when `serve` goes online on a terminal.
#pragma once

#include <string>

#include "cmd/text/output.h"
#include "pipeline/core/readiness.h"

namespace cmd {

// Who sells, through which wallet and relays, what at which price, what is wrong, and how many jobs of before are
// `unfinished`. Each line ends with a line feed.
std::string first_screen(const std::string& npub, const ledger::ProviderConfigured& policy,
                         const core::Readiness& readiness, std::size_t unfinished, const Terminal& terminal);

}  // namespace cmd
