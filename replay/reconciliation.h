// The ledger against what a wallet itself lists as paid into it: whether both tell of the same money.
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
    orphan,          // paid for what calls itself a job of ours, with an invoice that the ledger never had
  };
  Kind kind = Kind::not_recorded;
  base::Hash256 payment_hash;
  base::JobId job;  // zero for orphans
  base::Msat in_ledger;
  base::Msat in_wallet;
  std::string job_digits = {};   // of orphans: how the id of the job begins that they call themselves one of
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
  std::uint64_t forgotten = 0;  // settlements that the wallet no longer lists, as the operator knows of it
  base::Msat forgotten_amount;
  std::vector<Difference> differences;  // in the order of the ledger, then orphans
};

// By the wallet's clock.
struct Period {
  base::TimeMs since;  // what is listed begins there
  base::TimeMs until;  // and what settled later is left to the next time: the list or the ledger may not have it yet
};

// What the operator knows of the wallet.
struct WalletHabits {
  bool forgets_paid = false;  // it deletes paid invoices: the ledger keeps what it said of them
  bool shared = false;        // other ledgers use it: what it received for jobs that this one does not know is theirs
};

// What the wallets of each kind list: an invoice remembers no more of its wallet.
using WalletLists = std::map<std::string, std::vector<wallet::PaidInvoice>>;

// Compares what settled in that period in wallets of these kinds. Reads no more of the ledger than that needs, and ends
// early, with no more than it knows, when `stop` is set. Errors: what the store says.
base::Result<Reconciliation> reconcile(const ledger::Reader& reader, const WalletLists& lists, Period period,
                                       WalletHabits habits = {}, const std::atomic<bool>* stop = nullptr);

// The job of this ledger for which our own secret makes the invoice that this orphan was paid to: the ledger had it once,
// and lost it. Nothing for an orphan that anybody may have made, and for jobs that a rollback closed.
base::Result<std::optional<base::JobId>> job_of_lost_invoice(const ledger::Reader& reader, const Difference& orphan,
                                                             const wallet::PreimageOf& preimage_of);

}  // namespace replay
