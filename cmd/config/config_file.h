// Reads the config file: settings by key, and each [[models]] and [[kinds]] table. Values are checked later, against
// their keys (value.h).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cmd/config/config.h"
#include "cmd/config/faults.h"

namespace cmd {

struct Written {
  Value value;
  Place place;
};
using WrittenValues = std::map<std::string, Written, std::less<>>;

// One table of a list.
struct WrittenTable {
  WrittenValues values;
  Place place;
};

struct FileSettings {
  WrittenValues settings;
  std::vector<WrittenTable> models;
  std::vector<WrittenTable> kinds;
};

// Reads all that can be read of the file; what cannot goes to `faults`, with the codes of load_config. A missing file
// is a fault only if it was `named`.
FileSettings read_config_file(const Paths& paths, bool named, Faults& faults);

}  // namespace cmd
