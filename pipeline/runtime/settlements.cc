#include "pipeline/runtime/settlements.h"

#include <algorithm>

#include "base/scheduler.h"
#include "pipeline/core/canary.h"

namespace runtime {
namespace {

constexpr std::int64_t kShortestPollMs = 1'000;
constexpr std::int64_t kShortestPollBesidePushMs = 5'000;
constexpr std::int64_t kLongestPollMs = 30'000;
constexpr std::int64_t kBetweenLookUpsMs = 2;  // when all are to be looked at

}  // namespace

Settlements::Settlements(std::vector<wallet::Wallet*> wallets, Scheduler& scheduler)
    : wallets_(std::move(wallets)), scheduler_(scheduler) {
  for (wallet::Wallet* one : wallets_) {
    one->on_news(lifetime_.guard([this](const std::optional<base::Hash256>& id) { on_news(id); }));
  }
}

bool Settlements::watch(Watched watched) {
  const base::Hash256 id = watched.invoice.payment_hash;
  wallet::Wallet* const first = next_wallet(watched.invoice.wallet, nullptr);
  if (!first) return false;
  if (entries_.try_emplace(id, Entry{std::move(watched), first}).second) ask(id);
  return true;
}

// Of this kind, the one that comes after, round and round; null: there is none.
wallet::Wallet* Settlements::next_wallet(const std::string& kind, const wallet::Wallet* after) const {
  std::vector<wallet::Wallet*> of_kind;
  std::ranges::copy_if(wallets_, std::back_inserter(of_kind), [&](const auto* one) { return one->kind() == kind; });
  if (of_kind.empty()) return nullptr;
  const auto found = std::ranges::find(of_kind, after);
  return found == of_kind.end() || std::next(found) == of_kind.end() ? of_kind.front() : *std::next(found);
}

void Settlements::ask(const base::Hash256& id) {
  Entry& entry = entries_.at(id);
  entry.asking = true;
  entry.news = false;
  ++entry.timer;
  const bool over = scheduler_.now() >= entry.watched.give_up_at;
  entry.wallet->look_up(entry.watched.invoice,
                        lifetime_.guard([this, id, over](const base::Result<wallet::LookupAnswer>& answer) {
                          answered(id, over, answer);
                        }));
}

void Settlements::answered(const base::Hash256& id, bool over, const base::Result<wallet::LookupAnswer>& answer) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;  // told twice
  Entry& entry = found->second;
  entry.asking = false;
  if (answer && conclude(id, over, *answer)) return;
  const auto* held = answer ? std::get_if<wallet::Held>(&*answer) : nullptr;
  if (held && !std::exchange(entry.held, true)) {
    entry.watched.held({.payment_hash = id, .amount = held->amount, .evidence = held->evidence});
  }
  if (!answer || std::holds_alternative<wallet::Unknown>(*answer)) {
    entry.wallet = next_wallet(entry.watched.invoice.wallet, entry.wallet);
  }
  if (core::canary(core::Canary::expired_unwatched) && scheduler_.now() >= entry.watched.give_up_at) return;
  ask_after(id, entry.news ? 0 : pause_ms(entry));
}

// True when the answer ends the watching. An answer to a question asked before the end proves no expiry, and a wallet
// that does not know the invoice proves nothing.
bool Settlements::conclude(const base::Hash256& id, bool over, const wallet::LookupAnswer& answer) {
  const auto* settled = std::get_if<ledger::InvoiceSettled>(&answer);
  const std::string* unpaid = nullptr;
  if (const auto* expired = over ? std::get_if<wallet::Expired>(&answer) : nullptr) unpaid = &expired->evidence;
  if (const auto* given_back = std::get_if<wallet::GivenBack>(&answer)) unpaid = &given_back->evidence;
  if (!settled && !unpaid) return false;
  const Watched watched = entries_.at(id).watched;
  if (!core::canary(core::Canary::settlement_counted_twice)) entries_.erase(id);
  if (settled) {
    watched.settled(*settled);
  } else {
    watched.never_paid({.payment_hash = id, .evidence = *unpaid});
  }
  return true;
}

void Settlements::ask_after(const base::Hash256& id, std::int64_t delay_ms) {
  const std::uint64_t timer = ++entries_.at(id).timer;
  scheduler_.after(delay_ms, lifetime_.guard([this, id, timer] {
    const auto found = entries_.find(id);
    if (found != entries_.end() && found->second.timer == timer) ask(id);
  }));
}

std::int64_t Settlements::pause_ms(const Entry& entry) const {
  // That a payment waits is not what every wallet pushes.
  const bool told = entry.wallet->abilities().pushes && !entry.watched.invoice.hold;
  const std::int64_t shortest = told ? kShortestPollBesidePushMs : kShortestPollMs;
  return std::clamp((scheduler_.now() - entry.watched.since) / 20, shortest, kLongestPollMs);
}

void Settlements::on_news(const std::optional<base::Hash256>& id) {
  if (id && !entries_.contains(*id)) return;
  const auto first = id ? entries_.find(*id) : entries_.begin();
  const auto last = id ? std::next(first) : entries_.end();
  std::int64_t delay_ms = 0;
  for (auto one = first; one != last; ++one, delay_ms += kBetweenLookUpsMs) {
    one->second.news = true;
    if (!one->second.asking) ask_after(one->first, delay_ms);
  }
}

}  // namespace runtime
