// The parameters of a request: those of its inference, and those that a template of its kind uses. Pure.
#pragma once

#include "pipeline/nostr/nip90_words.h"

namespace nostr::nip90 {

// Reads every param tag; one that is empty or unknown is left out. Returns the first fault.
MaybeFault read_params(const Event& event, ledger::JobRequested& out);

// Appends the instruction with each "{name}" and "{name|default}" replaced by the request's parameter. A placeholder
// with neither a parameter nor a default is a fault.
MaybeFault fill_in(std::string_view instruction, const Event& event, std::string& out);

}  // namespace nostr::nip90
