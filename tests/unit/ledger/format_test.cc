// The worked example of ledger/FORMAT.md is what the program does.
#include <gtest/gtest.h>

#include <fstream>

#include "ledger/entry_bytes.h"
#include "ledger/keys.h"
#include "ledger/merkle.h"

namespace ledger {
namespace {

using base::to_hex;

// Some text of FORMAT.md without its spaces and line breaks.
std::string squeezed(std::istream& in) {
  std::string out;
  for (char c = 0; in.get(c);) {
    if (c != ' ' && c != '\n') out.push_back(c);
  }
  return out;
}

TEST(Format, WorkedExampleIsWhatTheProgramDoes) {
  std::ifstream file(SOURCE_DIR "/ledger/FORMAT.md");
  ASSERT_TRUE(file);
  const std::string document = squeezed(file);
  const EncodedEntry entry = encode_entry({.time = {1'795'000'000'000}, .fact = WentOnline{.version = "1.0"}});
  const std::string facts = encode(WentOnline{.version = "1.0"});
  for (const auto& [what, bytes] : std::vector<std::pair<std::string, std::string>>{
           {"key", entry_key(0)},
           {"header", entry.header_bytes},
           {"facts", facts},
           {"value", entry.value},
           {"leaf", std::string(leaf_hash(entry.header_bytes).view())},
       }) {
    EXPECT_NE(document.find(what + to_hex(bytes)), std::string::npos) << what << " " << to_hex(bytes);
  }
}

}  // namespace
}  // namespace ledger
