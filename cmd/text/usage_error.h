// A mistake in what was typed: exit code 2.
#pragma once

#include <string>

#include "base/result.h"

namespace cmd {

inline tl::unexpected<base::Error> usage_error(std::string message, std::string hint = {}) {
  return base::fail(base::ErrorKind::config, "usage", std::move(message), {}, std::move(hint));
}

}  // namespace cmd
