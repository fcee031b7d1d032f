#include "cmd/config/faults.h"

#include "cmd/text/humanize.h"

namespace cmd {

void Faults::add(const Place& place, base::Error fault) {
  ++count_;
  shown_.emplace(place.rank, std::move(fault));
  if (shown_.size() > kMaxFaultsShown) shown_.erase(std::prev(shown_.end()));
}

base::Error Faults::summary() const {
  if (count_ == 1) return shown_.begin()->second;
  std::string text = "the configuration has " + grouped(static_cast<std::int64_t>(count_)) + " faults:";
  for (const auto& [rank, fault] : shown_) text += "\n  " + printable(fault.describe());
  if (count_ > shown_.size()) text += "\n  and " + grouped(static_cast<std::int64_t>(count_ - shown_.size())) + " more";
  return {base::ErrorKind::config, std::string(kManyFaults), std::move(text), {}, {}};
}

}  // namespace cmd
