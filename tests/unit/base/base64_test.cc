#include "base/base64.h"

#include <gtest/gtest.h>

using base::from_base64;
using base::to_base64;

TEST(Base64, Rfc4648Vectors) {  // section 10
  const std::pair<std::string, std::string> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [raw, encoded] : vectors) {
    EXPECT_EQ(to_base64(raw), encoded);
    EXPECT_EQ(from_base64(encoded), raw);
    EXPECT_EQ(base::base64_size(raw.size()), encoded.size());
  }
}

TEST(Base64, EveryByteComesBack) {
  std::string raw;
  for (int byte = 0; byte < 256; ++byte) raw += static_cast<char>(byte);
  EXPECT_EQ(from_base64(to_base64(raw)), raw);
}

TEST(Base64, OnlyTheCanonicalFormIsTaken) {
  for (const char* text : {" Zg==", "Z===", "Zg", "Zg=", "Zh==", "Zm9", "Zm9=", "Z m8=", "Zm8=\n", "Zm8==", "=",
                           "====", "Zm-_", "Zg==Zg=="})
    EXPECT_FALSE(from_base64(text)) << text;
}
