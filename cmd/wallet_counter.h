// The configured wallet, and if wished those used before, on an io_context of its own, for commands that ask them one
// thing after the other.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>

#include "cmd/open_wallet.h"
#include "cmd/random.h"

namespace cmd {

class WalletCounter {
 public:
  // Fails as open_wallet().
  static ledger::Result<std::unique_ptr<WalletCounter>> open(const Config& config, runtime::Clock clock);
  // Fails as open_former_wallets().
  ledger::Result<void> open_former(const Config& config);

  wallet::Wallet& wallet() { return *wallet_.wallet; }
  std::vector<wallet::Wallet*> wallets() const;  // today's, then those that were opened besides
  ledger::TimeMs now() const { return clock_(); }

  // Runs until `done` holds or nobody has patience any more.
  void run_until(const std::function<bool()>& done, std::int64_t patience_ms);

  // `how` asks and hands on where the answer goes. Fails with "wallet.unreachable" when there is none.
  template <class Answer, class Ask>
  ledger::Result<Answer> ask(const Ask& how, std::int64_t patience_ms = kPatienceMs) {
    const auto answer = std::make_shared<std::optional<ledger::Result<Answer>>>();  // it may come after we have gone
    how([answer](ledger::Result<Answer> said) { *answer = std::move(said); });
    run_until([&] { return answer->has_value(); }, patience_ms);
    if (*answer) return **answer;
    return ledger::fail(ledger::ErrorKind::payment, "wallet.unreachable", "the wallet does not answer");
  }

 private:
  static constexpr std::int64_t kPatienceMs = 40'000;
  explicit WalletCounter(runtime::Clock clock) : clock_(std::move(clock)), scheduler_(io_, clock_) {}

  boost::asio::io_context io_{1};
  // Between two questions there is nothing to do: it must not end for that.
  const boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  const runtime::Clock clock_;
  const runtime::Random random_ = random_bytes;
  runtime::IoScheduler scheduler_;
  OpenedWallet wallet_;
  std::vector<OpenedWallet> former_;
};

}  // namespace cmd
