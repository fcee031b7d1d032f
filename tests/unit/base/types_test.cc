#include "base/types.h"

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

using base::Hash256;
using base::Msat;

TEST(FixedBytes, ComeFromExactlyTheirSize) {
  const std::string hex(64, 'a');
  EXPECT_EQ(Hash256::from_hex(hex)->hex(), hex);
  EXPECT_EQ(Hash256::from_hex(std::string(64, 'A'))->hex(), hex);
  for (const std::string& bad : {hex + "aa", hex.substr(2), hex.substr(1), std::string(64, 'g'), std::string()})
    EXPECT_FALSE(Hash256::from_hex(bad)) << bad;
  EXPECT_FALSE(Hash256::from_bytes("short"));
  EXPECT_TRUE(Hash256{}.is_zero());
}

TEST(Sha256, FipsVectors) {  // FIPS 180-4, examples
  EXPECT_EQ(base::sha256("abc").hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(base::sha256("").hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(base::sha256("a", "bc"), base::sha256("abc"));
}

TEST(HmacSha256, Rfc4231Vector) {  // test case 2
  EXPECT_EQ(base::hmac_sha256("Jefe", "what do ya want for nothing?").hex(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Msat, SumsNeverWrap) {
  const Msat most{std::numeric_limits<std::int64_t>::max()};
  EXPECT_THROW(most + Msat{1}, std::overflow_error);
  EXPECT_THROW(Msat{-2} - most, std::overflow_error);
  EXPECT_EQ(Msat{5} - Msat{7}, Msat{-2});
}

TEST(Msat, ScalesUpwards) {
  EXPECT_EQ(Msat{1}.scaled_up(1, 3), Msat{1});
  EXPECT_EQ(Msat{0}.scaled_up(1, 3), Msat{0});
  EXPECT_EQ(Msat{Msat::kMax}.scaled_up(1'000, 1'000), Msat{Msat::kMax}) << "the product is taken in 128 bits";
  EXPECT_THROW(Msat{Msat::kMax}.scaled_up(1'000, 1), std::overflow_error);
}

TEST(Msat, RoundsUpToAUnit) {
  EXPECT_EQ(Msat{1'001}.rounded_up_to(Msat{1'000}), Msat{2'000});
  EXPECT_EQ(Msat{1'000}.rounded_up_to(Msat{1'000}), Msat{1'000});
  EXPECT_EQ(Msat{0}.rounded_up_to(Msat{1'000}), Msat{0});
}

TEST(Msat, DigitsWithinAllBitcoinThereWillEverBe) {
  EXPECT_EQ(Msat::from_digits("2100000000000000000"), Msat{Msat::kMax});
  EXPECT_EQ(Msat::from_digits("0"), Msat{0});
  for (const char* bad : {"", "2100000000000000001", "-1", "+1", "1 ", "1e3", "0x1", "99999999999999999999"})
    EXPECT_FALSE(Msat::from_digits(bad)) << bad;
}
