#include "cmd/text/demo_screen.h"

#include <algorithm>
#include <sstream>

#include "cmd/text/humanize.h"
#include "replay/phrases.h"

namespace cmd {
namespace {

constexpr std::size_t kTimeWidth = 9;
constexpr std::size_t kWhoWidth = 11;
constexpr int kPartColumn = 2 + static_cast<int>(kWhoWidth);               // of the text about a part
constexpr int kWhatColumn = static_cast<int>(kTimeWidth + 2 + kWhoWidth);  // of what happened
constexpr int kMaxTextWidth = 80;

std::string padded(std::string_view text, std::size_t width) {
  std::string out(text);
  out.resize(std::max(width, text.size()), ' ');
  return out;
}

// Who made the fact true; the ledger is the provider's in any case.
std::string_view author(const ledger::Fact& event) {
  const std::string_view type = ledger::type_name(ledger::type_of(event));
  if (type.starts_with("Invoice")) return "wallet";
  if (type.starts_with("Inference")) return "model";
  if (type == "NoticePublished") return "relay";
  return "provider";
}

Colour colour_of(const ledger::Fact& event) {
  if (std::holds_alternative<ledger::InvoiceSettled>(event)) return Colour::green;
  return std::holds_alternative<ledger::JobDeclined>(event) ? Colour::red : Colour::plain;
}

}  // namespace

void DemoScreen::title(std::string_view text) {
  out_ << terminal_.paint(Colour::bold, paragraph(text, terminal_.width)) << "\n\n" << std::flush;
}

void DemoScreen::part(std::string_view name, std::string_view text) {
  out_ << "  " << terminal_.paint(Colour::dim, padded(name, kWhoWidth)) << paragraph(text, terminal_.width, kPartColumn)
       << std::endl;
}

void DemoScreen::happened(std::int64_t elapsed_ms, std::string_view who, std::string_view what, Colour colour) {
  const std::string time = "+" + took(elapsed_ms);
  out_ << std::string(kTimeWidth - std::min(kTimeWidth, time.size()), ' ') << terminal_.paint(Colour::dim, time) << "  "
       << terminal_.paint(who == "customer" ? Colour::yellow : Colour::bold, padded(who, kWhoWidth))
       << terminal_.paint(colour, paragraph(printable(what), terminal_.width, kWhatColumn)) << std::endl;
}

void DemoScreen::recorded(std::int64_t elapsed_ms, const ledger::Fact& fact) {
  happened(elapsed_ms, author(fact), replay::phrase(fact), colour_of(fact));
}

void DemoScreen::quote(std::string_view text) {
  const std::string margin(kWhatColumn, ' ');
  const int width = std::min(terminal_.width, static_cast<int>(margin.size()) + kMaxTextWidth);
  std::istringstream words{printable(text)};
  std::string line, word;
  const auto flush = [&] {
    if (!line.empty()) out_ << margin << terminal_.paint(Colour::dim, "│") << line << '\n';
    line.clear();
  };
  while (words >> word) {
    if (display_width(line + word) + static_cast<int>(margin.size()) + 2 > width) flush();
    line += " " + word;
  }
  flush();
  out_ << std::flush;
}

void DemoScreen::separate() {
  out_ << '\n';
}

void DemoScreen::command(std::string_view text) {
  out_ << '\n' << terminal_.paint(Colour::bold, "$ " + std::string(text)) << std::endl;
}

void DemoScreen::hint(std::string_view what_for, const std::vector<std::string>& commands) {
  out_ << '\n' << paragraph(what_for, terminal_.width) << '\n';
  for (const std::string& command : commands) out_ << "  " << terminal_.paint(Colour::bold, command) << '\n';
  out_ << std::flush;
}

}  // namespace cmd
