// From the ledger back to the very bytes of an answer that was signed (NIP-90). Pure.
#pragma once

#include <functional>

#include "pipeline/core/job.h"

namespace nostr {

// Reads a text of the ledger that must be there.
using TextReader = std::function<base::Result<std::string>(const base::TextRef&)>;

// The signed event of a notice, as JSON; fails when its texts are gone or do not give the id that was signed.
base::Result<std::string> notice_json(const core::Job& job, const ledger::NoticeSigned& notice,
                                      const base::PublicKey& provider, const TextReader& texts);

}  // namespace nostr
