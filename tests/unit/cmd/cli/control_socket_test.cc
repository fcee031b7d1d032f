// The control socket: a question and its answer, and what becomes of it when nobody answers.
#include "cmd/cli/control_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <thread>

#include "base/temporary_folder.h"

namespace cmd {
namespace {

using nlohmann::json;

class ControlSocketTest : public testing::Test {
 protected:
  // Answers on a thread of its own what `handler` says.
  void listen(ControlSocket::Handler handler) {
    auto opened = ControlSocket::listen(io, path, std::move(handler));
    ASSERT_TRUE(opened) << opened.error().describe();
    socket = std::move(*opened);
  }

  const base::TemporaryFolder folder = base::TemporaryFolder::make("test").value();
  const std::filesystem::path path = control_socket_path(folder.path());
  boost::asio::io_context io;
  std::unique_ptr<ControlSocket> socket;
};

TEST_F(ControlSocketTest, AQuestionIsAnswered) {
  listen([](const json& request, const ControlSocket::Answer& answer) {
    answer({{"ok", true}, {"text", request.value("method", "")}});
  });
  std::thread serving([this] { io.run(); });
  const auto reply = ask_running_serve(path, {{"method", "status"}});
  io.stop();
  serving.join();
  ASSERT_TRUE(reply) << reply.error().describe();
  EXPECT_EQ((*reply)["text"], "status");
}

TEST_F(ControlSocketTest, WhoWaitsLongIsCalledMeanwhile) {
  ControlSocket::Answer later;
  listen([&](const json&, const ControlSocket::Answer& answer) { later = answer; });
  std::thread serving([this] { io.run(); });
  int calls = 0;
  const auto reply = ask_running_serve(path, {{"method", "offline"}}, kQuickAnswer, [&] {
    if (++calls == 1) boost::asio::post(io, [&] { later({{"ok", true}}); });
  });
  io.stop();
  serving.join();
  EXPECT_TRUE(reply) << reply.error().describe();
  EXPECT_EQ(calls, 1);
}

TEST_F(ControlSocketTest, ARefusalIsTold) {
  listen([](const json&, const ControlSocket::Answer& answer) { answer({{"ok", false}, {"error", "too late"}}); });
  std::thread serving([this] { io.run(); });
  const auto reply = ask_running_serve(path, {{"method", "cancel"}});
  io.stop();
  serving.join();
  EXPECT_EQ(reply.error().code, "control.refused");
  EXPECT_EQ(reply.error().message, "too late");
}

TEST_F(ControlSocketTest, NobodyIsThere) {
  EXPECT_EQ(ask_running_serve(path, {{"method", "status"}}).error().code, "control.not_running");
  listen([](const json&, const ControlSocket::Answer&) {});
  const auto left_behind = path.string() + ".old";
  std::filesystem::rename(path, left_behind);
  socket.reset();
  EXPECT_EQ(ask_running_serve(left_behind, {{"method", "status"}}).error().code, "control.not_running")
      << "a socket file of a process that died";
}

TEST_F(ControlSocketTest, AConnectionThatEndsWithoutAnAnswerIsNoSignThatNobodyIsThere) {
  listen([this](const json&, const ControlSocket::Answer&) { io.stop(); });
  std::thread serving([this] {
    io.run();
    socket.reset();
    io.restart();
    io.run_for(std::chrono::milliseconds(50));
  });
  const auto reply = ask_running_serve(path, {{"method", "status"}});
  serving.join();
  EXPECT_EQ(reply.error().code, "control.broken");
}

TEST_F(ControlSocketTest, APathThatIsNoSocketIsNamed) {
  const std::filesystem::path deep = folder.path() / std::string(120, 'a') / "control.sock";
  const auto reply = ask_running_serve(deep, {{"method", "status"}});
  EXPECT_EQ(reply.error().code, "control.unreachable");
  EXPECT_NE(reply.error().describe().find(deep.string()), std::string::npos);
}

TEST_F(ControlSocketTest, SilenceIsNotWaitedForWithoutLimit) {
  listen([](const json&, const ControlSocket::Answer&) {});  // and nobody runs its io_context
  const auto start = std::chrono::steady_clock::now();
  const auto reply = ask_running_serve(path, {{"method", "status"}}, std::chrono::milliseconds(200));
  EXPECT_EQ(reply.error().code, "control.silent");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

// Takes every file descriptor that is left, and gives them back.
class NoFilesLeft {
 public:
  NoFilesLeft() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit few{.rlim_cur = 64, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);
    for (int one = 0; (one = ::open("/dev/null", O_RDONLY)) >= 0;) taken_.push_back(one);
  }
  ~NoFilesLeft() {
    for (const int one : taken_) ::close(one);
    ::setrlimit(RLIMIT_NOFILE, &before_);
  }
  NoFilesLeft(const NoFilesLeft&) = delete;
  NoFilesLeft& operator=(const NoFilesLeft&) = delete;

 private:
  rlimit before_{};
  std::vector<int> taken_;
};

TEST_F(ControlSocketTest, ItAcceptsAgainWhenThereAreFileDescriptorsAgain) {
  listen([](const json&, const ControlSocket::Answer& answer) { answer({{"ok", true}}); });
  const int caller = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_GE(caller, 0);
  sockaddr_un address{.sun_family = AF_UNIX};
  path.string().copy(address.sun_path, sizeof(address.sun_path) - 1);
  {
    const NoFilesLeft none;
    ASSERT_EQ(::connect(caller, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    io.run_for(std::chrono::milliseconds(100));
  }
  const std::string question = "{\"method\":\"status\"}\n";
  ASSERT_EQ(::write(caller, question.data(), question.size()), static_cast<ssize_t>(question.size()));
  io.run_for(std::chrono::milliseconds(1'500));
  std::string answer(64, '\0');
  const ssize_t size = ::recv(caller, answer.data(), answer.size(), MSG_DONTWAIT);
  ASSERT_GT(size, 0) << "nobody accepted";
  EXPECT_EQ(answer.substr(0, static_cast<std::size_t>(size)), "{\"ok\":true}\n");
  ::close(caller);
}

}  // namespace
}  // namespace cmd
