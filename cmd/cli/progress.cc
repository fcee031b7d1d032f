#include "cmd/cli/progress.h"

#include <algorithm>
#include <ostream>

#include "cmd/text/humanize.h"

namespace cmd {

using base::Result;
using ledger::Family;

ReadProgress::ReadProgress(ledger::KeyValue& store, base::Seq entries, int passes, Context& context)
    : store_(store),
      entries_(entries),
      passes_(static_cast<base::Seq>(passes)),
      out_(context.error_terminal.interactive && context.verbosity != Verbosity::quiet ? &context.err : nullptr) {}

ReadProgress::~ReadProgress() {
  if (out_) *out_ << "\r\033[K" << std::flush;
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
  *out_ << "\r\033[K" << grouped(static_cast<std::int64_t>(done)) << " of "
        << grouped(static_cast<std::int64_t>(entries_)) << " entries, " << percent << " %" << std::flush;
}

}  // namespace cmd
