// A disk that lies down when told to: the key-value port over memory, with what a crash leaves and what it takes.
// Everything is decided by a hook, so a run is repeated exactly by repeating its seed.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "ledger/key_value.h"

namespace sim {

// What happens to one commit.
enum class Fault {
  none,
  fail_lost,     // the commit fails, and its writes never reach the disk
  fail_kept,     // the commit fails, but its writes are there after the crash: a failed fsync promises nothing
  crash_before,  // the process dies before the writes are durable: throws Crashed
  crash_after,   // the process dies when they are durable, before anybody is told: throws Crashed
};

// The process died. Thrown to the simulator's top; nothing in between catches it.
struct Crashed {};

class SimDisk final : public ledger::KeyValue {
 public:
  // Asked before each commit; `number` counts from 0 over the disk's whole life.
  using Hook = std::function<Fault(std::uint64_t number, const ledger::Batch&)>;
  void on_commit(Hook hook) { hook_ = std::move(hook); }

  // After a failed commit every later one fails with "sim.written_after_failure", until crash(): nobody may write to a
  // disk that has failed.
  base::Result<void> commit(const ledger::Batch& batch) override;
  base::Result<std::optional<std::string>> get(ledger::Family family, std::string_view key) const override;
  base::Result<void> scan(ledger::Family family, std::string_view from, std::string_view until,
                          const Visitor& visit) const override;
  base::Result<void> scan_back(ledger::Family family, std::string_view from, std::string_view until,
                               const Visitor& visit) const override;

  // The machine restarts: the disk can be used again and holds what was durable.
  void crash();

  // Holds what another held, as if its files had been copied here.
  void restore(const SimDisk& other) { families_ = other.families_; }

  // What is stored, keys and values.
  std::uint64_t bytes() const;

  // How many commits were asked for so far.
  std::uint64_t commits() const { return commits_; }

  // Damage: flips one bit of a stored value; false if there is no such key or bit.
  bool flip_bit(ledger::Family family, std::string_view key, std::size_t bit);

  // Everything that is stored, as text: family, key and value in hexadecimal, one line each, in order; and back
  // (nothing on a line that is none).
  std::string dump() const;
  static std::optional<SimDisk> from_dump(std::string_view text);

 private:
  using Map = std::map<std::string, std::string, std::less<>>;
  void apply(const ledger::Batch& batch);
  Map& map(ledger::Family family) { return families_[static_cast<std::size_t>(family)]; }
  const Map& map(ledger::Family family) const { return families_[static_cast<std::size_t>(family)]; }

  std::array<Map, ledger::kFamilyCount> families_;
  ledger::Batch limbo_;  // written by a commit that failed; durable after all, as the crash will show
  Hook hook_;
  std::uint64_t commits_ = 0;
  bool failed_ = false;
};

}  // namespace sim
