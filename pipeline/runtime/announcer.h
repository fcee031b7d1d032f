// Keeps us findable: brings the announcement (31990), the profile (0) and the relay list (10002) to our own relays,
// reads them back from there, and says every five minutes that we are alive (11998), as long as that is true. No I/O
// library of its own. Single-threaded. Nothing of this is ledgered: what counts is what the relays have.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "base/lifetime.h"
#include "base/scheduler.h"
#include "pipeline/nostr/nip89.h"
#include "pipeline/nostr/relays.h"

namespace runtime {

using base::Scheduler;
using nostr::Relays;

// How one of our relays shows us, as of the last look.
struct Visibility {
  std::string relay;
  bool visible = false;                   // it has our newest announcement
  std::optional<base::TimeMs> looked_at;  // when it last said what it has
  std::string trouble;                    // what keeps it from having all that it should; empty: nothing
};

class Announcer {
 public:
  struct Ports {
    Relays& relays;
    Scheduler& scheduler;
    std::function<nostr::Event(nostr::Unsigned)> sign;
    // Why nobody should send us requests now, for a person; empty: they should.
    std::function<std::string()> obstacle;
  };
  struct Options {
    std::vector<std::string> relays;  // our own
    nostr::Announcement announcement;
    nostr::Profile profile;  // what the kind 0 must say
  };

  // With at least one relay.
  Announcer(Ports ports, Options options);

  // From now on each relay is asked what it has, sent what it lacks, and asked again: after a growing pause until all
  // is in order, then once an hour. Signs a document only when the newest version on any relay is not up to date, or
  // when a relay wants more proof of work for it. Profile and relay list may hold entries that we do not know, so they
  // are signed only after every relay has answered.
  void start();
  // Says nothing any more. What the relays have stays; the last heartbeat expires by itself.
  void stop();

  // Stops, takes the announcement back on every relay, and checks whether it is gone. For a relay where it is gone,
  // Visibility::visible is false and `trouble` is empty. `done` is called once. If start() or stop() is called first,
  // `trouble` says that the outcome is not known. Profile and relay list stay.
  void withdraw(std::function<void(std::vector<Visibility>)> done);

  bool withdrawn() const { return withdrawn_; }
  std::vector<Visibility> visibility() const;
  std::optional<base::TimeMs> last_heartbeat() const { return last_heartbeat_; }
  // Why none was sent when it was due; empty: it was sent.
  const std::string& heartbeat_trouble() const { return heartbeat_trouble_; }

 private:
  // What every relay should have the newest of.
  struct Document {
    std::string what;  // for a person
    std::uint32_t kind = 0;
    std::string d;           // of an addressable kind
    bool needs_all = false;  // nothing is signed before every relay has said what it has
    std::function<std::optional<nostr::Unsigned>(const nostr::Event* existing)> update;
    std::optional<nostr::Event> newest;  // of all relays, or ours
    bool settled = false;                // the newest says what it should
    std::int64_t deleted_at_s = 0;       // relays accept only later versions
    unsigned work_bits = 0;              // that were asked of us when it was signed (NIP-13)
    bool lacks_work = false;             // a relay refused it for want of more
  };
  struct Site {
    std::string relay;
    bool answered = false;           // when it was last asked
    std::vector<base::EventId> has;  // of each document, zero: none
    std::optional<base::TimeMs> looked_at;
    bool refused = false;  // something of what it was sent last
    std::string trouble;
  };
  struct Publication {
    Site* site = nullptr;
    nostr::Event event;
    std::string what;
  };

  void end_turn();
  void look(const std::function<void()>& then);
  void hear(Site& site, const base::Result<std::vector<nostr::Event>>& events);
  void bring_up_to_date();
  void settle(Document& document);
  nostr::Event sign(nostr::Unsigned event);
  std::vector<Publication> missing();
  void look_again(bool in_order);
  void look_after(std::int64_t delay_ms);
  void on_refused(const Publication& publication, const std::string& why);
  void publish(const std::vector<Publication>& publications, const std::function<void()>& then);

  void pulse();
  void send_heartbeat_if_due();
  void send_heartbeat();

  void send_withdrawal();
  void report_withdrawal();

  bool visible(const Site& site) const;

  Ports ports_;
  Options options_;
  std::vector<Document> documents_;  // the announcement first
  std::vector<Site> sites_;
  std::uint32_t tries_ = 0;  // since all was in order
  bool sent_ = false;        // the next look reads back what was just published
  bool heartbeat_under_way_ = false;
  std::optional<base::TimeMs> last_heartbeat_;
  std::string heartbeat_trouble_;
  bool withdrawn_ = false;
  std::function<void(std::vector<Visibility>)> withdrawal_done_;
  base::Lifetime turn_;  // ends what one call of start(), stop() or withdraw() began, at the next such call
};

}  // namespace runtime
