#include "pipeline/wallet/bolt11_fields.h"

#include <algorithm>
#include <array>

#include "base/utf8.h"
#include "pipeline/nostr/bech32.h"
#include "pipeline/nostr/json.h"

namespace wallet {
namespace {

// A field's type is the value of its letter in bech32.
enum FieldType : std::uint8_t {
  kPaymentHash = 1,       // p
  kRoute = 3,             // r
  kFeatures = 5,          // 9
  kExpiry = 6,            // x
  kFallback = 9,          // f
  kDescription = 13,      // d
  kPaymentSecret = 16,    // s
  kPayee = 19,            // n
  kDescriptionHash = 23,  // h
  kMinFinalCltv = 24,     // c
  kMetadata = 27,         // m
};

constexpr std::size_t kMaxFieldGroups = 1023;
constexpr std::size_t kRouteHopBytes = 51;
constexpr std::uint64_t kMaxFieldNumber = std::uint64_t{1} << 40;  // of seconds and blocks: past every calendar

// Even bits that a payer must understand (BOLT9, context 9), of which we know the meaning.
constexpr std::array<std::uint32_t, 7> kKnownEvenFeatures = {
    8,   // var_onion_optin
    14,  // payment_secret
    16,  // basic_mpp
    24,  // option_route_blinding
    36,  // option_attribution_data
    48,  // option_payment_metadata
    56,  // trampoline_routing
};

auto field_error(const char* code, std::string message) {
  return base::fail(base::ErrorKind::payment, code, std::move(message));
}

bool is_unknown_and_required(std::uint32_t feature) {
  return feature % 2 == 0 &&
         std::find(kKnownEvenFeatures.begin(), kKnownEvenFeatures.end(), feature) == kKnownEvenFeatures.end();
}

bool fits_a_field(std::uint32_t feature) {
  return feature < kMaxFieldGroups * 5;
}

// The letter by which the specification calls a field.
std::string letter(std::uint8_t type) {
  return std::string("field `") + "qpzry9x8gf2tvdw0s3jn54khce6mua7l"[type] + "`";
}

bool is_fallback(std::uint8_t version, std::size_t program_bytes) {
  if (version == 17 || version == 18) return program_bytes == 20;
  if (version == 0) return program_bytes == 20 || program_bytes == 32;
  return version <= 16 && program_bytes >= 2 && program_bytes <= 40;
}

std::optional<std::string> to_bytes(GroupView groups) {
  const auto bytes = nostr::convert_bits(groups, 5, 8, false);
  if (!bytes) return std::nullopt;
  return std::string(bytes->begin(), bytes->end());
}

Groups to_groups(std::string_view bytes) {
  const std::vector<std::uint8_t> raw(bytes.begin(), bytes.end());
  return *nostr::convert_bits(raw, 8, 5, true);
}

auto bad_padding(std::uint8_t type) {
  return field_error("bolt11.padding", letter(type) + " does not hold whole bytes, followed by zero bits only");
}

// ---- big-endian bytes of route hops ---------------------------------------------------------------------------------

template <class Number>
Number take_number(std::string_view& in) {
  Number value = 0;
  for (std::size_t i = 0; i < sizeof(Number); ++i) {
    value = static_cast<Number>(value << 8 | static_cast<std::uint8_t>(in[i]));
  }
  in.remove_prefix(sizeof(Number));
  return value;
}

template <class Number>
void put_number(std::string& out, Number value) {
  for (std::size_t i = sizeof(Number); i-- > 0;) out.push_back(static_cast<char>(value >> 8 * i));
}

RouteHop take_hop(std::string_view& in) {
  RouteHop hop;
  hop.node = *NodeId::from_bytes(in.substr(0, NodeId::kSize));
  in.remove_prefix(NodeId::kSize);
  hop.short_channel_id = take_number<std::uint64_t>(in);
  hop.fee_base_msat = take_number<std::uint32_t>(in);
  hop.fee_proportional_millionths = take_number<std::uint32_t>(in);
  hop.cltv_expiry_delta = take_number<std::uint16_t>(in);
  return hop;
}

void put_hop(std::string& out, const RouteHop& hop) {
  out.append(hop.node.view());
  put_number(out, hop.short_channel_id);
  put_number(out, hop.fee_base_msat);
  put_number(out, hop.fee_proportional_millionths);
  put_number(out, hop.cltv_expiry_delta);
}

// Bit 0 is the lowest bit of the last group.
Groups feature_groups(const std::vector<std::uint32_t>& features) {
  Groups groups(features.empty() ? 0 : *std::max_element(features.begin(), features.end()) / 5 + 1, 0);
  for (const std::uint32_t bit : features)
    groups[groups.size() - 1 - bit / 5] |= static_cast<std::uint8_t>(1 << bit % 5);
  return groups;
}

}  // namespace

Groups write_bolt11_number(std::uint64_t value, std::size_t min_groups) {
  Groups groups;
  for (; value != 0 || groups.size() < min_groups; value >>= 5) groups.push_back(value & 31);
  std::reverse(groups.begin(), groups.end());
  return groups;
}

std::optional<std::uint64_t> read_bolt11_number(GroupView groups) {
  std::uint64_t value = 0;
  for (const std::uint8_t group : groups) {
    if (value >> 58 != 0) return std::nullopt;
    value = value << 5 | group;
  }
  return value;
}

// ---- reading --------------------------------------------------------------------------------------------------------

Result<void> Bolt11FieldReader::read_all(GroupView groups) {
  while (!groups.empty()) {
    if (groups.size() < 3) return field_error("bolt11.cut_off", "the invoice ends within a field");
    const std::uint8_t type = groups[0];
    const std::size_t size = groups[1] * 32U + groups[2];
    groups = groups.subspan(3);
    if (size > groups.size()) return field_error("bolt11.cut_off", "the invoice ends within " + letter(type));
    const GroupView data = groups.first(size);
    const bool repeated = seen_[type] && type != kFallback && type != kRoute;
    const auto understood = repeated ? false : read(type, data);
    if (!understood) return tl::unexpected(understood.error());
    if (*understood) seen_[type] = true;
    if (!*understood) invoice.unknown_fields.push_back({type, Groups(data.begin(), data.end())});
    groups = groups.subspan(size);
  }
  return check_complete();
}

Result<void> Bolt11FieldReader::check_complete() const {
  if (!seen_[kPaymentHash]) return field_error("bolt11.no_payment_hash", "the invoice has no payment hash (field `p`)");
  if (!seen_[kPaymentSecret]) return field_error("bolt11.no_payment_secret", "the invoice has no secret (field `s`)");
  if (seen_[kDescription] == seen_[kDescriptionHash]) {
    return field_error("bolt11.description",
                       "the invoice must have either a description (field `d`) or its hash (field `h`)");
  }
  return {};
}

Result<bool> Bolt11FieldReader::read(std::uint8_t type, GroupView data) {
  switch (type) {
    case kPaymentHash:
      return read_fixed(type, data, invoice.payment_hash);
    case kPaymentSecret:
      return read_fixed(type, data, invoice.payment_secret);
    case kDescriptionHash:
      return read_fixed(type, data, invoice.description_hash);
    case kPayee:
      return read_payee(data);
    case kDescription:
      return read_description(data);
    case kMetadata:
      return read_bytes(type, data, invoice.metadata);
    case kExpiry:
      return read_number(type, data, invoice.expiry_s);
    case kMinFinalCltv:
      return read_number(type, data, invoice.min_final_cltv_expiry);
    case kFallback:
      return read_fallback(data);
    case kRoute:
      return read_route(data);
    case kFeatures:
      return read_features(data);
    default:
      return false;
  }
}

template <class Out>
Result<bool> Bolt11FieldReader::read_fixed(std::uint8_t type, GroupView data, Out& out) {
  using Value = std::decay_t<decltype(*std::optional(out))>;
  if (data.size() != (Value::kSize * 8 + 4) / 5) return false;
  const auto bytes = to_bytes(data);
  if (!bytes) return bad_padding(type);
  out = *Value::from_bytes(*bytes);
  return true;
}

Result<bool> Bolt11FieldReader::read_bytes(std::uint8_t type, GroupView data, std::optional<std::string>& out) {
  out = to_bytes(data);
  if (!out) return bad_padding(type);
  return true;
}

template <class Number>
Result<bool> Bolt11FieldReader::read_number(std::uint8_t type, GroupView data, std::optional<Number>& out) {
  const auto value = read_bolt11_number(data);
  if (!value || *value > kMaxFieldNumber)
    return field_error("bolt11.number", letter(type) + " holds too large a number");
  out = static_cast<Number>(*value);
  return true;
}

Result<bool> Bolt11FieldReader::read_payee(GroupView data) {
  const auto understood = read_fixed(kPayee, data, payee);
  if (!understood || !*understood) return understood;
  if (!is_node_id(*payee)) return field_error("bolt11.payee", "the payee (field `n`) is no public key");
  invoice.names_payee = true;
  return true;
}

Result<bool> Bolt11FieldReader::read_description(GroupView data) {
  const auto understood = read_bytes(kDescription, data, invoice.description);
  if (understood && !base::is_utf8(*invoice.description)) {
    return field_error("bolt11.description", "the description (field `d`) is not UTF-8");
  }
  return understood;
}

Result<bool> Bolt11FieldReader::read_fallback(GroupView data) {
  if (data.empty()) return false;
  auto program = to_bytes(data.subspan(1));
  if (!program || !is_fallback(data[0], program->size())) return false;
  invoice.fallbacks.push_back({data[0], std::move(*program)});
  return true;
}

Result<bool> Bolt11FieldReader::read_route(GroupView data) {
  const auto bytes = to_bytes(data);
  if (!bytes) return bad_padding(kRoute);
  if (bytes->empty() || bytes->size() % kRouteHopBytes != 0) {
    return field_error("bolt11.route", "the route (field `r`) does not hold whole hops");
  }
  auto& route = invoice.routes.emplace_back();
  for (std::string_view rest = *bytes; !rest.empty();) route.push_back(take_hop(rest));
  return true;
}

Result<bool> Bolt11FieldReader::read_features(GroupView data) {
  for (std::size_t bit = 0; bit < data.size() * 5; ++bit) {
    if ((data[data.size() - 1 - bit / 5] >> bit % 5 & 1) != 0) {
      invoice.features.push_back(static_cast<std::uint32_t>(bit));
    }
  }
  if (const auto unknown = std::find_if(invoice.features.begin(), invoice.features.end(), is_unknown_and_required);
      unknown != invoice.features.end()) {
    return field_error("bolt11.feature",
                       "the invoice requires feature " + std::to_string(*unknown) + ", which is unknown");
  }
  return true;
}

// ---- writing --------------------------------------------------------------------------------------------------------

namespace {

void put_field(Groups& out, std::uint8_t type, const Groups& data) {
  out.push_back(type);
  out.push_back(static_cast<std::uint8_t>(data.size() / 32 & 31));
  out.push_back(data.size() & 31);
  out.insert(out.end(), data.begin(), data.end());
}

// In the order of the specification's examples.
std::vector<UnknownField> all_fields(const Invoice& invoice, const NodeId& payee) {
  std::vector<UnknownField> out;
  const auto add = [&](std::uint8_t type, Groups groups) { out.push_back({type, std::move(groups)}); };
  add(kPaymentSecret, to_groups(invoice.payment_secret.view()));
  add(kPaymentHash, to_groups(invoice.payment_hash.view()));
  if (invoice.description) add(kDescription, to_groups(*invoice.description));
  if (invoice.description_hash) add(kDescriptionHash, to_groups(invoice.description_hash->view()));
  if (invoice.metadata) add(kMetadata, to_groups(*invoice.metadata));
  if (invoice.names_payee) add(kPayee, to_groups(payee.view()));
  if (invoice.expiry_s) add(kExpiry, write_bolt11_number(static_cast<std::uint64_t>(*invoice.expiry_s), 1));
  if (invoice.min_final_cltv_expiry) add(kMinFinalCltv, write_bolt11_number(*invoice.min_final_cltv_expiry, 1));
  for (const FallbackAddress& fallback : invoice.fallbacks) {
    Groups groups = to_groups(fallback.program);
    groups.insert(groups.begin(), fallback.version);
    add(kFallback, std::move(groups));
  }
  for (const auto& route : invoice.routes) {
    std::string bytes;
    for (const RouteHop& hop : route) put_hop(bytes, hop);
    add(kRoute, to_groups(bytes));
  }
  if (!invoice.features.empty()) add(kFeatures, feature_groups(invoice.features));
  out.insert(out.end(), invoice.unknown_fields.begin(), invoice.unknown_fields.end());
  return out;
}

}  // namespace

Result<Groups> write_bolt11_fields(const Invoice& invoice, const NodeId& payee) {
  if (!std::all_of(invoice.features.begin(), invoice.features.end(), fits_a_field)) {
    return field_error("bolt11.feature", "a feature's number is beyond what a field can hold");
  }
  Groups out;
  for (const UnknownField& field : all_fields(invoice, payee)) {
    if (field.type >= 32 || field.groups.size() > kMaxFieldGroups) {
      return field_error("bolt11.field", "a field is longer than 1023 groups, or of a type that does not exist");
    }
    put_field(out, field.type, field.groups);
  }
  return out;
}

}  // namespace wallet
