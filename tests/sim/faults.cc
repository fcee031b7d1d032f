#include "tests/sim/faults.h"

namespace sim {
namespace {

struct Kind {
  std::string_view name;
  double highest_rate;  // for one occasion: a frame, a connection, a call, a commit, a step
};

constexpr std::array<Kind, kMishaps> kKinds{{
    {"relay refuses connections", 0.5},
    {"relay goes dead silently", 0.004},
    {"relay cuts mid-frame", 0.01},
    {"relay delays frames", 0.1},
    {"relay reorders frames", 0.3},
    {"relay repeats frames", 0.2},
    {"relay sends forged events", 0.1},
    {"relay floods", 0.003},
    {"relay chatters", 0.0003},
    {"relay sends oversized events", 0.01},
    {"relay sends skewed events", 0.1},
    {"relay demands auth", 0.5},
    {"relay answers OK false", 0.3},
    {"relay never answers", 0.1},
    {"relay closes a subscription", 0.1},
    {"relay rejects a subscription", 0.2},
    {"relay answers by a notice alone", 0.2},
    {"relay never ends its answer", 0.2},
    {"relay takes few kinds a filter", 0.9},
    {"relay wants an author or a tag", 0.5},
    {"relay has a crowded second", 0.01},
    {"relay has a poisoned event", 0.05},
    {"backend refuses", 0.1},
    {"backend stalls", 0.1},
    {"backend cuts the stream", 0.1},
    {"backend ends with an error", 0.1},
    {"backend answers bad JSON", 0.1},
    {"backend answers 5xx", 0.1},
    {"backend is busy (503)", 0.2},
    {"backend answers without text", 0.1},
    {"backend never ends", 0.1},
    {"backend is down", 0.02},
    {"backend's model breaks", 0.02},
    {"wallet fails to create", 0.2},
    {"wallet loses its answer", 0.2},
    {"wallet asks a wrong amount", 0.1},
    {"wallet is unreachable", 0.01},
    {"wallet asks for a pause", 0.005},
    {"wallet makes no invoices", 0.1},
    {"wallet settles late", 0.4},
    {"wallet settles after expiry", 0.3},
    {"wallet tells twice", 0.5},
    {"wallet loses a push", 0.5},
    {"wallet never settles", 0.1},
    {"wallet forgets an invoice", 0.06},
    {"what is held is lost", 0.2},
    {"taking what is held fails", 0.3},
    {"paying back is refused", 0.3},
    {"an order to pay back is lost", 0.3},
    {"the answer to it is lost", 0.3},
    {"paying back fails", 0.3},
    {"paying back takes long", 0.3},
    {"web page fails", 0.3},
    {"web page comes too late", 0.1},
    {"web page is too large", 0.1},
    {"store fails a write", 0.01},
    {"store fails an fsync", 0.01},
    {"store has no space", 0.01},
    {"store fails a read", 0.0005},
    {"store flips a bit", 0.3},
    {"store has a torn tail", 0.01},
    {"process dies", 0.001},
    {"process dies after a commit", 0.01},
    {"process dies in recovery", 0.5},
    {"process restarts in a storm", 0.3},
    {"clock jumps ahead", 0.0002},
    {"clock jumps back", 0.0002},
    {"clock ran ahead", 0.0001},
    {"customer cancels", 0.4},
    {"customer pays less than asked", 0.2},
    {"customer pays more than asked", 0.2},
    {"customer pays late", 0.3},
    {"customer stops paying", 0.2},
    {"customer pings", 0.2},
    {"operator goes offline", 0.0005},
    {"operator pays back", 0.02},
    {"operator repeats an invoice", 0.3},
    {"operator prunes texts", 0.002},
    {"operator closes a job", 0.01},
    {"operator retries a result", 0.1},
    {"operator restores a backup", 0.3},
    {"operator changes the machine", 0.3},
    {"operator is in a hurry", 1.0},
}};

constexpr double kShareOfKinds = 0.4;

}  // namespace

std::string_view name(Mishap mishap) {
  return kKinds[static_cast<std::size_t>(mishap)].name;
}

Faults::Faults(std::uint64_t seed) : dice_(seed) {
  for (std::size_t i = 0; i < kMishaps; ++i) {
    if (dice_.chance(kShareOfKinds)) rates_[i] = kKinds[i].highest_rate * dice_.fraction();
  }
}

bool Faults::strikes(Mishap mishap) {
  const auto i = static_cast<std::size_t>(mishap);
  if (rates_[i] == 0 || !dice_.chance(rates_[i])) return false;
  ++counts_[i];
  return true;
}

}  // namespace sim
