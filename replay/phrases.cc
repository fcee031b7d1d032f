#include "replay/phrases.h"

#include <algorithm>

#include "base/number_text.h"
#include "pipeline/core/model_name.h"
#include "pipeline/nostr/nip19.h"

namespace replay {
namespace {

using base::counted;
using base::grouped;
using base::sats;

constexpr std::size_t kShownOfNpub = 9;

std::string short_npub(const base::PublicKey& key) {
  return nostr::encode_npub(key).substr(0, kShownOfNpub) + "…";
}

std::string model_text(std::string_view name) {
  return std::string(core::short_model_name(name));
}

std::string when_paid(ledger::PaymentMode mode) {
  switch (mode) {
    case ledger::PaymentMode::unspecified:
      return "unspecified";
    case ledger::PaymentMode::result_first:
      return "to pay afterwards";
    case ledger::PaymentMode::payment_first:
      return "to pay first";
    case ledger::PaymentMode::escrow:
      return "to pay into escrow first";
  }
  return "unknown";
}

struct Phrase {
  std::string operator()(const ledger::ProviderConfigured& e) const {
    return "selling " + counted(e.models.size(), "model") + " through " + e.wallet +
           (e.play_money ? " (play money)" : "");
  }
  std::string operator()(const ledger::WentOnline& e) const { return "online, version " + e.version; }
  std::string operator()(const ledger::WentOffline& e) const { return "offline: " + e.reason; }
  std::string operator()(const ledger::RequestsDropped& e) const {
    std::string out = "not recorded:";
    for (const auto& one : e.counts) {
      out += out.ends_with(':') ? " " : ", ";
      out += counted(one.count, "request") + " (" + one.reason + ")";
      if (one.keys > 0) out += " of " + counted(one.keys, "key");
    }
    return out;
  }
  std::string operator()(const ledger::TextsPruned& e) const {
    return counted(e.texts, "text") + " of " + counted(e.jobs, "ended job") + " pruned, " + counted(e.bytes, "byte");
  }
  std::string operator()(const ledger::RollbackAccepted& e) const {
    return "went on after the ledger had gone back in time: " + e.evidence;
  }
  std::string operator()(const ledger::ReadinessChanged& e) const {
    return std::string(ledger::name(e.part)) + (e.ready ? " ready again" : " not ready: " + e.code);
  }
  std::string operator()(const ledger::JobRequested& e) const {
    return "requested by " + short_npub(e.customer) + " through " + e.relay + ", about " +
           counted(e.input_tokens, "token") + (e.bid ? ", bid " + sats(*e.bid) : "") +
           (e.sources.empty() ? "" : ", " + counted(e.sources.size(), "input") + " to gather") +
           (e.encryption == ledger::Encryption::none ? ""
                                                     : ", encrypted (" + std::string(ledger::name(e.encryption)) + ")");
  }
  std::string operator()(const ledger::JobDeclined& e) const {
    return "declined (" + std::string(ledger::name(e.reason)) + "): " + e.message +
           (e.text_dropped ? "; its text was not kept" : "");
  }
  std::string operator()(const ledger::JobQuoted& e) const {
    return "quoted " + sats(e.price) + ", " + model_text(e.terms.name) + ", " + when_paid(e.payment_mode);
  }
  std::string operator()(const ledger::InvoiceIssued& e) const { return "invoiced " + sats(e.amount); }
  std::string operator()(const ledger::InvoiceFailed& e) const {
    return "no invoice: " + e.message + (e.retry_at ? "; it is tried again" : "; given up");
  }
  std::string operator()(const ledger::InvoiceSettled& e) const { return "settled " + sats(e.received); }
  std::string operator()(const ledger::InvoiceExpired& e) const {
    switch (e.basis) {
      case ledger::ExpiryBasis::wallet_said:
        return "never paid";
      case ledger::ExpiryBasis::unknown_to_wallet:
        return "given up: for a day the wallet has not known the invoice";
      case ledger::ExpiryBasis::operator_said:
        return "watched no more, by the operator's word: " + e.evidence;
    }
    return "never paid";
  }
  std::string operator()(const ledger::InvoiceUnknown&) const {
    return "the wallet does not know the invoice; it is still asked";
  }
  std::string operator()(const ledger::InferenceStarted& e) const { return "runs on " + model_text(e.model); }
  std::string operator()(const ledger::InferenceCompleted& e) const {
    return "answered: " + counted(e.output_tokens, "token") + " in " + base::took(e.total_ms);
  }
  std::string operator()(const ledger::InferenceFailed& e) const {
    return "inference failed (" + std::string(ledger::name(e.failure)) + "): " + e.message +
           (e.retry_at ? "; it is tried again" : "; given up");
  }
  std::string operator()(const ledger::NoticeSigned& e) const {
    return "signed " + std::string(ledger::name(e.purpose));
  }
  std::string operator()(const ledger::NoticePublished& e) const {
    const auto accepted = std::ranges::count_if(e.answers, &ledger::RelayAnswer::accepted);
    std::string out = "published " + std::string(ledger::name(e.purpose)) + " to " +
                      counted(static_cast<std::uint64_t>(accepted), "relay");
    for (const auto& answer : e.answers) {
      if (!answer.accepted) out += "; " + answer.relay + ": " + answer.message;
    }
    return out;
  }
  std::string operator()(const ledger::NoticeRetried& e) const {
    return "published again by the operator's order: " + std::string(ledger::name(e.purpose)) + ", to " +
           counted(e.targets.size(), "relay");
  }
  std::string operator()(const ledger::JobCancelled& e) const {
    return "cancelled by the " + std::string(ledger::name(e.by)) + (e.reason.empty() ? "" : ": " + e.reason);
  }
  std::string operator()(const ledger::JobExpired& e) const { return "expired: " + e.reason; }
  std::string operator()(const ledger::JobClosed& e) const { return "closed: " + e.reason; }
  std::string operator()(const ledger::RefundOwed& e) const {
    return "WE OWE BACK " + sats(e.amount) + ": " + e.reason;
  }
  std::string operator()(const ledger::InvoiceHeld& e) const {
    return "the wallet holds " + sats(e.amount) + " until the answer is there";
  }
  std::string operator()(const ledger::RefundStarted& e) const {
    return "paying back " + sats(e.amount) + ", attempt " + std::to_string(e.attempt);
  }
  std::string operator()(const ledger::RefundPaid& e) const {
    return "paid back " + sats(e.amount) + (e.fee == base::Msat{} ? "" : " for a fee of " + sats(e.fee));
  }
  std::string operator()(const ledger::RefundFailed& e) const { return "not paid back: " + e.message; }
  std::string operator()(const ledger::InputsGathered& e) const {
    return "gathered " + counted(e.texts.size(), "input") + ", about " + counted(e.input_tokens, "token") + " in all";
  }
  std::string operator()(const ledger::InputsFailed& e) const { return "an input is missing: " + e.message; }
};

}  // namespace

std::string phrase(const ledger::Fact& event) {
  return std::visit(Phrase{}, event);
}

std::string phrase(const ledger::Basis& basis) {
  const std::uint32_t free = basis.slots - std::min(basis.slots, basis.slots_busy);
  std::string out = grouped(free) + " of " + counted(basis.slots, "slot") + " free";
  if (basis.queued > 0) out += ", " + grouped(basis.queued) + " waiting";
  out += basis.stranger
             ? ", a stranger"
             : ", credit " + sats(basis.customer_credit) + " of which " + sats(basis.customer_exposure) + " is used";
  if (basis.customer_unpaid > base::Msat{}) out += ", " + sats(basis.customer_unpaid) + " never paid";
  if (basis.credit_ended) out += ", credit ended by defaults";
  out += ", strangers' pool " + sats(basis.stranger_pool_left);
  if (!basis.inference_healthy) out += ", model server down";
  if (!basis.wallet_healthy) out += ", wallet down";
  if (basis.model_failing) out += ", the model fails";
  return out;
}

}  // namespace replay
