#include "tests/support/sim_disk.h"

#include <algorithm>
#include <sstream>

#include "base/types.h"

namespace sim {

using base::Result;
using ledger::Batch;
using ledger::Family;

namespace {

constexpr Family kFamilies[] = {Family::entries, Family::texts, Family::tiles, Family::views, Family::meta};
static_assert(std::size(kFamilies) == ledger::kFamilyCount);

}  // namespace

Result<void> SimDisk::commit(const Batch& batch) {
  const std::uint64_t number = commits_++;
  if (failed_) {
    return base::fail(base::ErrorKind::invocation, "sim.written_after_failure", "a failed disk was written again");
  }
  const Fault fault = hook_ ? hook_(number, batch) : Fault::none;
  if (fault == Fault::crash_before) throw Crashed{};
  if (fault == Fault::fail_lost || fault == Fault::fail_kept) {
    failed_ = true;
    if (fault == Fault::fail_kept) limbo_ = batch;
    return base::fail(base::ErrorKind::invocation, "sim.commit_failed", "the simulated disk failed",
                      "commit " + std::to_string(number));
  }
  apply(batch);
  if (fault == Fault::crash_after) throw Crashed{};
  return {};
}

Result<std::optional<std::string>> SimDisk::get(Family family, std::string_view key) const {
  const auto found = map(family).find(key);
  if (found == map(family).end()) return std::nullopt;
  return found->second;
}

Result<void> SimDisk::scan(Family family, std::string_view from, std::string_view until, const Visitor& visit) const {
  for (auto row = map(family).lower_bound(from); row != map(family).end(); ++row) {
    if (!until.empty() && row->first >= until) break;
    if (!visit(row->first, row->second)) break;
  }
  return {};
}

Result<void> SimDisk::scan_back(Family family, std::string_view from, std::string_view until,
                                const Visitor& visit) const {
  auto row = until.empty() ? map(family).end() : map(family).lower_bound(until);
  while (row != map(family).begin()) {
    --row;
    if (row->first < from || !visit(row->first, row->second)) break;
  }
  return {};
}

void SimDisk::crash() {
  apply(limbo_);
  limbo_ = {};
  failed_ = false;
}

std::uint64_t SimDisk::bytes() const {
  std::uint64_t out = 0;
  for (const Map& family : families_) {
    for (const auto& [key, value] : family) out += key.size() + value.size();
  }
  return out;
}

bool SimDisk::flip_bit(Family family, std::string_view key, std::size_t bit) {
  const auto found = map(family).find(key);
  if (found == map(family).end() || bit / 8 >= found->second.size()) return false;
  char& byte = found->second[bit / 8];
  byte = static_cast<char>(static_cast<unsigned char>(byte) ^ (1U << bit % 8));
  return true;
}

std::string SimDisk::dump() const {
  std::string out;
  for (const Family family : kFamilies) {
    for (const auto& [key, value] : map(family)) {
      out.append(name(family)).append(" ").append(base::to_hex(key)).append(" ");
      out.append(base::to_hex(value)).append("\n");
    }
  }
  return out;
}

std::optional<SimDisk> SimDisk::from_dump(std::string_view text) {
  SimDisk out;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(' ');
    const std::size_t second = line.find(' ', first + 1);
    if (second == std::string::npos) return std::nullopt;
    const auto* family = std::find_if(std::begin(kFamilies), std::end(kFamilies),
                                      [&](Family f) { return name(f) == line.substr(0, first); });
    auto key = base::from_hex(line.substr(first + 1, second - first - 1));
    auto value = base::from_hex(line.substr(second + 1));
    if (family == std::end(kFamilies) || !key || !value) return std::nullopt;
    out.map(*family).insert_or_assign(std::move(*key), std::move(*value));
  }
  return out;
}

void SimDisk::apply(const Batch& batch) {
  for (const Batch::Write& write : batch.writes) {
    if (write.value) {
      map(write.family).insert_or_assign(write.key, *write.value);
    } else {
      map(write.family).erase(write.key);
    }
  }
}

}  // namespace sim
