#include "tests/cli/cli.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <sstream>

namespace cli {
namespace {

std::string content_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> out;
  for (std::string& word : words) out.push_back(word.data());
  out.push_back(nullptr);
  return out;
}

void redirect(const std::filesystem::path& file, int flags, int descriptor) {
  const int opened = open(file.c_str(), flags, 0600);
  if (opened < 0 || dup2(opened, descriptor) < 0) _exit(125);
}

// Waits for its end.
int exit_code_of(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool shows_what_is_typed(int terminal) {
  termios settings{};
  return tcgetattr(terminal, &settings) != 0 || (settings.c_lflag & ECHO) != 0;
}

// Types once, as soon as it is time for it. The terminal has so many columns; 0: none are told.
template <class Time>
Ran at_terminal(const std::filesystem::path& folder, std::vector<std::string> words, const std::string& typed,
                const Time& is_time, std::vector<std::string> environment, int columns = 0) {
  environment.push_back("HOME=" + folder.string());
  const auto argv = pointers(words), envp = pointers(environment);
  int terminal = -1;
  const winsize size{.ws_row = 24, .ws_col = static_cast<unsigned short>(columns), .ws_xpixel = 0, .ws_ypixel = 0};
  const pid_t child = forkpty(&terminal, nullptr, nullptr, columns > 0 ? &size : nullptr);
  if (child == 0) {
    if (chdir(folder.c_str()) != 0) _exit(125);
    execve(argv[0], argv.data(), envp.data());
    _exit(126);
  }
  Ran ran;
  bool entered = false;
  std::array<char, 4096> shown;
  for (pollfd ready{terminal, POLLIN, 0};;) {
    if (!entered && is_time(terminal, ran.out)) {
      entered = write(terminal, typed.data(), typed.size()) == static_cast<ssize_t>(typed.size());
    }
    if (poll(&ready, 1, 10) == 0) continue;
    const ssize_t count = read(terminal, shown.data(), shown.size());
    if (count <= 0) break;  // the program has ended
    ran.out.append(shown.data(), static_cast<std::size_t>(count));
  }
  close(terminal);
  ran.exit_code = exit_code_of(child);
  return ran;
}

}  // namespace

Ran run(const std::filesystem::path& folder, const std::vector<std::string>& arguments, const std::string& input,
        const std::vector<std::string>& variables) {
  // Files, not pipes: nothing can block, however much is said.
  const auto streams = std::filesystem::path(folder.string() + ".streams");
  std::filesystem::create_directories(streams);
  std::ofstream(streams / "in", std::ios::binary) << input;
  std::vector<std::string> words = {SELLCOMPUTE_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> environment = variables;
  environment.push_back("HOME=" + folder.string());
  const auto argv = pointers(words), envp = pointers(environment);

  const pid_t child = fork();
  if (child == 0) {
    setsid();  // it must not find the tester's terminal
    if (chdir(folder.c_str()) != 0) _exit(125);
    redirect(streams / "in", O_RDONLY, STDIN_FILENO);
    redirect(streams / "out", O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
    redirect(streams / "err", O_WRONLY | O_CREAT | O_TRUNC, STDERR_FILENO);
    execve(argv[0], argv.data(), envp.data());
    _exit(126);
  }
  Ran ran{exit_code_of(child), content_of(streams / "out"), content_of(streams / "err")};
  std::filesystem::remove_all(streams);
  return ran;
}

Ran run_at_terminal(const std::filesystem::path& folder, const std::vector<std::string>& arguments,
                    const std::string& typed, const std::vector<std::string>& variables, int columns) {
  std::vector<std::string> words = {SELLCOMPUTE_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return at_terminal(
      folder, std::move(words), typed, [](int terminal, const std::string&) { return !shows_what_is_typed(terminal); },
      variables, columns);
}

Ran type_into(const std::filesystem::path& folder, std::vector<std::string> program, const std::string& prompt,
              const std::string& keys) {
  return at_terminal(folder, std::move(program), keys,
                     [&](int, const std::string& shown) { return shown.ends_with(prompt); },
                     {"TERM=dumb", "PATH=/usr/bin:/bin"});
}

void CommandLine::SetUp() {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  home_ = std::filesystem::path(testing::TempDir()) / ("cli-" + std::to_string(getpid()) + "-" + test->name());
  std::filesystem::remove_all(home_);
  std::filesystem::create_directories(home_);
}

void CommandLine::TearDown() {
  std::filesystem::remove_all(home_);
}

void CommandLine::write(const std::string& file, const std::string& text) const {
  std::ofstream(home_ / file, std::ios::binary) << text;
}

std::string CommandLine::read(const std::string& file) const {
  return content_of(home_ / file);
}

}  // namespace cli
