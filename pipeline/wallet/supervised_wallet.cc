#include "pipeline/wallet/supervised_wallet.h"

#include <algorithm>

#include "base/check.h"
#include "pipeline/core/canary.h"

namespace wallet {

using base::Error;
using base::ErrorKind;
using base::fail;
using base::Msat;
using base::Result;

namespace {

constexpr Msat kLeastProbe{1'000};
constexpr std::int64_t kProbeExpiryMs = 10 * base::kMinuteMs;
constexpr std::int64_t kFirstProbePauseMs = 60'000;
constexpr std::int64_t kLongestProbePauseMs = 10 * base::kMinuteMs;
constexpr std::size_t kMaxTold = 1'000;  // invoices
constexpr std::size_t kHashDigits = 16;

// Says nothing about what the wallet can do.
bool is_passing(const Error& error) {
  return error.code == "wallet.unreachable" || error.code == "wallet.rate_limited";
}

// An invoice that is over when it comes says nothing against the wallet: the shop may go on with what is open.
Error inability(const std::string& wallet, const Error& why) {
  const std::string what = "the wallet " + wallet + " cannot be sold with: an invoice to try it failed: " + why.message;
  if (why.code == "bolt11.expired")
    return {ErrorKind::payment, "wallet.clock", what, why.context, "see whether its clock and this machine's agree"};
  return {ErrorKind::config, "config.wallet_unable", what, why.context, why.hint};
}

}  // namespace

Result<void> check_told(const Wallet& wallet, const WalletStatus& told, const ShopNeeds& needs) {
  const std::string wanted(name(needs.network));
  if (!told.network.empty() && told.network != wanted) {
    return fail(ErrorKind::config, "config.wallet_network",
                "the wallet " + wallet.kind() + " is on " + told.network + ", and wallet.network is " + wanted,
                "wallet.network", "set wallet.network = \"" + told.network + "\", or use a wallet on " + wanted);
  }
  if (needs.hold && !wallet.abilities().holds) {
    return fail(ErrorKind::config, "config.escrow", "the wallet " + wallet.kind() + " cannot hold payments",
                "selling.payment_mode", "sell with payment_first or result_first, or with lnd, nwc or spark");
  }
  return {};
}

bool is_inability(const Error& error) {
  return error.kind == ErrorKind::config || error.code == "wallet.unauthorized";
}

SupervisedWallet::SupervisedWallet(std::unique_ptr<Wallet> behind, ShopNeeds needs, base::Scheduler& scheduler,
                                   base::Random random, std::function<void(const std::string&)> problem)
    : WalletInFront(std::move(behind)),
      needs_(needs),
      scheduler_(scheduler),
      random_(std::move(random)),
      problem_(std::move(problem)) {}

void SupervisedWallet::status(std::function<void(Result<WalletStatus>)> done) {
  behind().status(lifetime_.guard([this, done = std::move(done)](const Result<WalletStatus>& told) {
    if (!told) {
      if (!is_passing(told.error())) proven_ = false;
      return done(told);
    }
    if (const auto fits = check_told(*this, *told, needs_); !fits) {
      proven_ = false;
      trouble_ = fits.error();
      return done(tl::unexpected(fits.error()));
    }
    if (proven_ || core::canary(core::Canary::inability_ignored)) return done(told);
    const std::int64_t since_probe_ms = scheduler_.now() - probed_at_;  // negative: the clock was set back
    if (trouble_ && since_probe_ms >= 0 && since_probe_ms < probe_pause_ms_) return done(tl::unexpected(*trouble_));
    waiting_.push_back([done, told](const Result<void>& proof) {
      done(proof ? told : Result<WalletStatus>(tl::unexpected(proof.error())));
    });
    probe();
  }));
}

// ---- the probe ------------------------------------------------------------------------------------------------------

void SupervisedWallet::probe() {
  if (std::exchange(probing_, true)) return;
  InvoiceOrder order{.amount = std::max(minimum(), kLeastProbe).rounded_up_to(unit()),
                     .description = std::string(kProbeDescription) + ": never to be paid",
                     .expiry_ms = kProbeExpiryMs,
                     .hold = needs_.hold};
  order.job.bytes = random_().bytes;  // an order of its own, of no job
  behind().create_invoice(order,
                          lifetime_.guard([this, order](const Result<MadeInvoice>& made) { probe_made(order, made); }));
}

void SupervisedWallet::probe_made(const InvoiceOrder& order, const Result<MadeInvoice>& made) {
  const auto invoice = check(order, made);
  if (!invoice) return probe_ends(tl::unexpected(invoice.error()));
  behind().look_up(*invoice, lifetime_.guard([this, order](const Result<LookupAnswer>& answer) {
    if (order.hold) behind().give_back(order, [](const Result<void>&) {});
    if (answer && !std::holds_alternative<Unknown>(*answer)) return probe_ends({});
    if (!answer) return probe_ends(tl::unexpected(answer.error()));
    probe_ends(fail(ErrorKind::payment, "wallet.unknown", "it does not know an invoice that it has just made", {},
                    "see whether the wallet lets us look up invoices"));
  }));
}

void SupervisedWallet::probe_ends(const Result<void>& proof) {
  CHECK(probing_);  // a probe ends once
  probing_ = false;
  Result<void> verdict = proof;
  if (proof) {
    able();
  } else {
    if (!is_passing(proof.error())) verdict = tl::unexpected(inability(kind(), proof.error()));
    probe_pause_ms_ = std::clamp(2 * probe_pause_ms_, kFirstProbePauseMs, kLongestProbePauseMs);
    probed_at_ = scheduler_.now();
    trouble_ = verdict.error();
  }
  for (const auto& one : std::exchange(waiting_, {})) one(verdict);
}

Result<ledger::InvoiceIssued> SupervisedWallet::check(const InvoiceOrder& order,
                                                      const Result<MadeInvoice>& made) const {
  if (!made) return tl::unexpected(made.error());
  const auto invoice =
      check_invoice(made->bolt11, order.amount, {needs_.network}, scheduler_.now(), made->payment_hash);
  if (!invoice) return tl::unexpected(invoice.error());
  return ledger::InvoiceIssued{.purpose = order.purpose,
                               .attempt = order.attempt,
                               .wallet = kind(),
                               .bolt11 = made->bolt11,
                               .payment_hash = invoice->payment_hash,
                               .amount = order.amount,
                               .expires_at = invoice->expires_at(),
                               .reference = made->reference,
                               .hold = order.hold};
}

// ---- real invoices --------------------------------------------------------------------------------------------------

void SupervisedWallet::create_invoice(const InvoiceOrder& order, std::function<void(Result<MadeInvoice>)> done) {
  behind().create_invoice(order,
                          lifetime_.guard([this, order, done = std::move(done)](const Result<MadeInvoice>& made) {
                            count(check(order, made).map([](const auto&) {}));
                            done(made);
                          }));
}

// It may be the orders and not the wallet: the probe decides.
void SupervisedWallet::count(const Result<void>& made) {
  if (made) {
    failures_ = 0;
    if (!look_ups_refused_) able();  // else only a probe shows that what is paid would be seen
    return;
  }
  if (is_passing(made.error()) || ++failures_ < kFailuresBeforeProbe) return;
  failures_ = 0;
  problem_(std::to_string(kFailuresBeforeProbe) + " invoices in a row could not be made: " + made.error().describe());
  proven_ = false;
  probe();
}

void SupervisedWallet::able() {
  proven_ = true;
  look_ups_refused_ = false;
  probe_pause_ms_ = 0;
  trouble_.reset();
}

// ---- look-ups -------------------------------------------------------------------------------------------------------

void SupervisedWallet::look_up(const ledger::InvoiceIssued& invoice, std::function<void(Result<LookupAnswer>)> done) {
  behind().look_up(invoice,
                   lifetime_.guard([this, invoice, done = std::move(done)](const Result<LookupAnswer>& answer) {
                     if (answer) {
                       told_.erase(invoice.payment_hash);
                     } else if (!is_passing(answer.error())) {
                       tell_failure(invoice, answer.error());
                     }
                     done(answer);
                   }));
}

PaymentDoubts SupervisedWallet::doubts() const {
  return {.invoices = told_.size(), .reason = told_.empty() ? "" : told_.begin()->second};
}

void SupervisedWallet::tell_failure(const ledger::InvoiceIssued& invoice, const Error& error) {
  if (error.code == "wallet.unauthorized") {  // what is paid would not be seen
    look_ups_refused_ = true;
    proven_ = false;
  }
  if (told_.size() >= kMaxTold) told_.clear();  // those that go on are told again
  if (std::exchange(told_[invoice.payment_hash], error.message) == error.message) return;
  problem_("whether the invoice with the payment hash " + invoice.payment_hash.hex().substr(0, kHashDigits) +
           "… was paid is not known: " + error.describe());
}

}  // namespace wallet
