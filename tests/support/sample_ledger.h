// Facts to fill a ledger with, the same on every machine and for ever: fixtures/ledger-v1 is made of them.
#pragma once

#include "ledger/entry.h"
#include "ledger/projection.h"

namespace sim {

// The facts of one sale after another, eleven entries each, with the prompts and results as texts. Times increase with
// seq.
ledger::NewEntry sample_entry(base::Seq seq);

// A group of `count` sample entries from `first`, with one relay's cursor.
ledger::Group sample_group(base::Seq first, std::size_t count);

// A view in the manner of the real ones: a row per job (its number of entries) and a row per type (how many of it).
class SampleView final : public ledger::Projection {
 public:
  explicit SampleView(std::uint32_t version = 1) : version_(version) {}
  std::string_view name() const override { return "sample"; }
  std::uint32_t version() const override { return version_; }
  base::Result<void> apply(const ledger::Entry& entry, ledger::Rows& rows) override;

 private:
  std::uint32_t version_;
};

}  // namespace sim
