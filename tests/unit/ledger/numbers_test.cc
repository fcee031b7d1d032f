// The numbers of facts, fields and enum values: FORMAT.md gives them out, the code uses them, and none ever changes.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "ledger/schema.h"
#include "tests/unit/ledger/filled.h"

namespace ledger {
namespace {

using Row = std::vector<std::string>;  // the cells of a table's row

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

std::ifstream open(const std::string& file) {
  std::ifstream in(SOURCE_DIR "/" + file);
  EXPECT_TRUE(in) << file;
  return in;
}

// The rows of the table in FORMAT.md that begins with this line, without its head.
std::vector<Row> table(const std::string& head) {
  std::ifstream file = open("ledger/FORMAT.md");
  std::string line;
  while (std::getline(file, line) && line != head) {
  }
  std::getline(file, line);
  std::vector<Row> rows;
  while (std::getline(file, line) && line.starts_with("| ")) {
    Row cells;
    std::istringstream in(line.substr(2));
    for (std::string cell; std::getline(in, cell, '|');)
      cells.push_back(cell.substr(0, cell.find_last_not_of(' ') + 1));
    for (std::string& cell : cells) cell.erase(0, cell.find_first_not_of(' '));
    rows.push_back(std::move(cells));
  }
  EXPECT_FALSE(rows.empty()) << "FORMAT.md has no table " << head;
  return rows;
}

std::vector<Row> types() {
  return table("| type | fact | since |");
}

// What a schema says of each number: "JobDeclined 3" -> "bool told", "PaymentMode 1" -> "PAYMENT_MODE_RESULT_FIRST".
std::map<std::string, std::string> numbers_of(std::istream& schema) {
  std::map<std::string, std::string> out;
  std::string of;
  for (std::string line; std::getline(schema, line);) {
    if (line.starts_with("message ") || line.starts_with("enum ")) {
      of = line.substr(line.find(' ') + 1);
      of = of.substr(0, of.find(' '));
    }
    const std::size_t equals = line.find(" = ");
    if (!line.starts_with("  ") || equals == std::string::npos) continue;
    const std::string number = line.substr(equals + 3, line.find(';') - equals - 3);
    EXPECT_TRUE(out.emplace(of + " " + number, line.substr(2, equals - 2)).second)
        << of << " has " << number << " twice";
  }
  return out;
}

std::map<std::string, std::string> numbers_in_use() {
  std::istringstream schema(proto_schema());
  return numbers_of(schema);
}

TEST(Numbers, EveryTypeIsGivenOnceAndInARange) {
  std::set<std::string> numbers;
  std::set<std::string> names;
  for (const Row& row : types()) {
    ASSERT_EQ(row.size(), 3U);
    const int number = std::stoi(row[0]);
    EXPECT_TRUE(number >= 1 && number <= 111) << row[1];
    EXPECT_TRUE(numbers.insert(row[0]).second) << "type " << row[0] << " is given twice";
    EXPECT_TRUE(names.insert(row[1]).second) << row[1] << " has two numbers";
  }
}

TEST(Numbers, TheCodeUsesTheTypesThatTheTableGives) {
  std::map<std::uint32_t, std::string> in_code;
  for (const Fact& fact : every_event_filled()) {
    const auto [at, is_new] = in_code.emplace(type_of(fact), type_name(type_of(fact)));
    EXPECT_TRUE(is_new) << "two facts have type " << at->first;
  }
  for (const Row& row : types()) {
    const auto found = in_code.find(static_cast<std::uint32_t>(std::stoul(row[0])));
    if (row[2] == "reserved") {
      EXPECT_TRUE(found == in_code.end()) << row[1] << " is in use: say since when";
      continue;
    }
    ASSERT_TRUE(found != in_code.end()) << row[1] << " is not in the code";
    EXPECT_EQ(found->second, row[1]);
    in_code.erase(found);
  }
  for (const auto& [type, name] : in_code) ADD_FAILURE() << name << " (" << type << ") is not in FORMAT.md's table";
}

// A fact about a job has a number from 16 to 63, told here by its name; every other fact has none of these.
TEST(Numbers, FactsAboutJobsHaveTheNumbersFrom16To63) {
  for (const Row& row : types()) {
    const bool of_a_job = row[1].starts_with("Job") || row[1].starts_with("In") || row[1].starts_with("Notice") ||
                          row[1].starts_with("Refund");
    const int number = std::stoi(row[0]);
    EXPECT_EQ(of_a_job, number >= 16 && number <= 63) << row[1];
  }
}

TEST(Numbers, APromisedNumberIsUsedForNothingElse) {
  const auto in_use = numbers_in_use();
  for (const Row& row : table("| of | number | name |")) {
    const auto found = in_use.find(row[0] + " " + row[1]);
    if (found == in_use.end()) continue;
    const std::string& used_for = found->second;
    EXPECT_TRUE(used_for.ends_with(" " + row[2]) || used_for.ends_with("_" + upper(row[2])))
        << row[0] << " " << row[1] << " is promised to " << row[2] << ", but is " << used_for;
  }
}

TEST(Numbers, NoFieldOrEnumValueEverChanges) {
  std::ifstream kept = open("fixtures/ledger-v1/schema.proto");
  auto in_use = numbers_in_use();
  for (const auto& [number, meaning] : numbers_of(kept)) {
    EXPECT_EQ(in_use[number], meaning) << number << " had another meaning in ledgers that exist";
    in_use.erase(number);
  }
  for (const auto& [number, meaning] : in_use) {
    ADD_FAILURE() << number << " (" << meaning << ") is new: give it out in FORMAT.md if it is not, then keep it with\n"
                  << "  sellcompute ledger schema > fixtures/ledger-v1/schema.proto";
  }
}

}  // namespace
}  // namespace ledger
