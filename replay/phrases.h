// Facts in a few words, for logs and for step-by-step replays. Nothing secret and no text of a customer's is in any of
// them; what strangers wrote (a relay's answer) may hold control characters: printers make it harmless.
#pragma once

#include "ledger/fact.h"

namespace replay {

// "quoted 9 sat, llama3.2, result_first"; "settled 9 sat". Says who and what, not which job and when.
std::string phrase(const ledger::Fact& event);

// What a decision stood on: "1 of 2 slots free, stranger, pool 20 sat".
std::string phrase(const ledger::Basis& basis);

}  // namespace replay
