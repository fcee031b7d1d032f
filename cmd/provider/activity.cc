#include "cmd/provider/activity.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "cmd/text/humanize.h"
#include "replay/phrases.h"

namespace cmd {

std::shared_ptr<spdlog::logger> make_logger(const std::string& level, bool json, bool colour) {
  auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_st>();
  sink->set_color_mode(colour ? spdlog::color_mode::always : spdlog::color_mode::never);
  auto logger = std::make_shared<spdlog::logger>("sellcompute", std::move(sink));
  logger->set_level(spdlog::level::from_str(level));
  logger->set_pattern(json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l",%v})" : "%H:%M:%S %^%L%$ %v");
  logger->flush_on(spdlog::level::info);
  return logger;
}

std::string describe(const ledger::NewEntry& entry) {
  const std::string phrase = printable(replay::phrase(entry.fact));  // strangers' words are in it
  return entry.job.is_zero() ? phrase : "job " + entry.job.hex().substr(0, 8) + " " + phrase;
}

void Activity::count(const ledger::NewEntry& entry) {
  if (std::holds_alternative<ledger::JobRequested>(entry.fact)) ++requested;
  if (std::holds_alternative<ledger::JobDeclined>(entry.fact)) ++declined;
  if (const auto* e = std::get_if<ledger::InvoiceSettled>(&entry.fact)) settled += e->received;
  if (const auto* e = std::get_if<ledger::NoticePublished>(&entry.fact)) {
    if (e->purpose == ledger::NoticePurpose::result && !e->final) ++delivered;
  }
}

bool is_headline(const ledger::Fact& fact) {
  if (const auto* e = std::get_if<ledger::NoticePublished>(&fact))
    return e->purpose == ledger::NoticePurpose::result && !e->final;
  if (const auto* e = std::get_if<ledger::InferenceFailed>(&fact)) return !e->retry_at;
  if (const auto* e = std::get_if<ledger::InvoiceFailed>(&fact)) return !e->retry_at;
  return std::holds_alternative<ledger::InvoiceSettled>(fact) || std::holds_alternative<ledger::JobCancelled>(fact) ||
         std::holds_alternative<ledger::RefundOwed>(fact) || std::holds_alternative<ledger::RefundPaid>(fact) ||
         std::holds_alternative<ledger::RefundFailed>(fact);
}

std::string Activity::live_line(std::string_view state, std::size_t unfinished, int width) const {
  const auto live = std::ranges::count_if(relays, [](const auto& one) { return one.second; });
  return line({std::string(state), std::to_string(live) + "/" + std::to_string(relays.size()) + " relays",
               std::to_string(unfinished) + " in progress"},
              width);
}

std::string Activity::last_line(std::size_t unfinished, int width) const {
  std::vector<std::string> parts{"offline"};
  if (unfinished > 0) parts.push_back(counted(unfinished, "job goes on", "jobs go on") + " after the next start");
  return line(std::move(parts), width);
}

std::string Activity::line(std::vector<std::string> parts, int width) const {
  parts.push_back("since the start: " + std::to_string(delivered) + " delivered");
  std::string out = std::move(parts.front());
  const auto add = [&](const std::string& part) {
    const bool fits = display_width(out) + display_width(part) <= width;
    if (fits) out += part;
    return fits;
  };
  const bool all = std::all_of(parts.begin() + 1, parts.end(), [&](const auto& part) { return add(" · " + part); });
  if (all) {
    add(", " + sats(settled) + " settled") && add(", " + counted(requested, "request")) &&
        add(", " + std::to_string(declined) + " declined");
  }
  return out;
}

}  // namespace cmd
