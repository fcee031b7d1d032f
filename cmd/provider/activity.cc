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

std::string Activity::line(std::string_view state, std::size_t open_jobs, int width) const {
  const auto live = std::ranges::count_if(relays, [](const auto& one) { return one.second; });
  const std::string parts[] = {std::string(state),
                               " · " + std::to_string(live) + "/" + std::to_string(relays.size()) + " relays",
                               " · " + std::to_string(open_jobs) + " open",
                               " · since the start: " + std::to_string(delivered) + " delivered",
                               ", " + sats(settled) + " settled",
                               ", " + counted(requested, "request"),
                               ", " + std::to_string(declined) + " declined"};
  std::string out;
  for (const std::string& part : parts) {
    if (display_width(out) + display_width(part) > width) break;
    out += part;
  }
  return out;
}

}  // namespace cmd
