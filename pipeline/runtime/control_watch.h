// Asks the relays for customers' cancellations of open jobs and for pings to us, and handles those that arrive.
#pragma once

#include "pipeline/runtime/context.h"

namespace runtime {

inline constexpr std::uint32_t kMaxPongs = 30;  // per minute

class ControlWatch {
 public:
  using Cancel = std::function<void(const core::JobId&, ledger::JobCancelled)>;

  // `context` outlives it. `cancel` is called when a customer has deleted the request of their open job.
  ControlWatch(const Context& context, Cancel cancel) : context_(context), cancel_(std::move(cancel)) {}

  // Asks the relays for pings to us and for deletions of the requests that can still be cancelled, when that has
  // changed since they were asked last.
  void refresh();
  // Calls refresh() every second from now on.
  void refresh_every_second();
  // Takes a verified event that refresh() asked for. A deletion by its job's customer cancels the job (NIP-09); a ping
  // (kind 7007) is answered on the relay that it came from, unless it is old or too many came in this minute.
  void on_event(const nostr::Event& event, const std::string& relay);
  // A new minute begins: again kMaxPongs pings may be answered.
  void every_minute() { pongs_ = 0; }

  // We are going offline: no ping is answered, and the relays are asked for nothing new.
  void pause() { paused_ = true; }
  // We are online again, over new connections.
  void resume();

 private:
  void on_deletion(const nostr::Event& deletion);
  void answer_ping(const nostr::Event& ping, const std::string& relay);

  const Context& context_;
  const Cancel cancel_;
  std::vector<core::JobId> watched_;  // jobs whose cancellation the relays were asked for
  bool watching_ = false;
  bool paused_ = false;
  std::uint32_t pongs_ = 0;  // in this minute
};

}  // namespace runtime
