#include "pipeline/nostr/relay/misbehaviour.h"

namespace nostr {

std::optional<Ending> Misbehaviour::on_bad_frame(const std::string& error) {
  if (++bad_frames_ < kMaxBadFrames) return std::nullopt;
  return Ending{"sent " + std::to_string(bad_frames_) + " malformed frames: " + error};
}

std::optional<Ending> Misbehaviour::on_junk(TimeMs now) {
  if (now < junk_since_ || now >= junk_since_ + base::kMinuteMs) {
    junk_since_ = now;
    junk_ = 0;
  }
  if (++junk_ <= kMaxJunkPerMinute) return std::nullopt;
  junk_ = 0;
  return Ending{"sent more than " + std::to_string(kMaxJunkPerMinute) + " forged or unasked events in a minute",
                kJunkBackoffMs};
}

}  // namespace nostr
