// One relay, connected: resolves, judges the address, dials, and drives its session over a websocket. Used by the
// pool, and by whoever speaks to a single relay (a wallet over NIP-47).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "pipeline/net/name_lookups.h"
#include "pipeline/net/url_guard.h"
#include "pipeline/net/websocket.h"
#include "pipeline/nostr/relay/link.h"

namespace nostr {

using net::RelayUrl;

struct RelayClientOptions {
  RelayUrl url;
  // A URL that a stranger named: connected only if every address of its host is a public one.
  bool guarded = true;
  // Looks up its host, and must outlive the client; null: the io_context does, one name after the other.
  net::NameLookups* lookups = nullptr;
  std::function<TimeMs()> clock;
  RelaySessionOptions session;  // its url is set from the one above
};

// Lives on one io_context thread, which must outlive it.
class RelayClient final : public RelayLink {
 public:
  RelayClient(boost::asio::io_context& io, net::WebsocketConnector& connector, RelayClientOptions options,
              RelayLinkHandlers handlers);
  ~RelayClient() override;

  void pause_reading(bool paused) override;

 private:
  struct Io;  // the resolver and the one timer

  void dial() override;
  void send_text(const std::string& text) override;
  void ping() override;
  void hang_up() override;
  void wake_at(TimeMs time) override;
  void resolved(const net::NameLookups::Found& found);
  void connect(const std::string& address);

  net::WebsocketConnector& connector_;
  std::size_t max_message_bytes_;
  RelayUrl url_;
  bool guarded_;
  net::NameLookups* lookups_;
  std::unique_ptr<Io> io_;
  std::unique_ptr<net::Websocket> socket_;
  bool paused_ = false;
  std::size_t dials_ = 0;
};

}  // namespace nostr
