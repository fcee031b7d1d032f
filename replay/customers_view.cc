#include "replay/customers_view.h"

namespace replay {
namespace {

using base::PublicKey;
using base::Result;

// Facts after the first name a job only: whose it is, is kept under "j" and the job's id.
std::string owner_key(const base::JobId& job) {
  return "j" + std::string(job.view());
}
std::string row_key(std::string_view customer) {
  return "c" + std::string(customer);
}

void settle(CustomerRow& row, base::TimeMs time, base::Msat received) {
  const std::int64_t day = time.ms / core::kDayMs;
  if (row.settled.empty() || row.settled.back().day != day) row.settled.push_back({day, {}});
  row.settled.back().amount += received;
}

}  // namespace

Result<void> CustomersView::apply(const ledger::Entry& entry, ledger::Rows& rows) {
  const auto* requested = std::get_if<ledger::JobRequested>(&entry.fact);
  const auto* declined = std::get_if<ledger::JobDeclined>(&entry.fact);
  const auto* settled = std::get_if<ledger::InvoiceSettled>(&entry.fact);
  const auto* owed = std::get_if<ledger::RefundOwed>(&entry.fact);
  if (!requested && !declined && !settled && !owed) return {};

  std::string customer;
  if (requested) {
    customer = requested->customer.view();
    rows.put(owner_key(entry.header.job), customer);
  } else {
    const auto owner = rows.get(owner_key(entry.header.job));
    if (!owner) return tl::unexpected(owner.error());
    if (!*owner) return {};
    customer = **owner;
  }
  CustomerRow row{.first_seen = entry.header.time};
  const auto stored = rows.get(row_key(customer));
  if (!stored) return tl::unexpected(stored.error());
  if (*stored) {
    auto known = ledger::decode<CustomerRow>(**stored);
    if (!known) return tl::unexpected(known.error());
    row = std::move(*known);
  }
  row.last_seen = entry.header.time;
  if (requested) ++row.jobs;
  if (declined) ++row.declined;
  if (settled) settle(row, entry.header.time, settled->received);
  if (owed) settle(row, entry.header.time, base::Msat{} - owed->amount);
  rows.put(row_key(customer), ledger::encode(row));
  return {};
}

Result<void> for_each_customer(const ledger::Reader& reader, const CustomerVisitor& visit) {
  Result<void> ok;
  const auto scanned = reader.rows(CustomersView::kName, "c", "d", [&](std::string_view key, std::string_view value) {
    const auto customer = PublicKey::from_bytes(key.substr(1));
    const auto row = ledger::decode<CustomerRow>(value);
    if (!row) ok = tl::unexpected(row.error());
    if (row && customer) visit(*customer, *row);
    return ok.has_value();
  });
  return scanned ? ok : scanned;
}

}  // namespace replay
