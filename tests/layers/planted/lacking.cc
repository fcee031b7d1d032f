// Calls a function of base, but its library does not name base among those it links.
#include "base/utf8.h"

bool planted_lacking(const std::string& text) {
  return base::is_utf8(text);
}
