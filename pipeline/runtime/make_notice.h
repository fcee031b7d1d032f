// From a job to the signed answer that is due, and from the ledger back to the very same signed bytes.
#pragma once

#include "base/random.h"
#include "pipeline/core/engine.h"
#include "pipeline/nostr/keys.h"
#include "pipeline/nostr/nip90_notice.h"

namespace runtime {

using base::Random;
using nostr::TextReader;

// Composes, signs and salts the notice that `work` asks for. It is given the work that its relays ask for (NIP-13,
// `pow_bits`), as far as that takes no more than a moment; beyond it they will refuse it. `targets`: the relays that
// are to have it.
base::Result<core::NoticeReady> make_notice(const core::Job& job, const core::Work& work, const core::Policy& policy,
                                            std::vector<std::string> targets, const TextReader& texts,
                                            const nostr::SecretKey& key, const Random& random, base::TimeMs now,
                                            unsigned pow_bits = 0);

}  // namespace runtime
