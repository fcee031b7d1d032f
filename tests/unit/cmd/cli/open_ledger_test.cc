// Jobs and customers that are named by a few letters.
#include "cmd/cli/open_ledger.h"

#include "pipeline/nostr/nip19.h"
#include "tests/unit/replay/shop_ledger.h"

namespace cmd {
namespace {

using core::EngineDriver;

// Jobs 0001…, 0002… and a502…; customers 0707… and 0808….
struct Named : replay::ShopLedger {
  Named() {
    EngineDriver driver(EngineDriver::policy());
    driver.ask(1);
    driver.ask(2, driver.request(8));
    write(driver.entries);
    base::JobId other = EngineDriver::id(2);
    other.bytes[0] = 0xA5;
    write(driver.now, other, ledger::JobRequested{.customer = driver.request(8).customer});
  }
  std::string job(const std::string& typed) const {
    const auto found = find_job_id(reader, typed);
    return found ? found->hex().substr(0, 4) : found.error().code + ": " + found.error().hint;
  }
  std::string customer(const std::string& typed) const {
    const auto found = find_customer(reader, typed);
    return found ? found->hex().substr(0, 4) : found.error().code + ": " + found.error().hint;
  }
};

TEST(NamedJob, IsMeantByAnyUniqueBeginningInAnyForm) {
  const Named shop;
  EXPECT_EQ(shop.job("a5"), "a502");
  EXPECT_EQ(shop.job("A502…"), "a502");
  const std::string note = nostr::encode_note(*find_job_id(shop.reader, "a5"));
  for (const std::size_t size : {7U, 8U, 20U, 57U, 60U, 63U}) EXPECT_EQ(shop.job(note.substr(0, size)), "a502") << size;
  EXPECT_EQ(shop.job("nostr:" + note.substr(0, 12) + "…"), "a502");
}

TEST(NamedJob, IsRefusedWhereItCouldBeSeveralOrNone) {
  const Named shop;
  EXPECT_EQ(shop.job("00"), "job.ambiguous: give more of it: 0001010 or 0002020");
  const std::string one = nostr::encode_note(EngineDriver::id(1)), two = nostr::encode_note(EngineDriver::id(2));
  EXPECT_EQ(shop.job("note1qq"), "job.ambiguous: give more of it: " + one.substr(0, 11) + " or " + two.substr(0, 11))
      << "in the form that was typed";
  EXPECT_EQ(shop.job("ff"), "job.unknown: see `sellcompute jobs list`");
  EXPECT_EQ(shop.job(std::string(64, 'f')), "job.unknown: see `sellcompute jobs list`");
  std::string mistyped = one;
  mistyped.back() = mistyped.back() == 'q' ? 'p' : 'q';
  EXPECT_EQ(shop.job(mistyped), "job.unknown: see `sellcompute jobs list`");
  for (const char* bad : {"", "a", "note1", "note1q", "xyz", "npub1qurs"})
    EXPECT_EQ(shop.job(bad).substr(0, 6), "usage:") << bad;
}

TEST(NamedCustomer, IsMeantByAnyUniqueBeginningAndCandidatesAreShownAsItWasTyped) {
  const Named shop;
  EXPECT_EQ(shop.customer("07"), "0707");
  EXPECT_EQ(shop.customer("npub1qurs…"), "0707");
  EXPECT_EQ(shop.customer("0"), "customer.ambiguous: give more of it: 07070 or 08080");
  const std::string npub7 = nostr::encode_npub(EngineDriver(EngineDriver::policy()).request(7).customer);
  const std::string npub8 = nostr::encode_npub(EngineDriver(EngineDriver::policy()).request(8).customer);
  EXPECT_EQ(shop.customer("npub1"),
            "customer.ambiguous: give more of it: " + npub7.substr(0, 9) + " or " + npub8.substr(0, 9));
  EXPECT_EQ(shop.customer("npub1zzzz").substr(0, 16), "customer.unknown");
}

TEST(NamedCustomer, IsNeverASecretKeyAndThatIsNotRepeated) {
  const Named shop;
  const std::string nsec = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5";
  const auto refused = find_customer(shop.reader, nsec);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().describe().find(nsec), std::string::npos);
  EXPECT_EQ(find_job_id(shop.reader, nsec).error().describe().find(nsec), std::string::npos);
}

}  // namespace
}  // namespace cmd
