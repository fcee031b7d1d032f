// Chooses the log lines about our own relays: one when a relay goes down, one for each new reason, and one when it is
// live again. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/types.h"
#include "pipeline/nostr/relay/actions.h"

namespace cmd {

class RelayLog {
 public:
  struct Line {
    bool warning = false;
    std::string text;
  };

  // The line for a change of a relay's health, or nothing if the change needs no line.
  std::optional<Line> on_change(const std::string& url, nostr::RelayState state, const std::string& reason,
                                base::TimeMs now);

 private:
  struct Relay {
    bool was_live = false;
    std::optional<base::TimeMs> down_since;
    std::string reason;  // that was told last
  };

  static Line back(Relay& relay, const std::string& url, const std::string& reason, base::TimeMs now);

  std::map<std::string, Relay> relays_;
};

}  // namespace cmd
