// Whether this provider could sell right now, for its heartbeat.
#pragma once

#include <functional>
#include <string>

#include "pipeline/inference/backend.h"
#include "pipeline/wallet/wallet.h"

namespace cmd {

// Asks the backend, then the wallet, then `takes_jobs`. `done` is called once, with what is wrong for a person, or with
// an empty text. What the runtime knows of their health is not used: it may be a quarter of a minute old. Backend and
// wallet must live until `done` is called or dropped.
void check_health(inference::Backend& backend, wallet::Wallet& wallet, std::function<bool()> takes_jobs,
                  std::function<void(std::string trouble)> done);

}  // namespace cmd
