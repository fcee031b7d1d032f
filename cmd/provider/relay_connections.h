// The provider's relays: connected while it is online, with the limits that they publish of themselves (NIP-11).
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/lifetime.h"
#include "cmd/config/config.h"
#include "ledger/key_value.h"
#include "pipeline/core/readiness.h"
#include "pipeline/nostr/nip11.h"
#include "pipeline/nostr/relay/pool.h"
#include "pipeline/nostr/switchable_relays.h"
#include "pipeline/web/web_client.h"

namespace cmd {

// The request for a relay's information document: its address with ws replaced by http, wss by https.
web::WebRequest relay_info_request(const std::string& relay);

// The limits in the document that we must keep to.
nostr::RelayLimits limits_of(const nostr::RelayInfo& info);

class RelayConnections {
 public:
  // All must outlive this object.
  struct Ports {
    boost::asio::io_context& io;
    base::Scheduler& scheduler;
    web::WebClient& web;
    const ledger::KeyValue& store;  // has the relays' cursors
    const nostr::SecretKey& key;
  };
  // Called on the io_context's thread, never from inside a call.
  struct Handlers {
    std::function<void(nostr::Received)> on_request;
    std::function<void(const nostr::Received&)> on_control;  // as PoolHandlers::on_control
    std::function<void(std::string reason)> on_refused;
    // Of the relays of the settings, not of customers' relays.
    std::function<void(const std::string& relay, nostr::RelayState state, const std::string& reason)> on_health;
    // Notices (NOTICE) of those relays, written for a person.
    std::function<void(const std::string& relay, const std::string& text)> on_notice = [](const std::string&,
                                                                                          const std::string&) {};
  };
  RelayConnections(Ports ports, const Config& config, Handlers handlers);
  ~RelayConnections();

  // For everything that publishes or asks; while there is no connection it answers that we are offline.
  nostr::Relays& relays() { return relays_; }

  // Dials the relays of the settings. Fails with "relay_url.invalid", and when the ledger cannot be read.
  base::Result<void> connect();
  // Asks this relay for requests, once per connect(), from where its cursor stands. Ignored while disconnected.
  void read(const std::string& relay);
  // Asks the relays for their information documents every hour, from the next hour on; connect() asks too.
  void read_infos_regularly();
  // Answers what waits and hangs up. disconnect() forgets the connections; it may be called without hang_up().
  void hang_up();
  void disconnect();

  // Of our own relays, as far as they have one; none while disconnected.
  std::vector<std::pair<std::string, base::TimeMs>> cursors() const;
  // The relays of the settings, as readiness judges them; none while disconnected.
  std::vector<core::Observation> observe() const;
  // [{"url":…,"own":…,"live":…,"state":…,"reason":…,"last_notice":…},…]: for `status`; empty while disconnected.
  nlohmann::json summary() const;

 private:
  nostr::PoolOptions options() const;
  nostr::PoolHandlers pool_handlers() const;
  bool is_own(const std::string& relay) const;
  void read_infos();

  const Ports ports_;
  const Config& config_;
  const Handlers handlers_;
  nostr::SwitchableRelays relays_;
  std::unique_ptr<nostr::RelayPool> pool_;  // null: disconnected
  base::Lifetime lifetime_;
};

}  // namespace cmd
