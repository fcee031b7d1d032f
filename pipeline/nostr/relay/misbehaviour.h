// Counts what no honest relay sends, and tells when a connection has to end for it: kMaxBadFrames malformed frames on
// one connection, or more than kMaxJunkPerMinute events in a minute that are forged or were not asked for. Pure.
#pragma once

#include <optional>
#include <string>

#include "pipeline/nostr/relay/actions.h"
#include "pipeline/nostr/relay/limits.h"

namespace nostr {

class Misbehaviour {
 public:
  // Malformed frames are counted per connection, junk over connections.
  void on_open() { bad_frames_ = 0; }
  // Both return why the connection has to end now, or nothing. `error`: what is wrong with the frame.
  std::optional<Ending> on_bad_frame(const std::string& error);
  std::optional<Ending> on_junk(TimeMs now);

 private:
  unsigned bad_frames_ = 0;
  unsigned junk_ = 0;  // since junk_since_
  TimeMs junk_since_;
};

}  // namespace nostr
