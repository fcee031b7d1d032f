#include "pipeline/nostr/relay/receiver.h"

#include <utility>

namespace nostr {

std::optional<Ending> Receiver::receive(std::string_view frame, std::size_t max_bytes) {
  auto message = parse_relay_message(frame, max_bytes);
  if (!message) return on_unreadable(message.error());
  return std::visit([this](auto& m) { return on(m); }, *message);
}

// Only a relay is to blame for a frame that is no message. A bad or huge event is its author's fault: a connection that
// ended for it would end for it again.
std::optional<Ending> Receiver::on_unreadable(const base::Error& error) {
  if (error.code == "relay.unknown_message") return parts_.misbehaviour.on_chatter(now_);
  const bool too_large = error.code == "relay.too_large" || error.code == "event.too_large";
  out_.push_back(Dropped{too_large ? "too_large" : "malformed"});
  if (error.code != "relay.malformed") {
    parts_.subscriptions.on_unreadable(now_);
    return std::nullopt;
  }
  return parts_.misbehaviour.on_bad_frame(error.message);
}

std::optional<Ending> Receiver::on(RelayEvent& message) {
  if (parts_.subscriptions.on_event(message, now_, out_) || parts_.queries.on_event(message, out_)) return std::nullopt;
  out_.push_back(Dropped{"unasked"});
  return parts_.misbehaviour.on_junk(now_);
}

std::optional<Ending> Receiver::on(const RelayOk& message) {
  if (parts_.auth.awaits_verdict(message.event)) {
    parts_.auth.on_verdict(message.accepted);
    if (message.accepted) {
      resend_refused();
    } else {
      fail_refused("authentication refused: " + message.message);
    }
    return std::nullopt;
  }
  if (!parts_.publications.awaits_answer(message.event)) return parts_.misbehaviour.on_chatter(now_);
  if (!message.accepted && asks_for_auth(message.message)) {
    parts_.publications.await_auth(message.event);
    authenticate();
    return std::nullopt;
  }
  parts_.last_work = now_;
  parts_.publications.on_ok(message, now_, out_);
  return std::nullopt;
}

std::optional<Ending> Receiver::on(const RelayEose& message) {
  if (parts_.queries.contains(message.subscription)) {
    parts_.last_work = now_;
    parts_.queries.on_eose(message.subscription, out_);
    return std::nullopt;
  }
  const auto eose = parts_.subscriptions.on_eose(message, now_, out_);
  if (eose == Subscriptions::Eose::nothing) return parts_.misbehaviour.on_chatter(now_);
  parts_.show_open({}, out_);
  return std::nullopt;
}

std::optional<Ending> Receiver::on(const RelayClosed& message) {
  const bool awaits_auth = asks_for_auth(message.message);
  if (parts_.queries.contains(message.subscription)) {
    parts_.last_work = now_;
    if (awaits_auth) {
      parts_.queries.await_auth(message.subscription);
      authenticate();
    } else {
      parts_.queries.on_closed(message, out_);
    }
    return std::nullopt;
  }
  const auto what = parts_.subscriptions.on_closed(message, awaits_auth, now_, out_);
  if (!what) return parts_.misbehaviour.on_chatter(now_);
  if (awaits_auth) authenticate();
  parts_.show_open(*what, out_);
  return std::nullopt;
}

std::optional<Ending> Receiver::on(RelayNotice& message) {
  if (parts_.notices.on_notice(message.message, now_)) out_.push_back(Notice{std::move(message.message)});
  return parts_.misbehaviour.on_chatter(now_);
}

std::optional<Ending> Receiver::on(RelayAuth& message) {
  parts_.auth.on_challenge(std::move(message.challenge));
  authenticate();
  return parts_.misbehaviour.on_chatter(now_);
}

// ---- NIP-42 ---------------------------------------------------------------------------------------------------------

// True if the refused request should wait for our authentication.
bool Receiver::asks_for_auth(std::string_view refusal) const {
  return machine_word(refusal) == "auth-required" && !parts_.auth.is_done();
}

// The relay learns who we are only if it refused something until it does.
void Receiver::authenticate() {
  const bool needed =
      parts_.publications.awaits_auth() || parts_.queries.awaits_auth() || parts_.subscriptions.awaits_auth();
  if (needed && !parts_.auth.authenticate(now_, out_)) fail_refused("auth-required: we could not authenticate");
}

void Receiver::resend_refused() {
  parts_.subscriptions.on_authenticated(now_, out_);
  parts_.queries.on_authenticated(out_);
  parts_.publications.on_authenticated(now_, out_);
}

void Receiver::fail_refused(const std::string& message) {
  parts_.publications.on_auth_failed(message, out_);
  parts_.queries.on_auth_failed(message, out_);
  parts_.subscriptions.on_auth_failed();
  parts_.show_open(message, out_);
}

}  // namespace nostr
