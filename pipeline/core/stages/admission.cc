// Admission: every request gets a quote or a reason why not, from its own facts and the shop's state, which is
// recorded. A reason may come before its inputs are gathered, a quote never.
#include <algorithm>

#include "base/check.h"
#include "base/number_text.h"
#include "pipeline/core/model_name.h"
#include "pipeline/core/pricing.h"
#include "pipeline/core/stages/stage.h"

namespace core {
namespace {

using ledger::DeclineReason;
using ledger::JobDeclined;
using ledger::JobQuoted;

// A token of output takes at most this many bytes of the result's event on average; the runtime cuts an answer that
// takes more.
constexpr std::uint64_t kBytesPerToken = 6;
constexpr std::uint64_t kEncryptedBytesPerToken = 9;  // padded, and in base64
// Signature, ids, invoice and the other tags of a result's event.
constexpr std::uint64_t kResultOverheadBytes = 3 * 1024;
constexpr std::uint64_t kMinOutputTokens = 16;

struct Refusal {
  DeclineReason reason;
  std::string message;
};

const ledger::ModelOffer* find_offer(const Policy& policy, const std::string& model) {
  if (policy.models.empty()) return nullptr;
  if (model.empty()) return &policy.models.front();
  const auto it = std::ranges::find_if(
      policy.models, [&](const ledger::ModelOffer& offer) { return is_same_model(offer.name, model); });
  return it == policy.models.end() ? nullptr : &*it;
}

std::string offered_models(const Policy& policy) {
  std::string out;
  for (const auto& offer : policy.models) out += (out.empty() ? "" : ", ") + offer.name;
  return out;
}

// Room for the answer in the result's event, which quotes the request whole.
std::uint64_t output_tokens_that_fit(const ledger::JobRequested& request, const Policy& policy) {
  const std::uint64_t taken = kResultOverheadBytes + request.request_bytes;
  const std::uint64_t room = policy.result_event_limit_bytes - std::min(taken, policy.result_event_limit_bytes);
  return room / (request.encryption == ledger::Encryption::none ? kBytesPerToken : kEncryptedBytesPerToken);
}

std::optional<Refusal> refuse_by_itself(const Job& job, const ledger::JobRequested& request, const Policy& policy,
                                        TimeMs now) {
  const TimeMs time = clock_time(job, now);
  if (request.fault) return Refusal{request.fault->reason, request.fault->message};
  if (request.expires_at && *request.expires_at <= time) {
    return Refusal{DeclineReason::expired, "the request had expired before we could answer"};
  }
  if (time.ms - request.created_at_s * 1000 > policy.request_age_limit_ms) {
    return Refusal{DeclineReason::too_old, "the request is older than " +
                                               std::to_string(policy.request_age_limit_ms / 60'000) +
                                               " minutes; send it again if you still want it"};
  }
  if (job.inputs_failed) return Refusal{DeclineReason::input_unavailable, job.inputs_failed->message};
  return std::nullopt;
}

// A stranger's key that is not drawn this minute is served all the same if its request bears the work.
std::optional<Refusal> refuse_stranger(const ledger::JobRequested& request, const ledger::Basis& basis,
                                       const Policy& policy) {
  if (!basis.stranger) return std::nullopt;
  if (request.pow_bits < policy.stranger_pow_bits) {
    return Refusal{DeclineReason::needs_work, "from those who have paid for nothing here yet we ask for " +
                                                  std::to_string(policy.stranger_pow_bits) +
                                                  " bits of proof of work in the request (NIP-13)"};
  }
  if (basis.drawn || request.pow_bits >= basis.work_asked) return std::nullopt;
  return Refusal{DeclineReason::needs_work,
                 "many new customers ask at once, and some are drawn each minute: try again later, or put " +
                     std::to_string(basis.work_asked) + " bits of proof of work into the request (NIP-13)"};
}

std::string jobs_waiting(std::uint64_t count) {
  return count == 1 ? "1 job is waiting" : std::to_string(count) + " jobs are waiting";
}

std::optional<Refusal> refuse_by_shop(const ledger::JobRequested& request, const ledger::Basis& basis,
                                      const Policy& policy) {
  if (!basis.inference_healthy)
    return Refusal{DeclineReason::inference_unavailable, "the model server is down; try again later"};
  if (basis.model_failing)
    return Refusal{DeclineReason::inference_unavailable,
                   "this model does not work now; try again later, or ask for another"};
  if (!basis.wallet_healthy)
    return Refusal{DeclineReason::wallet_unavailable, "our wallet cannot make invoices now; try again later"};
  const Taken queue{
      .by_all = basis.queued, .by_strangers = basis.queued_of_strangers, .by_customer = basis.queued_of_customer};
  const bool slots_free = basis.slots_busy < basis.slots;
  if (slots_free || has_place(policy.queue_limit, standing_of(basis, request.pow_bits), queue)) return std::nullopt;
  return Refusal{DeclineReason::busy, "all slots are busy and " + jobs_waiting(basis.queued) + ", " +
                                          std::to_string(basis.queued_of_customer) + " of them yours; try again later"};
}

// Customers have credit for a share of what they settled lately; what it does not cover is taken from the strangers'
// pool, as of one who never paid: having paid is no disadvantage. Beyond both, payment comes first.
ledger::PaymentMode payment_mode(const Policy& policy, const ledger::Basis& basis, Msat price) {
  if (policy.payment_mode >= ledger::PaymentMode::payment_first) return policy.payment_mode;
  const bool from_pool = !basis.credit_ended && price <= basis.stranger_pool_left;
  const bool trusted = within_credit(basis, price) || from_pool;
  const bool within_limit = basis.total_exposure + price <= policy.exposure_limit;
  return trusted && within_limit ? ledger::PaymentMode::result_first : ledger::PaymentMode::payment_first;
}

tl::expected<JobQuoted, Refusal> quote(const Job& job, const ledger::JobRequested& request, const Policy& policy,
                                       const ledger::Basis& basis) {
  const std::uint64_t input = input_tokens(job);
  const ledger::ModelOffer* offer = find_offer(policy, request.model);
  if (!offer) {
    return tl::unexpected(Refusal{DeclineReason::unknown_model,
                                  "no model \"" + request.model + "\" here; we serve " + offered_models(policy)});
  }
  const std::uint64_t wanted = request.params.max_tokens.value_or(offer->max_output_tokens);
  const std::uint64_t room = input >= offer->context_tokens ? 0 : offer->context_tokens - input;
  const std::uint64_t cap = std::min({wanted, offer->max_output_tokens, room, output_tokens_that_fit(request, policy)});
  if (cap < std::min(wanted, kMinOutputTokens)) {
    return tl::unexpected(
        Refusal{DeclineReason::too_long, "the prompt (about " + base::grouped(static_cast<std::int64_t>(input)) +
                                             " tokens) leaves no room for an answer; " + offer->name + " takes " +
                                             base::grouped(static_cast<std::int64_t>(offer->context_tokens)) +
                                             " tokens in all"});
  }
  const Msat asked = price(*offer, input, cap, policy.wallet_unit, policy.wallet_minimum);
  if (request.bid && asked > *request.bid) {
    std::string message =
        "bid " + sats(*request.bid) + ", asked " + sats(asked) + " for up to " + base::counted(cap, "token");
    const auto affordable =
        affordable_output_tokens(*offer, input, *request.bid, policy.wallet_unit, policy.wallet_minimum);
    if (affordable && *affordable >= kMinOutputTokens) {
      message += "; max_tokens " + std::to_string(*affordable) + " would fit the bid";
    }
    return tl::unexpected(Refusal{DeclineReason::bid_too_low, message});
  }
  const ledger::PaymentMode mode = payment_mode(policy, basis, asked);
  const Taken offers{
      .by_all = basis.open_offers, .by_strangers = basis.offers_of_strangers, .by_customer = basis.offers_of_customer};
  const bool is_offer = mode >= ledger::PaymentMode::payment_first && asked > Msat{};
  if (is_offer && !has_place(policy.offers_limit, standing_of(basis, request.pow_bits), offers)) {
    return tl::unexpected(Refusal{DeclineReason::busy, jobs_waiting(basis.open_offers) + " for payment, " +
                                                           std::to_string(basis.offers_of_customer) +
                                                           " of them yours; try again in a minute"});
  }
  return JobQuoted{.terms = *offer,
                   .unit = policy.wallet_unit,
                   .minimum = policy.wallet_minimum,
                   .price = asked,
                   .input_tokens = input,
                   .max_output_tokens = cap,
                   .payment_mode = mode,
                   .basis = basis,
                   .renew_invoice = policy.renew_invoices};
}

JobDeclined decline(const ledger::JobRequested& request, const Policy& policy, const ledger::Basis& basis,
                    Refusal why) {
  // A broadcast asked the market, not us; and nobody can make us send more than so many notices.
  const auto limit = share_of_class(policy.error_notices, standing_of(basis, request.pow_bits));
  const bool told = request.addressed && basis.notices_to_customer < policy.error_notices_per_customer &&
                    basis.notices_to_all < limit;
  return {.reason = why.reason, .message = std::move(why.message), .told = told, .basis = basis};
}

Due due_admission(const Job& job, TimeMs) {
  if (!job.request || job.quote || ended_without_result(job)) return {};
  return {.decide = true};
}

// While inputs are awaited only a refusal is decided: what is too old, too dear or too long already does not become
// less so, and nothing is fetched for it.
std::vector<Fact> decide(const Job& job, const Shop& shop, const Policy& policy, TimeMs now) {
  CHECK(job.request);
  const ledger::JobRequested& request = *job.request;
  ledger::Basis used = basis(shop, policy, request.customer, now, request.pow_bits);
  const ledger::ModelOffer* offer = find_offer(policy, request.model);
  used.model_failing = offer && shop.failing_models.contains(offer->name);
  auto refusal = refuse_by_itself(job, request, policy, now);
  // Whose inputs were gathered had passed before, perhaps in another minute.
  if (!refusal && !job.inputs) refusal = refuse_stranger(request, used, policy);
  if (!refusal) refusal = refuse_by_shop(request, used, policy);
  if (refusal) return {decline(request, policy, used, std::move(*refusal))};
  auto quoted = quote(job, request, policy, used);
  if (!quoted) return {decline(request, policy, used, std::move(quoted.error()))};
  if (awaits_inputs(job, now)) return {};
  return {std::move(*quoted)};
}

}  // namespace

Stage stage::admission() {
  return {"admission", due_admission, decide};
}

}  // namespace core
