// Finds out whether this ledger lost its end: whether somebody put back an older copy, or another machine serves with
// the same key. At start it asks our own relays what they have of us, and keeps the shop closed for at most three
// seconds. Later it asks each relay again before it publishes a checkpoint there, so that our checkpoint never replaces
// one that is evidence. The simulator runs this code in virtual time.
#pragma once

#include <map>

#include "base/lifetime.h"
#include "base/scheduler.h"
#include "ledger/reader.h"
#include "pipeline/nostr/event.h"
#include "pipeline/nostr/nip90_answer.h"
#include "pipeline/nostr/relays.h"
#include "pipeline/runtime/journal.h"

namespace runtime {

class RollbackWatch {
 public:
  // The shop opens after this time even if no relay has answered.
  static constexpr std::int64_t kOpenWithinMs = 3'000;
  // Jobs from before go on after this time even if no relay has answered.
  static constexpr std::int64_t kReleaseWithinMs = 30'000;
  // A relay that was connected for this time is read even if it has not answered.
  static constexpr std::int64_t kReadWithinMs = 30'000;
  // The first pause before a relay that did not answer is asked again; doubled each time.
  static constexpr std::int64_t kAskAgainMs = 10'000;
  // The longest that publish_last() waits.
  static constexpr std::int64_t kFarewellMs = 2'000;

  // All outlive it.
  struct Ports {
    nostr::Relays& relays;
    base::Scheduler& scheduler;
    Journal& journal;
    ledger::Reader reader;
    // The last rollback of this ledger that was accepted.
    std::function<base::Result<std::optional<ledger::RollbackAccepted>>()> accepted;
    // Compares the wallet's list with the ledger, calls found() for what proves a rollback, then `done`.
    std::function<void(std::function<void()> done)> ask_wallet;
    std::function<nostr::Event(nostr::Unsigned)> sign;
  };
  struct Evidence {
    std::string what;   // for people: what it is, and where it was seen
    base::TimeMs time;  // when it was signed, by its signer's clock; zero: not known
  };
  struct Options {
    base::PublicKey us;
    std::vector<std::string> own_relays;
    std::vector<std::uint32_t> result_kinds = {nostr::kTextResultKind};  // of the jobs that are sold
    bool accept = false;  // by the operator: accept each rollback found before `release` is called; then open
  };
  struct Hooks {
    std::function<void()> open;              // once, in a later task than start(): the shop may open
    std::function<void()> release;           // once, after `open`: jobs of before may go on
    std::function<void()> readable = [] {};  // another relay is among readable()
    // A rollback was found, and the operator's word covers it: what was open is to be closed.
    std::function<void(ledger::RollbackAccepted)> accepted;
    // The process must end: a rollback was found ("ledger.rollback"), or the ledger could not be read. Called once,
    // perhaps long after `open`.
    std::function<void(base::Error)> refused;
  };

  RollbackWatch(Ports ports, Options options, Hooks hooks);

  // The relays are being dialled: asks them, and the wallet.
  void start();
  // An own relay is connected now: if it has not answered yet, it is asked at once.
  void connected(const std::string& url);
  void disconnected(const std::string& relay) { relays_.at(relay).connection = 0; }
  // Something shows that the ledger lost its end.
  void found(const Evidence& evidence);

  // Gives this signed checkpoint to each own relay, as soon as it has been asked again and nothing was found there.
  void publish(std::string note);
  // The same at the end, without asking again; an empty note stands for the last one. `done` is called when they have
  // answered, or after kFarewellMs.
  void publish_last(std::string note, std::function<void()> done);

  // Some own relay has answered, so that there was something to compare with.
  bool checked() const;
  bool all_checked() const;
  // The own relays whose requests may be taken. If this ledger lost its end, a relay again offers requests that the
  // lost part had already served. The same relay has the evidence of that. So it is read only after it has answered, or
  // has had kReadWithinMs to answer.
  std::vector<std::string> readable() const;

 private:
  struct Relay {
    bool asking = false;                       // until it has answered, pauses included
    unsigned pause = 0;                        // the number of the pause that it is in; 0: none
    std::int64_t next_pause_ms = kAskAgainMs;  // after the next failure
    unsigned connection = 0;                   // the number of its connection; 0: not connected
    bool answered = false;                     // since the start
    bool readable = false;
  };
  // What is asked of a relay, one after the other.
  struct Round;
  // The facts about the ledger with which events from relays are compared.
  struct Past {
    base::Hash256 first_entry;
    base::TimeMs counts_from;  // what was signed before is of another ledger, or was accepted
  };

  base::Result<std::optional<Past>> past() const;
  void ask(const std::string& relay);
  void ask_next(const std::shared_ptr<Round>& round);
  void ask_later(const std::string& relay, std::int64_t delay_ms);
  void end_pause(const std::string& relay);
  void heard(const std::string& url);
  void let_read(const std::string& relay);
  void wallet_asked();
  void refuse(base::Error why);
  base::Result<std::optional<Evidence>> judge(const nostr::Event& event, const Past& past) const;
  base::Result<std::optional<Evidence>> judge_checkpoint(const nostr::Event& event, const Past& past) const;
  void proceed();
  void open();
  void release();
  void give_checkpoint(const std::string& relay, const std::function<void()>& done);

  const Ports ports_;
  const Options options_;
  const Hooks hooks_;
  std::map<std::string, Relay> relays_;  // our own
  unsigned numbers_ = 0;                 // given to pauses and connections so far
  base::TimeMs covered_;                 // by what was accepted in this run
  bool wallet_answered_ = false;
  bool opened_ = false;
  bool released_ = false;
  bool refused_ = false;
  std::string note_;  // the checkpoint to be published; empty: none yet
  base::Lifetime lifetime_;
};

}  // namespace runtime
