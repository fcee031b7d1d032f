#include "pipeline/nostr/relay/misbehaviour.h"

namespace nostr {

std::optional<Ending> Misbehaviour::on_bad_frame(const std::string& error) {
  if (++bad_frames_ < kMaxBadFrames) return std::nullopt;
  return Ending{"sent " + std::to_string(bad_frames_) + " malformed frames: " + error};
}

bool Misbehaviour::PerMinute::exceeded(TimeMs now) {
  if (now < since || now >= since + base::kMinuteMs) {
    since = now;
    count = 0;
  }
  if (++count <= most) return false;
  count = 0;
  return true;
}

std::optional<Ending> Misbehaviour::on_junk(TimeMs now) {
  if (!junk_.exceeded(now)) return std::nullopt;
  return Ending{"sent more than " + std::to_string(kMaxJunkPerMinute) + " forged or unasked events in a minute",
                kJunkBackoffMs};
}

std::optional<Ending> Misbehaviour::on_chatter(TimeMs now) {
  if (!chatter_.exceeded(now)) return std::nullopt;
  return Ending{
      "sent more than " + std::to_string(kMaxChatterPerMinute) + " pings and other useless messages in a minute",
      kJunkBackoffMs};
}

}  // namespace nostr
