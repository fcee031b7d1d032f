// Our own relays: each is asked for the requests that we serve and for what is watched besides, and has a cursor
// (intake.h). For requests there is one subscription for every kMaxKindsPerFilter kinds. Each has only one filter,
// because with several filters it is unknown how far back a page of stored events reaches. Pure.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/nostr/relay/hub_context.h"
#include "pipeline/nostr/relay/own_relay.h"
#include "pipeline/nostr/relay/verified_intake.h"

namespace nostr {

// Caps of what is watched, far below what relays take (strfry: 20 filters in a REQ, frames of 128 KiB).
inline constexpr std::size_t kMaxWatchFilters = 4;
inline constexpr std::size_t kMaxWatchValues = 512;  // ids, authors, kinds and tag values of all its filters together
inline constexpr std::uint64_t kMaxWatchStored =
    500;  // events that a relay has stored, for each filter without a limit

// URLs are given in their normal form (url_guard.h).
class OwnRelays {
 public:
  // `context` must outlive this.
  explicit OwnRelays(const HubContext& context) : context_(context), intake_(context) {}

  // Before start(). `handlers` are called after this class has handled the link's report.
  void add(const RelayUrl& url, RelayLinkHandlers handlers);
  // As RelayHub's, with normal URLs.
  void start(const std::map<std::string, TimeMs>& cursors);
  void read(const std::string& url);
  // As Relays'.
  base::Result<void> watch(std::vector<Filter> filters);
  // An event of a subscription came from this relay.
  void receive(const std::string& url, Deliver delivered);

  // Null for a relay that is not ours.
  RelayLink* find(const std::string& url) const;
  const std::map<std::string, std::shared_ptr<OwnRelay>>& all() const { return relays_; }
  // Nothing before start(), and for a relay that is not ours.
  std::optional<TimeMs> cursor(const std::string& url) const;
  void shut_down();
  void clear() { relays_.clear(); }

 private:
  IntakeCursor cursor_from(TimeMs start) const;
  void on_caught_up(OwnRelay& relay, const CaughtUp& all) const;
  Filter requested(const OwnRelay& relay, Filter wanted) const;
  std::vector<Filter> watched() const;
  void subscribe_requests(const std::shared_ptr<OwnRelay>& relay);
  void subscribe_control(RelayLink& link);

  const HubContext& context_;
  VerifiedIntake intake_;
  std::map<std::string, std::shared_ptr<OwnRelay>> relays_;
  std::vector<Filter> watched_;
  bool started_ = false;
};

}  // namespace nostr
