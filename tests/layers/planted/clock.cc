#include <chrono>

long planted_clock() {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}
