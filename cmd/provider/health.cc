#include "cmd/provider/health.h"

namespace cmd {

void check_health(inference::Backend& backend, wallet::Wallet& wallet, std::function<bool()> takes_jobs,
                  std::function<void(std::string trouble)> done) {
  backend.status([&wallet, takes_jobs = std::move(takes_jobs),
                  done = std::move(done)](const base::Result<inference::BackendStatus>& backend_status) {
    if (!backend_status) return done("the backend does not answer: " + backend_status.error().message);
    wallet.status([takes_jobs, done](const base::Result<wallet::WalletStatus>& wallet_status) {
      if (!wallet_status) return done("the wallet does not answer: " + wallet_status.error().message);
      done(takes_jobs() ? "" : "we take no jobs now");
    });
  });
}

}  // namespace cmd
