#include "cmd/text/journal.h"

#include <algorithm>
#include <ostream>

#include "cmd/text/humanize.h"
#include "cmd/text/when.h"

namespace cmd {
namespace {

using base::Msat;

// "-1234.5 sat": no commas, which hledger would have to be told of.
std::string plain_sats(Msat amount) {
  std::string out = sats(amount);
  std::erase(out, ',');
  return out;
}

void print_posting(std::ostream& out, const std::string& account, Msat amount) {
  constexpr std::size_t kAccountWidth = 30, kAmountWidth = 16;
  const std::string text = plain_sats(amount);
  const auto padding = [](std::size_t taken, std::size_t width) {
    return std::string(width - std::min(taken, width), ' ');
  };
  out << "    " << account << padding(account.size(), kAccountWidth) << "  " << padding(text.size(), kAmountWidth)
      << text << '\n';
}

void print_transaction(std::ostream& out, const replay::Payment& payment) {
  const std::string job = payment.job.hex();
  out << '\n'
      << local_time(payment.time).substr(0, 10) << " * " << (payment.refund ? "refund of job " : "job ")
      << short_id(job) << "  ; job:" << job << '\n';
  const Msat taken = Msat{} - payment.amount;
  print_posting(out, payment.refund ? "income:refunds" : "income:compute", payment.refund ? payment.amount : taken);
  if (payment.fee != Msat{}) print_posting(out, "expenses:fees", payment.fee);
  print_posting(out, "assets:lightning:" + payment.wallet, (payment.refund ? taken : payment.amount) - payment.fee);
}

}  // namespace

void print_journal(std::ostream& out, std::span<const replay::Payment> payments, replay::Money money) {
  const auto refunds = static_cast<std::uint64_t>(std::ranges::count_if(payments, &replay::Payment::refund));
  out << "; what sellcompute sold: " << counted(payments.size() - refunds, "payment") << " and "
      << counted(refunds, "refund") << " of " << (money == replay::Money::play ? "play" : "real") << " money\n"
      << "commodity 1000.000 sat\n";
  for (const replay::Payment& payment : payments) print_transaction(out, payment);
}

}  // namespace cmd
