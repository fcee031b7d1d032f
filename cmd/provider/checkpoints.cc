#include "cmd/provider/checkpoints.h"

namespace cmd {
namespace {

constexpr std::int64_t kCheckpointIntervalMs = 5 * base::kMinuteMs;

}  // namespace

void Checkpoints::make_regularly(std::function<void(std::string note)> made) {
  ports_.scheduler.after(kCheckpointIntervalMs, [this, made = std::move(made)] {
    make([made](const base::Result<std::string>& note) {
      if (note) made(*note);
    });
    make_regularly(made);
  });
}

void Checkpoints::make(std::function<void(const base::Result<std::string>&)> then) {
  const auto sign = [this](const base::Hash256& digest) {
    return ports_.random().map([&](const auto& aux) { return ports_.key.sign(digest.view(), aux); });
  };
  const auto made = [this, then = std::move(then)](base::Result<std::string> note) {
    ports_.post([this, then, note = std::move(note)] {
      if (!note) ports_.problem("no checkpoint was made: " + note.error().describe());
      then(note);
    });
  };
  ledger::make_checkpoint(ports_.commits, ports_.scheduler.now(), ports_.key.public_key(), sign, made);
}

}  // namespace cmd
