#include "base/number_text.h"

#include <algorithm>
#include <cstdlib>

namespace base {
namespace {

std::string decimals(std::int64_t whole, std::int64_t thousandths) {
  std::string out = grouped(whole);
  if (thousandths == 0) return out;
  std::string fraction = std::to_string(thousandths + 1'000).substr(1);
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return out + "." + fraction;
}

}  // namespace

std::string grouped(std::int64_t number) {
  std::string digits = std::to_string(number);
  const std::size_t sign = number < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > sign + 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

std::string counted(std::uint64_t count, std::string_view one, std::string_view many) {
  const std::string plural = many.empty() ? std::string(one) + "s" : std::string(many);
  return grouped(static_cast<std::int64_t>(count)) + " " + (count == 1 ? std::string(one) : plural);
}

std::string sats(Msat amount) {
  const std::string sign = amount.value < 0 && amount.value > -1'000 ? "-" : "";
  return sign + decimals(amount.value / 1'000, std::abs(amount.value % 1'000)) + " sat";
}

std::string age(std::int64_t age_ms) {
  const std::int64_t seconds = std::max<std::int64_t>(age_ms, 0) / 1'000;
  if (seconds < 60) return std::to_string(seconds) + " s";
  if (seconds < 3'600) return std::to_string(seconds / 60) + " min";
  if (seconds < 48 * 3'600) return std::to_string(seconds / 3'600) + " h";
  return grouped(seconds / 86'400) + " d";
}

std::string took(std::int64_t duration_ms) {
  if (duration_ms < 1'000) return std::to_string(std::max<std::int64_t>(duration_ms, 0)) + " ms";
  if (duration_ms < 60'000) return decimals(duration_ms / 1'000, duration_ms % 1'000 / 100 * 100) + " s";
  return age(duration_ms);
}

}  // namespace base
