// The ledger of fixtures/ledger-v1, made anew.
#pragma once

#include <string>

#include "base/types.h"

namespace sim {

struct Golden {
  std::string dump;  // SimDisk::dump() of the whole store
  base::Hash256 root;
};

// 260 sample entries (more than one tile), with a view, in groups of several sizes.
Golden golden_ledger();

}  // namespace sim
