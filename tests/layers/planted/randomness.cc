#include <random>

unsigned planted_randomness() {
  return std::random_device()();
}
