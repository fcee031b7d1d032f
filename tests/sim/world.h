// What outlives the process: the disk, the wallet's books, what the relays hold, the customers and their own books.
#pragma once

#include <map>
#include <set>

#include "pipeline/core/shop.h"
#include "pipeline/inference/backend.h"
#include "pipeline/nostr/keys.h"
#include "pipeline/nostr/nip90.h"
#include "pipeline/wallet/bolt11.h"
#include "pipeline/wallet/wallet.h"
#include "tests/sim/virtual_time.h"
#include "tests/support/sim_disk.h"

namespace sim {

inline constexpr std::int64_t kNetworkMs = 20;  // a message between two parties

// The same bytes for the same seed, for keys and salts.
ledger::Salt seeded_bytes(std::uint64_t seed, std::uint64_t number);
nostr::SecretKey seeded_key(std::uint64_t seed);

// How a wallet tells two orders of one invoice: by it, creation can be repeated.
enum class WalletIdentity {
  label,  // the same order is the same invoice (sandbox, Core Lightning, LND by preimage)
  none,   // every order is a new invoice: one that is lost on the way is an orphan (LNURL)
};

struct WalletBooks {
  struct Invoice {
    std::string bolt11;
    ledger::Msat amount;
    TimeMs expires_at;
    std::optional<TimeMs> paid_at;
  };
  WalletIdentity identity = WalletIdentity::label;
  std::map<ledger::Hash256, Invoice> invoices;
  std::map<std::string, ledger::Hash256> by_label;
  std::uint64_t created = 0;

  std::string create(const wallet::InvoiceOrder& order, TimeMs now);
  bool pay(const std::string& bolt11, TimeMs now);  // false: unknown, expired or paid already
  ledger::Msat received() const;
};

// One customer's request and everything that they saw of its answers.
struct CustomerJob {
  nostr::Event request;
  std::string raw;
  bool pays = true;
  std::set<ledger::EventId> results;
  std::set<std::string> invoices;  // every invoice that was ever shown to them
  std::vector<std::string> statuses;
  bool result_before_payment = false;
  bool paid = false;
};

class World {
 public:
  explicit World(std::uint64_t seed);

  VirtualTime time{TimeMs{1'700'000'000'000}};
  SimDisk disk;
  WalletBooks wallet;
  nostr::SecretKey provider_key;
  std::map<ledger::EventId, CustomerJob> jobs;

  // Scripts: how many of the next inferences fail.
  int inference_failures = 0;

  // Signs a request and leaves it with the relay, where every process finds it.
  ledger::EventId ask(const std::string& prompt, std::vector<nostr::Tag> more_tags = {}, bool pays = true);
  // What the relay does with a publication: checks it, keeps it, shows it to the customer.
  ledger::RelayAnswer publish(const std::string& relay, const std::string& event_json);

  std::uint64_t next_number() { return ++numbers_; }

 private:
  void show(CustomerJob& job, const nostr::Event& event);
  std::uint64_t seed_;
  std::uint64_t numbers_ = 0;
  nostr::SecretKey customer_key_;
  std::set<ledger::EventId> published_;
};

}  // namespace sim
