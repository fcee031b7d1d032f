// What can go wrong in the simulated world, how often under this seed, and how often it did.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "tests/sim/dice.h"

namespace sim {

enum class Mishap : std::size_t {
  relay_down,           // refuses the connection
  relay_dead,           // the connection loses everything from now on, both ways, and does not end
  relay_cut,            // ends in the middle of a frame
  relay_delays,         // a frame comes seconds late, after later ones
  relay_reorders,       // neighbouring frames change places
  relay_repeats,        // a frame comes twice
  relay_forges,         // an event with a wrong signature or a wrong id comes too
  relay_floods,         // more forged events come than any connection is kept for
  relay_chatters,       // more notices come than any connection is kept for
  relay_oversizes,      // an event larger than any that we read comes too
  relay_skews,          // an event from far in the future or the past comes too
  relay_auths,          // the connection must say who it is first
  relay_refuses,        // OK false
  relay_silent,         // a publication is never answered
  relay_closes,         // a subscription, when it should have delivered
  relay_rejects,        // a subscription is closed instead of answered, with words or without
  relay_notices,        // a subscription is answered by a notice alone
  relay_endless,        // the stored events come, and their end never does
  relay_limits_kinds,   // it takes few kinds and filters in a subscription, as long as it exists
  relay_wants_someone,  // it takes only filters with one author, one p or one e, as long as it exists
  relay_crowded,        // a stranger leaves more requests of one second than the relay sends at once
  relay_poisoned,       // a stranger leaves an event whose bytes no websocket takes
  backend_refuses,
  backend_stalls,
  backend_cuts,
  backend_error_line,
  backend_bad_json,
  backend_5xx,
  backend_busy,
  backend_without_text,  // it thinks, or says blanks, and ends well
  backend_never_ends,    // it thinks on and on
  backend_is_down,       // for a while, for everything
  backend_model_breaks,  // for a while a model that is listed answers nothing
  wallet_fails,          // to make an invoice
  wallet_loses_answer,   // the invoice is made, and nobody hears of it
  wallet_wrong_amount,
  wallet_unreachable,  // for a while, for everything
  wallet_throttles,    // it wants to be left alone, with or without saying for how long
  wallet_is_unable,    // for a while it lets us make no invoices, or look up none either
  wallet_late,         // the payment settles minutes later
  wallet_after_expiry,
  wallet_tells_twice,
  wallet_loses_push,
  wallet_never_settles,  // the payment is stuck, and then fails
  wallet_forgets,        // an invoice, for hours or for ever
  wallet_loses_hold,     // the network gives back what is held
  wallet_fails_hold,     // to take what is held, or to give it back
  payer_refuses,         // to pay back
  payer_loses_order,     // it never hears that it is to pay back
  payer_loses_answer,    // it pays back, and nobody hears of it
  payer_fails,           // the payment is under way, and then fails
  payer_is_slow,         // it is under way for up to an hour
  web_fails,
  web_late,       // after longer than a job's inputs are waited for
  web_too_large,  // a page that is longer than a prompt may be
  store_write_fails,
  store_fsync_fails,  // and the bytes are there after all
  store_no_space,     // for a while
  store_read_fails,   // as RocksDB fails when a block's checksum is wrong
  store_flips_bit,
  store_torn_tail,  // the process dies in a commit, and the batch is lost
  process_dies,     // between any two steps
  process_dies_after_commit,
  process_dies_in_recovery,
  process_restart_storm,
  clock_jumps_ahead,
  clock_jumps_back,
  clock_ran_ahead,     // by hours, and is set right
  customer_cancels,    // takes the request back, at any time
  customer_pays_less,  // than the invoice asks for, and the wallet takes it
  customer_pays_more,
  customer_pays_late,        // shortly before the invoice expires
  customer_defaults,         // from now on pays for nothing that was delivered
  customer_pings,            // asks whether we are there, once or without end
  operator_goes_offline,     // drains, and comes back online later, within one life
  operator_pays_back,        // what is owed, to an invoice of the customer's
  operator_repeats_invoice,  // pays back to one that was given before
  operator_prunes_texts,     // of jobs that have ended
  operator_closes_job,       // whose invoice has expired
  operator_retries_result,   // that no relay took
  operator_restores_backup,  // goes on with an older copy of the ledger
  operator_changes_machine,  // goes on with an older copy, and may come back to this one
  operator_is_in_a_hurry,    // goes offline as if the program ended: models are waited for no longer than then
  count
};
inline constexpr std::size_t kMishaps = static_cast<std::size_t>(Mishap::count);
std::string_view name(Mishap mishap);

using MishapCounts = std::array<std::uint64_t, kMishaps>;

class Faults {
 public:
  Faults() : dice_(0) {}  // nothing ever goes wrong
  // Some kinds, each with a rate of its own.
  explicit Faults(std::uint64_t seed);

  // Whether it happens this time; counted.
  bool strikes(Mishap mishap);
  // From now on all is well.
  void quiet() { rates_ = {}; }
  Dice& dice() { return dice_; }
  const MishapCounts& counts() const { return counts_; }

 private:
  Dice dice_;
  std::array<double, kMishaps> rates_{};
  MishapCounts counts_{};
};

}  // namespace sim
