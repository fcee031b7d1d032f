#include "pipeline/nostr/relay/link.h"

#include <utility>

namespace nostr {

RelayLink::RelayLink(RelaySessionOptions options, std::function<TimeMs()> clock, RelayLinkHandlers handlers)
    : clock_(std::move(clock)), handlers_(std::move(handlers)), session_(std::move(options)) {}

void RelayLink::received(std::string_view text) {
  perform(session_.on_frame(text, now()));
  handlers_.on_heard();
}

void RelayLink::ponged() {
  perform(session_.on_pong(now()));
  handlers_.on_heard();
}

// A handler may use the link again: what follows from that is done after what was to be done already.
void RelayLink::perform(RelayActions actions) {
  std::move(actions.begin(), actions.end(), std::back_inserter(to_do_));
  if (std::exchange(performing_, true)) return;
  while (!to_do_.empty()) {
    auto action = std::move(to_do_.front());
    to_do_.pop_front();
    std::visit([this](auto& a) { perform(a); }, action);
  }
  performing_ = false;
  if (const auto wake = session_.wake_at()) wake_at(*wake);
}

}  // namespace nostr
