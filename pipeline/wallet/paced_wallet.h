// Keeps to the number of calls that a wallet bears (Abilities::calls_per_minute), and leaves it alone for as long as it
// wishes after "wallet.rate_limited". When look-ups and pages of lists wait together with other calls, the two kinds
// are sent in turn. When only look-ups and pages wait, they may use only half of the calls that the wallet bears at
// once. So, however many there are, the next customer's invoice waits for at most one of them. Pure.
#pragma once

#include <deque>

#include "base/lifetime.h"
#include "base/scheduler.h"
#include "pipeline/wallet/wallet_in_front.h"

namespace wallet {

inline constexpr std::size_t kMaxCallsWaiting = 20'000;  // more fail with "wallet.unreachable"

class PacedWallet final : public WalletInFront {
 public:
  PacedWallet(std::unique_ptr<Wallet> behind, base::Scheduler& scheduler);

  // A refusal for being asked too often is not passed on at once: the order is given again after the pause, for as long
  // as a customer would wait for the invoice.
  void create_invoice(const InvoiceOrder& order, std::function<void(base::Result<MadeInvoice>)> done) override;
  void look_up(const ledger::InvoiceIssued& invoice, std::function<void(base::Result<LookupAnswer>)> done) override;
  // Returns the last status without a call if the wallet is pausing us, or if its calls are limited and it answered
  // within the last minute: in both cases it is reachable.
  void status(std::function<void(base::Result<WalletStatus>)> done) override;
  void list_paid(const ListOrder& order, std::function<void(base::Result<std::vector<PaidInvoice>>)> done) override;
  void take(const InvoiceOrder& order, std::function<void(base::Result<void>)> done) override;
  void give_back(const InvoiceOrder& order, std::function<void(base::Result<void>)> done) override;

 private:
  struct Call {
    int cost = 1;  // calls over the wire
    std::function<void()> send;
    std::function<void()> give_up;                  // too many wait, or it waited too long
    std::optional<base::TimeMs> worthless_at = {};  // then the caller no longer waits for it
  };

  void order_again(const InvoiceOrder& order, base::TimeMs since, std::function<void(base::Result<MadeInvoice>)> done,
                   const base::Result<MadeInvoice>& made);
  void enqueue(std::deque<Call>& queue, Call call);
  void send_waiting();
  void follow_clock();
  base::TimeMs earliest(const Call& call, bool look_up) const;
  void heard(const base::Error* error);

  template <class Answer, class Ask>
  Call call(int cost, Ask ask, std::function<void(base::Result<Answer>)> done);

  base::Scheduler& scheduler_;
  std::deque<Call> urgent_;
  std::deque<Call> look_ups_;
  bool urgent_sent_last_ = false;
  base::TimeMs used_until_;    // when the calls so far would end, if sent one by one at the pace that the wallet bears
  base::TimeMs paused_until_;  // at the wallet's wish
  base::TimeMs last_now_;      // the clock may be set back
  std::int64_t pause_ms_ = 0;  // the last one; 0: it has answered since
  std::optional<WalletStatus> status_;
  base::TimeMs answered_at_;
  std::uint64_t timer_ = 0;  // which one counts
  base::Lifetime lifetime_;
};

}  // namespace wallet
