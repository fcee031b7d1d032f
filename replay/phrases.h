// Facts in a few words, for logs and for step-by-step replays. They contain no secrets and no customer texts. Text from
// outside (a relay's answer) may contain control characters; whoever prints it must remove them.
#pragma once

#include "ledger/fact.h"

namespace replay {

// "quoted 9 sat, llama3.2, to pay afterwards"; "settled 9 sat". Says who and what, not which job and when.
std::string phrase(const ledger::Fact& event);

// What a decision was based on: "1 of 2 slots free, a stranger, strangers' pool 20 sat".
std::string phrase(const ledger::Basis& basis);

}  // namespace replay
