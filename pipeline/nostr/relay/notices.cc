#include "pipeline/nostr/relay/notices.h"

namespace nostr {

bool Notices::on_notice(const std::string& text, TimeMs now) {
  last_at_ = now;
  if (text == last_) return false;
  last_ = text;
  if (now < reported_since_ || now >= reported_since_ + base::kMinuteMs) {
    reported_since_ = now;
    reported_ = 0;
  }
  return ++reported_ <= kMaxNoticesPerMinute;
}

}  // namespace nostr
