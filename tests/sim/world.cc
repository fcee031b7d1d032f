#include "tests/sim/world.h"

#include <algorithm>

#include "base/utf8.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip13.h"
#include "pipeline/nostr/nip78.h"
#include "tests/sim/referee.h"

namespace sim {
namespace {

constexpr std::int64_t kLongestSettlementMs = 300'000;

}  // namespace

base::Salt seeded_bytes(std::uint64_t seed, std::uint64_t number) {
  return {base::sha256("sim " + std::to_string(seed) + " " + std::to_string(number)).bytes};
}

nostr::SecretKey seeded_key(std::uint64_t seed) {
  auto key = nostr::SecretKey::from_bytes(seeded_bytes(seed, 0).view());
  if (!key) throw std::logic_error("unlucky seed");
  return std::move(*key);
}

World::World(std::uint64_t seed, const Faults& some_faults, std::size_t relay_count, std::size_t relay_page)
    : faults(some_faults), provider_key(seeded_key(seed * 1'000)), seed_(seed) {
  for (std::size_t i = 0; i < relay_count; ++i) {
    relays.push_back(std::make_unique<SimRelay>(*this, "wss://relay" + std::to_string(i) + ".example", relay_page));
  }
  referee = std::make_unique<Referee>(*this);
}

World::~World() = default;

const nostr::SecretKey& World::customer_key(std::size_t customer) {
  const auto known = customer_keys_.find(customer);
  if (known != customer_keys_.end()) return known->second;
  return customer_keys_.emplace(customer, seeded_key(seed_ * 1'000 + 1 + customer)).first->second;
}

base::EventId World::ask(const Ask& ask) {
  nostr::Unsigned request{.kind = nostr::kTextRequestKind,
                          .created_at_s = (time.now() - ask.created_ago_ms).ms / 1000,
                          .tags = {{"i", ask.prompt, "text"}}};
  std::ranges::copy(ask.sources, std::back_inserter(request.tags));
  std::ranges::copy(ask.more_tags, std::back_inserter(request.tags));
  if (ask.encryption != ledger::Encryption::none) {
    const auto inner = nostr::tags_to_json(std::exchange(request.tags, {{"encrypted"}}));
    request.content = nostr::encrypt(ask.encryption, inner, customer_key(ask.customer), provider_key.public_key(),
                                     {seeded_bytes(seed_, next_number()).bytes})
                          .value();
  }
  if (ask.expires_after_ms > 0) {
    request.tags.push_back({"expiration", std::to_string((time.now().ms + ask.expires_after_ms) / 1000)});
  }
  if (ask.addressed) request.tags.push_back({"p", provider_key.public_key().hex()});
  if (ask.work_bits > 0) {
    request =
        nostr::mine(std::move(request), customer_key(ask.customer).public_key(), ask.work_bits, UINT64_MAX).value();
  }
  const nostr::Event event =
      nostr::sign(std::move(request), customer_key(ask.customer), {seeded_bytes(seed_, next_number()).bytes});
  jobs[event.id] = {.request = event,
                    .prompt = ask.prompt,
                    .sources = ask.sources,
                    .customer = ask.customer,
                    .addressed = ask.addressed,
                    .encryption = ask.encryption,
                    .payer = ask.payer,
                    .asked_at = time.now()};
  const std::size_t count = std::clamp<std::size_t>(ask.relays, 1, relays.size());
  bool hidden = !ask.addressed;
  for (std::size_t i = 0; i < count; ++i) {
    SimRelay& relay = *relays[(ask.first_relay + i) % relays.size()];
    hidden = hidden && relay.hides_open_requests();
    relay.store(event);
  }
  jobs[event.id].hidden = hidden;
  std::int64_t cancel_after_ms = ask.cancel_after_ms;
  if (faults.strikes(Mishap::customer_cancels)) cancel_after_ms = faults.dice().between(1, 60'000);
  if (cancel_after_ms > 0) time.after(cancel_after_ms, [this, id = event.id] { cancel(id); });
  if (faults.strikes(Mishap::customer_pings)) {
    const std::size_t pings = faults.dice().chance(0.1) ? 100 : 1;
    for (std::size_t i = 0; i < pings; ++i) ping(ask.customer);
  }
  return event.id;
}

void World::ping(std::size_t customer) {
  nostr::Unsigned ping{.kind = nostr::kPingKind,
                       .created_at_s = time.now().ms / 1000,
                       .tags = {{"p", provider_key.public_key().hex()}},
                       .content = std::to_string(next_number())};
  const nostr::Event event =
      nostr::sign(std::move(ping), customer_key(customer), {seeded_bytes(seed_, next_number()).bytes});
  pings_.insert(event.id);
  for (const auto& relay : relays) relay->store(event);
}

void World::cancel(const base::EventId& id) {
  CustomerJob& job = jobs.at(id);
  job.cancelled = true;
  nostr::Unsigned deletion{.kind = nostr::kDeletionKind,
                           .created_at_s = time.now().ms / 1000,
                           .tags = {{"e", id.hex()}, {"k", "5050"}},
                           .content = "no longer needed"};
  const nostr::Event event =
      nostr::sign(std::move(deletion), customer_key(job.customer), {seeded_bytes(seed_, next_number()).bytes});
  for (const auto& relay : relays) relay->store(event);
}

base::EventId World::write_note(const std::string& content) {
  const nostr::Event note = nostr::sign({.kind = 1, .created_at_s = time.now().ms / 1000, .content = content},
                                        customer_key(998), {seeded_bytes(seed_, next_number()).bytes});
  relays.front()->store(note);
  notes_[note.id.hex()] = content;
  return note.id;
}

std::set<std::string> World::public_texts(const nostr::Tag& source) const {
  if (source[2] == "url") return {page(source[1])};
  if (const auto note = notes_.find(source[1]); note != notes_.end()) return {note->second};
  const auto job = jobs.find(base::EventId::from_hex(source[1]).value_or(base::EventId{}));
  return job == jobs.end() ? std::set<std::string>() : job->second.answers;
}

nostr::Event World::crowd_event(std::int64_t created_at_s) {
  nostr::Unsigned request{.kind = nostr::kTextRequestKind,
                          .created_at_s = created_at_s,
                          .tags = {{"i", std::to_string(next_number()), "text"}, {"p", std::string(64, 'b')}}};
  return nostr::sign(std::move(request), customer_key(997), {seeded_bytes(seed_, next_number()).bytes});
}

nostr::Event World::stranger_event(const std::string& content, std::int64_t seconds_ahead) {
  nostr::Unsigned request{.kind = nostr::kTextRequestKind,
                          .created_at_s = time.now().ms / 1000 + seconds_ahead,
                          .tags = {{"p", provider_key.public_key().hex()}},
                          .content = content};
  return nostr::sign(std::move(request), customer_key(999), {seeded_bytes(seed_, next_number()).bytes});
}

SimRelay* World::relay(std::string_view url) {
  const auto found = std::ranges::find_if(relays, [&](const auto& one) { return one->url() == url; });
  return found == relays.end() ? nullptr : found->get();
}

std::vector<std::string> World::relay_urls() const {
  std::vector<std::string> out;
  for (const auto& one : relays) out.push_back(one->url());
  return out;
}

void World::make_well() {
  wallet_back_at = wallet_able_at = wallet_alone_until = space_back_at = backend_back_at = model_works_at = time.now();
}

void World::show(const nostr::Event& event) {
  if (event.kind == nostr::kApplicationDataKind || !shown_.insert(event.id).second) return;
  const auto sealed = nostr::read_answer(event);
  if (!sealed || !nostr::verify(event)) throw Violation("a publication that customers cannot read or verify");
  if (sealed->known == nostr::Status::pong) return;
  const auto found = jobs.find(sealed->request);
  if (found == jobs.end()) throw Violation("an answer to a request that nobody made");
  CustomerJob& job = found->second;
  check_form(job, *sealed);
  const auto answer = nostr::read_answer(event, customer_key(job.customer));
  if (answer->encrypted) throw Violation("an answer that its customer cannot decrypt");
  job.statuses.push_back(answer->status);
  if (answer->known == nostr::Status::partial) show_part(job, answer->content);
  if (answer->is_result) {
    if (!base::has_visible_text(answer->content)) throw Violation("an answer without text was delivered");
    job.results.insert(event.id);
    if (!sealed->encrypted) job.answers.insert(sealed->content);
    job.result_before_payment = job.result_before_payment || paid_by(job) == base::Msat{};
  }
  if (answer->bolt11.empty() || !job.invoices.insert(answer->bolt11).second || job.payer == Payer::never) return;
  if (answer->is_result && defaults(job)) job.payer = Payer::never;
  if (job.payer == Payer::never || (job.payer == Payer::second && job.invoices.size() < 2)) return;
  const std::int64_t after_ms = thinking_ms(job, answer->bolt11);
  time.after(after_ms, [this, &job, bolt11 = answer->bolt11] { pay(job, bolt11); });
  if (job.payer == Payer::twice) {
    time.after(after_ms + 1'000, [this, &job, bolt11 = answer->bolt11] { pay(job, bolt11); });
  }
}

// What was delivered is not paid for by customers who stopped paying. They still pay what comes first.
bool World::defaults(const CustomerJob& job) {
  if (faults.strikes(Mishap::customer_defaults)) defaulters_.insert(job.customer);
  return defaulters_.contains(job.customer);
}

std::int64_t World::thinking_ms(const CustomerJob& job, const std::string& bolt11) {
  if (faults.strikes(Mishap::customer_pays_late)) {
    const WalletBooks::Invoice* invoice = wallet.find(bolt11);
    const std::int64_t left_ms = invoice ? invoice->expires_at - time.now() : 0;
    if (left_ms > 0) return left_ms - left_ms / faults.dice().between(4, 50);
  }
  return job.payer == Payer::slowly ? faults.dice().between(1'000, 240'000) : kNetworkMs;
}

// Parts may arrive in any order: one is the beginning of the other.
void World::show_part(CustomerJob& job, const std::string& text) {
  const bool agrees = text.starts_with(job.shown) || job.shown.starts_with(text);
  if (!agrees) throw Violation("a part of an answer that is not the beginning of the next");
  if (!base::has_visible_text(text)) throw Violation("a part of an answer without text was shown");
  if (text.size() > job.shown.size()) job.shown = text;
  ++job.partials;
}

// An encrypted request is answered in its form, and with no words in the clear.
void World::check_form(const CustomerJob& job, const nostr::Answer& sealed) {
  const bool hidden = job.encryption != ledger::Encryption::none;
  if (sealed.encrypted != hidden) throw Violation("an answer in another form than its request");
  if (!hidden) return;
  if (!sealed.text.empty()) throw Violation("words in the clear about an encrypted request");
  if (nostr::detect_encryption(sealed.content) != job.encryption) throw Violation("an answer in another encryption");
}

base::Msat World::paid_by(const CustomerJob& job) const {
  base::Msat sum;
  for (const auto& bolt11 : job.paid) {
    const WalletBooks::Invoice* invoice = wallet.find(bolt11);
    if (!invoice->hold || invoice->taken_at) sum += invoice->paid;
  }
  return sum;
}

void World::pay(CustomerJob& job, const std::string& bolt11) {
  const WalletBooks::Invoice* invoice = wallet.find(bolt11);
  if (!invoice) throw Violation("a customer was shown an invoice that the wallet never made");
  if (faults.strikes(Mishap::wallet_never_settles)) return;
  TimeMs settles_at = time.now();
  if (faults.strikes(Mishap::wallet_late)) settles_at = settles_at + faults.dice().between(1'000, kLongestSettlementMs);
  if (faults.strikes(Mishap::wallet_after_expiry)) {
    settles_at = std::max(settles_at, invoice->expires_at + faults.dice().between(1, kLongestSettlementMs));
  }
  base::Msat amount = invoice->amount;
  if (faults.strikes(Mishap::customer_pays_less)) amount = {amount.value / 2};
  if (faults.strikes(Mishap::customer_pays_more)) amount += base::Msat{faults.dice().between(1, amount.value)};
  if (!wallet.pay(bolt11, amount, time.now(), settles_at)) return;
  job.paid.push_back(bolt11);
  if (invoice->hold && faults.strikes(Mishap::wallet_loses_hold)) {
    time.at(settles_at + faults.dice().between(1, kLongestSettlementMs), [this, bolt11] { wallet.give_back(bolt11); });
  }
  if (!wallet_pushes || faults.strikes(Mishap::wallet_loses_push)) return;
  time.at(settles_at + kNetworkMs, [this, hash = invoice->payment_hash] { on_paid(hash); });
}

}  // namespace sim
