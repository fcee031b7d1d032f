#include "cmd/provider/checkpoints.h"

namespace cmd {
namespace {

constexpr std::int64_t kCheckpointIntervalMs = 5LL * 60 * 1000;

}  // namespace

void Checkpoints::make_regularly() {
  ports_.scheduler.after(kCheckpointIntervalMs, [this] {
    make([] {});
    make_regularly();
  });
}

void Checkpoints::make(std::function<void()> then) {
  const auto sign = [this](const base::Hash256& digest) {
    return ports_.random().map([&](const auto& aux) { return ports_.key.sign(digest.view(), aux); });
  };
  const auto made = [this, then = std::move(then)](base::Result<void> result) {
    ports_.post([this, then, result = std::move(result)] {
      if (!result) ports_.problem("no checkpoint was made: " + result.error().describe());
      then();
    });
  };
  ledger::make_checkpoint(ports_.commits, ports_.scheduler.now(), ports_.key.public_key(), sign, made);
}

}  // namespace cmd
