#include "pipeline/runtime/intake_gate.h"

#include <algorithm>

#include "pipeline/nostr/nip90_request.h"

namespace runtime {
namespace {

// Groups of facts that wait for the disk before requests wait too; the relays' receipts bound how many those are.
constexpr std::size_t kMaxBacklog = 1'024;
// Requests that wait until the disk has room again. Fewer than make the relays' reading pause (nostr::IntakeLimits):
// the same connections bring the answers to what is still published.
constexpr std::size_t kMaxWaitForRoom = 512;
constexpr std::ptrdiff_t kMaxWaitOfKey = 64;

}  // namespace

IntakeGate::IntakeGate(const Context& context, CustomerRelays& customer_relays, Recorder recorder)
    : context_(context),
      customer_relays_(customer_relays),
      recorder_(std::move(recorder)),
      shares_(context.options.entries, context.ports.scheduler.now()),
      refused_since_(context.ports.scheduler.now()) {}

void IntakeGate::on_request(const nostr::Event& event, std::string raw, const std::string& relay,
                            std::shared_ptr<void> receipt) {
  if (context_.failed() || closed_) return;
  const bool low = context_.ports.disk_low();
  if (low && !has_room_to_wait(event.pubkey)) return on_refused("disk_full");
  if (low || recorder_.backlog() > kMaxBacklog) {
    waiting_.push_back({event, std::move(raw), relay, std::move(receipt)});
    return;
  }
  take(event, std::move(raw), relay, std::move(receipt));
}

// While the disk is full, those who have paid have the second half of the places, and no key has more than a few.
bool IntakeGate::has_room_to_wait(const base::PublicKey& key) const {
  const auto of_key = std::ranges::count_if(waiting_, [&](const Request& one) { return one.event.pubkey == key; });
  const bool stranger =
      core::is_stranger(context_.engine.shop(), context_.engine.policy(), key, context_.ports.scheduler.now());
  return waiting_.size() < (stranger ? kMaxWaitForRoom / 2 : kMaxWaitForRoom) && of_key < kMaxWaitOfKey;
}

void IntakeGate::take(const nostr::Event& event, std::string raw, const std::string& relay,
                      std::shared_ptr<void> receipt) {
  const core::Policy& policy = context_.engine.policy();
  auto request = nostr::read_request(event, raw, context_.key, policy.templates);
  if (!request || (!request->addressed && !policy.serve_broadcast)) return on_refused("not_ours");
  if (recorder_.is_recording(event.id) || context_.engine.find(event.id)) return;
  const auto known = context_.ports.journal.job(event.id);
  if (!known) return context_.fail(known.error());
  if (*known) return;
  // Times of events are whole seconds: one of the second of the acceptance may be of after it.
  if (base::TimeMs{event.created_at * 1000 + 999} < context_.engine.shop().rollback_accepted_at)
    return on_refused("before_rollback");
  if (const auto share = beyond_shares(*request); !share.empty()) {
    Refused& refused = refused_[std::string(share)];
    ++refused.count;
    if (refused.keys.size() < kMaxCountedKeys) refused.keys.insert(request->customer);
    return;
  }
  ledger::Text text{.salt = context_.ports.random(), .bytes = std::move(raw)};
  request->request = ledger::ref(text);
  request->relay = relay;
  customer_relays_.look_up(request->customer);
  recorder_.record({event.id, std::move(*request), std::move(text)}, std::move(receipt));
}

std::string_view IntakeGate::beyond_shares(const ledger::JobRequested& request) {
  const core::Shop& shop = context_.engine.shop();
  const core::Policy& policy = context_.engine.policy();
  const std::uint32_t work = core::work_asked(shop, policy);
  EntryShares::Asker asker{.key = request.customer,
                           .drawn = core::is_drawn(shop.draw, request.customer),
                           .crowded = shop.draw.work_bits > 0};
  if (work > 0 && request.pow_bits >= work) asker.standing = core::Standing::worked;
  const base::TimeMs now = context_.ports.scheduler.now();
  asker.too_late = now.ms - request.created_at_s * 1000 > policy.request_age_limit_ms ||
                   (request.expires_at && *request.expires_at <= now);
  if (!core::is_stranger(shop, policy, request.customer, now)) asker.standing = core::Standing::paid;
  return shares_.refuse(asker, now);
}

void IntakeGate::draw() {
  context_.post(core::NextDraw{.secret = base::sha256(context_.ports.random().view()),
                               .demand = shares_.take_demand(),
                               .places = shares_.places_per_minute()});
}

void IntakeGate::take_waiting() {
  while (!waiting_.empty() && recorder_.backlog() <= kMaxBacklog && !context_.ports.disk_low()) {
    Request next = std::move(waiting_.front());
    waiting_.pop_front();
    on_request(next.event, std::move(next.raw), next.relay, std::move(next.receipt));
  }
}

void IntakeGate::open() {
  closed_ = false;
  waiting_.clear();
}

void IntakeGate::on_refused(const std::string& reason) {
  ++refused_[reason].count;
}

void IntakeGate::record_refused() {
  const base::TimeMs since = std::exchange(refused_since_, context_.ports.scheduler.now());
  if (refused_.empty()) return;
  ledger::RequestsDropped dropped{.from = since, .until = refused_since_};
  for (const auto& [reason, refused] : std::exchange(refused_, {}))
    dropped.counts.push_back({.reason = reason, .count = refused.count, .keys = refused.keys.size()});
  context_.post(core::RequestsRefused{std::move(dropped)});
}

}  // namespace runtime
