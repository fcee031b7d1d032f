#include "cmd/provider/kill_points.h"

#include <algorithm>
#include <csignal>

namespace cmd {

void KillPoint::append(ledger::Group group, std::function<void(base::Result<void>)> done) {
  const auto at = [&](std::string_view when) {
    return std::ranges::any_of(group.entries, [&](const ledger::NewEntry& entry) {
      return point_ == std::string(when) + std::string(ledger::type_name(ledger::type_of(entry.fact)));
    });
  };
  if (at("before-append:")) std::raise(SIGKILL);
  if (at("after-append:")) done = [](const base::Result<void>&) { std::raise(SIGKILL); };
  journal_.append(std::move(group), std::move(done));
}

}  // namespace cmd
