#include "pipeline/runtime/announcer.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip13.h"
#include "pipeline/nostr/nip65.h"

namespace runtime {

using base::Result;
using nostr::Event;
using nostr::required_pow;

namespace {

constexpr std::int64_t kFirstPauseMs = 2'000;  // long enough for a relay to show what it took
constexpr std::int64_t kLongestPauseMs = 600'000;
constexpr std::int64_t kLookAgainMs = 3'600'000;  // relays forget
constexpr std::int64_t kPulseMs = 15'000;
constexpr std::int64_t kHeartbeatIntervalMs = nostr::kHeartbeatIntervalS * 1'000;
constexpr std::uint64_t kMaxHeld = 100;  // of our events that a relay is asked for

std::int64_t seconds(base::TimeMs time) {
  return time.ms / 1000;
}

std::int64_t pause_ms(std::uint32_t tries) {
  return std::min(kLongestPauseMs, kFirstPauseMs << std::min<std::uint32_t>(2 * tries, 16));
}

// NIP-01: of two of the same time the lower id stays.
bool newer(const Event& a, const Event& b) {
  return std::tie(b.created_at, a.id) < std::tie(a.created_at, b.id);
}

// An announcement that was withdrawn here, and not on every relay, comes back from the others: this one will never take
// it again, but a new one.
bool speaks_of_deletion(const std::string& refusal) {
  return refusal.find("delet") != std::string::npos;
}

}  // namespace

Announcer::Announcer(Ports ports, Options options) : ports_(std::move(ports)), options_(std::move(options)) {
  documents_.push_back({.what = "announcement",
                        .kind = nostr::kAnnouncementKind,
                        .d = options_.announcement.d,
                        .update = [this](const Event* existing) {
                          return nostr::updated_announcement(options_.announcement, existing);
                        }});
  documents_.push_back(
      {.what = "relay list", .kind = nostr::kRelayListKind, .needs_all = true, .update = [this](const Event* existing) {
         return nostr::updated_relay_list(options_.relays, existing);
       }});
  if (!options_.profile.says_nothing()) {
    documents_.push_back(
        {.what = "profile", .kind = nostr::kProfileKind, .needs_all = true, .update = [this](const Event* existing) {
           return nostr::updated_profile(options_.profile, existing);
         }});
  }
  for (const std::string& relay : options_.relays) {
    sites_.push_back({.relay = relay, .has = std::vector<base::EventId>(documents_.size())});
  }
}

void Announcer::start() {
  end_turn();
  withdrawn_ = false;
  tries_ = 0;
  sent_ = false;
  heartbeat_trouble_ = "no relay shows our announcement yet";
  look([this] { bring_up_to_date(); });
  pulse();
}

void Announcer::stop() {
  end_turn();
  heartbeat_trouble_ = "we do not sell now";
}

void Announcer::end_turn() {
  turn_.renew();
  heartbeat_under_way_ = false;
  if (!withdrawal_done_) return;
  auto report = visibility();
  for (Visibility& one : report) one.trouble = "not known: something else was asked for meanwhile";
  std::exchange(withdrawal_done_, nullptr)(std::move(report));
}

// ---- what the relays have -------------------------------------------------------------------------------------------

void Announcer::look(const std::function<void()>& then) {
  nostr::Filter filter{.authors = {options_.announcement.provider}, .limit = kMaxHeld};
  for (const Document& document : documents_) filter.kinds.push_back(document.kind);
  const auto open = std::make_shared<std::size_t>(sites_.size());
  for (Site& site : sites_) {
    ports_.relays.query(site.relay, filter,
                        turn_.guard([this, &site, open, then](const Result<std::vector<Event>>& events) {
                          hear(site, events);
                          if (--*open == 0) then();
                        }));
  }
}

void Announcer::hear(Site& site, const Result<std::vector<Event>>& events) {
  site.answered = events.has_value();
  if (!events) {
    site.trouble = events.error().message;
    return;
  }
  site.looked_at = ports_.scheduler.now();
  for (std::size_t i = 0; i < documents_.size(); ++i) {
    Document& document = documents_[i];
    const Event* held = nullptr;
    for (const Event& event : *events) {
      const bool same = event.pubkey == options_.announcement.provider && event.kind == document.kind &&
                        event.tag_value("d").value_or("") == document.d;
      if (same && (!held || newer(event, *held))) held = &event;
    }
    site.has[i] = held ? held->id : base::EventId{};
    if (held && (!document.newest || newer(*held, *document.newest))) document.newest = *held;
  }
}

void Announcer::bring_up_to_date() {
  for (Document& document : documents_) settle(document);
  const auto publications = missing();
  const bool just_sent = std::exchange(sent_, false);
  if (publications.empty() || just_sent)
    return look_again(publications.empty() && std::ranges::all_of(sites_, &Site::answered));
  sent_ = true;
  publish(publications, [this] { look_after(kFirstPauseMs); });
}

// Makes the newest say what it should.
void Announcer::settle(Document& document) {
  if (document.needs_all && !std::ranges::all_of(sites_, &Site::answered)) return;
  document.settled = true;
  const std::int64_t newest_s = document.newest ? document.newest->created_at : 0;
  const bool stands = document.newest && newest_s > document.deleted_at_s;
  const Event said = stands ? nostr::without_work(*document.newest) : Event{};
  auto update = document.update(stands ? &said : nullptr);
  if (!update && stands && document.lacks_work) {
    update = {.kind = document.kind, .tags = said.tags, .content = said.content};
  }
  document.lacks_work = false;
  if (!update) return;
  update->created_at_s = std::max({seconds(ports_.scheduler.now()), newest_s + 1, document.deleted_at_s + 1});
  document.newest = sign(std::move(*update));
  document.work_bits = required_pow(ports_.relays, options_.relays);
}

Event Announcer::sign(nostr::Unsigned event) {
  const unsigned bits = required_pow(ports_.relays, options_.relays);
  return ports_.sign(nostr::with_work(std::move(event), options_.announcement.provider, bits));
}

std::vector<Announcer::Publication> Announcer::missing() {
  std::vector<Publication> out;
  for (Site& site : sites_) {
    if (!site.answered) continue;
    const std::size_t before = out.size();
    for (std::size_t i = 0; i < documents_.size(); ++i) {
      const Document& document = documents_[i];
      if (!document.settled || !document.newest || site.has[i] == document.newest->id) continue;
      out.push_back({&site, *document.newest, document.what});
    }
    if (out.size() == before) {
      site.trouble.clear();
    } else if (sent_ && !site.refused) {
      site.trouble = "it took the " + out.back().what + ", and does not have it";
    }
  }
  return out;
}

void Announcer::look_again(bool in_order) {
  look_after(in_order ? kLookAgainMs : pause_ms(tries_));
  tries_ = in_order ? 0 : tries_ + 1;
  send_heartbeat_if_due();
}

void Announcer::look_after(std::int64_t delay_ms) {
  ports_.scheduler.after(delay_ms, turn_.guard([this] { look([this] { bring_up_to_date(); }); }));
}

void Announcer::publish(const std::vector<Publication>& publications, const std::function<void()>& then) {
  if (publications.empty()) return ports_.scheduler.after(0, turn_.guard(then));
  const auto open = std::make_shared<std::size_t>(publications.size());
  for (const Publication& one : publications) one.site->refused = false;
  for (const Publication& one : publications) {
    ports_.relays.publish(one.site->relay, nostr::to_json(one.event), one.event.id,
                          turn_.guard([this, open, then, one](const ledger::RelayAnswer& answer) {
                            if (!answer.accepted) on_refused(one, answer.message);
                            if (--*open == 0) then();
                          }));
  }
}

void Announcer::on_refused(const Publication& publication, const std::string& why) {
  publication.site->refused = true;
  publication.site->trouble = "the " + publication.what + " was not taken: " + why;
  for (Document& document : documents_) {
    const unsigned asked = ports_.relays.required_pow(publication.site->relay);
    if (document.newest && document.newest->id == publication.event.id && asked > document.work_bits) {
      document.lacks_work = true;
    }
  }
  if (publication.event.kind != nostr::kAnnouncementKind || !speaks_of_deletion(why)) return;
  std::int64_t& deleted_at_s = documents_.front().deleted_at_s;
  deleted_at_s = std::max(deleted_at_s, publication.event.created_at);
}

// ---- alive ----------------------------------------------------------------------------------------------------------

void Announcer::pulse() {
  send_heartbeat_if_due();
  ports_.scheduler.after(kPulseMs, turn_.guard([this] { pulse(); }));
}

void Announcer::send_heartbeat_if_due() {
  const bool shown = std::ranges::any_of(sites_, [this](const Site& site) { return visible(site); });
  // A last one in the future was sent before the clock was set back.
  const std::int64_t age_ms = last_heartbeat_ ? ports_.scheduler.now() - *last_heartbeat_ : kHeartbeatIntervalMs;
  const bool due = age_ms < 0 || age_ms >= kHeartbeatIntervalMs;
  if (!shown || heartbeat_under_way_) return;
  heartbeat_trouble_ = due ? ports_.obstacle() : "";
  if (due && heartbeat_trouble_.empty()) send_heartbeat();
}

void Announcer::send_heartbeat() {
  heartbeat_under_way_ = true;
  const base::TimeMs sent_at = ports_.scheduler.now();
  const Event beat = sign(nostr::heartbeat(options_.announcement.d, seconds(ports_.scheduler.now())));
  const auto open = std::make_shared<std::size_t>(sites_.size());
  const auto answered = turn_.guard([this, open, sent_at](const ledger::RelayAnswer& answer) {
    if (answer.accepted) {
      last_heartbeat_ = sent_at;
      heartbeat_trouble_.clear();
    } else if (last_heartbeat_ != sent_at) {
      heartbeat_trouble_ = "no relay took it: " + answer.message;
    }
    if (--*open == 0) heartbeat_under_way_ = false;
  });
  for (const Site& site : sites_) ports_.relays.publish(site.relay, nostr::to_json(beat), beat.id, answered);
  ports_.scheduler.after(kHeartbeatIntervalMs, turn_.guard([this] { send_heartbeat_if_due(); }));
}

// ---- taken back -----------------------------------------------------------------------------------------------------

void Announcer::withdraw(std::function<void(std::vector<Visibility>)> done) {
  end_turn();
  withdrawn_ = true;
  heartbeat_trouble_ = "our announcement is withdrawn";
  withdrawal_done_ = std::move(done);
  look([this] { send_withdrawal(); });
}

void Announcer::send_withdrawal() {
  Document& announcement = documents_.front();
  std::vector<base::EventId> known;
  for (const Site& site : sites_) {
    const base::EventId& id = site.has.front();
    if (!id.is_zero() && std::ranges::find(known, id) == known.end()) known.push_back(id);
  }
  announcement.deleted_at_s =
      std::max(seconds(ports_.scheduler.now()), announcement.newest ? announcement.newest->created_at : 0);
  announcement.newest.reset();
  const Event event = sign(
      nostr::withdrawal(options_.announcement.provider, options_.announcement.d, known, announcement.deleted_at_s));
  std::vector<Publication> publications;
  for (Site& site : sites_) {
    if (site.answered) publications.push_back({&site, event, "withdrawal"});
  }
  publish(publications, [this] {
    ports_.scheduler.after(kFirstPauseMs, turn_.guard([this] { look([this] { report_withdrawal(); }); }));
  });
}

void Announcer::report_withdrawal() {
  for (Site& site : sites_) {
    if (!site.answered) continue;
    if (site.has.front().is_zero()) {
      site.trouble.clear();
    } else if (!site.refused) {
      site.trouble = "it took the withdrawal, and still shows the announcement";
    }
  }
  std::exchange(withdrawal_done_, nullptr)(visibility());
}

// ---- seen -----------------------------------------------------------------------------------------------------------

bool Announcer::visible(const Site& site) const {
  const auto& newest = documents_.front().newest;
  return site.answered && newest && site.has.front() == newest->id;
}

std::vector<Visibility> Announcer::visibility() const {
  std::vector<Visibility> out;
  for (const Site& site : sites_) {
    out.push_back(
        {.relay = site.relay, .visible = visible(site), .looked_at = site.looked_at, .trouble = site.trouble});
  }
  return out;
}

}  // namespace runtime
