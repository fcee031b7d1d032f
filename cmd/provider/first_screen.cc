#include "cmd/provider/first_screen.h"

#include "cmd/cli/readiness_report.h"
#include "cmd/text/fit.h"
#include "cmd/text/humanize.h"
#include "pipeline/core/model_name.h"

namespace cmd {
namespace {

using ledger::PaymentMode;
using ledger::ReadinessPart;

constexpr std::size_t kMostModels = 8;
constexpr std::size_t kLabelWidth = 9;

std::string_view payment_words(PaymentMode mode) {
  switch (mode) {
    case PaymentMode::payment_first:
      return "before the work (payment_first)";
    case PaymentMode::escrow:
      return "before the work, held until the answer is there (escrow)";
    default:
      return "after the work, within credit and the strangers' pool (result_first)";
  }
}

// "1 sat a job + 0.5 sat in, 2 sat out per 1,000 tokens"; what costs nothing is left out.
std::string price_words(const ledger::ModelOffer& offer) {
  std::string tokens;
  if (offer.input_per_1k_tokens > base::Msat{}) tokens += sats(offer.input_per_1k_tokens) + " in";
  if (offer.output_per_1k_tokens > base::Msat{})
    tokens += (tokens.empty() ? "" : ", ") + sats(offer.output_per_1k_tokens) + " out";
  if (!tokens.empty()) tokens += " per 1,000 tokens";
  if (offer.base == base::Msat{}) return tokens.empty() ? "free" : tokens;
  return sats(offer.base) + " a job" + (tokens.empty() ? "" : " + " + tokens);
}

class Screen {
 public:
  explicit Screen(const Terminal& terminal) : terminal_(terminal) {}
  // A label is shown once for all of its lines.
  void add(std::string_view label, const std::string& text, Colour colour = Colour::plain) {
    std::string start(label == label_ ? "" : label);
    label_ = label;
    start.resize(kLabelWidth, ' ');
    std::string margin = terminal_.paint(Colour::dim, start);
    for (const std::string& line : wrapped(printable(text), terminal_.width - static_cast<int>(kLabelWidth))) {
      out_ += margin + terminal_.paint(colour, line) + "\n";
      margin.assign(kLabelWidth, ' ');
    }
  }
  const std::string& text() const { return out_; }

 private:
  const Terminal& terminal_;
  std::string label_;
  std::string out_;
};

}  // namespace

std::string first_screen(const std::string& npub, const ledger::ProviderConfigured& policy,
                         const core::Readiness& readiness, std::size_t unfinished, const Terminal& terminal) {
  Screen screen(terminal);
  screen.add("selling", "as " + npub, Colour::bold);
  for (const core::Condition& one : readiness.conditions) {
    if (one.part == ReadinessPart::wallet) {
      screen.add("wallet", one.seen.which + (one.seen.note.empty() ? "" : ": " + one.seen.note));
    }
  }
  for (std::size_t i = 0; i < std::min(kMostModels, policy.models.size()); ++i)
    screen.add("models",
               std::string(core::short_model_name(policy.models[i].name)) + "  " + price_words(policy.models[i]));
  if (policy.models.size() > kMostModels)
    screen.add("models", "and " + std::to_string(policy.models.size() - kMostModels) + " more");
  screen.add("payment", std::string(payment_words(policy.payment_mode)));
  for (const core::Condition& one : readiness.conditions) {
    if (one.part == ReadinessPart::relays) screen.add("relays", one.seen.which);
  }
  for (const core::Condition& one : readiness.conditions) {
    if (one.seen.error) screen.add("wrong", trouble_of(one), Colour::red);
    if (one.seen.warning) screen.add("note", one.seen.warning->describe(), Colour::yellow);
  }
  if (policy.play_money) screen.add("note", "the wallet's money is play money", Colour::yellow);
  if (unfinished > 0) screen.add("jobs", counted(unfinished, "job") + " from before: going on");
  screen.add("keys", "Ctrl-C goes offline when the started jobs are finished", Colour::dim);
  screen.add("keys", "`sellcompute jobs tail` in another terminal shows each step", Colour::dim);
  return screen.text();
}

}  // namespace cmd
