#include "cmd/jobs_tail.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <chrono>
#include <csignal>
#include <ostream>

#include "cmd/cli/open_ledger.h"
#include "cmd/text/fit.h"
#include "cmd/text/humanize.h"
#include "cmd/text/when.h"
#include "ledger/durable_mark.h"
#include "ledger/fact_json.h"
#include "replay/phrases.h"

namespace cmd {
namespace {

using base::Result;
using base::Seq;
using std::chrono::steady_clock;

constexpr std::string_view kTailLimit = "10";
constexpr auto kTailPause = std::chrono::milliseconds(500);  // between two looks
constexpr int kPausesPerLook = 10;                           // a look that takes long is followed by so long a pause

// Prints each fact about a job once, in the order of the ledger. A reader stays as it was opened, so each look opens
// one of its own, and only when the writer has committed something since.
class Tail {
 public:
  Tail(Context& context, std::filesystem::path folder, Format format, std::size_t limit)
      : context_(context), folder_(std::move(folder)), format_(format), limit_(limit) {}

  // Prints what is new; the first time, the last facts. Fails as open_ledger() and the reader do.
  Result<void> look() {
    const auto mark = ledger::DurableMark::read(folder_);
    if (!mark) return tl::unexpected(mark.error());
    const auto sequence = mark->has_value() ? std::optional((*mark)->sequence) : std::nullopt;
    if (next_ && sequence && sequence == seen_) return {};
    const auto ledger = open_ledger(context_, Views::not_needed);
    if (!ledger) return tl::unexpected(ledger.error());
    const auto size = ledger->reader.size();
    if (!size) return tl::unexpected(size.error());
    const auto from = next_ ? Result<Seq>(std::min(*next_, *size)) : beginning(ledger->reader, *size);
    if (!from) return tl::unexpected(from.error());
    const auto read = ledger->reader.for_each(*from, *size, [this](const ledger::Entry& entry) {
      if (!entry.header.job.is_zero()) print(entry);
      return context_.out.good();
    });
    if (!read) return read;
    context_.out << std::flush;
    next_ = *size;
    seen_ = sequence;
    return {};
  }

 private:
  // The position after which so many facts about jobs come as the first look shows.
  Result<Seq> beginning(const ledger::Reader& reader, Seq size) const {
    Seq from = size;
    for (std::size_t found = 0; from > 0 && found < limit_;) {
      const auto entry = reader.entry(--from);
      if (!entry) return tl::unexpected(entry.error());
      if (!entry->header.job.is_zero()) ++found;
    }
    return from;
  }

  void print(const ledger::Entry& entry) {
    const std::string text = replay::phrase(entry.fact);
    if (format_ == Format::json) {
      auto object = ledger::to_json(entry);
      object["text"] = text;
      context_.out << json_line(object) << '\n';
      return;
    }
    const Terminal& terminal = context_.terminal;
    context_.out << terminal.paint(Colour::dim, local_time(entry.header.time)) << "  "
                 << terminal.paint(Colour::bold, short_id(entry.header.job.hex())) << "  "
                 << paragraph(printable(text), terminal.width, kTextColumn) << '\n';
  }

  static constexpr int kTextColumn = 31;  // after time and id

  Context& context_;
  const std::filesystem::path folder_;
  const Format format_;
  const std::size_t limit_;
  std::optional<Seq> next_;            // the first entry that was not looked at; nothing: none was
  std::optional<std::uint64_t> seen_;  // what the mark said before the last look that read
};

Result<ExitCode> run_jobs_tail(const Arguments& arguments, Context& context) {
  const auto paths = find_paths(context.sources);
  if (!paths) return tl::unexpected(paths.error());
  boost::asio::io_context io{1};
  boost::asio::signal_set signals(io, SIGINT, SIGTERM);
  bool interrupted = false;
  signals.async_wait([&](const boost::system::error_code& error, int) { interrupted = !error; });
  Tail tail(context, paths->ledger(), arguments.format(), arguments.options["limit"].as<std::size_t>());
  while (!interrupted) {
    const auto began = steady_clock::now();
    if (const auto looked = tail.look(); !looked) return tl::unexpected(looked.error());
    if (!context.out.good()) return ExitCode::done;  // nobody reads on
    io.run_for(std::max<steady_clock::duration>(kTailPause, kPausesPerLook * (steady_clock::now() - began)));
  }
  return ExitCode::interrupted;
}

}  // namespace

Command tail_command() {
  return {.name = "tail",
          .summary = "Follows the jobs: each new fact about one, as the ledger records it.",
          .examples =
              "  sellcompute jobs tail\n"
              "  sellcompute jobs tail --limit 0 --json | jq 'select(.type == \"InvoiceSettled\")'\n",
          .notes =
              "Shows the last facts first. Ctrl-C ends it. Works while `serve` runs and while it does not; a fact\n"
              "shows within about a second.\n",
          .options =
              [](cxxopts::OptionAdder& add) {
                add("limit", "how many of the last facts to show first",
                    cxxopts::value<std::size_t>()->default_value(std::string(kTailLimit)), "N");
                add_json_option(add);
              },
          .run = run_jobs_tail};
}

}  // namespace cmd
