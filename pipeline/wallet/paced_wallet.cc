#include "pipeline/wallet/paced_wallet.h"

#include <algorithm>

#include "base/check.h"
#include "pipeline/core/canary.h"
#include "pipeline/wallet/replies.h"

namespace wallet {

using base::kMinuteMs;
using base::Result;
using base::TimeMs;

namespace {

constexpr std::int64_t kFirstPauseMs = 5'000;  // where the wallet does not say how long; then twice as long each time
constexpr std::int64_t kLongestPauseMs = kMinuteMs;
constexpr std::int64_t kOrderPatienceMs = 20'000;
constexpr int kCallsOfAnOrder = 2;  // it is looked for before it is carried out
constexpr int kCallsOfAStatus = 2;  // the node, and the balance

template <class Answer>
const base::Error* error_of(const Result<Answer>& answer) {
  return answer ? nullptr : &answer.error();
}

tl::unexpected<base::Error> too_many_wait() {
  return unreachable("too many questions wait for it");
}

bool is_limited(const base::Error* error) {
  return error && error->code == "wallet.rate_limited";
}

}  // namespace

PacedWallet::PacedWallet(std::unique_ptr<Wallet> behind, base::Scheduler& scheduler)
    : WalletInFront(std::move(behind)), scheduler_(scheduler) {}

template <class Answer, class Ask>
PacedWallet::Call PacedWallet::call(int cost, Ask ask, std::function<void(Result<Answer>)> done) {
  return {.cost = cost,
          .send =
              [this, ask = std::move(ask), done] {
                ask(std::function<void(Result<Answer>)>(lifetime_.guard([this, done](const Result<Answer>& answer) {
                  heard(error_of(answer));
                  done(answer);
                })));
              },
          .give_up = [done] { done(too_many_wait()); }};
}

void PacedWallet::create_invoice(const InvoiceOrder& order, std::function<void(Result<MadeInvoice>)> done) {
  const std::function<void(Result<MadeInvoice>)> made = [this, order, since = scheduler_.now(),
                                                         done = std::move(done)](const Result<MadeInvoice>& answer) {
    order_again(order, since, done, answer);
  };
  Call first = call<MadeInvoice>(
      kCallsOfAnOrder, [this, order](auto then) { behind().create_invoice(order, then); }, made);
  first.worthless_at = scheduler_.now() + kOrderPatienceMs;
  enqueue(urgent_, std::move(first));
}

void PacedWallet::order_again(const InvoiceOrder& order, TimeMs since, std::function<void(Result<MadeInvoice>)> done,
                              const Result<MadeInvoice>& made) {
  if (!is_limited(error_of(made)) || paused_until_ > since + kOrderPatienceMs) return done(made);
  const std::function<void(Result<MadeInvoice>)> again = [this, order, since, done](const Result<MadeInvoice>& answer) {
    order_again(order, since, done, answer);
  };
  Call next = call<MadeInvoice>(
      kCallsOfAnOrder, [this, order](auto then) { behind().create_invoice(order, then); }, again);
  next.worthless_at = since + kOrderPatienceMs;
  enqueue(urgent_, std::move(next));
}

void PacedWallet::look_up(const ledger::InvoiceIssued& invoice, std::function<void(Result<LookupAnswer>)> done) {
  enqueue(look_ups_, call<LookupAnswer>(
                         1, [this, invoice](auto then) { behind().look_up(invoice, then); }, std::move(done)));
}

void PacedWallet::status(std::function<void(Result<WalletStatus>)> done) {
  follow_clock();
  const TimeMs now = scheduler_.now();
  const bool heard_lately = abilities().calls_per_minute > 0 && now < answered_at_ + kMinuteMs;
  if (status_ && (heard_lately || now < paused_until_)) {
    return scheduler_.after(0, lifetime_.guard([done = std::move(done), last = *status_] { done(last); }));
  }
  const std::function<void(Result<WalletStatus>)> told = [this, done = std::move(done)](Result<WalletStatus> answer) {
    if (is_limited(error_of(answer)) && status_) return done(*status_);
    if (answer) status_ = *answer;
    done(std::move(answer));
  };
  enqueue(urgent_, call<WalletStatus>(
                       kCallsOfAStatus, [this](auto then) { behind().status(then); }, told));
}

void PacedWallet::list_paid(const ListOrder& order, std::function<void(Result<std::vector<PaidInvoice>>)> done) {
  ListOrder paced{.since = order.since, .next_page = [this](const std::function<void(Result<void>)>& ask) {
                    enqueue(look_ups_, {.send = [ask] { ask({}); }, .give_up = [ask] { ask(too_many_wait()); }});
                  }};
  enqueue(look_ups_, call<std::vector<PaidInvoice>>(
                         1, [this, paced](auto then) { behind().list_paid(paced, then); }, std::move(done)));
}

void PacedWallet::take(const InvoiceOrder& order, std::function<void(Result<void>)> done) {
  enqueue(urgent_, call<void>(
                       1, [this, order](auto then) { behind().take(order, then); }, std::move(done)));
}

void PacedWallet::give_back(const InvoiceOrder& order, std::function<void(Result<void>)> done) {
  enqueue(urgent_, call<void>(
                       1, [this, order](auto then) { behind().give_back(order, then); }, std::move(done)));
}

// ---- the pace -------------------------------------------------------------------------------------------------------

void PacedWallet::enqueue(std::deque<Call>& queue, Call call) {
  if (queue.size() >= kMaxCallsWaiting) return scheduler_.after(0, lifetime_.guard(std::move(call.give_up)));
  queue.push_back(std::move(call));
  send_waiting();
}

void PacedWallet::send_waiting() {
  const std::uint64_t timer = ++timer_;
  follow_clock();
  for (;;) {
    const TimeMs now = scheduler_.now();
    while (!urgent_.empty() && urgent_.front().worthless_at && *urgent_.front().worthless_at < now) {
      const Call late = std::move(urgent_.front());
      urgent_.pop_front();
      scheduler_.after(0, lifetime_.guard(late.give_up));
    }
    // In turn, when both wait: what nobody looks up is not seen to be paid.
    const bool look_up = urgent_.empty() || (urgent_sent_last_ && !look_ups_.empty());
    std::deque<Call>* const queue = look_up ? &look_ups_ : &urgent_;
    if (queue->empty()) return;
    const TimeMs at = earliest(queue->front(), look_up && urgent_.empty());
    if (at > now) {
      const bool ends_sooner = !urgent_.empty() && urgent_.front().worthless_at.value_or(at) < at;
      const TimeMs wake = ends_sooner ? *urgent_.front().worthless_at + 1 : at;
      return scheduler_.after(wake - now, lifetime_.guard([this, timer] {
        if (timer == timer_) send_waiting();
      }));
    }
    const Call next = std::move(queue->front());
    queue->pop_front();
    urgent_sent_last_ = !look_up;
    const int per_minute = abilities().calls_per_minute;
    if (per_minute > 0) used_until_ = std::max(used_until_, now) + next.cost * kMinuteMs / per_minute;
    next.send();
    if (timer != timer_) return;  // its answer has come already, and the rest was sent
  }
}

// When the clock is set back, pauses and pace go back with it: else the wallet would be left alone until the clock has
// caught up.
void PacedWallet::follow_clock() {
  const TimeMs now = scheduler_.now();
  const std::int64_t back_ms = std::max<std::int64_t>(0, last_now_ - now);
  last_now_ = now;
  if (back_ms == 0) return;
  for (TimeMs* time : {&used_until_, &paused_until_, &answered_at_}) *time = *time - back_ms;
  for (Call& call : urgent_) {
    if (call.worthless_at) *call.worthless_at = *call.worthless_at - back_ms;
  }
}

// The wallet bears as many calls at once as in a minute.
TimeMs PacedWallet::earliest(const Call& call, bool look_up) const {
  const int per_minute = abilities().calls_per_minute;
  CHECK(per_minute >= 0 && call.cost > 0, per_minute, call.cost);
  if (core::canary(core::Canary::pause_ignored)) return {};
  if (per_minute == 0) return paused_until_;
  const std::int64_t at_once_ms = look_up ? kMinuteMs / 2 : kMinuteMs;
  return std::max(paused_until_, used_until_ + call.cost * kMinuteMs / per_minute - at_once_ms);
}

void PacedWallet::heard(const base::Error* error) {
  follow_clock();
  const TimeMs now = scheduler_.now();
  if (!error) answered_at_ = now;
  if (!is_limited(error)) {
    if (!error) pause_ms_ = 0;
    return;
  }
  if (now >= paused_until_) pause_ms_ = std::clamp(2 * pause_ms_, kFirstPauseMs, kLongestPauseMs);
  paused_until_ = std::max(paused_until_, now + std::max(pause_ms_, asked_pause_ms(*error)));
}

}  // namespace wallet
