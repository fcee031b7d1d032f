// The answer while it grows, shown to a customer who asked to see it (NIP-90: 7000 with the status `partial`).
#pragma once

#include <memory>

#include "base/random.h"
#include "base/scheduler.h"
#include "pipeline/nostr/keys.h"
#include "pipeline/nostr/nip90_answer.h"
#include "pipeline/nostr/relays.h"

namespace runtime {

using base::Random;
using base::Scheduler;
using nostr::Relays;

// Publishes the whole text so far, at a bounded rate and with a bounded sum of bytes: each time it has grown by a
// tenth, at most once in kPartialIntervalMs. Each text is sent to each relay once; a relay that refuses one gets no
// more. Nothing is recorded: partials are a courtesy, and the result is the answer.
inline constexpr std::int64_t kPartialIntervalMs = 1'000;
inline constexpr std::int64_t kPartialLifeMs = 10 * base::kMinuteMs;  // relays may forget it then (NIP-40)

class Partials {
 public:
  // `key` and the ports outlive it. For an encrypted job, `form` is the encryption of the request, and each text is
  // encrypted in it.
  Partials(Relays& relays, Scheduler& scheduler, Random random, const nostr::SecretKey& key, nostr::RequestRef about,
           ledger::Encryption form, std::vector<std::string> targets);

  // The answer so far. A failure to encrypt or to publish shows nothing, and is no failure of the job.
  void grow(std::string_view text);
  // How many were written to a live connection of some relay: the customer may have seen them, whatever that relay
  // answers. A relay of the customer's own choice may answer nothing.
  std::uint32_t shown() const { return state_->shown; }

 private:
  // State that a relay's late answer can still use after this object is destroyed.
  struct State {
    std::vector<std::string> targets;
    std::uint32_t shown = 0;
  };
  void publish(const nostr::Event& event);

  Relays& relays_;
  Scheduler& scheduler_;
  Random random_;
  const nostr::SecretKey& key_;
  nostr::RequestRef about_;
  ledger::Encryption form_;
  std::shared_ptr<State> state_;
  std::size_t next_bytes_ = 1;
  base::TimeMs next_at_;
};

}  // namespace runtime
