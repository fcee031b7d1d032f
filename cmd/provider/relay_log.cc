#include "cmd/provider/relay_log.h"

#include <utility>

#include "cmd/text/humanize.h"

namespace cmd {

using nostr::RelayState;

std::optional<RelayLog::Line> RelayLog::on_change(const std::string& url, RelayState state, const std::string& reason,
                                                  base::TimeMs now) {
  Relay& relay = relays_[url];
  if (state == RelayState::live) {
    const bool is_news = !relay.was_live || relay.down_since || relay.reason != reason;
    return is_news ? std::optional(back(relay, url, reason, now)) : std::nullopt;
  }
  // A relay that is being dialled, or read for the first time, has given no reason to complain.
  const bool is_down = state == RelayState::offline || (state == RelayState::catching_up && !reason.empty());
  if (!is_down || (relay.down_since && relay.reason == reason)) return std::nullopt;
  if (!relay.down_since) relay.down_since = now;
  relay.reason = reason;
  return Line{state == RelayState::offline,
              url + " " + std::string(nostr::name(state)) + (reason.empty() ? "" : ": " + reason)};
}

RelayLog::Line RelayLog::back(Relay& relay, const std::string& url, const std::string& reason, base::TimeMs now) {
  const bool was_live = std::exchange(relay.was_live, true);
  const auto down_since = std::exchange(relay.down_since, std::nullopt);
  relay.reason = reason;
  std::string text = url + " live";
  if (down_since) text += std::string(was_live ? " again" : "") + " after " + took(now - *down_since);
  return {!reason.empty(), text + (reason.empty() ? "" : ": " + reason)};
}

}  // namespace cmd
