// Runs a fuzz target, without libFuzzer, over the inputs that were kept of it and over some that every reader must
// survive. usage: fuzz_TARGET FOLDER_OR_FILE...
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz.h"

namespace {

void run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

void run_edges() {
  static constexpr std::size_t kLong = 64 * 1024;
  run("");
  for (int byte = 0; byte < 256; ++byte) run(std::string(1, static_cast<char>(byte)));
  for (const char byte : {'\0', '\n', '[', '{', '"', '1', 'q', '\xff'}) run(std::string(kLong, byte));
}

std::vector<std::filesystem::path> files_at(const std::filesystem::path& place) {
  if (!std::filesystem::is_directory(place)) return {place};
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(place)) files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

}  // namespace

int main(int argc, char** argv) {
  run_edges();
  std::size_t count = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& path : files_at(argv[i])) {
      std::cerr << path.string() << std::endl;  // before it is run: the last one named is the one that failed
      std::ifstream file(path, std::ios::binary);
      if (!file) return 1;
      run({std::istreambuf_iterator<char>(file), {}});
      ++count;
    }
  }
  std::cout << count << " inputs replayed\n";
  return count == 0 ? 1 : 0;
}
