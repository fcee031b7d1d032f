#include "pipeline/runtime/settlements.h"

#include <algorithm>

#include "base/check.h"
#include "base/scheduler.h"
#include "pipeline/core/canary.h"

namespace runtime {

using base::TimeMs;

namespace {

constexpr std::int64_t kShortestPollMs = 1'000;
constexpr std::int64_t kShortestPollBesidePushMs = 5'000;
constexpr std::int64_t kLongestPollMs = 30'000;
constexpr std::int64_t kLongestLatePollMs = 3'600'000;
constexpr std::int64_t kTurnMs = 1'000 / kLookUpsPerSecond;
constexpr std::int64_t kBurstMs = 1'000;  // turns that were not used may be taken at once, up to those of a second
constexpr std::uint64_t kLateTurn = 4;    // one turn in so many is a late invoice's, should both kinds wait
constexpr std::int64_t kLongestTimerMs = 60'000;  // the clock may be set meanwhile

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
  const TimeMs unknown_since = watched.unknown_since;
  const auto [entry, added] = entries_.try_emplace(id, Entry{.watched = std::move(watched),
                                                             .wallet = first,
                                                             .unknown = unknown_since != TimeMs{},
                                                             .unknown_since = unknown_since});
  if (!added) return true;
  enqueue(id, entry->second, 0);
  ask_due();
  return true;
}

void Settlements::forget(const base::Hash256& id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  leave_queue(id, found->second);
  entries_.erase(found);
}

// Of this kind, the one that comes after, round and round; null: there is none.
wallet::Wallet* Settlements::next_wallet(const std::string& kind, const wallet::Wallet* after) const {
  std::vector<wallet::Wallet*> of_kind;
  std::ranges::copy_if(wallets_, std::back_inserter(of_kind), [&](const auto* one) { return one->kind() == kind; });
  if (of_kind.empty()) return nullptr;
  const auto found = std::ranges::find(of_kind, after);
  return found == of_kind.end() || std::next(found) == of_kind.end() ? of_kind.front() : *std::next(found);
}

// ---- one look-up ----------------------------------------------------------------------------------------------------

void Settlements::ask(const base::Hash256& id) {
  Entry& entry = entries_.at(id);
  CHECK(entry.queue);  // else it is being asked about
  leave_queue(id, entry);
  entry.news = false;
  const bool over = is_over(entry);
  entry.wallet->look_up(entry.watched.invoice,
                        lifetime_.guard([this, id, over](const base::Result<wallet::LookupAnswer>& answer) {
                          answered(id, over, answer);
                        }));
}

void Settlements::answered(const base::Hash256& id, bool over, const base::Result<wallet::LookupAnswer>& answer) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;  // told twice
  Entry& entry = found->second;
  if (answer && conclude(id, over, *answer)) return;
  const auto* held = answer ? std::get_if<wallet::Held>(&*answer) : nullptr;
  if (held && !std::exchange(entry.held, true)) {
    entry.watched.held({.payment_hash = id, .amount = held->amount, .evidence = held->evidence});
  }
  if (!answer || std::holds_alternative<wallet::Unknown>(*answer)) {
    entry.wallet = next_wallet(entry.watched.invoice.wallet, entry.wallet);
  }
  if (core::canary(core::Canary::expired_unwatched) && is_over(entry)) return;
  enqueue(id, entry, entry.news ? 0 : pause_ms(entry));
  arm(scheduler_.now());
}

// True when the answer ends the watching. An answer to a question asked before the end proves no expiry.
bool Settlements::conclude(const base::Hash256& id, bool over, const wallet::LookupAnswer& answer) {
  Entry& entry = entries_.at(id);
  const auto* settled = std::get_if<ledger::InvoiceSettled>(&answer);
  std::optional<ledger::InvoiceExpired> expiry;
  if (const auto* expired = over ? std::get_if<wallet::Expired>(&answer) : nullptr) expiry = {id, expired->evidence};
  if (const auto* given_back = std::get_if<wallet::GivenBack>(&answer)) expiry = {id, given_back->evidence};
  if (over && forgotten_for_good(entry, answer)) {
    expiry = {.payment_hash = id,
              .evidence = "unknown to the wallet since " + std::to_string(entry.unknown_since.ms) + " ms",
              .basis = ledger::ExpiryBasis::unknown_to_wallet};
  }
  if (!settled && !expiry) return false;
  const Watched watched = entry.watched;
  if (!core::canary(core::Canary::settlement_counted_twice)) {
    leave_queue(id, entry);
    entries_.erase(id);
  }
  if (settled) {
    watched.settled(*settled);
  } else {
    watched.never_paid(*expiry);
  }
  return true;
}

// "Unknown" proves nothing at once: a wallet may be behind, or be restored. Said for a day by the account that made the
// invoice, it is its end.
bool Settlements::forgotten_for_good(Entry& entry, const wallet::LookupAnswer& answer) {
  if (!asks_its_maker(entry)) return false;
  if (!std::holds_alternative<wallet::Unknown>(answer)) {
    entry.unknown = false;
    entry.unknown_answers = 0;
    entry.unknown_since = {};
    return false;
  }
  if (entry.unknown_since == TimeMs{}) entry.unknown_since = scheduler_.now();
  if (++entry.unknown_answers >= kUnknownBeforeNoLimit && !std::exchange(entry.unknown, true)) {
    entry.watched.unknown({.payment_hash = entry.watched.invoice.payment_hash});
  }
  if (core::canary(core::Canary::unknown_is_the_end)) return true;
  return entry.unknown_answers >= kUnknownBeforeEnd && scheduler_.now() - entry.unknown_since >= kUnknownBeforeEndMs;
}

// Where the ledger does not name the account, the only one of its kind.
bool Settlements::asks_its_maker(const Entry& entry) const {
  const ledger::InvoiceIssued& invoice = entry.watched.invoice;
  if (!invoice.wallet_account.empty()) return invoice.wallet_account == entry.wallet->account();
  return std::ranges::count_if(wallets_, [&](const auto* one) { return one->kind() == invoice.wallet; }) == 1;
}

// ---- whose turn it is -----------------------------------------------------------------------------------------------

std::int64_t Settlements::pause_ms(const Entry& entry) const {
  // That a payment waits is not what every wallet pushes.
  const bool told = entry.wallet->abilities().pushes && !entry.watched.invoice.hold;
  const std::int64_t shortest = told ? kShortestPollBesidePushMs : kShortestPollMs;
  const std::int64_t longest = is_over(entry) ? kLongestLatePollMs : kLongestPollMs;
  return std::clamp((scheduler_.now() - entry.watched.since) / 20, shortest, longest);
}

void Settlements::enqueue(const base::Hash256& id, Entry& entry, std::int64_t delay_ms) {
  leave_queue(id, entry);
  entry.due = scheduler_.now() + delay_ms;
  entry.queue = is_over(entry) ? &late_ : &young_;
  entry.queue->emplace(entry.due, id);
  CHECK(young_.size() + late_.size() <= entries_.size(), young_.size(), late_.size(), entries_.size());
}

void Settlements::leave_queue(const base::Hash256& id, Entry& entry) {
  if (!entry.queue) return;
  const std::size_t erased = entry.queue->erase({entry.due, id});
  CHECK(erased == 1, entry.due);
  entry.queue = nullptr;
}

// Young invoices come first, but never push late ones out.
Settlements::Queue* Settlements::next_queue(TimeMs now) {
  const auto is_due = [now](const Queue& queue) { return !queue.empty() && queue.begin()->first <= now; };
  const bool late_first = turns_ % kLateTurn == 0 && is_due(late_);
  if (is_due(young_) && !late_first) return &young_;
  return is_due(late_) ? &late_ : nullptr;
}

void Settlements::ask_due() {
  const TimeMs now = scheduler_.now();
  if (now < last_now_) ask_all_soon(now);
  last_now_ = now;
  next_turn_ = std::max(next_turn_, now);
  while (next_turn_ - now < kBurstMs) {
    const Queue* queue = next_queue(now);
    if (!queue) break;
    ++turns_;
    next_turn_ = next_turn_ + kTurnMs;
    ask(base::Hash256(queue->begin()->second));
  }
  arm(now);
}

// The clock was set back: what was to be asked about later would wait too long.
void Settlements::ask_all_soon(TimeMs now) {
  next_turn_ = now;
  for (auto& [id, entry] : entries_) {
    if (entry.queue && entry.due > now) enqueue(id, entry, std::min(entry.due - now, pause_ms(entry)));
  }
}

void Settlements::arm(TimeMs now) {
  std::optional<TimeMs> next;
  for (const Queue* queue : {&young_, &late_}) {
    if (!queue->empty()) next = std::min(next.value_or(queue->begin()->first), queue->begin()->first);
  }
  if (!next) return;
  const TimeMs at = std::max({*next, now, next_turn_ + (kTurnMs - kBurstMs)});
  if (armed_ && *armed_ <= at) return;
  armed_ = at;
  scheduler_.after(std::min(at - now, kLongestTimerMs), lifetime_.guard([this, at] {
    if (armed_ == at) armed_.reset();
    ask_due();
  }));
}

void Settlements::look(const base::Hash256& id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  found->second.news = true;
  if (!found->second.queue) return;  // it is being asked about, and will be again
  scheduler_.after(0, lifetime_.guard([this, id] {
    const auto entry = entries_.find(id);
    if (entry != entries_.end() && entry->second.queue) ask(id);
  }));
}

// After a lost connection those that may still be paid are looked at; late ones keep their pace.
void Settlements::on_news(const std::optional<base::Hash256>& id) {
  if (id) return look(*id);
  for (auto& [one, entry] : entries_) {
    entry.news = true;
    if (entry.queue == &young_) enqueue(one, entry, 0);
  }
  arm(scheduler_.now());
}

}  // namespace runtime
