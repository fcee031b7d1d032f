// How commands read the ledger, whether `serve` holds it or not, and how they find a job or a customer by a prefix.
#pragma once

#include "cmd/cli/command.h"
#include "ledger/reader.h"
#include "ledger/rocksdb_store.h"

namespace cmd {

struct OpenLedger {
  std::unique_ptr<ledger::RocksDbStore> store;
  ledger::Reader reader;
};

using ledger::Views;

// The ledger as it is now. Errors: those of ledger::open_reader and, where views are needed, "ledger.views_stale".
base::Result<OpenLedger> open_ledger(const Context& context, Views views = Views::needed);

// The prefix that names one or several jobs: the beginning of an id in hex or of a note, at least kMinPrefix
// characters. A whole note or nevent is converted to its id in hex. Anything else is a usage error.
inline constexpr std::size_t kMinPrefix = 2;
base::Result<std::string> job_prefix(const std::string& typed);
// Whether an id begins like this, in hex or as a note.
bool begins_with(const base::JobId& id, std::string_view prefix);

// The one job that a person means. Fails as job_prefix(), and with "job.unknown" or "job.ambiguous".
base::Result<base::JobId> find_job_id(const ledger::Reader& reader, const std::string& text);

// "job.unknown".
tl::unexpected<base::Error> unknown_job(const std::string& text);

// The customer that a person means: a unique prefix of the key in hex or of its npub (also as lists shorten it,
// "npub1wu7e…"), the key, npub or nprofile. Fails with "customer.unknown" or "customer.ambiguous".
base::Result<base::PublicKey> find_customer(const ledger::Reader& reader, const std::string& text);

}  // namespace cmd
