// How commands read the ledger, whether `serve` holds it or not, and how they find what was named by a few letters.
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

// The job that a person means: a unique prefix of its id (at least kMinPrefix digits), the id, note or nevent. Fails
// with "job.unknown" or "job.ambiguous".
inline constexpr std::size_t kMinPrefix = 2;
base::Result<base::JobId> find_job_id(const ledger::Reader& reader, const std::string& text);

// "job.unknown".
tl::unexpected<base::Error> unknown_job(const std::string& text);

// The customer that a person means: a unique prefix of the key in hex or of its npub, the key, npub or nprofile. Fails
// with "customer.unknown" or "customer.ambiguous".
base::Result<base::PublicKey> find_customer(const ledger::Reader& reader, const std::string& text);

}  // namespace cmd
