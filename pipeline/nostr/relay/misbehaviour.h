// Counts messages that a relay should not send, or not so often, and reports when the connection has to end because of
// them: after kMaxBadFrames malformed frames on one connection, more than kMaxJunkPerMinute events per minute that are
// forged or were not asked for, or more than kMaxChatterPerMinute useless messages per minute. Pure.
#pragma once

#include <optional>
#include <string>

#include "pipeline/nostr/relay/actions.h"
#include "pipeline/nostr/relay/limits.h"

namespace nostr {

// What a relay sends without being asked; see kMaxJunkPerMinute.
enum class Useless { junk, chatter };

class Misbehaviour {
 public:
  // Restarts the count of malformed frames. The other counts continue from one connection to the next.
  void on_open() { bad_frames_ = 0; }
  // Each returns why the connection has to end now, or nothing. `error`: what is wrong with the frame.
  std::optional<Ending> on_bad_frame(const std::string& error);
  std::optional<Ending> on_junk(TimeMs now);
  std::optional<Ending> on_chatter(TimeMs now);

 private:
  struct PerMinute {
    unsigned most = 0;
    unsigned count = 0;
    TimeMs since = {};

    // Counts one more. Returns true, and starts again, if there are too many of them.
    bool exceeded(TimeMs now);
  };

  unsigned bad_frames_ = 0;
  PerMinute junk_{kMaxJunkPerMinute};
  PerMinute chatter_{kMaxChatterPerMinute};
};

}  // namespace nostr
