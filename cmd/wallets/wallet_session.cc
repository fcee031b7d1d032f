#include "cmd/wallets/wallet_session.h"

#include "base/scheduler.h"

namespace cmd {
namespace {

constexpr std::chrono::milliseconds kTick{50};

}  // namespace

base::Result<std::unique_ptr<WalletSession>> WalletSession::open(const Config& config, base::Clock clock,
                                                                 std::function<void(const std::string&)> warn) {
  std::unique_ptr<WalletSession> out(new WalletSession(std::move(clock)));
  auto wallet = open_wallet(out->io_, out->scheduler_, config, out->clock_, out->random_, std::move(warn));
  if (!wallet) return tl::unexpected(wallet.error());
  out->wallet_ = std::move(*wallet);
  return out;
}

base::Result<void> WalletSession::open_former(const Config& config) {
  auto former = open_former_wallets(io_, scheduler_, config, clock_, random_);
  if (!former) return tl::unexpected(former.error());
  former_ = std::move(*former);
  return {};
}

std::vector<wallet::Wallet*> WalletSession::wallets() const {
  std::vector<wallet::Wallet*> out{wallet_.wallet.get()};
  for (const auto& one : former_) out.push_back(one.wallet.get());
  return out;
}

void WalletSession::run_until(const std::function<bool()>& done, std::int64_t patience_ms) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
  while (!done() && std::chrono::steady_clock::now() < end) io_.run_one_for(kTick);
}

}  // namespace cmd
