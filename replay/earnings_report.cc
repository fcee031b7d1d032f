#include "replay/earnings_report.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <map>

namespace replay {
namespace {

using base::Result;
using base::TimeMs;

constexpr std::array kGroupings{GroupBy::day,   GroupBy::week,     GroupBy::month,
                                GroupBy::model, GroupBy::customer, GroupBy::wallet};
constexpr std::int64_t kEndOfTimeMs = std::numeric_limits<std::int64_t>::max();

std::string digits(std::int64_t number, std::size_t width) {
  std::string out = std::to_string(number);
  return out.size() < width ? std::string(width - out.size(), '0') + out : out;
}

// ISO 8601: weeks begin on Monday and belong to the year that has their Thursday.
std::string week_of(std::chrono::sys_days day) {
  using namespace std::chrono;
  const sys_days thursday = day - (weekday{day} - Monday) + days{3};
  const year year_of_week = year_month_day{thursday}.year();
  const auto week = (thursday - sys_days{year_of_week / January / 1}) / weeks{1} + 1;
  return digits(int{year_of_week}, 4) + "-W" + digits(week, 2);
}

std::string period_of(GroupBy by, TimeMs local) {
  using namespace std::chrono;
  const auto day = floor<days>(sys_time<milliseconds>{milliseconds{local.ms}});
  if (by == GroupBy::week) return week_of(day);
  const year_month_day date{day};
  const std::string month = digits(int{date.year()}, 4) + "-" + digits(unsigned{date.month()}, 2);
  return by == GroupBy::month ? month : month + "-" + digits(unsigned{date.day()}, 2);
}

Dimension dimension_of(GroupBy by) {
  switch (by) {
    case GroupBy::model:
      return Dimension::model;
    case GroupBy::customer:
      return Dimension::customer;
    case GroupBy::wallet:
      return Dimension::wallet;
    default:
      return Dimension::total;
  }
}

std::string key_of(const ReportQuery& query, TimeMs bucket, std::string_view value) {
  switch (query.by) {
    case GroupBy::model:
    case GroupBy::wallet:
      return std::string(value);
    case GroupBy::customer:
      return base::to_hex(value);
    default:
      return period_of(query.by, bucket + query.utc_offset(bucket));
  }
}

TimeMs rounded_down(TimeMs time) {
  return {time.ms <= 0 ? 0 : time.ms - time.ms % kBucketMs};
}

// [since, until) in whole buckets.
std::pair<TimeMs, TimeMs> buckets_of(const ReportQuery& query) {
  return {rounded_down(query.since.value_or(TimeMs{})),
          query.until ? rounded_down(*query.until + (kBucketMs - 1)) : TimeMs{kEndOfTimeMs}};
}

}  // namespace

std::string_view name(GroupBy by) {
  switch (by) {
    case GroupBy::day:
      return "day";
    case GroupBy::week:
      return "week";
    case GroupBy::month:
      return "month";
    case GroupBy::model:
      return "model";
    case GroupBy::customer:
      return "customer";
    case GroupBy::wallet:
      return "wallet";
  }
  return "unknown";
}

std::span<const GroupBy> all_groupings() {
  return kGroupings;
}

Result<Report> report(const ledger::Reader& reader, const ReportQuery& query) {
  const auto [since, until] = buckets_of(query);
  std::map<std::string, Figures> groups;
  Report out;
  const auto read = for_each_bucket(reader, dimension_of(query.by), query.money, since, until,
                                    [&](TimeMs bucket, std::string_view value, const Figures& figures) {
                                      groups[key_of(query, bucket, value)] += figures;
                                      out.total += figures;
                                    });
  if (!read) return tl::unexpected(read.error());
  for (auto& [key, figures] : groups) out.rows.push_back({key, figures});
  if (dimension_of(query.by) != Dimension::total) {
    std::ranges::stable_sort(out.rows, std::greater<>(),
                             [](const ReportRow& row) { return std::pair(row.figures.settled, row.figures.invoiced); });
  }
  return out;
}

Result<std::vector<Payment>> payments(const ledger::Reader& reader, const ReportQuery& query) {
  const auto [since, until] = buckets_of(query);
  std::vector<Payment> out;
  const auto read = for_each_payment(reader, [&, since = since, until = until](const Payment& payment) {
    if (payment.money == query.money && payment.time >= since && payment.time < until) out.push_back(payment);
  });
  if (!read) return tl::unexpected(read.error());
  std::ranges::stable_sort(out, {}, &Payment::time);
  return out;
}

}  // namespace replay
