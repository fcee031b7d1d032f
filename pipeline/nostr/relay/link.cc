#include "pipeline/nostr/relay/link.h"

#include <utility>

namespace nostr {

// Carries out one action: over the transport, or by a handler.
struct RelayLink::Performer {
  RelayLink& link;

  void operator()(const Dial&) const { link.dial(); }
  void operator()(const SendFrame& action) const { link.send_text(action.text); }
  void operator()(const SendPing&) const { link.ping(); }
  void operator()(const HangUp&) const { link.hang_up(); }
  void operator()(Deliver& action) const { link.handlers_.on_event(std::move(action)); }
  void operator()(const CaughtUp& action) const { link.handlers_.on_caught_up(action); }
  void operator()(const PublishAnswer& action) const { link.handlers_.on_answer(action); }
  void operator()(QueryEnd& action) const { link.handlers_.on_query_end(std::move(action)); }
  void operator()(const Dropped& action) const { link.handlers_.on_dropped(action.reason); }
  void operator()(const Notice& action) const { link.handlers_.on_notice(action.text); }
  void operator()(const HealthChange& action) const { link.handlers_.on_health(action.state, action.reason); }
};

RelayLink::RelayLink(RelaySessionOptions options, std::function<TimeMs()> clock, RelayLinkHandlers handlers)
    : clock_(std::move(clock)), handlers_(std::move(handlers)), session_(std::move(options)) {}

void RelayLink::received(std::string_view text) {
  perform(session_.on_frame(text, now()));
  handlers_.on_heard();
}

void RelayLink::skipped(const std::string& reason) {
  perform(session_.on_skipped(reason, now()));
  handlers_.on_heard();
}

void RelayLink::ponged() {
  perform(session_.on_pong(now()));
  handlers_.on_heard();
}

// A handler may use the link again: the actions that follow from that are carried out after those that wait already.
void RelayLink::perform(RelayActions actions) {
  std::move(actions.begin(), actions.end(), std::back_inserter(to_do_));
  if (std::exchange(performing_, true)) return;
  while (!to_do_.empty()) {
    auto action = std::move(to_do_.front());
    to_do_.pop_front();
    std::visit(Performer{*this}, action);
  }
  performing_ = false;
  if (const auto wake = session_.wake_at()) wake_at(*wake);
}

}  // namespace nostr
