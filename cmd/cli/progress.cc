#include "cmd/cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <ostream>
#include <utility>

#include "cmd/text/fit.h"
#include "cmd/text/humanize.h"

namespace cmd {

using base::Result;
using ledger::Family;

namespace {

constexpr std::int64_t kShownFromMs = 1'000;

// Null where nobody watches.
std::ostream* watched(Context& context) {
  return context.error_terminal.interactive && context.verbosity != Verbosity::quiet ? &context.err : nullptr;
}

}  // namespace

ReadProgress::ReadProgress(ledger::KeyValue& store, base::Seq entries, int passes, Context& context)
    : store_(store), entries_(entries), passes_(static_cast<base::Seq>(passes)), out_(watched(context)) {}

ReadProgress::~ReadProgress() {
  if (out_) *out_ << kSameLine << std::flush;
}

Result<std::optional<std::string>> ReadProgress::get(Family family, std::string_view key) const {
  count(family);
  return store_.get(family, key);
}

Result<void> ReadProgress::scan(Family family, std::string_view from, std::string_view until,
                                const Visitor& visit) const {
  return store_.scan(family, from, until, [&](std::string_view key, std::string_view value) {
    count(family);
    return visit(key, value);
  });
}

Result<void> ReadProgress::scan_back(Family family, std::string_view from, std::string_view until,
                                     const Visitor& visit) const {
  return store_.scan_back(family, from, until, visit);
}

void ReadProgress::count(Family family) const {
  if (!out_ || family != Family::entries) return;
  const base::Seq done = std::min(++reads_ / passes_, entries_);
  const base::Seq percent = entries_ == 0 ? 100 : done * 100 / entries_;
  if (percent == percent_) return;
  percent_ = percent;
  *out_ << kSameLine << grouped(static_cast<std::int64_t>(done)) << " of "
        << grouped(static_cast<std::int64_t>(entries_)) << " entries, " << percent << " %" << std::flush;
}

WaitLine::WaitLine(Context& context, base::Clock clock)
    : out_(watched(context)), width_(context.error_terminal.width), clock_(std::move(clock)), began_(clock_()) {}

void WaitLine::show(const std::string& awaited) {
  const std::int64_t waited_ms = clock_() - began_;
  if (!out_ || waited_ms < kShownFromMs) return;
  *out_ << kSameLine
        << shortened("waiting for " + awaited + ", " + age(waited_ms), current_width(STDERR_FILENO, width_) - 1)
        << std::flush;
  shown_ = true;
}

void WaitLine::clear() {
  if (out_ && std::exchange(shown_, false)) *out_ << kSameLine << std::flush;
}

}  // namespace cmd
