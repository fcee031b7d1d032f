// The words that facts are made of: names for the values of enums, and the structs that several facts share.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "ledger/codec.h"

namespace ledger {

using base::EventId;
using base::Hash256;
using base::JobId;
using base::PublicKey;
using base::Signature;
using base::TextRef;

// ---- the words that facts are made of -------------------------------------------------------------------------------

// Names for an enum's values, in the order of their numbers; 0 means absent: "unspecified", or "none".
struct EnumName {
  std::uint32_t value;
  std::string_view name;
};

// When the customer pays: after the seller has delivered (the invoice comes with the result), or before the seller
// starts (the invoice comes first).
enum class PaymentMode : std::uint32_t {
  unspecified,
  result_first,
  payment_first,
  escrow,  // payment first, held by the wallet until the answer is there: then it is taken, or else given back
};

enum class DeclineReason : std::uint32_t {
  unspecified,
  malformed,           // the request contradicts itself or cannot be read
  parameter,           // a parameter is out of its range or no number
  no_prompt,           // nothing to answer
  unsupported_input,   // an input type that we do not serve
  unsupported_output,  // an output type that we do not make
  encrypted,           // a form of encryption that we cannot read
  unknown_model,
  too_long,  // the prompt exceeds the model's context or the limits of the answer's event
  too_old,   // asked longer ago than we serve
  expired,   // past its NIP-40 expiration
  bid_too_low,
  busy,  // no slot and no place in the queue, or no place for another offer
  inference_unavailable,
  wallet_unavailable,
  needs_work,         // a stranger's request without the proof of work that we ask for (NIP-13)
  input_unavailable,  // an input that is to be gathered could not be
};

// How a customer hides a request, and so how its answers are hidden (NIP-04, NIP-44 version 2).
enum class Encryption : std::uint32_t { none, nip04, nip44 };

// Where an input is that is not in the request itself (NIP-90).
enum class InputType : std::uint32_t { unspecified, url, event, job };

enum class NoticePurpose : std::uint32_t {
  unspecified,
  payment_required,
  processing,
  result,
  success,
  error,
  invoice_renewed,  // in place of the result's invoice, which nobody paid in time
};

enum class InvoicePurpose : std::uint32_t { unspecified, job };

enum class InferenceFailure : std::uint32_t {
  unspecified,
  unreachable,  // no connection to the backend
  timed_out,    // no first token, a stall, or no end in time
  unknown_model,
  input_too_long,
  busy,
  rejected,      // another 4xx: the same request will fail again
  server_error,  // 5xx, or an error line in the stream
  cut_off,       // the stream ended without its last line
  malformed,     // the stream was not what the API promises
  empty,         // it ended well, without a text that a reader could see: there is nothing to sell
};

enum class FinishReason : std::uint32_t {
  unspecified,
  stop,
  length,
  cancelled,  // by the customer, who had been shown a part of it
};

enum class CancelledBy : std::uint32_t { unspecified, customer, provider };

// On whose word an unpaid invoice is watched no more. Only the first counts as a failure of the customer to pay.
enum class ExpiryBasis : std::uint32_t {
  wallet_said,        // asked after expiry plus grace
  unknown_to_wallet,  // the account that made it has answered so again and again, for a day
  operator_said,
};

// What selling depends on.
enum class ReadinessPart : std::uint32_t {
  unspecified,
  wallet,     // makes invoices and reports what was paid
  inference,  // the model server answers, and a model that is offered works
  relays,     // at least one delivers requests
  disk,       // has space for new jobs
  clock,      // agrees with the ledger's last entry; only reported
  rollback,   // relays told whether the ledger lost its end; only reported
};

std::span<const EnumName> enum_names(PaymentMode);
std::span<const EnumName> enum_names(DeclineReason);
std::span<const EnumName> enum_names(Encryption);
std::span<const EnumName> enum_names(InputType);
std::span<const EnumName> enum_names(NoticePurpose);
std::span<const EnumName> enum_names(InvoicePurpose);
std::span<const EnumName> enum_names(InferenceFailure);
std::span<const EnumName> enum_names(FinishReason);
std::span<const EnumName> enum_names(CancelledBy);
std::span<const EnumName> enum_names(ExpiryBasis);
std::span<const EnumName> enum_names(ReadinessPart);

template <class Enum>
requires std::is_enum_v<Enum> && requires(Enum e) {
  enum_names(e);
}
std::string_view name(Enum value) {
  for (const EnumName& entry : enum_names(value)) {
    if (entry.value == static_cast<std::uint32_t>(value)) return entry.name;
  }
  return "unknown";
}

// The value with this name, or nothing.
template <class Enum>
requires std::is_enum_v<Enum> && requires(Enum e) {
  enum_names(e);
}
std::optional<Enum> enum_named(std::string_view text) {
  for (const EnumName& entry : enum_names(Enum{})) {
    if (entry.name == text) return static_cast<Enum>(entry.value);
  }
  return std::nullopt;
}

// What one model costs and can do. A price is base + input + output, rounded up once.
struct ModelOffer {
  std::string name;
  Msat base;  // per job
  Msat input_per_1k_tokens;
  Msat output_per_1k_tokens;
  std::uint64_t context_tokens = 0;     // prompt and answer together
  std::uint64_t max_output_tokens = 0;  // the cap on an answer, always sent to the backend
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = ModelOffer;
    return std::tuple{field(1, "name", &T::name),
                      field(2, "base_msat", &T::base),
                      field(3, "input_msat_per_1k_tokens", &T::input_per_1k_tokens),
                      field(4, "output_msat_per_1k_tokens", &T::output_per_1k_tokens),
                      field(5, "context_tokens", &T::context_tokens),
                      field(6, "max_output_tokens", &T::max_output_tokens)};
  }
};

// A kind of request beside text generation that is served too, by telling the model what to do with the input.
struct PromptTemplate {
  std::uint32_t kind = 0;   // NIP-90 request kind: 5001
  std::string instruction;  // "{language}" is the parameter of that name, "{language|English}" has a default
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = PromptTemplate;
    return std::tuple{field(1, "kind", &T::kind), field(2, "instruction", &T::instruction)};
  }
};

// The generation parameters that a customer named; absent means the backend's default.
struct GenerationParams {
  std::optional<std::uint64_t> max_tokens;
  std::optional<double> temperature;
  std::optional<std::uint64_t> top_k;
  std::optional<double> top_p;
  std::optional<double> frequency_penalty;
  std::optional<double> presence_penalty;
  std::optional<std::int64_t> seed;
  std::vector<std::string> stop;
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = GenerationParams;
    return std::tuple{field(1, "max_tokens", &T::max_tokens),
                      field(2, "temperature", &T::temperature),
                      field(3, "top_k", &T::top_k),
                      field(4, "top_p", &T::top_p),
                      field(5, "frequency_penalty", &T::frequency_penalty),
                      field(6, "presence_penalty", &T::presence_penalty),
                      field(7, "seed", &T::seed),
                      field(8, "stop", &T::stop)};
  }
};

// Why a request that was ours to answer cannot be served as it stands.
struct RequestFault {
  DeclineReason reason = DeclineReason::unspecified;
  std::string message;  // for the customer: what is wrong and what would work
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = RequestFault;
    return std::tuple{field(1, "reason", &T::reason), field(2, "message", &T::message)};
  }
};

// An input that has to be gathered before the job can be quoted.
struct InputSource {
  InputType type = InputType::unspecified;
  std::string data;   // the page's URL, or the id of the event or of the job in hex
  std::string relay;  // where the customer says that it is, checked; may be empty
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = InputSource;
    return std::tuple{field(1, "type", &T::type), field(2, "data", &T::data), field(3, "relay", &T::relay)};
  }
};

// The part of the shop's state that a decision used.
struct Basis {
  std::uint32_t slots = 0;
  std::uint32_t slots_busy = 0;
  std::uint32_t queued = 0;
  bool stranger = false;    // has settled nothing lately
  Msat customer_exposure;   // unpaid: reserved, running or revealed
  Msat customer_credit;     // what a known customer may owe
  Msat stranger_pool_left;  // what this customer may still owe out of it
  Msat total_exposure;
  bool inference_healthy = false;
  bool wallet_healthy = false;
  std::uint32_t open_offers = 0;          // payment-first jobs of the last minute that wait for their payment
  std::uint32_t notices_to_customer = 0;  // error notices told in the last hour, to this customer and to all
  std::uint32_t notices_to_all = 0;
  Msat customer_settled;                 // lately, within the credit window
  Msat customer_unpaid;                  // taken and never paid, according to the wallet
  bool credit_ended = false;             // the customer failed to pay before: no credit, no strangers' pool
  std::uint32_t offers_of_customer = 0;  // of the open offers
  std::uint32_t offers_of_strangers = 0;
  std::uint32_t queued_of_customer = 0;  // of the queued
  std::uint32_t queued_of_strangers = 0;
  std::uint32_t work_asked = 0;  // bits, of strangers whose keys are not drawn
  bool drawn = false;            // this stranger's key was drawn for this minute
  bool model_failing = false;    // the model that was asked for is missing or fails
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = Basis;
    return std::tuple{field(1, "slots", &T::slots),
                      field(2, "slots_busy", &T::slots_busy),
                      field(3, "queued", &T::queued),
                      field(4, "stranger", &T::stranger),
                      field(5, "customer_exposure_msat", &T::customer_exposure),
                      field(6, "customer_credit_msat", &T::customer_credit),
                      field(7, "stranger_pool_left_msat", &T::stranger_pool_left),
                      field(8, "total_exposure_msat", &T::total_exposure),
                      field(9, "inference_healthy", &T::inference_healthy),
                      field(10, "wallet_healthy", &T::wallet_healthy),
                      field(11, "open_offers", &T::open_offers),
                      field(12, "notices_to_customer", &T::notices_to_customer),
                      field(13, "notices_to_all", &T::notices_to_all),
                      field(14, "customer_settled_msat", &T::customer_settled),
                      field(15, "customer_unpaid_msat", &T::customer_unpaid),
                      field(16, "credit_ended", &T::credit_ended),
                      field(17, "offers_of_customer", &T::offers_of_customer),
                      field(18, "offers_of_strangers", &T::offers_of_strangers),
                      field(19, "queued_of_customer", &T::queued_of_customer),
                      field(20, "queued_of_strangers", &T::queued_of_strangers),
                      field(21, "work_asked", &T::work_asked),
                      field(22, "drawn", &T::drawn),
                      field(23, "model_failing", &T::model_failing)};
  }
};

// One relay's answer to a publication (NIP-01 OK).
struct RelayAnswer {
  std::string relay;
  bool accepted = false;
  std::string message;
  TimeMs at;
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = RelayAnswer;
    return std::tuple{field(1, "relay", &T::relay), field(2, "accepted", &T::accepted),
                      field(3, "message", &T::message), field(4, "at_ms", &T::at)};
  }
};

struct DropCount {
  std::string reason;
  std::uint64_t count = 0;
  std::uint64_t keys = 0;  // that asked, as far as they were counted; 0: not counted
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = DropCount;
    return std::tuple{field(1, "reason", &T::reason), field(2, "count", &T::count), field(3, "keys", &T::keys)};
  }
};

}  // namespace ledger
