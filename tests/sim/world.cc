#include "tests/sim/world.h"

#include <stdexcept>

#include "pipeline/nostr/nip01.h"

namespace sim {
namespace {

const wallet::NodeKey kNodeKey = {seeded_bytes(7, 7).bytes};

}  // namespace

ledger::Salt seeded_bytes(std::uint64_t seed, std::uint64_t number) {
  return {ledger::sha256("sim " + std::to_string(seed) + " " + std::to_string(number)).bytes};
}

nostr::SecretKey seeded_key(std::uint64_t seed) {
  auto key = nostr::SecretKey::from_bytes(seeded_bytes(seed, 0).view());
  if (!key) throw std::logic_error("unlucky seed");
  return std::move(*key);
}

std::string WalletBooks::create(const wallet::InvoiceOrder& order, TimeMs now) {
  ++created;
  const std::string label = order.job.hex() + " " + std::to_string(order.attempt);
  if (identity == WalletIdentity::label && by_label.contains(label)) return invoices.at(by_label[label]).bolt11;
  const auto preimage = ledger::sha256(label + (identity == WalletIdentity::none ? std::to_string(created) : ""));
  const auto hash = ledger::sha256(preimage.view());
  const wallet::Invoice invoice{.network = wallet::Network::regtest,
                                .amount = order.amount,
                                .timestamp_s = now.ms / 1000,
                                .payment_hash = hash,
                                .payment_secret = ledger::sha256(hash.view()),
                                .description = order.description,
                                .expiry_s = order.expiry_ms / 1000,
                                .features = {8, 14}};
  const auto text = wallet::encode_bolt11(invoice, kNodeKey);
  if (!text) throw std::logic_error(text.error().describe());
  invoices[hash] = {*text, order.amount, invoice.expires_at(), std::nullopt};
  by_label[label] = hash;
  return *text;
}

bool WalletBooks::pay(const std::string& bolt11, TimeMs now) {
  for (auto& [hash, invoice] : invoices) {
    if (invoice.bolt11 != bolt11) continue;
    if (invoice.paid_at || invoice.expires_at <= now) return false;
    invoice.paid_at = now;
    return true;
  }
  return false;
}

ledger::Msat WalletBooks::received() const {
  ledger::Msat sum;
  for (const auto& [hash, invoice] : invoices) {
    if (invoice.paid_at) sum += invoice.amount;
  }
  return sum;
}

World::World(std::uint64_t seed)
    : provider_key(seeded_key(seed * 2 + 1)), seed_(seed), customer_key_(seeded_key(seed * 2 + 2)) {}

ledger::EventId World::ask(const std::string& prompt, std::vector<nostr::Tag> more_tags, bool pays) {
  nostr::Unsigned request{.kind = nostr::kTextRequestKind, .created_at_s = time.now().ms / 1000};
  request.tags = {{"i", prompt, "text"}, {"p", provider_key.public_key().hex()}};
  std::ranges::move(more_tags, std::back_inserter(request.tags));
  const nostr::Event event = nostr::sign(std::move(request), customer_key_, {seeded_bytes(seed_, next_number()).bytes});
  jobs[event.id] = {.request = event, .raw = nostr::to_json(event), .pays = pays};
  return event.id;
}

ledger::RelayAnswer World::publish(const std::string& relay, const std::string& event_json) {
  ledger::RelayAnswer answer{.relay = relay, .at = time.now()};
  const auto event = nostr::parse_event(event_json);
  if (!event || !nostr::verify(*event)) {
    answer.message = "invalid: not a signed event";
    return answer;
  }
  answer.accepted = true;
  if (!published_.insert(event->id).second) {
    answer.message = "duplicate: have it";
    return answer;
  }
  const auto about = nostr::read_answer(*event);
  if (about && jobs.contains(about->request)) show(jobs[about->request], *event);
  return answer;
}

void World::show(CustomerJob& job, const nostr::Event& event) {
  const auto answer = nostr::read_answer(event);
  job.statuses.push_back(answer->status);
  if (answer->is_result) {
    job.results.insert(event.id);
    job.result_before_payment = job.result_before_payment || !job.paid;
  }
  if (answer->bolt11.empty()) return;
  job.invoices.insert(answer->bolt11);
  if (!job.pays) return;
  time.after(kNetworkMs,
             [this, &job, bolt11 = answer->bolt11] { job.paid = wallet.pay(bolt11, time.now()) || job.paid; });
}

}  // namespace sim
