// From a job to the signed answer that is due, and from the ledger back to the very same signed bytes.
#pragma once

#include "pipeline/core/engine.h"
#include "pipeline/nostr/keys.h"
#include "pipeline/ports.h"

namespace runtime {

// Reads a text of the ledger that must be there.
using TextReader = std::function<ledger::Result<std::string>(const ledger::TextRef&)>;

// Composes, signs and salts the notice that `work` asks for. It is given the work that its relays ask for (NIP-13,
// `pow_bits`), as far as that takes no more than a moment; beyond it they will refuse it. `targets`: the relays that
// are to have it.
ledger::Result<core::NoticeReady> make_notice(const core::Job& job, const core::Work& work, const core::Policy& policy,
                                              std::vector<std::string> targets, const TextReader& texts,
                                              const nostr::SecretKey& key, const Random& random, ledger::TimeMs now,
                                              unsigned pow_bits = 0);

// The signed event of a notice, as JSON; fails when its texts are gone or do not give the id that was signed.
ledger::Result<std::string> notice_json(const core::Job& job, const ledger::NoticeSigned& notice,
                                        const ledger::PublicKey& provider, const TextReader& texts);

}  // namespace runtime
