#include "pipeline/nostr/relay/guests.h"

#include <utility>

namespace nostr {

RelayLink* Guests::use(const net::RelayUrl& url) {
  auto found = guests_.find(url.text());
  if (found == guests_.end()) {
    if (!make_room()) return nullptr;
    found = guests_.emplace(url.text(), Guest{ports_.link(url), ports_.clock()}).first;
  }
  found->second.last_used = ports_.clock();
  return found->second.link.get();
}

std::string Guests::no_room() const {
  return "not sent: " + std::to_string(guests_.size()) + " customers' relays are in use already";
}

RelayLink* Guests::find(const std::string& url) const {
  const auto found = guests_.find(url);
  return found == guests_.end() ? nullptr : found->second.link.get();
}

void Guests::shut_down() {
  for (const auto& [url, guest] : guests_) guest.link->shut_down();
}

void Guests::clear() {
  guests_.clear();
  retired_->clear();
}

// Forgets the guest that was used longest ago, of those that have nothing to do.
bool Guests::make_room() {
  if (guests_.size() < max_) return true;
  auto oldest = guests_.end();
  for (auto guest = guests_.begin(); guest != guests_.end(); ++guest) {
    if (guest->second.link->session().has_work()) continue;
    if (oldest == guests_.end() || guest->second.last_used < oldest->second.last_used) oldest = guest;
  }
  if (oldest == guests_.end()) return false;
  // It may be the guest itself whose answer led here.
  retired_->push_back(std::move(oldest->second.link));
  ports_.post([retired = std::weak_ptr(retired_)] {
    if (const auto links = retired.lock()) links->clear();
  });
  guests_.erase(oldest);
  return true;
}

}  // namespace nostr
