// Decides about each request that arrives: it is recorded, it waits, or it is refused and counted.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>

#include "pipeline/runtime/context.h"
#include "pipeline/runtime/customer_relays.h"
#include "pipeline/runtime/entry_shares.h"

namespace runtime {

// A request's receipt is held until its record is durable or it is refused: while a receipt is out, the relay's cursor
// stays behind the request, and so no request is lost.
class IntakeGate {
 public:
  // How requests become durable.
  struct Recorder {
    std::function<std::size_t()> backlog;                       // groups of facts that wait for the disk
    std::function<bool(const base::EventId& id)> is_recording;  // one of them records this request
    std::function<void(core::RequestArrived, std::shared_ptr<void> receipt)> record;
  };

  // Both references outlive it.
  IntakeGate(const Context& context, CustomerRelays& customer_relays, Recorder recorder);

  // A verified event of a job request kind. While disk space runs low nothing new is written, and requests wait with
  // their receipts; those beyond some hundreds are refused. Requests wait too while the disk falls behind.
  void on_request(const nostr::Event& event, std::string raw, const std::string& relay, std::shared_ptr<void> receipt);
  // Takes those that wait, as far as the disk allows it now.
  void take_waiting();

  // Drops each request until open() is called. Releases the request's receipt: otherwise reading would stop at relays
  // that still have to answer our publications. No cursor may be saved meanwhile.
  void close() { closed_ = true; }
  // Lets requests in again. Those that still wait are dropped: the relays are asked for them again, from the saved
  // cursors.
  void open();

  // Counts a request that was refused, here or before it came here.
  void on_refused(const std::string& reason);
  // Posts what was counted since the last call, if anything was.
  void record_refused();
  // Call it once a minute. Draws by lot the fresh keys that are served in the next minute.
  void draw();

 private:
  struct Request {
    nostr::Event event;
    std::string raw;
    std::string relay;
    std::shared_ptr<void> receipt;
  };
  // How many requests were refused for one reason, and the keys that sent them, where keys are counted.
  struct Refused {
    std::uint64_t count = 0;
    std::set<base::PublicKey> keys;
  };
  void take(const nostr::Event& event, std::string raw, const std::string& relay, std::shared_ptr<void> receipt);
  bool has_room_to_wait(const base::PublicKey& key) const;
  std::string_view beyond_shares(const ledger::JobRequested& request);

  const Context& context_;
  CustomerRelays& customer_relays_;
  const Recorder recorder_;
  bool closed_ = false;
  std::deque<Request> waiting_;
  EntryShares shares_;
  std::map<std::string, Refused, std::less<>> refused_;  // by reason, since refused_since_
  base::TimeMs refused_since_;
};

}  // namespace runtime
