// Customers' relays: each is known from its first use until its place is needed for another. Pure.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pipeline/net/url_guard.h"
#include "pipeline/nostr/relay/link.h"

namespace nostr {

class Guests {
 public:
  struct Ports {
    std::function<std::unique_ptr<RelayLink>(const net::RelayUrl& url)> link;
    std::function<void(std::function<void()> task)> post;  // runs the task later, never inside the call
    std::function<TimeMs()> clock;
  };
  struct Guest {
    std::unique_ptr<RelayLink> link;
    TimeMs last_used;
  };

  // At most `max` are known at once.
  Guests(std::size_t max, Ports ports) : max_(max), ports_(std::move(ports)) {}

  // The link to this relay, which is made if need be; null if all places are taken by relays that have work
  // (no_room()).
  RelayLink* use(const net::RelayUrl& url);
  // For a person: why use() returned null.
  std::string no_room() const;
  // Null for a relay that is not known. `url` is in its normal form.
  RelayLink* find(const std::string& url) const;
  const std::map<std::string, Guest>& all() const { return guests_; }
  void shut_down();
  void clear();

 private:
  bool make_room();

  std::size_t max_;
  Ports ports_;
  std::map<std::string, Guest> guests_;
  std::shared_ptr<std::vector<std::unique_ptr<RelayLink>>> retired_ =
      std::make_shared<std::vector<std::unique_ptr<RelayLink>>>();  // until the next task
};

}  // namespace nostr
