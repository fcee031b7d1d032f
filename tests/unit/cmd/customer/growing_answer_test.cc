#include "cmd/customer/growing_answer.h"

#include <gtest/gtest.h>

namespace cmd {
namespace {

nostr::Answer saying(const std::string& text, char provider = 2) {
  return {.provider = *nostr::PublicKey::from_bytes(std::string(32, provider)), .content = text};
}

TEST(GrowingAnswer, IsPrintedOnceThoughEachPartHoldsAllOfIt) {
  GrowingAnswer answer;
  EXPECT_EQ(answer.part(saying("Be")), "Be");
  EXPECT_EQ(answer.part(saying("Because")), "cause");
  EXPECT_TRUE(answer.is_open());
  EXPECT_EQ(answer.result(saying("Because it is so.")), " it is so.\n");
  EXPECT_FALSE(answer.is_open());
  EXPECT_EQ(answer.interrupt(), "");
}

TEST(GrowingAnswer, WithoutPartsIsTheResult) {
  EXPECT_EQ(GrowingAnswer().result(saying("Because.")), "Because.\n");
}

TEST(GrowingAnswer, PartsThatWereOvertakenAreNotPrintedAgain) {
  GrowingAnswer answer;
  EXPECT_EQ(answer.part(saying("Because")), "Because");
  EXPECT_EQ(answer.part(saying("Be")), "");
  EXPECT_EQ(answer.part(saying("Because")), "");
  EXPECT_EQ(answer.part(saying("")), "");
  EXPECT_EQ(answer.result(saying("Because")), "\n");
}

TEST(GrowingAnswer, BeginsAfreshWhenItDoesNotContinue) {
  GrowingAnswer answer;
  EXPECT_EQ(answer.part(saying("Because")), "Because");
  EXPECT_EQ(answer.part(saying("No: well\n")), "\nNo: well\n");
  EXPECT_EQ(answer.part(saying("Or")), "Or") << "a line that ended needs no other end";
  EXPECT_EQ(answer.result(saying("Also")), "\nAlso\n");
}

TEST(GrowingAnswer, AResultThatIsShorterBeginsAfresh) {
  GrowingAnswer answer;
  EXPECT_EQ(answer.part(saying("Because of")), "Because of");
  EXPECT_EQ(answer.result(saying("Because")), "\nBecause\n");
}

TEST(GrowingAnswer, FollowsOneProviderUntilAnyHasTheResult) {
  GrowingAnswer answer;
  EXPECT_EQ(answer.part(saying("Because", 2)), "Because");
  EXPECT_EQ(answer.part(saying("Why not", 3)), "");
  EXPECT_EQ(answer.result(saying("Why not?", 3)), "\nWhy not?\n");
}

TEST(GrowingAnswer, WhatCannotBeOpenedIsNotPrinted) {
  auto sealed = saying("AgAAAA==");
  sealed.encrypted = true;
  EXPECT_EQ(GrowingAnswer().part(sealed), "");
}

TEST(GrowingAnswer, AnInterruptedOneIsPrintedWhole) {
  GrowingAnswer answer;
  EXPECT_EQ(answer.part(saying("Because")), "Because");
  EXPECT_EQ(answer.interrupt(), "\n");
  EXPECT_EQ(answer.result(saying("Because.")), "Because.\n");
}

}  // namespace
}  // namespace cmd
