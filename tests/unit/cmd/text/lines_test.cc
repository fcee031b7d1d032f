// Lines from pipes: their ends, their lengths, and input that cannot be read.
#include "cmd/text/lines.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace cmd {
namespace {

// Gives what it has, then fails as a disk does.
struct BrokenInput final : std::streambuf {
  explicit BrokenInput(std::string text) : begin(std::move(text)) {
    setg(begin.data(), begin.data(), begin.data() + begin.size());
  }
  int_type underflow() override { throw std::ios_base::failure("EIO"); }
  std::string begin;
};

TEST(Lines, EndWithTheInput) {
  std::istringstream in("one\n\ntwo\r\nthree");
  LineReader lines(in, 10);
  EXPECT_EQ(lines.next()->text, "one");
  EXPECT_EQ(lines.next()->text, "two");
  EXPECT_EQ(lines.next()->text, "three");
  EXPECT_FALSE(lines.next());
  EXPECT_TRUE(lines.read_to_the_end());
}

TEST(Lines, ThatAreTooLongAreCutAndMarked) {
  std::istringstream in("a long line\nshort\n");
  LineReader lines(in, 4);
  EXPECT_TRUE(lines.next()->too_long);
  EXPECT_EQ(lines.next()->text, "short");
  EXPECT_FALSE(lines.next());
  EXPECT_TRUE(lines.read_to_the_end());
}

TEST(Lines, AReadErrorIsNotTheEnd) {
  BrokenInput disk("one\nhalf a li");
  std::istream in(&disk);
  LineReader lines(in, 100);
  EXPECT_EQ(lines.next()->text, "one");
  EXPECT_FALSE(lines.next()) << "half a line is none";
  const auto read = lines.read_to_the_end();
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, "input.unreadable");
}

TEST(Lines, AFolderIsNoInput) {
  std::ifstream in(".");
  LineReader lines(in, 100);
  EXPECT_FALSE(lines.next());
  EXPECT_FALSE(lines.read_to_the_end());
}

}  // namespace
}  // namespace cmd
