// A provider's connection to a simulated relay: the real session over virtual time.
#pragma once

#include <deque>

#include "pipeline/net/url_guard.h"
#include "pipeline/nostr/relay/link.h"
#include "tests/sim/world.h"

namespace sim {

class SimLink final : public nostr::RelayLink {
 public:
  SimLink(World& world, ProcessTime& time, const nostr::RelaySessionOptions& options,
          nostr::RelayLinkHandlers handlers);

  void pause_reading(bool paused) override;

 private:
  void dial() override;
  void send_text(const std::string& text) override;
  void ping() override;
  void hang_up() override { wire_.reset(); }
  void wake_at(TimeMs time) override;

  void connect(const std::weak_ptr<Wire>& dialled);
  void on_frame(const std::string& frame);
  void read(const std::string& frame);
  // Runs the task later, while this link and this connection last.
  void while_connected(std::int64_t delay_ms, std::function<void()> task);

  World& world_;
  ProcessTime& time_;
  std::string url_;
  std::shared_ptr<Wire> wire_;
  bool paused_ = false;
  std::deque<std::string> unread_;
  std::optional<TimeMs> wakes_at_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sim
