#include "pipeline/nostr/relay/link.h"

#include <algorithm>
#include <utility>

namespace nostr {

// Carries out one action: over the transport, or by a handler.
struct RelayLink::Performer {
  RelayLink& link;

  void operator()(const Dial&) const { link.dial(); }
  void operator()(const SendFrame& action) const {
    link.send_text(action.text);
    if (action.event) link.handlers_.on_sent(*action.event);
  }
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

namespace {

// What is signed is dated by the clock, whatever the session's time is.
RelaySessionOptions dated(RelaySessionOptions options, const std::function<TimeMs()>& clock) {
  options.sign_auth = [sign = std::move(options.sign_auth), clock](const std::string& url, const std::string& challenge,
                                                                   TimeMs) -> std::optional<Event> {
    return sign ? sign(url, challenge, clock()) : std::nullopt;
  };
  return options;
}

}  // namespace

RelayLink::RelayLink(RelaySessionOptions options, std::function<TimeMs()> clock, RelayLinkHandlers handlers)
    : clock_(std::move(clock)), handlers_(std::move(handlers)), session_(dated(std::move(options), clock_)) {}

TimeMs RelayLink::now() {
  const TimeMs time = clock_() + set_back_ms_;
  if (time < last_now_) set_back_ms_ += last_now_ - time;
  last_now_ = std::max(last_now_, time);
  return last_now_;
}

void RelayLink::received(std::string_view text) {
  perform(session_.on_frame(text, now()));
  handlers_.on_heard();
}

void RelayLink::skipped(const std::string& reason) {
  handlers_.on_dropped(reason);
  perform(session_.on_frame(std::nullopt, now()));
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
