#include "ledger/fact.h"

#include <algorithm>
#include <array>
#include <utility>

namespace ledger {
namespace {

// Enumerators are numbered from 0 in the order of these lists.
template <std::size_t N>
constexpr std::array<EnumName, N> numbered(const std::string_view (&names)[N]) {
  std::array<EnumName, N> out{};
  for (std::size_t i = 0; i < N; ++i) out[i] = {static_cast<std::uint32_t>(i), names[i]};
  return out;
}

constexpr auto kPaymentModes = numbered({"unspecified", "result_first", "payment_first", "escrow"});
constexpr auto kDeclineReasons =
    numbered({"unspecified", "malformed", "parameter", "no_prompt", "unsupported_input", "unsupported_output",
              "encrypted", "unknown_model", "too_long", "too_old", "expired", "bid_too_low", "busy",
              "inference_unavailable", "wallet_unavailable", "needs_work", "input_unavailable"});
constexpr auto kEncryptions = numbered({"none", "nip04", "nip44"});
constexpr auto kInputTypes = numbered({"unspecified", "url", "event", "job"});
constexpr auto kNoticePurposes =
    numbered({"unspecified", "payment_required", "processing", "result", "success", "error", "invoice_renewed"});
constexpr auto kInvoicePurposes = numbered({"unspecified", "job"});
constexpr auto kInferenceFailures =
    numbered({"unspecified", "unreachable", "timed_out", "unknown_model", "input_too_long", "busy", "rejected",
              "server_error", "cut_off", "malformed", "empty"});
constexpr auto kFinishReasons = numbered({"unspecified", "stop", "length", "cancelled"});
constexpr auto kCancelledBy = numbered({"unspecified", "customer", "provider"});
constexpr auto kReadinessParts =
    numbered({"unspecified", "wallet", "inference", "relays", "disk", "clock", "rollback"});
constexpr auto kExpiryBases = numbered({"wallet_said", "unknown_to_wallet", "operator_said"});

// Whether the type is known; then `good` says whether its bytes were.
template <std::size_t... I>
bool decode_known(Fact& out, std::uint32_t type, std::string_view facts, bool& good, std::index_sequence<I...>) {
  const auto try_type = [&]<class T>(std::type_identity<T>) {
    if (T::kType != type) return false;
    good = wire::decode_into(facts, out.emplace<T>());
    return true;
  };
  return (try_type(std::type_identity<std::variant_alternative_t<I, Fact>>{}) || ...);
}

template <class T>
bool is_or_holds(const T& field, const TextRef& text) {
  if constexpr (std::is_same_v<T, TextRef>) {
    return field == text;
  } else if constexpr (std::is_same_v<T, std::vector<TextRef>>) {
    return std::ranges::find(field, text) != field.end();
  } else {
    return false;
  }
}

}  // namespace

std::span<const EnumName> enum_names(PaymentMode) {
  return kPaymentModes;
}
std::span<const EnumName> enum_names(DeclineReason) {
  return kDeclineReasons;
}
std::span<const EnumName> enum_names(Encryption) {
  return kEncryptions;
}
std::span<const EnumName> enum_names(InputType) {
  return kInputTypes;
}
std::span<const EnumName> enum_names(NoticePurpose) {
  return kNoticePurposes;
}
std::span<const EnumName> enum_names(InvoicePurpose) {
  return kInvoicePurposes;
}
std::span<const EnumName> enum_names(InferenceFailure) {
  return kInferenceFailures;
}
std::span<const EnumName> enum_names(FinishReason) {
  return kFinishReasons;
}
std::span<const EnumName> enum_names(CancelledBy) {
  return kCancelledBy;
}
std::span<const EnumName> enum_names(ExpiryBasis) {
  return kExpiryBases;
}
std::span<const EnumName> enum_names(ReadinessPart) {
  return kReadinessParts;
}

std::uint32_t type_of(const Fact& event) {
  return std::visit([](const auto& e) { return std::decay_t<decltype(e)>::kType; }, event);
}

std::string_view type_name(std::uint32_t type) {
  switch (type) {
    case ProviderConfigured::kType:
      return "ProviderConfigured";
    case WentOnline::kType:
      return "WentOnline";
    case WentOffline::kType:
      return "WentOffline";
    case RequestsDropped::kType:
      return "RequestsDropped";
    case TextsPruned::kType:
      return "TextsPruned";
    case RollbackAccepted::kType:
      return "RollbackAccepted";
    case ReadinessChanged::kType:
      return "ReadinessChanged";
    case JobClosed::kType:
      return "JobClosed";
    case JobRequested::kType:
      return "JobRequested";
    case JobDeclined::kType:
      return "JobDeclined";
    case JobQuoted::kType:
      return "JobQuoted";
    case InvoiceIssued::kType:
      return "InvoiceIssued";
    case InvoiceFailed::kType:
      return "InvoiceFailed";
    case InvoiceSettled::kType:
      return "InvoiceSettled";
    case InvoiceExpired::kType:
      return "InvoiceExpired";
    case InferenceStarted::kType:
      return "InferenceStarted";
    case InferenceCompleted::kType:
      return "InferenceCompleted";
    case InferenceFailed::kType:
      return "InferenceFailed";
    case NoticeSigned::kType:
      return "NoticeSigned";
    case NoticePublished::kType:
      return "NoticePublished";
    case NoticeRetried::kType:
      return "NoticeRetried";
    case JobCancelled::kType:
      return "JobCancelled";
    case JobExpired::kType:
      return "JobExpired";
    case RefundOwed::kType:
      return "RefundOwed";
    case RefundStarted::kType:
      return "RefundStarted";
    case RefundPaid::kType:
      return "RefundPaid";
    case RefundFailed::kType:
      return "RefundFailed";
    case InputsGathered::kType:
      return "InputsGathered";
    case InputsFailed::kType:
      return "InputsFailed";
    case InvoiceHeld::kType:
      return "InvoiceHeld";
    case InvoiceUnknown::kType:
      return "InvoiceUnknown";
    default:
      return "Unknown";
  }
}

bool refers_to(const Fact& event, const TextRef& text) {
  return std::visit(
      [&]<class T>(const T& e) {
        return std::apply([&](const auto&... f) { return (is_or_holds(e.*(f.member), text) || ...); }, T::fields());
      },
      event);
}

std::string encode_facts(const Fact& event) {
  return std::visit([](const auto& e) { return encode(e); }, event);
}

Result<void> decode_facts_to(Fact& out, std::uint32_t type, std::string_view facts) {
  bool good = false;
  if (!decode_known(out, type, facts, good, std::make_index_sequence<std::variant_size_v<Fact>>{})) {
    return fail(ErrorKind::invocation, "ledger.unknown_type", "an entry has the unknown type " + std::to_string(type),
                {}, "it was written by a newer version: update sellcompute");
  }
  if (!good) return fail(ErrorKind::invocation, "ledger.corrupt", "these bytes do not encode the record they should");
  return {};
}

Result<Fact> decode_facts(std::uint32_t type, std::string_view facts) {
  Result<Fact> out;
  if (auto decoded = decode_facts_to(*out, type, facts); !decoded) return tl::unexpected(std::move(decoded.error()));
  return out;
}

}  // namespace ledger
