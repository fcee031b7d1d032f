// The earnings report: the view's buckets added up by day, week, month, model, customer or wallet. Reads the view only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "replay/earnings_view.h"

namespace replay {

enum class GroupBy { day, week, month, model, customer, wallet };
std::string_view name(GroupBy by);
std::span<const GroupBy> all_groupings();

// How far a time zone's clocks are ahead of UTC at a moment, in ms. Zones differ from UTC by multiples of 15 minutes.
using UtcOffset = std::function<std::int64_t(base::TimeMs)>;

struct ReportQuery {
  GroupBy by = GroupBy::day;
  Money money = Money::real;
  std::optional<base::TimeMs> since;  // rounded down to a bucket
  std::optional<base::TimeMs> until;  // not included; rounded up to a bucket
  UtcOffset utc_offset;               // of the days, weeks and months
};

struct ReportRow {
  // "2026-11-20"; "2026-W47" (ISO 8601); "2026-11"; a model's or wallet's name; a customer's key in hex. Empty: no
  // model was chosen.
  std::string key;
  Figures figures;
};

struct Report {
  // Days, weeks and months ascending, without those in which nothing happened; models, customers and wallets by what
  // settled, the most first, then by what was invoiced.
  std::vector<ReportRow> rows;
  Figures total;  // the sum of the rows
};

base::Result<Report> report(const ledger::Reader& reader, const ReportQuery& query);

// The payments that the report's settled and refunded sums are made of, in the order of time; `by` does not matter.
base::Result<std::vector<Payment>> payments(const ledger::Reader& reader, const ReportQuery& query);

}  // namespace replay
