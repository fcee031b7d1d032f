// Progress for a person who waits: how much of the ledger a long read has covered, and how long a wait has lasted.
#pragma once

#include "base/scheduler.h"
#include "cmd/cli/command.h"
#include "ledger/key_value.h"

namespace cmd {

// A store that shows on standard error how many of its entries have been read, if standard error is a terminal and
// --quiet is not given. It rewrites one line at each per cent. The destructor removes that line.
class ReadProgress final : public ledger::KeyValue {
 public:
  // `passes` is how often every entry is going to be read. The store and the context must outlive this.
  ReadProgress(ledger::KeyValue& store, base::Seq entries, int passes, Context& context);
  ~ReadProgress() override;
  ReadProgress(const ReadProgress&) = delete;
  ReadProgress& operator=(const ReadProgress&) = delete;

  base::Result<void> commit(const ledger::Batch& batch) override { return store_.commit(batch); }
  base::Result<std::optional<std::string>> get(ledger::Family family, std::string_view key) const override;
  base::Result<void> scan(ledger::Family family, std::string_view from, std::string_view until,
                          const Visitor& visit) const override;
  base::Result<void> scan_back(ledger::Family family, std::string_view from, std::string_view until,
                               const Visitor& visit) const override;

 private:
  void count(ledger::Family family) const;

  ledger::KeyValue& store_;
  const base::Seq entries_;
  const base::Seq passes_;
  std::ostream* const out_;  // null: nobody watches
  mutable base::Seq reads_ = 0;
  mutable base::Seq percent_ = 0;
};

// Written before a line that takes the place of the one that the terminal shows now.
inline constexpr std::string_view kSameLine = "\r\033[K";

// A line on standard error that shows what the command waits for, and for how long: "waiting for the payment, 12 s". It
// appears after one second, only on a terminal, and at most as wide as that. The destructor removes it.
class WaitLine {
 public:
  // The context must outlive this.
  WaitLine(Context& context, base::Clock clock);
  ~WaitLine() { clear(); }
  WaitLine(const WaitLine&) = delete;
  WaitLine& operator=(const WaitLine&) = delete;

  // Writes the line anew. Call it about once a second.
  void show(const std::string& awaited);
  // Removes the line. Call it before anything else is printed.
  void clear();

 private:
  std::ostream* const out_;  // null: no terminal, or --quiet
  const int width_;
  const base::Clock clock_;
  const base::TimeMs began_;
  bool shown_ = false;
};

}  // namespace cmd
