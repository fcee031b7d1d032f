// Makes the signed answer that is due for a job. pipeline/nostr/nip90_notice.h reads it back from the ledger.
#pragma once

#include "base/random.h"
#include "pipeline/core/engine.h"
#include "pipeline/nostr/keys.h"
#include "pipeline/nostr/nip90_notice.h"

namespace runtime {

using base::Random;
using nostr::TextReader;

// Composes, signs and salts the notice that `work` asks for. Adds the proof of work that its relays require (NIP-13,
// `pow_bits`), unless that would take too long. The relays then refuse the notice. `targets`: the relays that are to
// have it.
base::Result<core::NoticeReady> make_notice(const core::Job& job, const core::Work& work, const core::Policy& policy,
                                            std::vector<std::string> targets, const TextReader& texts,
                                            const nostr::SecretKey& key, const Random& random, base::TimeMs now,
                                            unsigned pow_bits = 0);

}  // namespace runtime
