#include "cmd/provider/bookkeeper.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "base/scheduler.h"

namespace cmd {

using base::Result;
using replay::Reconciliation;

namespace {

constexpr std::int64_t kLookAgainMs = base::kDayMs;
constexpr std::int64_t kTryAgainMs = 10 * base::kMinuteMs;
constexpr std::int64_t kOverlapMs = 7 * base::kDayMs;  // some wallets list by when an invoice was made
constexpr std::int64_t kSettlingMs = 10'000;           // what is as young as this may not be on both sides yet
constexpr std::size_t kMostTold = 5;

std::string about(const replay::Difference& difference) {
  const bool orphan = difference.job.is_zero();
  return (orphan ? "payment hash " + difference.payment_hash.hex() : "job " + difference.job.hex()) + ": " +
         replay::phrase(difference);
}

std::string cursor_of(const std::string& kind) {
  return "books " + kind;
}

void add(Reconciliation& sum, Reconciliation one) {
  sum.matched += one.matched;
  sum.matched_amount += one.matched_amount;
  sum.others += one.others;
  sum.others_amount += one.others_amount;
  sum.forgotten += one.forgotten;
  sum.forgotten_amount += one.forgotten_amount;
  std::ranges::move(one.differences, std::back_inserter(sum.differences));
}

}  // namespace

Bookkeeper::Bookkeeper(boost::asio::io_context& io, base::Scheduler& scheduler, const ledger::KeyValue& store,
                       std::vector<wallet::Wallet*> wallets, replay::WalletHabits habits, Hooks hooks)
    : io_(io),
      scheduler_(scheduler),
      store_(store),
      wallets_(std::move(wallets)),
      kind_(wallets_.front()->kind()),
      habits_(habits),
      hooks_(std::move(hooks)) {
  std::erase_if(wallets_, [](const wallet::Wallet* one) { return !one->abilities().lists; });
  read_cursors();
}

// Without a cursor it begins where the last process ended: those of earlier versions kept none.
void Bookkeeper::read_cursors() {
  const ledger::Reader reader(store_);
  const auto state = reader.state();
  const bool used = state && state->size > 0;
  for (const wallet::Wallet* one : wallets_) {
    const auto cursor = reader.cursor(cursor_of(one->kind()));
    compared_until_[one->kind()] = cursor && *cursor ? **cursor
                                   : used            ? std::min(state->time, scheduler_.now())
                                                     : scheduler_.now();
  }
}

std::vector<std::pair<std::string, base::TimeMs>> Bookkeeper::cursors() const {
  std::vector<std::pair<std::string, base::TimeMs>> out;
  for (const auto& [kind, until] : compared_until_) out.emplace_back(cursor_of(kind), until);
  return out;
}

base::TimeMs Bookkeeper::since(const std::string& kind) const {
  return std::max(base::TimeMs{}, std::min(compared_until_.at(kind), scheduler_.now()) - kOverlapMs);
}

Bookkeeper::~Bookkeeper() {
  stop_ = true;
  if (reading_.joinable()) reading_.join();
}

void Bookkeeper::start(std::function<void()> looked) {
  if (wallets_.empty()) return scheduler_.after(0, std::move(looked));
  looked_ = std::move(looked);
  look_later(0);
}

void Bookkeeper::look_later(std::int64_t delay_ms) {
  scheduler_.after(delay_ms, lifetime_.guard([this] {
    ask_next(std::make_shared<Round>(Round{.until = scheduler_.now() - kSettlingMs}));
  }));
}

void Bookkeeper::ask_next(const std::shared_ptr<Round>& round) {
  if (round->asked == wallets_.size()) return compare(round);
  wallet::Wallet* const asked = wallets_[round->asked++];
  const auto answered = [this, round, asked](const Result<std::vector<wallet::PaidInvoice>>& listed) {
    if (!listed && asked->kind() == kind_) return tell(round, tl::unexpected(listed.error()));
    if (listed) {
      std::ranges::copy(*listed, std::back_inserter(round->lists[asked->kind()]));
    } else {
      round->left_out.insert(asked->kind());
    }
    ask_next(round);
  };
  asked->list_paid({.since = since(asked->kind())}, lifetime_.guard(answered));
}

void Bookkeeper::compare(const std::shared_ptr<Round>& round) {
  for (const auto& kind : round->left_out) round->lists.erase(kind);
  if (reading_.joinable()) reading_.join();  // of the round before, long done
  const auto compared = lifetime_.guard([this, round](const Result<Reconciliation>& books) { tell(round, books); });
  std::map<std::string, replay::Period> periods;
  for (const auto& [kind, list] : round->lists) periods[kind] = {.since = since(kind), .until = round->until};
  reading_ = std::thread([this, compared, round, periods] {
    Result<Reconciliation> books;
    for (const auto& [kind, period] : periods) {
      auto one = replay::reconcile(ledger::Reader(store_), {{kind, round->lists.at(kind)}}, period, habits_, &stop_);
      if (!one) books = tl::unexpected(one.error());
      if (!books) break;
      add(*books, std::move(*one));
    }
    if (books) std::erase_if(books->differences, &replay::Difference::watched);  // the runtime asks about those
    boost::asio::post(io_, [compared, books = std::move(books)] { compared(books); });
  });
}

void Bookkeeper::tell(const std::shared_ptr<Round>& round, const Result<Reconciliation>& books) {
  summary_ = {{"looked_at_ms", scheduler_.now().ms}};
  const bool passes =
      !books && (books.error().code == "wallet.unreachable" || books.error().code == "wallet.rate_limited");
  const bool first = looked_ != nullptr;
  look_later(passes ? kTryAgainMs : first ? kSettlingMs : kLookAgainMs);
  if (first) scheduler_.after(0, std::exchange(looked_, nullptr));
  if (!books) {
    summary_["trouble"] = books.error().message;
    return;
  }
  for (const auto& [kind, list] : round->lists) compared_until_[kind] = round->until;
  summary_["matched"] = books->matched;
  summary_["differences"] = books->differences.size();
  for (const replay::Difference& difference : books->differences) {
    if (difference.kind == replay::Difference::Kind::not_recorded)
      hooks_.unrecorded(difference.job, difference.payment_hash);
    if (difference.kind == replay::Difference::Kind::orphan) hooks_.orphan(difference);
  }
  for (std::size_t i = 0; i < std::min(kMostTold, books->differences.size()); ++i)
    hooks_.problem(about(books->differences[i]));
  if (books->differences.size() > kMostTold) {
    hooks_.problem("the wallet and the ledger differ in " + std::to_string(books->differences.size()) +
                   " payments: `sellcompute audit --wallet` names them all");
  }
}

}  // namespace cmd
