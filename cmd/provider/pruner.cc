#include "cmd/provider/pruner.h"

#include <chrono>

#include "ledger/reader.h"
#include "replay/pruning.h"

namespace cmd {

using base::Result;

namespace {

constexpr auto kLookForStop = std::chrono::milliseconds(50);

tl::unexpected<base::Error> stopped() {
  return base::fail(base::ErrorKind::invocation, "prune.stopped", "the provider is ending; what is done is recorded");
}

}  // namespace

Pruner::~Pruner() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void Pruner::prune(base::TimeMs before, Done done) {
  if (running_) {
    return ports_.post([done = std::move(done)] {
      done(base::fail(base::ErrorKind::invocation, "prune.busy", "texts are being pruned already", {},
                      "wait until that has ended"));
    });
  }
  running_ = true;
  if (thread_.joinable()) thread_.join();  // of the time before, long done
  const auto ended = lifetime_.guard([this, done = std::move(done)](const Result<ledger::TextsPruned>& pruned) {
    running_ = false;
    done(pruned);
  });
  const Recorder record = lifetime_.guard([this](const auto& batch, const Durable& durable) {
    ports_.record(std::move(*batch));
    const auto queued = ports_.commits.submit_task([durable](ledger::Ledger&) { durable->set_value(Result<void>()); });
    if (!queued) durable->set_value(queued);
  });
  thread_ = std::thread([this, before, ended, record] {
    auto pruned = run(before, record);
    ports_.post([ended, pruned = std::move(pruned)] { ended(pruned); });
  });
}

Result<ledger::TextsPruned> Pruner::run(base::TimeMs before, const Recorder& record) {
  const auto take_batch = [&](core::PruningOrdered batch) { return take(std::move(batch), record); };
  auto pruned = replay::prune(ledger::Reader(ports_.store), before, take_batch);
  if (!pruned) return pruned;
  // Also when nothing was left to prune: an earlier attempt may have ended before this.
  const auto freed = ports_.store.reclaim(ledger::Family::texts, &stop_);
  if (!freed && !stop_) return tl::unexpected(freed.error());
  return pruned;
}

// Waits until the batch is durable, so that the writer never has many of them to do.
Result<void> Pruner::take(core::PruningOrdered batch, const Recorder& record) const {
  const auto order = std::make_shared<core::PruningOrdered>(std::move(batch));
  const auto durable = std::make_shared<std::promise<Result<void>>>();
  auto outcome = durable->get_future();
  ports_.post([record, order, durable] { record(order, durable); });
  while (outcome.wait_for(kLookForStop) != std::future_status::ready) {
    if (stop_) return stopped();
  }
  return outcome.get();
}

}  // namespace cmd
