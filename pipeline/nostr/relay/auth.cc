#include "pipeline/nostr/relay/auth.h"

#include <utility>

#include "base/check.h"
#include "pipeline/nostr/messages.h"

namespace nostr {

void Authentication::on_open() {
  state_ = State::none;
  attempts_ = 0;
}

void Authentication::on_challenge(std::string challenge) {
  challenge_ = std::move(challenge);
  state_ = State::none;
}

bool Authentication::authenticate(TimeMs now, RelayActions& out) {
  if (!challenge_ || state_ != State::none) return true;
  const auto event = attempts_ < kMaxAuths ? sign_(url_, *challenge_, now) : std::nullopt;
  if (!event) return false;
  ++attempts_;
  CHECK(attempts_ <= kMaxAuths, attempts_);  // we do not tell a relay again and again who we are
  state_ = State::sent;
  event_ = event->id;
  out.push_back(SendFrame{auth_message(to_json(*event))});
  return true;
}

void Authentication::on_verdict(bool accepted) {
  CHECK(state_ == State::sent, state_);
  state_ = accepted ? State::done : State::none;
}

}  // namespace nostr
