#include "replay/reconciliation.h"

#include <algorithm>
#include <map>

#include "base/number_text.h"
#include "pipeline/core/pricing.h"
#include "replay/jobs_view.h"

namespace replay {
namespace {

using base::Hash256;
using base::Msat;
using base::Result;
using base::sats;
using base::TimeMs;

constexpr std::int64_t kClocksDifferMs = base::kHourMs;
constexpr std::size_t kJobDigits = 8;           // of its id, in the description of a job's invoice
constexpr std::size_t kMostCandidates = 4;      // jobs whose ids begin with the same digits
constexpr std::uint32_t kMostLostAttempts = 5;  // invoices of one job that a ledger can have lost

struct Known {
  base::JobId job;
  base::Seq seq = 0;
  TimeMs issued_at;
  std::optional<ledger::InvoiceSettled> settled;
  bool expired = false;
};

// The first entry that is not older: times never go back.
Result<base::Seq> position_of(const ledger::Reader& reader, TimeMs time, base::Seq size) {
  base::Seq first = 0;
  while (first < size) {
    const base::Seq middle = first + (size - first) / 2;
    const auto entry = reader.entry(middle);
    if (!entry) return tl::unexpected(entry.error());
    if (entry->header.time < time) {
      first = middle + 1;
    } else {
      size = middle;
    }
  }
  return first;
}

// The invoices of these kinds of wallets that can have been paid since then.
Result<std::map<Hash256, Known>> invoices_of(const ledger::Reader& reader, const WalletLists& lists, TimeMs since,
                                             const std::atomic<bool>* stop) {
  std::map<Hash256, Known> out;
  const auto size = reader.size();
  if (!size) return tl::unexpected(size.error());
  const auto first = position_of(reader, since - wallet::kOldestOpenMs, *size);
  if (!first) return tl::unexpected(first.error());
  const auto read = reader.for_each(*first, *size, [&](const ledger::Entry& entry) {
    if (const auto* issued = std::get_if<ledger::InvoiceIssued>(&entry.fact); issued && lists.contains(issued->wallet))
      out.try_emplace(issued->payment_hash,
                      Known{.job = entry.header.job, .seq = entry.seq, .issued_at = entry.header.time});
    if (const auto* settled = std::get_if<ledger::InvoiceSettled>(&entry.fact)) {
      if (const auto known = out.find(settled->payment_hash); known != out.end()) known->second.settled = *settled;
    }
    if (const auto* expired = std::get_if<ledger::InvoiceExpired>(&entry.fact)) {
      if (const auto known = out.find(expired->payment_hash); known != out.end()) known->second.expired = true;
    }
    return !stop || !*stop;
  });
  if (!read) return tl::unexpected(read.error());
  return out;
}

// What the wallet lists, against an invoice that the ledger has.
void compare(Reconciliation& out, const Known& known, const wallet::PaidInvoice& paid) {
  const Msat recorded = known.settled ? known.settled->received : Msat{};
  if (known.settled && recorded == paid.received) {
    ++out.matched;
    out.matched_amount += recorded;
    return;
  }
  out.differences.push_back({.kind = known.settled ? Difference::Kind::another_amount : Difference::Kind::not_recorded,
                             .payment_hash = paid.payment_hash,
                             .job = known.job,
                             .in_ledger = recorded,
                             .in_wallet = paid.received,
                             .watched = !known.settled && !known.expired});
}

// Whether a payment that calls itself one for a job of ours was for a job of this ledger. The description names its
// first digits.
Result<bool> is_for_us(const ledger::Reader& reader, const wallet::PaidInvoice& paid) {
  const std::string_view prefix = std::string_view(paid.description).substr(wallet::kJobDescription.size());
  return jobs_with_prefix(reader, prefix, 1).map([](const auto& jobs) { return !jobs.empty(); });
}

// What the wallet lists, and the ledger has no invoice for.
Result<void> compare_unknown(Reconciliation& out, const ledger::Reader& reader, const wallet::PaidInvoice& paid,
                             WalletHabits habits) {
  const bool for_a_job = paid.description.starts_with(wallet::kJobDescription);
  const auto ours = for_a_job && habits.shared ? is_for_us(reader, paid) : Result<bool>(for_a_job);
  if (!ours) return tl::unexpected(ours.error());
  if (*ours) {
    out.differences.push_back({.kind = Difference::Kind::orphan,
                               .payment_hash = paid.payment_hash,
                               .in_wallet = paid.received,
                               .job_digits = paid.description.substr(wallet::kJobDescription.size(), kJobDigits),
                               .settled_at = paid.settled_at});
    return {};
  }
  ++out.others;
  out.others_amount += paid.received;
  return {};
}

// What the ledger says that it settled, and the wallet does not list.
void compare_unlisted(Reconciliation& out, const Hash256& hash, const Known& known, WalletHabits habits) {
  const Msat received = known.settled->received;
  if (habits.forgets_paid) {
    ++out.forgotten;
    out.forgotten_amount += received;
    return;
  }
  out.differences.push_back(
      {.kind = Difference::Kind::not_in_wallet, .payment_hash = hash, .job = known.job, .in_ledger = received});
}

// Our secret makes the invoice of this orphan for one of the amounts that the job could have been invoiced for, as far
// as its facts tell, or for what was paid.
bool makes(const wallet::PreimageOf& preimage_of, const core::Job& job, const Difference& orphan) {
  const Msat amounts[] = {job.quote ? job.quote->price : orphan.in_wallet, orphan.in_wallet};
  const auto known = static_cast<std::uint32_t>(job.invoices.size());
  for (std::uint32_t attempt = 1; attempt <= known + kMostLostAttempts; ++attempt) {
    for (const Msat amount : amounts) {
      const auto preimage = preimage_of({.job = job.id, .attempt = attempt, .amount = amount});
      if (base::sha256(preimage.view()) == orphan.payment_hash) return true;
    }
  }
  return false;
}

// Some wallets list by when an invoice was made, and clocks differ.
bool settled_in(Period period, const Known& known) {
  return known.settled && known.issued_at >= period.since + kClocksDifferMs &&
         known.settled->settled_at <= period.until;
}

}  // namespace

std::string_view name(Difference::Kind kind) {
  switch (kind) {
    case Difference::Kind::not_recorded:
      return "not_recorded";
    case Difference::Kind::not_in_wallet:
      return "not_in_wallet";
    case Difference::Kind::another_amount:
      return "another_amount";
    case Difference::Kind::orphan:
      return "orphan";
  }
  return "unknown";
}

std::string phrase(const Difference& difference) {
  switch (difference.kind) {
    case Difference::Kind::not_recorded:
      return "the wallet received " + sats(difference.in_wallet) + " that the ledger does not know yet";
    case Difference::Kind::not_in_wallet:
      return "the ledger says that " + sats(difference.in_ledger) + " settled, the wallet does not list it";
    case Difference::Kind::another_amount:
      return "the ledger says " + sats(difference.in_ledger) + ", the wallet " + sats(difference.in_wallet);
    case Difference::Kind::orphan:
      return "the wallet received " + sats(difference.in_wallet) + " for an invoice that the ledger never had";
  }
  return {};
}

Result<Reconciliation> reconcile(const ledger::Reader& reader, const WalletLists& lists, Period period,
                                 WalletHabits habits, const std::atomic<bool>* stop) {
  const auto known = invoices_of(reader, lists, period.since, stop);
  if (!known) return tl::unexpected(known.error());
  std::map<Hash256, const wallet::PaidInvoice*> paid;
  for (const auto& [kind, listed] : lists) {
    for (const auto& one : listed) {
      if (one.settled_at <= period.until) paid.emplace(one.payment_hash, &one);
    }
  }

  std::vector<std::pair<Hash256, const Known*>> in_order;
  for (const auto& [hash, invoice] : *known) in_order.emplace_back(hash, &invoice);
  std::ranges::sort(in_order, {}, [](const auto& one) { return one.second->seq; });

  Reconciliation out;
  for (const auto& [hash, invoice] : in_order) {
    const auto found = paid.extract(hash);
    if (found) {
      compare(out, *invoice, *found.mapped());
    } else if (settled_in(period, *invoice)) {
      compare_unlisted(out, hash, *invoice, habits);
    }
  }
  for (const auto& [hash, one] : paid) {
    if (auto done = compare_unknown(out, reader, *one, habits); !done) return tl::unexpected(done.error());
  }
  return out;
}

Result<std::optional<base::JobId>> job_of_lost_invoice(const ledger::Reader& reader, const Difference& orphan,
                                                       const wallet::PreimageOf& preimage_of) {
  const auto ids = jobs_with_prefix(reader, orphan.job_digits, kMostCandidates);
  if (!ids) return tl::unexpected(ids.error());
  for (const base::JobId& id : *ids) {
    const auto job = find_job(reader, id);
    if (!job) return tl::unexpected(job.error());
    // One that the ledger has may be listed by a wallet of another kind, which its node is used through now.
    const bool candidate = *job && !(*job)->closed && !core::find_invoice(**job, orphan.payment_hash);
    if (candidate && makes(preimage_of, **job, orphan)) return std::optional(id);
  }
  return std::optional<base::JobId>();
}

}  // namespace replay
