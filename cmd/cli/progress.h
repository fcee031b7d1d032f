// How far a long reading of the ledger has come, for a person who waits.
#pragma once

#include "cmd/cli/command.h"
#include "ledger/key_value.h"

namespace cmd {

// A store that tells on standard error, where a person watches it, how much of its entries has been read: in one line,
// which is written anew at each percent and gone with this object.
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

}  // namespace cmd
