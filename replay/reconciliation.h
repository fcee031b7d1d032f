// Compares the ledger with the wallet's own list of received payments.
#pragma once

#include <atomic>
#include <map>
#include <vector>

#include "ledger/reader.h"
#include "pipeline/wallet/preimage.h"

namespace replay {

struct Difference {
  enum class Kind {
    not_recorded,    // the wallet was paid for an invoice of ours; the ledger does not know it
    not_in_wallet,   // the ledger says settled, the wallet does not
    another_amount,  // both, but not for the same amount
    orphan,          // the description names a job of ours, but the ledger does not have the invoice
  };
  Kind kind = Kind::not_recorded;
  base::Hash256 payment_hash;
  base::JobId job;  // zero for orphans
  base::Msat in_ledger;
  base::Msat in_wallet;
  std::string job_digits = {};   // orphans only: the first digits of the job id in the description
  base::TimeMs settled_at = {};  // of orphans: by the wallet
  bool watched = false;          // not_recorded, and not concluded either: a running serve still asks about it
};
std::string_view name(Difference::Kind kind);
// "the wallet received 9 sat that the ledger does not know", for people.
std::string phrase(const Difference& difference);

struct Reconciliation {
  std::uint64_t matched = 0;  // settlements that both have
  base::Msat matched_amount;
  std::uint64_t others = 0;  // what was paid into the wallet for something else
  base::Msat others_amount;
  std::uint64_t forgotten = 0;  // settlements that the wallet no longer lists (WalletHabits::forgets_paid)
  base::Msat forgotten_amount;
  std::vector<Difference> differences;  // in the order of the ledger, then orphans
};

// By the wallet's clock.
struct Period {
  base::TimeMs since;  // the list starts here
  base::TimeMs until;  // later settlements are left to the next comparison: one side may not have them yet
};

// What the operator knows of the wallet.
struct WalletHabits {
  bool forgets_paid = false;  // it deletes paid invoices: the ledger keeps what it said of them
  bool shared = false;        // other ledgers use it: what it received for jobs that this one does not know is theirs
};

// The lists of the wallets, by kind: some invoices record no more of their wallet than its kind.
using WalletLists = std::map<std::string, std::vector<wallet::PaidInvoice>>;

// Compares what settled in that period in wallets of these kinds. Reads only the part of the ledger that it needs. If
// `stop` is set, it ends early with an incomplete result. Errors: what the store says.
base::Result<Reconciliation> reconcile(const ledger::Reader& reader, const WalletLists& lists, Period period,
                                       WalletHabits habits = {}, const std::atomic<bool>* stop = nullptr);

// The job whose lost invoice this orphan paid: our secret derives the orphan's preimage for this job, so the ledger
// must once have had the invoice. Returns nothing if anybody could have made the invoice, or if a rollback closed the
// job.
base::Result<std::optional<base::JobId>> job_of_lost_invoice(const ledger::Reader& reader, const Difference& orphan,
                                                             const wallet::PreimageOf& preimage_of);

}  // namespace replay
