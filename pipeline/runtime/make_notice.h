// Makes the signed answer that is due for a job. pipeline/nostr/nip90_notice.h reads it back from the ledger.
#pragma once

#include "base/random.h"
#include "pipeline/core/engine.h"
#include "pipeline/nostr/keys.h"
#include "pipeline/nostr/nip90_notice.h"

namespace runtime {

using base::Random;
using nostr::TextReader;

// What a notice is made with, besides its job.
struct NoticeInputs {
  std::vector<std::string> targets = {};  // the relays that are to have it
  TextReader texts;                       // reads the texts of the job
  const nostr::SecretKey& key;
  Random random;
  base::TimeMs now;
  std::int64_t delivery_deadline_ms = 0;  // how long it is offered to relays, from `now`
  unsigned pow_bits = 0;                  // proof of work that the relays require (NIP-13)
};

// Composes, signs and salts the notice that `work` asks for. Leaves out the proof of work if it would take too long. The
// relays then refuse the notice.
base::Result<core::NoticeReady> make_notice(const core::Job& job, const core::Work& work, NoticeInputs inputs);

}  // namespace runtime
