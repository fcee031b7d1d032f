// What a relay tells a person (NOTICE), and how much of it is worth reporting. Pure.
#pragma once

#include <string>

#include "pipeline/nostr/relay/actions.h"
#include "pipeline/nostr/relay/limits.h"

namespace nostr {

class Notices {
 public:
  // Keeps the text as the last one. Returns true if it is to be reported: it differs from the one before it, and not
  // more than kMaxNoticesPerMinute were reported within a minute.
  bool on_notice(const std::string& text, TimeMs now);
  // The last one, on any connection; empty: none.
  const std::string& last() const { return last_; }
  // The last one if it came at this time or later; else empty: it was about something else.
  std::string since(TimeMs time) const { return last_at_ >= time ? last_ : std::string(); }

 private:
  std::string last_;
  TimeMs last_at_;
  TimeMs reported_since_;
  unsigned reported_ = 0;  // since then
};

}  // namespace nostr
