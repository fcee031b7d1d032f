#include "cmd/wallet_counter.h"

namespace cmd {
namespace {

constexpr std::chrono::milliseconds kTick{50};

}  // namespace

ledger::Result<std::unique_ptr<WalletCounter>> WalletCounter::open(const Config& config, runtime::Clock clock) {
  std::unique_ptr<WalletCounter> out(new WalletCounter(std::move(clock)));
  auto wallet = open_wallet(out->io_, out->scheduler_, config, out->clock_, out->random_);
  if (!wallet) return tl::unexpected(wallet.error());
  out->wallet_ = std::move(*wallet);
  return out;
}

ledger::Result<void> WalletCounter::open_former(const Config& config) {
  auto former = open_former_wallets(io_, scheduler_, config, clock_, random_);
  if (!former) return tl::unexpected(former.error());
  former_ = std::move(*former);
  return {};
}

std::vector<wallet::Wallet*> WalletCounter::wallets() const {
  std::vector<wallet::Wallet*> out{wallet_.wallet.get()};
  for (const auto& one : former_) out.push_back(one.wallet.get());
  return out;
}

void WalletCounter::run_until(const std::function<bool()>& done, std::int64_t patience_ms) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
  while (!done() && std::chrono::steady_clock::now() < end) io_.run_one_for(kTick);
}

}  // namespace cmd
