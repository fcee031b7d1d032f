// Calls what is defined in base, without being linked to it.
#include "base/utf8.h"

bool planted_lacking(const std::string& text) {
  return base::is_utf8(text);
}
