// Opens the configured wallet, and on request those used before, on its own io_context. For commands that ask wallets
// one thing after another.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>

#include "cmd/cli/random.h"
#include "cmd/wallets/open_wallet.h"
#include "pipeline/net/io_scheduler.h"

namespace cmd {

class WalletSession {
 public:
  // Fails as open_wallet(); `warn` as there.
  static base::Result<std::unique_ptr<WalletSession>> open(
      const Config& config, base::Clock clock,
      std::function<void(const std::string&)> warn = [](const std::string&) {});
  // Fails as open_former_wallets().
  base::Result<void> open_former(const Config& config);

  wallet::Wallet& wallet() { return *wallet_.wallet; }
  std::vector<wallet::Wallet*> wallets() const;  // today's, then those that were opened besides
  base::TimeMs now() const { return clock_(); }

  // Runs the io_context until `done` returns true or `patience_ms` have passed.
  void run_until(const std::function<bool()>& done, std::int64_t patience_ms);

  // `how` asks the wallet and passes the given callback to it. Fails with "wallet.unreachable" when no answer comes.
  template <class Answer, class Ask>
  base::Result<Answer> ask(const Ask& how, std::int64_t patience_ms = kPatienceMs) {
    const auto answer = std::make_shared<std::optional<base::Result<Answer>>>();  // it may come after we have gone
    how([answer](base::Result<Answer> said) { *answer = std::move(said); });
    run_until([&] { return answer->has_value(); }, patience_ms);
    if (*answer) return **answer;
    return base::fail(base::ErrorKind::payment, "wallet.unreachable", "the wallet does not answer");
  }

 private:
  static constexpr std::int64_t kPatienceMs = 40'000;
  explicit WalletSession(base::Clock clock) : clock_(std::move(clock)), scheduler_(io_, clock_) {}

  boost::asio::io_context io_{1};
  // Keeps the io_context from stopping when it has nothing to do between two questions.
  const boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  const base::Clock clock_;
  const base::Random random_ = random_bytes;
  net::IoScheduler scheduler_;
  OpenedWallet wallet_;
  std::vector<OpenedWallet> former_;
};

}  // namespace cmd
