// The customers view: what each customer did with us, a row each, and what they settled by day, which is their credit.
// Rows of projection "customers":  c customer -> CustomerRow;  j job -> customer.
#pragma once

#include "ledger/projection.h"
#include "ledger/reader.h"
#include "pipeline/core/shop.h"

namespace replay {

struct CustomerRow {
  std::uint64_t jobs = 0;
  std::uint64_t declined = 0;
  base::TimeMs first_seen;
  base::TimeMs last_seen;
  std::vector<core::SettledDay> settled;  // ascending by day
  static constexpr auto fields() {
    using T = CustomerRow;
    using ledger::field;
    return std::tuple{field(1, "jobs", &T::jobs), field(2, "declined", &T::declined),
                      field(3, "first_seen_ms", &T::first_seen), field(4, "last_seen_ms", &T::last_seen),
                      field(5, "settled", &T::settled)};
  }
};

class CustomersView final : public ledger::Projection {
 public:
  static constexpr std::string_view kName = "customers";
  std::string_view name() const override { return kName; }
  std::uint32_t version() const override { return 2; }
  base::Result<void> apply(const ledger::Entry& entry, ledger::Rows& rows) override;
};

using CustomerVisitor = std::function<void(const base::PublicKey&, const CustomerRow&)>;
base::Result<void> for_each_customer(const ledger::Reader& reader, const CustomerVisitor& visit);

}  // namespace replay
