#include "pipeline/runtime/drain.h"

#include <utility>

#include "pipeline/core/canary.h"

namespace runtime {
namespace {

void add(std::string& list, std::size_t count, const std::string& one, const std::string& many) {
  if (count == 0) return;
  list += (list.empty() ? "" : ", ") + std::to_string(count) + " " + (count == 1 ? one : many);
}

}  // namespace

std::string describe(const Unfinished& unfinished) {
  std::string out;
  add(out, unfinished.models, "running job", "running jobs");
  add(out, unfinished.invoices, "invoice", "invoices");
  add(out, unfinished.held_payments, "held payment", "held payments");
  add(out, unfinished.results, "result to be accepted by relays", "results to be accepted by relays");
  add(out, unfinished.notices, "status notice to be sent", "status notices to be sent");
  if (out.empty() && unfinished.groups > 0) return "the disk";
  return out;
}

void Drain::begin(std::string reason, std::optional<std::int64_t> model_limit_ms, std::function<void()> done) {
  const bool waits_already = !done_.empty();
  done_.push_back(std::move(done));
  if (!waits_already) left_.clear();
  if (!std::exchange(begun_, true)) reason_ = std::move(reason);
  if (model_limit_ms) give_up_after(*model_limit_ms, true);
  if (!waits_already) scheduler_.after(kReportMs, lifetime_.guard([this] { report_regularly(); }));
  check();
}

void Drain::check() {
  if (done_.empty()) return;
  const Unfinished left = hooks_.unfinished();
  if (left.models == 0 && !std::exchange(models_ended_, true)) give_up_after(kLimitMs, false);
  if (left.groups > 0 || (!left.nothing() && !gave_up_)) return;
  if (reason_) return hooks_.record(*std::exchange(reason_, std::nullopt));
  lifetime_.renew();
  models_ended_ = false;
  for (auto& done : std::exchange(done_, {})) scheduler_.after(0, std::move(done));
}

void Drain::end() {
  lifetime_.renew();
  begun_ = models_ended_ = gave_up_ = false;
}

void Drain::give_up_after(std::int64_t limit_ms, bool on_models) {
  if (core::canary(core::Canary::drain_without_end)) return;
  scheduler_.after(limit_ms, lifetime_.guard([this, on_models] {
    Unfinished left = hooks_.unfinished();
    if (gave_up_ || (on_models && left.models == 0)) return;
    gave_up_ = true;
    left.groups = 0;  // of those we wait for the end
    left_ = describe(left);
    if (!left_.empty()) hooks_.given_up(left_);
    check();
  }));
}

void Drain::report_regularly() {
  if (const std::string what = waiting_for(); !what.empty()) hooks_.waiting(what);
  scheduler_.after(kReportMs, lifetime_.guard([this] { report_regularly(); }));
}

}  // namespace runtime
