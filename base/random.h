// Randomness as a port, so that the simulator can draw it from a seed.
#pragma once

#include <functional>

#include "base/types.h"

namespace base {

// 32 bytes that nobody can guess: salts of texts, auxiliary randomness of signatures.
using Random = std::function<Salt()>;

}  // namespace base
