#include <cstdlib>

const char* planted_environment() {
  return std::getenv("PLANTED");
}
