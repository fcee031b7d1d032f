// Where customers read (NIP-65): looked up when they ask for something, so that it is known when their answer is ready.
#pragma once

#include <map>
#include <memory>

#include "base/scheduler.h"
#include "pipeline/nostr/relays.h"

namespace runtime {

using base::Scheduler;
using nostr::Relays;

inline constexpr std::size_t kMaxCustomersKnown = 1'000;  // who asked longest ago is forgotten first
inline constexpr std::int64_t kRelayListAgeMs = 6LL * 60 * 60 * 1000;
inline constexpr std::size_t kMaxReadRelays = 4;  // of one customer

class CustomerRelays {
 public:
  // `asked`: the relays that are asked for customers' lists. The ports outlive it.
  CustomerRelays(Relays& relays, Scheduler& scheduler, std::vector<std::string> asked);

  // Asks for the customer's list, unless that was done lately. What goes wrong leaves it empty.
  void look_up(const base::PublicKey& customer);
  // As far as it is known by now; URLs in their normal form, first those that the list names first.
  std::vector<std::string> of(const base::PublicKey& customer) const;

 private:
  struct Known {
    base::TimeMs asked_at;
    std::int64_t created_at_s = -1;  // of the newest list so far
    std::vector<std::string> relays;
  };
  void forget_one();

  Relays& relays_;
  Scheduler& scheduler_;
  std::vector<std::string> asked_;
  std::shared_ptr<std::map<base::PublicKey, Known>> known_;  // answers may come after the end
};

}  // namespace runtime
