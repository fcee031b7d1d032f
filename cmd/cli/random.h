// The system's randomness.
#pragma once

#include "ledger/text.h"

namespace cmd {

// For secrets. Throws when the system gives none: then there is no safe way on.
base::Salt random_bytes();

// In [0, 1), for spreading things in time. No secret.
double random_fraction();

}  // namespace cmd
