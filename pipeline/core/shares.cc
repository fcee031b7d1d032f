#include "pipeline/core/shares.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace core {
namespace {

constexpr std::uint64_t kCertainPpm = 1'000'000;
constexpr std::uint32_t kFirstWorkBits = 16;  // about a second of a slow machine
constexpr std::uint32_t kMostWorkBits = 40;

}  // namespace

std::int64_t share_of_class(std::int64_t limit, Standing standing) {
  switch (standing) {
    case Standing::paid:
      return limit;
    case Standing::worked:
      return limit - limit / 4;
    case Standing::fresh:
      return limit - limit / 2;
  }
  return 0;
}

std::int64_t share_of_key(std::int64_t limit, Standing standing) {
  const std::int64_t share = share_of_class(limit, standing);
  return share - share / 2;
}

bool has_place(std::int64_t limit, Standing standing, const Taken& taken) {
  const bool in_class = standing == Standing::paid || taken.by_strangers < share_of_class(limit, standing);
  return taken.by_all < limit && in_class && taken.by_customer < share_of_key(limit, standing);
}

bool is_drawn(const Draw& draw, const PublicKey& key) {
  if (draw.chance_ppm >= kCertainPpm) return true;
  const Hash256 ticket = base::sha256(std::string(draw.secret.view()) + std::string(key.view()));
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < sizeof number; ++i) number = number << 8 | ticket.bytes[i];
  return number / (UINT64_MAX / kCertainPpm) < draw.chance_ppm;
}

Draw next_draw(const Draw& last, const Demand& demand, std::uint64_t places, const Hash256& secret) {
  Draw out{.secret = secret};
  const bool crowded = demand.fresh_keys > places;
  if (crowded) out.chance_ppm = static_cast<std::uint32_t>(places * kCertainPpm / demand.fresh_keys);
  CHECK(out.chance_ppm <= kCertainPpm, out.chance_ppm, places, demand.fresh_keys);
  if (!crowded && demand.worked_requests <= places) {
    if (last.work_bits > kFirstWorkBits) out.work_bits = last.work_bits - 1;
    return out;
  }
  out.work_bits = std::max(kFirstWorkBits, last.work_bits);
  if (demand.worked_requests > places) {
    out.work_bits +=
        static_cast<std::uint32_t>(std::bit_width(demand.worked_requests / std::max<std::uint64_t>(1, places)));
  } else if (demand.worked_requests <= places / 2 && out.work_bits > kFirstWorkBits) {
    --out.work_bits;
  }
  out.work_bits = std::min(out.work_bits, kMostWorkBits);
  return out;
}

}  // namespace core
