// Texts: prompts, results, wire bytes. Facts refer to a text by SHA-256(salt || text), so that pruning the text and its
// salt leaves nothing to guess from, while facts, proofs and reports stay whole.
#pragma once

#include <string>

#include "base/types.h"

namespace ledger {

using base::Salt;
using base::TextRef;

// A text on its way into the ledger. The salt is fresh randomness from the adapter that made the text.
struct Text {
  Salt salt;
  std::string bytes;
};

TextRef ref(const Text& text);

}  // namespace ledger
