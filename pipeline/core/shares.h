// How much of each shared resource (the queue, open offers, the strangers' pool, error notices) a customer may take.
// Those who have paid have a reserve, strangers share one class, and one key never takes all of its class. A fresh key
// cannot be told from an attacker's, so when many ask at once, places go to keys that are drawn anew each minute, and
// to requests that bear proof of work (NIP-13). Pure functions.
#pragma once

#include "base/types.h"

namespace core {

using base::Hash256;
using base::Msat;
using base::PublicKey;

// What a customer has shown so far. The order of the values is the precedence.
enum class Standing : std::uint8_t {
  paid,    // has settled something lately, or this very job
  worked,  // a stranger whose request bears the work that was asked
  fresh,   // any other stranger
};

// Returns the part of a limit up to which a customer of this standing gets a place: all, three quarters, or half. The
// places of all strangers count toward it.
std::int64_t share_of_class(std::int64_t limit, Standing standing);
// Returns the part of a limit that one key of this standing may fill: half of its class's.
std::int64_t share_of_key(std::int64_t limit, Standing standing);

// What is taken of something already.
struct Taken {
  std::int64_t by_all = 0;
  std::int64_t by_strangers = 0;
  std::int64_t by_customer = 0;
};
// One more place is left for a customer of this standing; a share is one place at least.
bool has_place(std::int64_t limit, Standing standing, const Taken& taken);

// How many requests are recorded per hour.
struct EntryLimits {
  std::uint32_t per_key = 60;     // of one key that has never paid
  std::uint32_t strangers = 600;  // of all fresh keys together
};

// Which fresh keys are served this minute.
struct Draw {
  Hash256 secret;                        // random: nobody can choose a key that is drawn
  std::uint32_t chance_ppm = 1'000'000;  // of each key, in millionths
  std::uint32_t work_bits = 0;           // that a request of any other key must bear; 0: none is asked
};

// What strangers asked for within a minute.
struct Demand {
  std::uint64_t fresh_keys = 0;       // different ones
  std::uint64_t worked_requests = 0;  // with the work that was asked
};

// Every fresh key is drawn with the same chance, however often it asks.
bool is_drawn(const Draw& draw, const PublicKey& key);
// The next minute's draw, for so many places. The chance falls as the number of keys that asked rises. The required
// work rises while more requests bear it than there are places. It falls by one bit per minute when at most half as
// many bear it, or when the keys that ask are no longer too many.
Draw next_draw(const Draw& last, const Demand& demand, std::uint64_t places, const Hash256& secret);

}  // namespace core
