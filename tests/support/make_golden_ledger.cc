// Writes fixtures/ledger-v1: a ledger of fixed facts in format version 1, as a simulated disk's dump, and its root.
// usage: make_golden_ledger FOLDER
#include <fstream>
#include <iostream>

#include "tests/support/golden_ledger.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make_golden_ledger FOLDER\n";
    return 2;
  }
  const sim::Golden golden = sim::golden_ledger();
  const std::string folder = argv[1];
  std::ofstream(folder + "/store.txt") << golden.dump;
  std::ofstream(folder + "/root.txt") << golden.root.hex() << "\n";
  return 0;
}
