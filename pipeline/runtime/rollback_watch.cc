#include "pipeline/runtime/rollback_watch.h"

#include <algorithm>

#include "pipeline/core/canary.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip78.h"
#include "pipeline/nostr/nip90_answer.h"
#include "pipeline/runtime/rollback_evidence.h"

namespace runtime {

using base::Result;
using base::TimeMs;
using nostr::Event;

namespace {

// Of each kind, the newest: what a ledger lost is newer than what it has.
constexpr std::uint64_t kMostNotices = 100;

constexpr std::string_view kHelp =
    "If a backup was put back, start once with `serve --accept-rollback`: each job that was open is closed, and what "
    "is "
    "paid for one is owed back. If another machine serves with this key, stop it first.";

// Our clock may be late by so much against the one that signed what was lost. If that one was ahead by more, it does
// not keep new requests out.
constexpr std::int64_t kFarthestClockMs = base::kHourMs;
constexpr std::int64_t kLongestPauseMs = 5 * base::kMinuteMs;  // before a relay is asked again

std::int64_t first_second_from(TimeMs time) {
  return (time.ms + 999) / 1000;
}

}  // namespace

struct RollbackWatch::Round {
  std::string relay;
  Past past;
  std::vector<nostr::Filter> filters;  // still to be asked, the last first
};

RollbackWatch::RollbackWatch(Ports ports, Options options, Hooks hooks)
    : ports_(std::move(ports)), options_(std::move(options)), hooks_(std::move(hooks)) {
  for (const std::string& url : options_.own_relays) relays_[url];
}

void RollbackWatch::start() {
  for (const auto& [url, relay] : relays_) ask(url);
  ports_.ask_wallet(lifetime_.guard([this] { wallet_asked(); }));
  ports_.scheduler.after(kOpenWithinMs, lifetime_.guard([this] { open(); }));
  ports_.scheduler.after(kReleaseWithinMs, lifetime_.guard([this] { release(); }));
}

// ---- asking a relay -------------------------------------------------------------------------------------------------

Result<std::optional<RollbackWatch::Past>> RollbackWatch::past() const {
  const auto size = ports_.reader.size();
  if (!size) return tl::unexpected(size.error());
  if (*size == 0) return std::optional<Past>();
  const auto first = ports_.reader.beginning();
  if (!first) return tl::unexpected(first.error());
  const auto accepted = ports_.accepted();
  if (!accepted) return tl::unexpected(accepted.error());
  const TimeMs covered = std::max(covered_, *accepted ? (*accepted)->covers : TimeMs{});
  return Past{.first_entry = first->leaf, .counts_from = std::max(first->time, covered + 1)};
}

// A ledger without entries has no end to lose: there is nothing to ask.
void RollbackWatch::ask(const std::string& relay) {
  const auto past = this->past();
  if (!past) return refuse(past.error());
  if (refused_ || std::exchange(relays_.at(relay).asking, true)) return;
  auto round = std::make_shared<Round>(Round{.relay = relay, .past = past->value_or(Past{})});
  if (*past) {
    nostr::Filter notices{.authors = {options_.us},
                          .kinds = {nostr::kFeedbackKind},
                          .since_s = first_second_from(round->past.counts_from),
                          .limit = kMostNotices};
    round->filters.push_back(notices);
    notices.kinds = options_.result_kinds;
    round->filters.push_back(notices);
    round->filters.push_back(nostr::checkpoint_filter(options_.us, round->past.first_entry));
  }
  ask_next(round);
}

void RollbackWatch::ask_next(const std::shared_ptr<Round>& round) {
  if (round->filters.empty()) return ports_.scheduler.after(0, lifetime_.guard([this, round] { heard(round->relay); }));
  const nostr::Filter filter = std::move(round->filters.back());
  round->filters.pop_back();
  const auto answer = [this, round](const Result<std::vector<Event>>& events) {
    if (!events) {  // not reached, or it does not tell
      std::int64_t& pause_ms = relays_.at(round->relay).next_pause_ms;
      return ask_later(round->relay, std::exchange(pause_ms, std::min(2 * pause_ms, kLongestPauseMs)));
    }
    for (const Event& event : *events) {
      const auto evidence = judge(event, round->past);
      if (!evidence) return refuse(evidence.error());
      if (!*evidence || core::canary(core::Canary::rollback_unseen)) continue;
      found({round->relay + " has " + (*evidence)->what, (*evidence)->time});
      return ask_later(round->relay, 0);
    }
    ask_next(round);
  };
  ports_.relays.query(round->relay, filter, lifetime_.guard(answer));
}

void RollbackWatch::ask_later(const std::string& relay, std::int64_t delay_ms) {
  const unsigned pause = relays_.at(relay).pause = ++numbers_;
  ports_.scheduler.after(delay_ms, lifetime_.guard([this, relay, pause] {
    if (relays_.at(relay).pause == pause) end_pause(relay);
  }));
}

void RollbackWatch::end_pause(const std::string& relay) {
  relays_.at(relay).pause = 0;
  relays_.at(relay).asking = false;
  ask(relay);
}

void RollbackWatch::connected(const std::string& url) {
  Relay& relay = relays_.at(url);
  if (relay.answered || relay.connection > 0) return;
  const unsigned connection = relay.connection = ++numbers_;
  relay.next_pause_ms = kAskAgainMs;  // it is asked several times before it is read
  if (relay.pause > 0) end_pause(url);
  ports_.scheduler.after(kReadWithinMs, lifetime_.guard([this, url, connection] {
    if (relays_.at(url).connection == connection) let_read(url);
  }));
}

Result<std::optional<RollbackWatch::Evidence>> RollbackWatch::judge(const Event& event, const Past& past) const {
  std::optional<Evidence> nothing;
  if (event.pubkey != options_.us) return nothing;
  if (event.kind == nostr::kApplicationDataKind) return judge_checkpoint(event, past);
  if (!is_recorded_kind(event) || event.created_at < first_second_from(past.counts_from)) return nothing;
  const auto request = event.tag_value("e");
  const auto id = request ? base::JobId::from_hex(*request) : std::nullopt;
  if (!id) return nothing;
  const auto job = ports_.journal.job(*id);
  if (!job) return tl::unexpected(job.error());
  if (*job && has_notice(**job, event.id)) return nothing;
  return Evidence{"an answer to job " + id->hex() + ", signed with this key, that this ledger does not have",
                  TimeMs{event.created_at * 1000}};
}

Result<std::optional<RollbackWatch::Evidence>> RollbackWatch::judge_checkpoint(const Event& event,
                                                                               const Past& past) const {
  const auto published = ledger::verify_checkpoint(event.content, options_.us);
  if (!published || published->time < past.counts_from) return std::optional<Evidence>();
  const auto size = ports_.reader.size();
  if (!size) return tl::unexpected(size.error());
  std::optional<base::Hash256> root;
  if (published->size <= *size) {
    const auto tree = ports_.reader.tree();
    if (!tree) return tl::unexpected(tree.error());
    const auto there = tree->root_at(published->size, ports_.reader.tile_reader());
    if (!there) return tl::unexpected(there.error());
    root = *there;
  }
  const auto why = contradiction(*published, *size, root);
  return why ? std::optional(Evidence{*why, published->time}) : std::nullopt;
}

// ---- what was heard -------------------------------------------------------------------------------------------------

void RollbackWatch::heard(const std::string& url) {
  if (refused_) return;
  Relay& relay = relays_.at(url);
  relay.asking = false;
  relay.next_pause_ms = kAskAgainMs;
  relay.answered = true;
  if (!note_.empty()) give_checkpoint(url, [] {});
  let_read(url);
  proceed();
}

void RollbackWatch::let_read(const std::string& relay) {
  if (!refused_ && !std::exchange(relays_.at(relay).readable, true)) hooks_.readable();
}

void RollbackWatch::wallet_asked() {
  wallet_answered_ = true;
  proceed();
}

bool RollbackWatch::checked() const {
  return std::ranges::any_of(relays_, [](const auto& one) { return one.second.answered; });
}

bool RollbackWatch::all_checked() const {
  return std::ranges::all_of(relays_, [](const auto& one) { return one.second.answered; });
}

std::vector<std::string> RollbackWatch::readable() const {
  std::vector<std::string> out;
  for (const auto& [url, relay] : relays_) {
    if (relay.readable) out.push_back(url);
  }
  return out;
}

// Opens and releases as soon as enough have answered. With the operator's consent all are waited for: each of them may
// have evidence that the consent covers.
void RollbackWatch::proceed() {
  const bool all = all_checked() && wallet_answered_;
  if (all) open();
  if (options_.accept ? all : checked()) release();
}

void RollbackWatch::open() {
  if (opened_ || refused_) return;
  opened_ = true;
  hooks_.open();
  proceed();
}

void RollbackWatch::release() {
  if (released_ || refused_ || !opened_) return;
  released_ = true;
  hooks_.release();
}

void RollbackWatch::found(const Evidence& evidence) {
  if (refused_ || core::canary(core::Canary::rollback_unseen)) return;
  const auto past = this->past();
  const auto state = ports_.reader.state();
  if (!past || !state) return refuse(past ? state.error() : past.error());
  const bool covered = *past && evidence.time != TimeMs{} && evidence.time < (*past)->counts_from;
  if (covered) return;
  if (options_.accept && !released_) {
    const TimeMs now = ports_.scheduler.now();
    covered_ = std::max({covered_, now, evidence.time});
    return hooks_.accepted({.evidence = evidence.what,
                            .size = state->size,
                            .root = state->root,
                            .at = std::min(covered_, now + kFarthestClockMs),
                            .covers = covered_});
  }
  refuse({base::ErrorKind::invocation,
          "ledger.rollback",
          "this ledger went back in time: " + evidence.what,
          {},
          std::string(kHelp)});
}

void RollbackWatch::refuse(base::Error why) {
  if (!std::exchange(refused_, true)) hooks_.refused(std::move(why));
}

// ---- publishing -----------------------------------------------------------------------------------------------------

void RollbackWatch::publish(std::string note) {
  note_ = std::move(note);
  for (const auto& [url, relay] : relays_) {
    if (relay.answered) ask(url);
  }
}

void RollbackWatch::publish_last(std::string note, std::function<void()> done) {
  if (!note.empty()) note_ = std::move(note);
  const auto once = std::make_shared<std::function<void()>>(std::move(done));
  const auto end = [once] {
    if (*once) std::exchange(*once, nullptr)();
  };
  if (!checked() || note_.empty()) return ports_.scheduler.after(0, end);
  const auto open = std::make_shared<std::ptrdiff_t>(
      std::ranges::count_if(relays_, [](const auto& one) { return one.second.answered; }));
  for (const auto& [url, relay] : relays_) {
    if (!relay.answered) continue;
    give_checkpoint(url, [open, end] {
      if (--*open == 0) end();
    });
  }
  ports_.scheduler.after(kFarewellMs, end);
}

void RollbackWatch::give_checkpoint(const std::string& relay, const std::function<void()>& done) {
  const auto past = this->past();
  if (!past || !*past) return ports_.scheduler.after(0, done);
  const Event event =
      ports_.sign(nostr::checkpoint_event((*past)->first_entry, note_, ports_.scheduler.now().ms / 1000));
  ports_.relays.publish(relay, nostr::to_json(event), event.id, [done](const ledger::RelayAnswer&) { done(); });
}

}  // namespace runtime
