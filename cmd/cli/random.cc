#include "cmd/cli/random.h"

#include <random>
#include <stdexcept>

#include "pipeline/nostr/key_file.h"

namespace cmd {

base::Salt random_bytes() {
  const auto bytes = nostr::generate_aux();
  if (!bytes) throw std::runtime_error(bytes.error().describe());
  return {bytes->bytes};
}

double random_fraction() {
  static std::mt19937_64 generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(generator);
}

}  // namespace cmd
