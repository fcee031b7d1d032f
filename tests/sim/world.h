// What outlives the process: the disk, the wallet's books, the relays, the customers and their own books.
#pragma once

#include <map>
#include <set>
#include <stdexcept>

#include "pipeline/nostr/keys.h"
#include "pipeline/nostr/nip90_answer.h"
#include "tests/sim/faults.h"
#include "tests/sim/relay.h"
#include "tests/sim/virtual_time.h"
#include "tests/sim/wallet_books.h"
#include "tests/support/sim_disk.h"

namespace sim {

using base::kHourMs;

inline constexpr std::int64_t kNetworkMs = 20;           // a message between two parties
inline constexpr std::int64_t kAnswerLimitMs = 120'000;  // of a whole generation, as the provider is configured

// One of the promises was broken. Thrown to the simulator's top; nothing in between catches it.
struct Violation : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The same bytes for the same seed, for keys and salts.
base::Salt seeded_bytes(std::uint64_t seed, std::uint64_t number);
nostr::SecretKey seeded_key(std::uint64_t seed);

enum class Payer { at_once, slowly, never, twice, second };  // second: an invoice that takes another's place

struct Ask {
  std::string prompt;
  std::vector<nostr::Tag> sources = {};  // inputs to gather, after the prompt
  std::vector<nostr::Tag> more_tags = {};
  Payer payer = Payer::at_once;
  std::size_t customer = 0;
  bool addressed = true;              // names us in a p tag
  std::size_t first_relay = 0;        // sent to this one and those after it
  std::size_t relays = SIZE_MAX;      // at most so many
  std::int64_t created_ago_ms = 0;    // the customer's clock is late by so much
  std::int64_t expires_after_ms = 0;  // 0: never
  ledger::Encryption encryption = ledger::Encryption::none;
  std::int64_t cancel_after_ms = 0;  // 0: never
  std::uint32_t work_bits = 0;       // of proof of work (NIP-13)
};

// One customer's request and everything that they saw of its answers.
struct CustomerJob {
  nostr::Event request;
  std::string prompt;
  std::vector<nostr::Tag> sources;
  std::size_t customer = 0;
  bool addressed = true;
  ledger::Encryption encryption = ledger::Encryption::none;
  Payer payer = Payer::at_once;
  TimeMs asked_at;
  std::set<base::EventId> results;
  std::set<std::string> answers;   // what the results say, as it can be read by all
  std::set<std::string> invoices;  // every invoice that was ever shown to them
  std::vector<std::string> statuses;
  std::vector<std::string> paid;  // these invoices
  bool result_before_payment = false;
  bool cancelled = false;
  bool hidden = false;  // open to all, and no relay that has it lets anybody ask for those
  std::string shown;    // of the answer, while it grows
  std::size_t partials = 0;
};

class Referee;

class World {
 public:
  explicit World(std::uint64_t seed, const Faults& some_faults = {}, std::size_t relays = 1,
                 std::size_t relay_page = 500);
  ~World();

  VirtualTime time{TimeMs{1'700'000'000'000}};
  std::int64_t clock_error_ms = 0;  // of the provider's clock
  TimeMs clock_set_at;              // when it last changed other than by the passing of time
  Faults faults;
  SimDisk disk;
  WalletBooks wallet;
  bool wallet_pushes = false;  // tells the process of each payment
  std::function<void(const base::Hash256&)> on_paid = [](const base::Hash256&) {};
  PurseBooks purse;                 // out of which is paid back
  TimeMs wallet_back_at;            // unreachable until then
  TimeMs wallet_able_at;            // makes no invoices until then
  bool wallet_blind = false;        // while it is unable, it looks up none either
  TimeMs wallet_alone_until;        // it answers nothing but that it is asked too often
  TimeMs wallet_failed_at;          // when it last answered with an error, or wrongly
  int wallet_calls_per_minute = 0;  // that it says it bears; 0: any number
  TimeMs backend_back_at;           // answers nothing until then
  TimeMs model_works_at;            // every answer of its model fails until then
  TimeMs backend_failed_at;         // when it last failed
  TimeMs space_back_at;             // no space on the disk until then
  nostr::SecretKey provider_key;
  std::vector<std::unique_ptr<SimRelay>> relays;
  std::map<base::EventId, CustomerJob> jobs;
  std::unique_ptr<Referee> referee;

  int inference_failures = 0;  // so many of the next ones fail
  std::int64_t line_ms = 10;   // that the model takes for a token

  // Called before and after each call that leaves the process through a port: where a process can die.
  std::function<void()> on_port_call = [] {};

  // Signs a request and leaves it with relays.
  base::EventId ask(const Ask& ask);
  // Its customer takes the request back, with all relays.
  void cancel(const base::EventId& id);
  // Asks every relay whether the provider is there (kind 7007).
  void ping(std::size_t customer);
  bool pinged(const base::EventId& id) const { return pings_.contains(id); }
  // Leaves a note of somebody's with the first relay.
  base::EventId write_note(const std::string& content);
  // What a web page says.
  static std::string page(const std::string& url) { return "The page at " + url; }
  // What the input may be gathered as: what is public by now.
  std::set<std::string> public_texts(const nostr::Tag& source) const;
  // What their payments came to: what was given back was not paid.
  base::Msat paid_by(const CustomerJob& job) const;
  // A relay has it: everybody can see it.
  void show(const nostr::Event& event);

  // The relay with this URL, or null.
  SimRelay* relay(std::string_view url);
  std::vector<std::string> relay_urls() const;
  // Everything is reachable, able and patient from now on.
  void make_well();
  // Of which a relay may have more requests than it sends: what is open to anybody may be missed there.
  std::set<std::int64_t> crowded_seconds;
  // A request for somebody else.
  nostr::Event crowd_event(std::int64_t created_at_s);
  // A signed event that is no customer's.
  nostr::Event stranger_event(const std::string& content, std::int64_t seconds_ahead);
  std::uint64_t next_number() { return ++numbers_; }

 private:
  static void show_part(CustomerJob& job, const std::string& text);
  static void check_form(const CustomerJob& job, const nostr::Answer& sealed);
  void pay(CustomerJob& job, const std::string& bolt11);
  std::int64_t thinking_ms(const CustomerJob& job, const std::string& bolt11);
  bool defaults(const CustomerJob& job);
  const nostr::SecretKey& customer_key(std::size_t customer);

  std::uint64_t seed_;
  std::uint64_t numbers_ = 0;
  std::map<std::size_t, nostr::SecretKey> customer_keys_;
  std::set<base::EventId> shown_;
  std::set<base::EventId> pings_;
  std::map<std::string, std::string> notes_;  // by id in hex
  std::set<std::size_t> defaulters_;          // customers
};

}  // namespace sim
