#include "pipeline/wallet/bolt11_amount.h"

#include <array>

namespace wallet {
namespace {

constexpr std::array kNetworks = {Network::bitcoin, Network::testnet, Network::signet, Network::regtest};

// What one unit of the written number is worth; 'p' is a tenth of a millisatoshi and has rules of its own.
struct Multiplier {
  std::string_view letter;
  std::int64_t msat;
};
constexpr std::array<Multiplier, 4> kMultipliers = {
    {{"", 100'000'000'000}, {"m", 100'000'000}, {"u", 100'000}, {"n", 100}}};

auto amount_error(const char* code, std::string message) {
  return base::fail(base::ErrorKind::payment, code, std::move(message));
}

std::size_t count_digits(std::string_view text) {
  return std::min(text.find_first_not_of("0123456789"), text.size());
}

// `digits` units of `unit_msat`, where that is an amount that can exist.
Result<Msat> scale(std::string_view digits, std::int64_t unit_msat) {
  const auto count = Msat::from_digits(digits);
  if (!count || count->value > Msat::kMax / unit_msat) {
    return amount_error("bolt11.amount", "the amount is more than all bitcoin there will ever be");
  }
  return Msat{count->value * unit_msat};
}

Result<Msat> read_amount(std::string_view text) {
  const std::string_view digits = text.substr(0, count_digits(text));
  const std::string_view letter = text.substr(digits.size());
  if (digits.empty() || digits.front() == '0') {
    return amount_error("bolt11.amount", "the amount must be a positive number without leading zeros");
  }
  if (letter == "p") {
    if (digits.back() != '0') return amount_error("bolt11.amount", "the amount is finer than a millisatoshi");
    return scale(digits.substr(0, digits.size() - 1), 1);
  }
  for (const Multiplier& multiplier : kMultipliers) {
    if (letter == multiplier.letter) return scale(digits, multiplier.msat);
  }
  return amount_error("bolt11.amount", "the amount's multiplier must be m, u, n or p");
}

std::string write_amount(Msat amount) {
  for (const Multiplier& multiplier : kMultipliers) {
    if (amount.value % multiplier.msat == 0) {
      return std::to_string(amount.value / multiplier.msat).append(multiplier.letter);
    }
  }
  return std::to_string(amount.value) + "0p";
}

}  // namespace

std::string_view name(Network network) {
  switch (network) {
    case Network::bitcoin:
      return "bitcoin";
    case Network::testnet:
      return "testnet";
    case Network::signet:
      return "signet";
    case Network::regtest:
      return "regtest";
  }
  return "unknown";
}

std::string_view prefix(Network network) {
  switch (network) {
    case Network::bitcoin:
      return "bc";
    case Network::testnet:
      return "tb";
    case Network::signet:
      return "tbs";
    case Network::regtest:
      return "bcrt";
  }
  return "";
}

Result<Bolt11Prefix> read_bolt11_prefix(std::string_view text) {
  if (!text.starts_with("ln")) return amount_error("bolt11.prefix", "a Lightning invoice starts with \"ln\"");
  text.remove_prefix(2);
  const std::string_view currency = text.substr(0, text.find_first_of("0123456789"));
  const std::string_view amount = text.substr(currency.size());
  for (const Network network : kNetworks) {
    if (currency != prefix(network)) continue;
    if (amount.empty()) return Bolt11Prefix{network, std::nullopt};
    return read_amount(amount).map([&](Msat value) { return Bolt11Prefix{network, value}; });
  }
  return amount_error("bolt11.network", "the invoice is for a network that is none of Bitcoin's (bc, tb, tbs, bcrt)");
}

std::string write_bolt11_prefix(const Bolt11Prefix& value) {
  std::string out = "ln";
  out.append(prefix(value.network));
  if (value.amount) out += write_amount(*value.amount);
  return out;
}

}  // namespace wallet
