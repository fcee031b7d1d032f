#include "pipeline/runtime/customer_relays.h"

#include <algorithm>

#include "base/scheduler.h"
#include "pipeline/nostr/nip65.h"

namespace runtime {

CustomerRelays::CustomerRelays(Relays& relays, Scheduler& scheduler, std::vector<std::string> own_relays)
    : relays_(relays),
      scheduler_(scheduler),
      own_relays_(std::move(own_relays)),
      known_(std::make_shared<std::map<base::PublicKey, Known>>()) {}

void CustomerRelays::look_up(const base::PublicKey& customer) {
  const base::TimeMs now = scheduler_.now();
  const auto found = known_->find(customer);
  if (found != known_->end() && now - found->second.asked_at < kRelayListAgeMs) return;
  if (found == known_->end() && known_->size() >= kMaxCustomersKnown) forget_one();
  (*known_)[customer].asked_at = now;
  for (const std::string& relay : own_relays_) {
    relays_.query(relay, {.authors = {customer}, .kinds = {nostr::kRelayListKind}, .limit = 1},
                  [known = known_, customer](const base::Result<std::vector<nostr::Event>>& lists) {
                    const auto one = known->find(customer);
                    if (one == known->end() || !lists || lists->empty()) return;
                    const nostr::Event& list = lists->front();
                    if (list.created_at <= one->second.created_at_s) return;
                    one->second.created_at_s = list.created_at;
                    one->second.relays = nostr::read_relays(list, kMaxReadRelays);
                  });
  }
}

std::vector<std::string> CustomerRelays::of(const base::PublicKey& customer) const {
  const auto found = known_->find(customer);
  return found == known_->end() ? std::vector<std::string>() : found->second.relays;
}

std::vector<std::string> CustomerRelays::targets_of(const core::Job& job) const {
  std::vector<std::string> out;
  const auto add = [&](const std::string& relay) {
    const bool known = std::ranges::find(out, relay) != out.end();
    if (!relay.empty() && !known && out.size() < kMaxAnswerTargets) out.push_back(relay);
  };
  add(job.request->relay);
  std::ranges::for_each(job.request->reply_relays, add);
  std::ranges::for_each(of(job.request->customer), add);
  std::ranges::for_each(own_relays_, add);
  return out;
}

void CustomerRelays::forget_one() {
  known_->erase(std::ranges::min_element(*known_, {}, [](const auto& one) { return one.second.asked_at; }));
}

}  // namespace runtime
