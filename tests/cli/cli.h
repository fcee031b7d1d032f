// Runs the real program as a shell would, in a home of its own.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

namespace cli {

struct Ran {
  int exit_code = -1;  // 128 + signal if one ended it
  std::string out;
  std::string err;
};

// The program with these arguments, this input and these variables ("NAME=value") besides HOME; nothing else is in its
// environment; it has no terminal. `folder` is its working directory.
Ran run(const std::filesystem::path& folder, const std::vector<std::string>& arguments, const std::string& input,
        const std::vector<std::string>& variables);

// The same with a terminal, on which `typed` is entered as soon as it stops showing what is typed. All that the
// terminal showed is in `out`. The terminal has so many columns; 0: it does not tell.
Ran run_at_terminal(const std::filesystem::path& folder, const std::vector<std::string>& arguments,
                    const std::string& typed, const std::vector<std::string>& variables = {}, int columns = 0);

// The same with any program and any keys, which are typed when the terminal has shown `prompt`.
Ran type_into(const std::filesystem::path& folder, std::vector<std::string> program, const std::string& prompt,
              const std::string& keys);

// A test with an empty home folder that is its working directory too.
class CommandLine : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  Ran sellcompute(const std::vector<std::string>& arguments, const std::string& input = {}) const {
    return run(home_, arguments, input, variables_);
  }
  void write(const std::string& file, const std::string& text) const;
  std::string read(const std::string& file) const;

  std::filesystem::path home_;
  std::vector<std::string> variables_;
};

}  // namespace cli
