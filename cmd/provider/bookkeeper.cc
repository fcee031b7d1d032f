#include "cmd/provider/bookkeeper.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "base/scheduler.h"

namespace cmd {

using base::Result;
using replay::Reconciliation;

namespace {

constexpr std::int64_t kFirstLookMs = 10'000;  // by then what settled while we were away is in the ledger
constexpr std::int64_t kLookAgainMs = 24LL * 60 * 60 * 1000;
constexpr std::int64_t kTryAgainMs = 10LL * 60 * 1000;
constexpr std::int64_t kComparedMs = 7LL * 24 * 60 * 60 * 1000;
constexpr std::int64_t kSettlingMs = 10'000;  // what is as young as this may not be on both sides yet
constexpr std::size_t kMostTold = 5;

std::string about(const replay::Difference& difference) {
  const bool orphan = difference.job.is_zero();
  return (orphan ? "payment hash " + difference.payment_hash.hex() : "job " + difference.job.hex()) + ": " +
         replay::phrase(difference);
}

}  // namespace

Bookkeeper::Bookkeeper(boost::asio::io_context& io, base::Scheduler& scheduler, const ledger::KeyValue& store,
                       std::vector<wallet::Wallet*> wallets, Hooks hooks)
    : io_(io),
      scheduler_(scheduler),
      store_(store),
      wallets_(std::move(wallets)),
      kind_(wallets_.front()->kind()),
      hooks_(std::move(hooks)) {
  std::erase_if(wallets_, [](const wallet::Wallet* one) { return !one->abilities().lists; });
}

Bookkeeper::~Bookkeeper() {
  stop_ = true;
  if (reading_.joinable()) reading_.join();
}

void Bookkeeper::start() {
  if (!wallets_.empty()) look_later(kFirstLookMs);
}

void Bookkeeper::look_later(std::int64_t delay_ms) {
  scheduler_.after(delay_ms, lifetime_.guard([this] {
    const base::TimeMs now = scheduler_.now();
    ask_next(std::make_shared<Round>(Round{{.since = now - kComparedMs, .until = now - kSettlingMs}}));
  }));
}

void Bookkeeper::ask_next(const std::shared_ptr<Round>& round) {
  if (round->asked == wallets_.size()) return compare(round);
  wallet::Wallet* const asked = wallets_[round->asked++];
  const auto answered = [this, round, asked](const Result<std::vector<wallet::PaidInvoice>>& listed) {
    if (!listed && asked->kind() == kind_) return tell(tl::unexpected(listed.error()));
    if (listed) {
      std::ranges::copy(*listed, std::back_inserter(round->lists[asked->kind()]));
    } else {
      round->left_out.insert(asked->kind());
    }
    ask_next(round);
  };
  asked->list_paid(round->period.since, lifetime_.guard(answered));
}

void Bookkeeper::compare(const std::shared_ptr<Round>& round) {
  for (const auto& kind : round->left_out) round->lists.erase(kind);
  if (reading_.joinable()) reading_.join();  // of the round before, long done
  const auto compared = lifetime_.guard([this](const Result<Reconciliation>& books) { tell(books); });
  reading_ = std::thread([this, compared, round] {
    auto books = replay::reconcile(ledger::Reader(store_), round->lists, round->period, &stop_);
    if (books) std::erase_if(books->differences, &replay::Difference::watched);  // the runtime asks about those
    boost::asio::post(io_, [compared, books = std::move(books)] { compared(books); });
  });
}

void Bookkeeper::tell(const Result<Reconciliation>& books) {
  summary_ = {{"looked_at_ms", scheduler_.now().ms}};
  const bool passes = !books && books.error().code == "wallet.unreachable";
  look_later(passes ? kTryAgainMs : kLookAgainMs);
  if (!books) {
    summary_["trouble"] = books.error().message;
    return;
  }
  summary_["matched"] = books->matched;
  summary_["differences"] = books->differences.size();
  for (const replay::Difference& difference : books->differences) {
    if (difference.kind == replay::Difference::Kind::not_recorded)
      hooks_.unrecorded(difference.job, difference.payment_hash);
  }
  for (std::size_t i = 0; i < std::min(kMostTold, books->differences.size()); ++i)
    hooks_.problem(about(books->differences[i]));
  if (books->differences.size() > kMostTold) {
    hooks_.problem("the wallet and the ledger differ in " + std::to_string(books->differences.size()) +
                   " payments: `sellcompute audit --wallet` names them all");
  }
}

}  // namespace cmd
