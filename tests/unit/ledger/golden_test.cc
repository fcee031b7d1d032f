// Format version 1, for ever: a ledger written once must be read by every later version, and the same facts must give
// the same bytes. If a test here fails, the format has changed: that needs a new format version, not a new fixture.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "ledger/ledger.h"
#include "ledger/reader.h"
#include "ledger/verify.h"
#include "tests/support/golden_ledger.h"
#include "tests/support/sample_ledger.h"
#include "tests/support/sim_disk.h"

namespace ledger {
namespace {

std::string fixture(const std::string& name) {
  std::ifstream in(std::string(SOURCE_DIR) + "/fixtures/ledger-v1/" + name);
  EXPECT_TRUE(in) << name;
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

TEST(Golden, TheLedgerOfFormatVersion1IsReadBackWhole) {
  auto disk = sim::SimDisk::from_dump(fixture("store.txt"));
  ASSERT_TRUE(disk);
  const auto verified = verify_ledger(*disk);
  ASSERT_TRUE(verified);
  EXPECT_TRUE(verified->findings.empty()) << verified->findings.front().position << verified->findings.front().what;
  EXPECT_EQ(verified->size, 260U);
  EXPECT_EQ(verified->root.hex() + "\n", fixture("root.txt"));
  const Reader reader(*disk);
  EXPECT_EQ(std::get<InvoiceSettled>(reader.entry(9)->fact).received, Msat{21'000});
  EXPECT_EQ(std::get<JobRequested>(reader.entry(11)->fact).params.max_tokens, 128U);
  const NewEntry first = sim::sample_entry(0);
  EXPECT_EQ(reader.text(ref(first.texts.at(0))), first.texts.at(0).bytes);
  sim::SampleView view;
  EXPECT_TRUE(Ledger::open(*disk, {&view}));
}

TEST(Golden, TheSameFactsStillGiveTheSameBytes) {
  const sim::Golden golden = sim::golden_ledger();
  EXPECT_TRUE(golden.dump == fixture("store.txt"));
  EXPECT_EQ(golden.root.hex() + "\n", fixture("root.txt"));
}

}  // namespace
}  // namespace ledger
