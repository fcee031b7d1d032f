// A shop that does everything as it should, with real keys, invoices, texts and signatures; what it writes passes any
// audit, and tests plant their wrongs in it.
#pragma once

#include <map>

#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip90_answer.h"
#include "pipeline/runtime/make_notice.h"
#include "pipeline/wallet/bolt11.h"
#include "tests/unit/pipeline/core/engine_driver.h"

namespace replay {

class HonestShop {
 public:
  explicit HonestShop(ledger::PaymentMode mode = ledger::PaymentMode::result_first) {
    policy_ = core::EngineDriver::policy();
    policy_.provider = key.public_key();
    policy_.payment_mode = mode;
    give(core::Configured{policy_});
  }

  base::TimeMs now{1'700'000'000'000};
  std::vector<ledger::NewEntry> entries;
  nostr::SecretKey key = secret(1);

  // Asks, and answers everything that follows but the payment.
  base::JobId ask(const std::string& prompt, std::vector<ledger::InputSource> sources = {}) {
    const auto customer = secret(2);
    const nostr::Event request = nostr::sign(
        {.kind = 5050, .created_at_s = now.ms / 1000, .tags = {{"i", prompt, "text"}, {"p", key.public_key().hex()}}},
        customer, {});
    const ledger::Text text = salted(nostr::to_json(request));
    give(core::RequestArrived{request.id,
                              {.request = ledger::ref(text),
                               .customer = request.pubkey,
                               .kind = request.kind,
                               .created_at_s = request.created_at,
                               .relay = "wss://relay.example",
                               .addressed = true,
                               .input_tokens = 20,
                               .request_bytes = text.bytes.size(),
                               .sources = std::move(sources)},
                              text});
    return request.id;
  }

  void pay(const base::JobId& id) {
    const auto& invoice = engine_.find(id)->invoices.front().issued;
    give(core::Settled{id,
                       {.payment_hash = invoice.payment_hash,
                        .received = invoice.amount,
                        .settled_at = now,
                        .preimage = preimage(id)}});
  }

  // The first entry with this kind of fact.
  template <class E>
  base::Seq position_of() const {
    const auto it = std::ranges::find_if(entries, [](const auto& e) { return std::holds_alternative<E>(e.fact); });
    return static_cast<base::Seq>(it - entries.begin());
  }
  template <class E>
  E& fact() {
    return std::get<E>(entries.at(position_of<E>()).fact);
  }
  // The entry with the notice of this purpose.
  base::Seq position_of_notice(ledger::NoticePurpose purpose) const {
    const auto it = std::ranges::find_if(entries, [&](const auto& entry) {
      const auto* e = std::get_if<ledger::NoticeSigned>(&entry.fact);
      return e && e->purpose == purpose;
    });
    return static_cast<base::Seq>(it - entries.begin());
  }

 private:
  static nostr::SecretKey secret(std::uint8_t n) {
    nostr::SecretBytes bytes;
    bytes.bytes.fill(n);
    return std::move(nostr::SecretKey::from_bytes(bytes.view()).value());
  }
  static base::Hash256 preimage(const base::JobId& id) { return base::sha256("preimage of " + id.hex()); }

  base::Salt salt() {
    base::Salt out;
    out.bytes.fill(++salts_);
    return out;
  }
  ledger::Text salted(std::string bytes) {
    ledger::Text out{.salt = salt(), .bytes = std::move(bytes)};
    texts_[ledger::ref(out)] = out.bytes;
    return out;
  }

  void give(core::Input input) {
    now = now + 10;
    core::Step step = engine_.step(std::move(input), now);
    for (auto& entry : step.entries) {
      for (const auto& text : entry.texts) texts_[ledger::ref(text)] = text.bytes;
      entries.push_back(std::move(entry));
    }
    for (const auto& command : step.commands) answer(command);
  }

  void answer(const core::Command& command) {
    const auto& [id, work] = command;
    if (!engine_.find(id)) return;
    const core::Job job = *engine_.find(id);
    switch (work.action) {
      case core::Action::infer: {
        const ledger::Text result = salted("an answer to " + id.hex());
        return give(core::InferenceEnded{id,
                                         work,
                                         {.attempt = work.attempt,
                                          .result = ledger::ref(result),
                                          .result_bytes = result.bytes.size(),
                                          .input_tokens = 18,
                                          .output_tokens = 100},
                                         result});
      }
      case core::Action::create_invoice:
        return give(core::InvoiceCreated{id, work, invoice(job, work.attempt)});
      case core::Action::sign:
        return give(runtime::make_notice(job, work,
                                         {.texts = [this](const auto& ref) { return texts_.at(ref); },
                                          .key = key,
                                          .random = [this] { return salt(); },
                                          .now = now,
                                          .delivery_deadline_ms = policy_.delivery_deadline_ms})
                        .value());
      case core::Action::publish:
        give(core::RelayAnswered{id, work, {.relay = "wss://relay.example", .accepted = true, .at = now}});
        return give(core::PublishEnded{id, work});
      case core::Action::gather: {
        const ledger::Text page = salted("the text of a page");
        return give(core::InputsReady{
            id, work, {.texts = {ledger::ref(page)}, .prompt_bytes = 400, .input_tokens = 104}, {page}});
      }
      case core::Action::watch:
      case core::Action::take:
      case core::Action::give_back:
      case core::Action::pay_back:
        return;
    }
  }

  ledger::InvoiceIssued invoice(const core::Job& job, std::uint32_t attempt) const {
    const auto hash = base::sha256(preimage(job.id).view());
    wallet::NodeKey node;
    node.bytes.fill(3);
    const wallet::Invoice text{.network = wallet::Network::regtest,
                               .amount = core::amount_due(job),
                               .timestamp_s = now.ms / 1000,
                               .payment_hash = hash,
                               .payment_secret = hash,
                               .description = "a job",
                               .features = {8, 14}};
    return {.purpose = ledger::InvoicePurpose::job,
            .attempt = attempt,
            .wallet = "sandbox",
            .bolt11 = wallet::encode_bolt11(text, node).value(),
            .payment_hash = hash,
            .amount = core::amount_due(job),
            .expires_at = text.expires_at()};
  }

  core::Policy policy_;
  core::Engine engine_;
  std::map<base::TextRef, std::string> texts_;
  std::uint8_t salts_ = 0;
};

}  // namespace replay
