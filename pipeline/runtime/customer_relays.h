// The relays that customers read (NIP-65), and from them the relays to which the answers to a job go. A customer's list
// is looked up when they ask for something, so that it is known when their answer is ready.
#pragma once

#include <map>
#include <memory>

#include "base/scheduler.h"
#include "pipeline/core/job.h"
#include "pipeline/nostr/relays.h"

namespace runtime {

using base::Scheduler;
using nostr::Relays;

inline constexpr std::size_t kMaxCustomersKnown = 1'000;  // who asked longest ago is forgotten first
inline constexpr std::int64_t kRelayListAgeMs = 6 * base::kHourMs;
inline constexpr std::size_t kMaxReadRelays = 4;     // of one customer
inline constexpr std::size_t kMaxAnswerTargets = 8;  // of one job

class CustomerRelays {
 public:
  // Our own relays are asked for customers' lists. They are also the last targets of every answer. The ports outlive
  // it.
  CustomerRelays(Relays& relays, Scheduler& scheduler, std::vector<std::string> own_relays);

  // Asks for the customer's list, unless that was done lately. If the query fails, the list stays as it was.
  void look_up(const base::PublicKey& customer);
  // The customer's list as far as it is known by now, in its order; URLs in their normal form.
  std::vector<std::string> of(const base::PublicKey& customer) const;
  // Where answers to this job go: where its request came from, where the customer wants answers, where they read, and
  // our own relays; the first kMaxAnswerTargets of these. Each URL was checked when it was read.
  std::vector<std::string> targets_of(const core::Job& job) const;

 private:
  struct Known {
    base::TimeMs asked_at;
    std::int64_t created_at_s = -1;  // of the newest list so far
    std::vector<std::string> relays;
  };
  void forget_one();

  Relays& relays_;
  Scheduler& scheduler_;
  std::vector<std::string> own_relays_;
  std::shared_ptr<std::map<base::PublicKey, Known>> known_;  // answers may come after the end
};

}  // namespace runtime
