// Look-ups of names that strangers named: few at once, a bounded number in all, none that nobody waits for.
#include "pipeline/net/name_lookups.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <future>
#include <thread>

namespace net {
namespace {

class NameLookupsTest : public testing::Test {
 protected:
  ~NameLookupsTest() override { release(); }

  // Looks up like a name server that does not answer until it is released.
  NameLookups::Resolve slow() {
    return [begun = begun, released = released](const std::string& host) {
      ++*begun;
      released.wait();
      return NameLookups::system_resolve(host);
    };
  }
  void release() {
    if (!std::exchange(is_released, true)) gate.set_value();
  }
  NameLookups::Done record() {
    return [this](const NameLookups::Found& found) { answers.push_back(found ? "found" : found.error()); };
  }
  void run_until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done() && std::chrono::steady_clock::now() < deadline) {
      io.run_one_for(std::chrono::milliseconds(20));
      io.restart();
    }
    EXPECT_TRUE(done());
  }

  boost::asio::io_context io;
  std::promise<void> gate;
  std::shared_future<void> released = gate.get_future().share();
  bool is_released = false;
  std::shared_ptr<std::atomic<unsigned>> begun = std::make_shared<std::atomic<unsigned>>(0);  // threads may outlive us
  std::vector<std::string> answers;
  std::shared_ptr<bool> wanted = std::make_shared<bool>();
};

TEST_F(NameLookupsTest, FindTheAddressesOfAHost) {
  NameLookups lookups(io);
  std::vector<std::string> found;
  lookups.look_up("127.0.0.1", wanted, [&](const auto& addresses) { found.push_back(addresses->front().to_string()); });
  EXPECT_TRUE(found.empty()) << "never inside the call";
  run_until([&] { return !found.empty(); });
  EXPECT_EQ(found[0], "127.0.0.1");
}

TEST_F(NameLookupsTest, SayWhyThereIsNoAddress) {
  NameLookups lookups(io);
  lookups.look_up("no such name", wanted, record());
  run_until([&] { return answers.size() == 1; });
  EXPECT_NE(answers[0], "found");
}

TEST_F(NameLookupsTest, AreFewAtOnceAndBoundedInNumber) {
  NameLookups lookups(io, slow());
  for (std::size_t i = 0; i <= kMaxLookups; ++i) lookups.look_up("127.0.0.1", wanted, record());
  run_until([&] { return answers.size() == 1; });
  EXPECT_EQ(answers[0], "too many names are being looked up");
  run_until([&] { return *begun == kMaxLookupsAtOnce; });
  release();
  run_until([&] { return answers.size() == 1 + kMaxLookups; });
  lookups.look_up("127.0.0.1", wanted, record());
  run_until([&] { return answers.size() == 2 + kMaxLookups; });
  EXPECT_EQ(answers.back(), "found") << "there is room again";
}

TEST_F(NameLookupsTest, ThatNobodyWaitsForAreNotBegun) {
  NameLookups lookups(io, slow());
  for (std::size_t i = 0; i < 2 * kMaxLookupsAtOnce; ++i) lookups.look_up("127.0.0.1", wanted, record());
  run_until([&] { return *begun == kMaxLookupsAtOnce; });
  wanted.reset();
  release();
  auto mine = std::make_shared<bool>();
  lookups.look_up("127.0.0.1", mine, record());
  run_until([&] { return !answers.empty(); });
  EXPECT_EQ(answers.size(), 1u);
  EXPECT_EQ(*begun, kMaxLookupsAtOnce + 1);
}

TEST_F(NameLookupsTest, ThatRunKeepNobodyFromEnding) {
  {
    NameLookups lookups(io, slow());
    lookups.look_up("127.0.0.1", wanted, record());
    run_until([&] { return *begun == 1; });
  }
  release();
  io.run_for(std::chrono::milliseconds(50));
  EXPECT_TRUE(answers.empty());
}

}  // namespace
}  // namespace net
