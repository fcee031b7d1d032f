// Lightning invoices as text (BOLT11, https://github.com/lightning/bolts/blob/master/11-payment-encoding.md): reading,
// writing, and the check that comes before believing a wallet. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pipeline/wallet/node_key.h"

namespace wallet {

using base::Hash256;
using base::Msat;
using base::Result;
using base::TimeMs;

inline constexpr std::size_t kMaxBolt11Chars = 8192;
inline constexpr std::size_t kMaxBolt11DescriptionBytes = 639;  // what one tagged field can hold
inline constexpr std::int64_t kDefaultExpiry_s = 3600;
inline constexpr std::uint64_t kDefaultMinFinalCltvExpiry = 18;  // blocks

enum class Network { bitcoin, testnet, signet, regtest };
std::string_view name(Network network);    // "bitcoin"
std::string_view prefix(Network network);  // "bc", "tb", "tbs", "bcrt": an invoice starts with "ln" and this

// One step of a private route, from a public node towards the payee (field `r`).
struct RouteHop {
  NodeId node;
  std::uint64_t short_channel_id = 0;
  std::uint32_t fee_base_msat = 0;
  std::uint32_t fee_proportional_millionths = 0;
  std::uint16_t cltv_expiry_delta = 0;  // blocks
  bool operator==(const RouteHop&) const = default;
};

// Where to pay on the chain instead (field `f`): a witness version (0..16) with its program, or 17 with a public key's
// hash, or 18 with a script's hash.
struct FallbackAddress {
  std::uint8_t version = 0;
  std::string program;
  bool operator==(const FallbackAddress&) const = default;
};

// A field that this reader skips, as the specification demands: of another type, or a known one with another length or
// behind one of its kind (the first counts).
struct UnknownField {
  std::uint8_t type = 0;             // 0..31
  std::vector<std::uint8_t> groups;  // five bits each
  bool operator==(const UnknownField&) const = default;
};

struct Invoice {
  Network network = Network::bitcoin;
  std::optional<Msat> amount;                          // absent: the payer chooses
  std::int64_t timestamp_s = 0;                        // seconds since 1970
  Hash256 payment_hash;                                // p
  Hash256 payment_secret;                              // s
  std::optional<std::string> description;              // d: either this, UTF-8,
  std::optional<Hash256> description_hash;             // h: or this
  std::optional<std::string> metadata;                 // m
  bool names_payee = false;                            // n: the payee is written, not only implied by the signature
  std::optional<std::int64_t> expiry_s;                // x: seconds after the timestamp
  std::optional<std::uint64_t> min_final_cltv_expiry;  // c: blocks
  std::vector<FallbackAddress> fallbacks;              // f, in order of preference
  std::vector<std::vector<RouteHop>> routes;           // r, in order of preference
  std::vector<std::uint32_t> features;                 // 9: numbers of the bits that are set (BOLT9), ascending
  std::vector<UnknownField> unknown_fields;            // kept, and written back

  TimeMs expires_at() const { return {(timestamp_s + expiry_s.value_or(kDefaultExpiry_s)) * 1000}; }
  bool operator==(const Invoice&) const = default;
};

// What a text says, with the node that signed it.
struct DecodedInvoice : Invoice {
  NodeId payee;
};

// Reads an invoice of either case and checks its signature. Refuses (kind payment, "bolt11.<reason>") what the
// specification tells a reader to refuse, and besides it what two readers might understand differently: padding that is
// not zero, a description twice or not at all.
Result<DecodedInvoice> decode_bolt11(std::string_view text);

// The signed text, in lower case; the same invoice and key give the same text. Fails with "bolt11.<reason>" where no
// reader could read the result back, and with "node_key.invalid".
Result<std::string> encode_bolt11(const Invoice& invoice, const NodeKey& key);

// What the caller makes sure of before it believes a wallet: the text is a good invoice on one of these networks, for
// exactly this amount (an amountless one is refused), for this payment hash where it is known, and it can still be
// paid. Refusals say which: "bolt11.wrong_network", "bolt11.amountless", "bolt11.wrong_amount",
// "bolt11.wrong_payment_hash", "bolt11.expired", or what decode_bolt11 says.
Result<DecodedInvoice> check_invoice(std::string_view text, Msat expected_amount,
                                     const std::vector<Network>& expected_networks, TimeMs now,
                                     const std::optional<Hash256>& expected_payment_hash = std::nullopt);

}  // namespace wallet
