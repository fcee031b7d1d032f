#include "tests/sim/relay.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip42.h"
#include "pipeline/nostr/nip78.h"
#include "pipeline/nostr/relay/filter.h"
#include "pipeline/nostr/relay/session.h"
#include "tests/sim/world.h"

namespace sim {

using nlohmann::json;
using nostr::Event;

SimRelay::SimRelay(World& world, std::string url, std::size_t page)
    : world_(world),
      url_(std::move(url)),
      page_(page),
      limits_kinds_(world.faults.strikes(Mishap::relay_limits_kinds)),
      wants_someone_(world.faults.strikes(Mishap::relay_wants_someone)) {}

bool SimRelay::accept(const std::shared_ptr<Wire>& wire) {
  if (down_ || world_.faults.strikes(Mishap::relay_down)) return false;
  std::erase_if(wires_, [](const auto& one) { return one.expired(); });
  wires_.push_back(wire);
  if (world_.faults.strikes(Mishap::relay_auths)) {
    wire->challenge = "challenge " + std::to_string(world_.next_number());
    send(wire, json{"AUTH", wire->challenge}.dump());
  }
  return true;
}

void SimRelay::receive(const std::shared_ptr<Wire>& wire, const std::string& frame) {
  if (!wire->open || wire->dead) return;
  const json message = json::parse(frame);
  const std::string type = message.at(0);
  if (type == "EVENT" || type == "AUTH") {
    const auto event = nostr::parse_event(message.at(1).dump());
    if (!event) throw Violation("we sent a relay an event that nobody can read: " + frame);
    return type == "AUTH" ? on_auth(wire, *event) : on_event(wire, *event);
  }
  if (type == "CLOSE") wire->subscriptions.erase(message.at(1).get<std::string>());
  if (type != "REQ") return;
  std::vector<nostr::Filter> filters;
  for (std::size_t i = 2; i < message.size(); ++i) filters.push_back(nostr::filter_from(message[i]));
  on_req(wire, message.at(1), std::move(filters));
}

void SimRelay::on_auth(const std::shared_ptr<Wire>& wire, const Event& event) {
  const bool good = event.kind == nostr::kAuthKind && nostr::verify(event) && event.tag_value("relay") == url_ &&
                    event.tag_value("challenge") == wire->challenge;
  if (good) wire->challenge.clear();
  send(wire, json{"OK", event.id.hex(), good, good ? "" : "auth-required: that is not it"}.dump());
}

void SimRelay::on_event(const std::shared_ptr<Wire>& wire, const Event& event) {
  const auto answer = [&](bool accepted, const std::string& message) {
    send(wire, json{"OK", event.id.hex(), accepted, message}.dump());
  };
  if (!wire->challenge.empty()) return answer(false, "auth-required: who are you?");
  if (world_.faults.strikes(Mishap::relay_refuses)) {
    static constexpr const char* kWords[] = {"rate-limited: slow down", "error: could not save", "no"};
    return answer(false, world_.faults.dice().pick(kWords));
  }
  const bool silent = world_.faults.strikes(Mishap::relay_silent);
  if (silent && world_.faults.dice().chance(0.5)) return;
  if (event.kind == nostr::kApplicationDataKind) {
    std::erase_if(events_, [&](const Event& one) {
      return one.kind == event.kind && one.tag_value("d") == event.tag_value("d") && one.created_at <= event.created_at;
    });
  }
  const bool known = std::ranges::any_of(events_, [&](const Event& one) { return one.id == event.id; });
  if (!known) events_.push_back(event);
  world_.show(event);
  if (!silent) answer(true, known ? "duplicate: have it" : "");
}

void SimRelay::on_req(const std::shared_ptr<Wire>& wire, const std::string& id, std::vector<nostr::Filter> filters) {
  if (!wire->challenge.empty()) return send(wire, json{"CLOSED", id, "auth-required: who are you?"}.dump());
  Faults& faults = world_.faults;
  if (faults.strikes(Mishap::relay_rejects)) {
    return send(wire, faults.dice().chance(0.5) ? json{"CLOSED", id}.dump() : json{"CLOSED", id, "error: no"}.dump());
  }
  if (const std::string why = refusal(filters); !why.empty()) return send(wire, json{"CLOSED", id, why}.dump());
  if (faults.strikes(Mishap::relay_notices)) return send(wire, json{"NOTICE", "bad req"}.dump());
  for (const Event* event : nostr::stored_page(events_, filters, page_)) send_event(wire, id, *event);
  if (!faults.strikes(Mishap::relay_endless)) send(wire, json{"EOSE", id}.dump());
  wire->subscriptions[id] = std::move(filters);
}

// As strfry with `filterValidation`; empty: it takes them.
std::string SimRelay::refusal(const std::vector<nostr::Filter>& filters) const {
  constexpr std::size_t kMost = 3;
  const auto names_one = [](const nostr::Filter& filter) {
    return filter.authors.size() == 1 || std::ranges::any_of(filter.tags, [](const auto& tag) {
             return (tag.first == 'p' || tag.first == 'e') && tag.second.size() == 1;
           });
  };
  const auto is_wide = [](const nostr::Filter& filter) { return filter.kinds.size() > kMost; };
  if (limits_kinds_ && filters.size() > kMost) return "ERROR: bad req: invalid number of filters";
  if (limits_kinds_ && std::ranges::any_of(filters, is_wide)) return "ERROR: bad req: too many kinds in filter";
  if (wants_someone_ && !std::ranges::all_of(filters, names_one))
    return "ERROR: bad req: filter must have exactly one author, p tag, or e tag";
  return {};
}

void SimRelay::store(const Event& event) {
  if (world_.faults.strikes(Mishap::relay_crowded)) leave_crowd(event.created_at);
  if (world_.faults.strikes(Mishap::relay_poisoned)) leave_poison();
  deliver(event);
}

// Valid requests for somebody else.
void SimRelay::leave_crowd(std::int64_t created_at_s) {
  world_.crowded_seconds.insert(created_at_s);
  const std::size_t count = page_ + world_.faults.dice().below(page_);
  for (std::size_t i = 0; i < count; ++i) events_.push_back(world_.crowd_event(created_at_s));
}

// Never so many that a whole page is of them: nothing would tell how far it reaches, and what is older stays unread.
void SimRelay::leave_poison() {
  if (2 * poison_.size() >= page_) return;
  const Event event = world_.stranger_event("poison " + std::to_string(world_.next_number()), 0);
  poison_[event.id] =
      world_.faults.dice().chance(0.5) ? "{\"content\":\"\xff\"}" : std::string(2 * nostr::kMaxFrameBytes, 'x');
  deliver(event);
}

void SimRelay::deliver(const Event& event) {
  events_.push_back(event);
  for (const auto& one : wires_) {
    const auto wire = one.lock();
    if (!wire || !wire->open) continue;
    std::erase_if(wire->subscriptions, [&](const auto& subscription) {
      const auto& [id, filters] = subscription;
      if (!nostr::matches_any(filters, event)) return false;
      const bool closes = world_.faults.strikes(Mishap::relay_closes);
      if (closes) {
        send(wire, json{"CLOSED", id, "error: too many subscriptions"}.dump());
      } else {
        send_event(wire, id, event);
      }
      return closes;
    });
  }
}

void SimRelay::go_down() {
  down_ = true;
  restart();
}

void SimRelay::restart() {
  for (const auto& one : std::exchange(wires_, {})) {
    if (const auto wire = one.lock()) cut(wire, {});
  }
}

void SimRelay::send_event(const std::shared_ptr<Wire>& wire, const std::string& id, const Event& event) {
  send_junk(wire, id, event);
  const auto poison = poison_.find(event.id);
  const std::string raw = poison == poison_.end() ? nostr::to_json(event) : poison->second;
  send(wire, "[\"EVENT\"," + json(id).dump() + "," + raw + "]");
}

// What a hostile or broken relay sends beside what was asked for.
void SimRelay::send_junk(const std::shared_ptr<Wire>& wire, const std::string& id, const Event& event) {
  const auto send_one = [&](const Event& junk) {
    send(wire, "[\"EVENT\"," + json(id).dump() + "," + nostr::to_json(junk) + "]");
  };
  if (world_.faults.strikes(Mishap::relay_forges)) {
    Event forged = event;
    if (world_.faults.dice().chance(0.5)) {
      forged.content += "!";
    } else {
      forged.sig.bytes[7] ^= 1;
    }
    send_one(forged);
  }
  if (world_.faults.strikes(Mishap::relay_floods)) {
    Event forged = event;
    for (unsigned i = 0; i <= nostr::kMaxJunkPerMinute; ++i) {
      forged.content = "flood " + std::to_string(i);
      send_one(forged);
    }
  }
  if (world_.faults.strikes(Mishap::relay_chatters)) {
    for (unsigned i = 0; i <= nostr::kMaxChatterPerMinute; ++i) send(wire, R"(["NOTICE","hello"])");
  }
  if (world_.faults.strikes(Mishap::relay_oversizes)) send_one(world_.stranger_event(std::string(100'000, 'x'), 0));
  if (world_.faults.strikes(Mishap::relay_skews)) {
    constexpr std::int64_t kDayS = 86'400;
    send_one(world_.stranger_event("skewed", world_.faults.dice().chance(0.5) ? kDayS : -30 * kDayS));
  }
}

void SimRelay::send(const std::shared_ptr<Wire>& wire, const std::string& frame) {
  if (!wire->open || wire->dead) return;
  Faults& faults = world_.faults;
  if (faults.strikes(Mishap::relay_dead)) wire->dead = true;
  if (faults.strikes(Mishap::relay_cut)) return cut(wire, frame);
  TimeMs arrives = world_.time.now() + kNetworkMs;
  if (faults.strikes(Mishap::relay_reorders)) arrives = arrives + faults.dice().between(1, 50);
  if (faults.strikes(Mishap::relay_delays)) arrives = arrives + faults.dice().between(1'000, 20'000);
  // What a relay says of a whole subscription comes after its events: nobody could read another one without gaps.
  const bool about_all = frame.starts_with("[\"EOSE\"") || frame.starts_with("[\"CLOSED\"");
  if (about_all) arrives = std::max(arrives, wire->last_arrival);
  wire->last_arrival = std::max(arrives, wire->last_arrival);
  const int times = faults.strikes(Mishap::relay_repeats) ? 2 : 1;
  for (int i = 0; i < times; ++i) {
    world_.time.at(arrives, [weak = std::weak_ptr(wire), frame] {
      const auto alive = weak.lock();
      if (alive && alive->open && !alive->dead) alive->on_frame(frame);
    });
  }
}

// The connection ends in the middle of this frame.
void SimRelay::cut(const std::shared_ptr<Wire>& wire, const std::string& frame) {
  wire->open = false;
  world_.time.after(kNetworkMs, [weak = std::weak_ptr(wire), half = frame.substr(0, frame.size() / 2)] {
    const auto alive = weak.lock();
    if (!alive || alive->dead) return;
    if (!half.empty()) alive->on_frame(half);
    if (weak.expired()) return;
    alive->on_closed("connection reset by peer");
  });
}

}  // namespace sim
