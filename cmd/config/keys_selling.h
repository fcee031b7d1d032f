// Two parts of the table of settings (keys.h): what is sold, how, and for how much.
#pragma once

#include "cmd/config/keys.h"

namespace cmd {

std::span<const Key> selling_keys();  // selling.*
std::span<const Key> list_keys();     // of the tables [[models]] and [[kinds]]

}  // namespace cmd
