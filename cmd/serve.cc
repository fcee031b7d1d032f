// sellcompute serve: goes online in the foreground.
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>

#include "cmd/cli/clock.h"
#include "cmd/cli/file_limit.h"
#include "cmd/cli/progress.h"
#include "cmd/cli/readiness_report.h"
#include "cmd/commands.h"
#include "cmd/provider/activity.h"
#include "cmd/provider/first_screen.h"
#include "cmd/provider/relay_log.h"
#include "cmd/provider/service.h"
#include "cmd/text/fit.h"
#include "cmd/text/humanize.h"
#include "cmd/text/output.h"
#include "pipeline/nostr/nip19.h"

namespace cmd {
namespace {

using base::Result;

constexpr std::int64_t kLiveLineMs = 250;
constexpr char kAcceptRollback[] = "accept-rollback";

// The foreground of one `serve`: the service, its signals, and what the operator sees.
class Foreground {
 public:
  Foreground(Context& context, const Config& config)
      : context_(context),
        watched_(context.error_terminal.interactive && context.verbosity != Verbosity::quiet),
        live_(watched_ && context.verbosity == Verbosity::normal),
        json_(config.log.format == "json" || (config.log.format == "auto" && !context.error_terminal.is_terminal)),
        logger_(make_logger(live_ ? "info" : config.log.level, json_, context.error_terminal.colour)) {}

  Result<ExitCode> run(Config config, bool accept_rollback) {
    if (const auto files = raise_file_limit(); files < kFilesNeeded) {
      log(spdlog::level::warn,
          "only " + std::to_string(files) + " files may be open at a time, and " + std::to_string(kFilesNeeded) +
              " may be needed: raise the limit (ulimit -Hn, LimitNOFILE)",
          "Problem", "");
    }
    const auto clock = make_clock(context_.sources);
    auto service = Service::open(
        io_, std::move(config), clock, test_variable(context_.sources, "KILL_AT"), accept_rollback,
        {.entry = [this](const auto& entry) { on_entry(entry); },
         .online = [this] { on_online(); },
         .relay = [this](const auto& url, auto state, const auto& reason) { on_relay(url, state, reason); },
         .notice = [this](const auto& url,
                          const auto& text) { log(spdlog::level::info, url + " says: " + text, "Notice", ""); },
         .readiness = [this](const auto& before, const auto& now) { on_readiness(before, now); },
         .problem = [this](const auto& what) { log(spdlog::level::warn, what, "Problem", ""); },
         .draining =
             [this](const auto& what) { log(spdlog::level::info, "draining: waiting for " + what, "Draining", ""); },
         .fatal = [this](base::Error error) { on_fatal(std::move(error)); }});
    if (!service) return tl::unexpected(service.error());
    service_ = std::move(*service);
    wait_for_signal();
    service_->start();
    if (live_) show_live_line();
    io_.run();
    // From here on a signal ends the program at once: threads that look up names may keep it for long.
    boost::system::error_code ignored;
    signals_.clear(ignored);
    if (live_) show_last_line();
    service_.reset();
    if (failure_) return tl::unexpected(*failure_);
    return ExitCode::done;
  }

 private:
  void on_entry(const ledger::NewEntry& entry) {
    activity_.count(entry);
    const bool loud = std::holds_alternative<ledger::RefundOwed>(entry.fact);
    log(loud ? spdlog::level::warn : spdlog::level::info, describe(entry),
        ledger::type_name(ledger::type_of(entry.fact)), entry.job.is_zero() ? "" : entry.job.hex(),
        is_headline(entry.fact));
  }

  void on_online() {
    const std::string npub = nostr::encode_npub(service_->public_key());
    const core::Engine& engine = service_->runtime().engine();
    if (watched_) {
      context_.err << kSameLine
                   << first_screen(npub, engine.policy(), service_->runtime().readiness(), engine.unfinished_jobs(),
                                   context_.error_terminal)
                   << std::flush;
      return;
    }
    log(spdlog::level::info, "selling as " + npub, "Selling", "");
    if (engine.policy().play_money) log(spdlog::level::warn, "the wallet's money is play money", "PlayMoney", "");
    if (const auto unfinished = engine.unfinished_jobs(); unfinished > 0)
      log(spdlog::level::info, "going on with " + counted(unfinished, "job") + " from before", "Unfinished", "");
  }

  void on_readiness(const core::Readiness& before, const core::Readiness& now) {
    for (const std::string& line : readiness_changes(before, now, service_->runtime().engine().policy().payment_mode))
      log(spdlog::level::warn, line, "Readiness", "");
  }

  void on_relay(const std::string& url, nostr::RelayState state, const std::string& reason) {
    activity_.relays[url] = state == nostr::RelayState::live;
    const auto line = relay_log_.on_change(url, state, reason, wall_clock());
    if (line) log(line->warning ? spdlog::level::warn : spdlog::level::info, line->text, "Relay", "");
  }

  void on_fatal(base::Error error) {
    failure_ = std::move(error);
    io_.stop();
  }

  // Relays, wallets and model servers speak in these texts. Above a live line only warnings and headlines are shown.
  void log(spdlog::level::level_enum level, const std::string& words, std::string_view type, const std::string& job,
           bool headline = false) {
    const std::string text = printable(words);
    if (live_) {
      if (level < spdlog::level::warn && !headline) return;
      context_.err << kSameLine << std::flush;  // the live line comes again below
    }
    if (!json_) return logger_->log(level, "{}", text);
    nlohmann::ordered_json fields{{"type", type}, {"text", text}};
    if (!job.empty()) fields["job"] = job;
    const std::string object = fields.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    logger_->log(level, "{}", object.substr(1, object.size() - 2));
  }

  // The first signal drains, the second ends the process at once: both are safe. A terminal that is closed sends
  // SIGHUP, its shell sends it again: that is one signal. Under nohup it stays ignored.
  void wait_for_signal() {
    if (std::signal(SIGHUP, SIG_IGN) != SIG_IGN) signals_.add(SIGHUP);
    signals_.async_wait([this](const boost::system::error_code& error, int first) {
      if (error) return;
      end_at_once_on_another(first);
      log(spdlog::level::info, "draining: no new jobs, started ones finish; once more ends at once", "Draining", "");
      service_->stop([this] { io_.stop(); });
    });
  }

  void end_at_once_on_another(int first) {
    signals_.async_wait([this, first](const boost::system::error_code& error, int signal) {
      if (error) return;
      if (first == SIGHUP && signal == SIGHUP) return end_at_once_on_another(first);
      std::_Exit(static_cast<int>(ExitCode::interrupted));
    });
  }

  // One less than the terminal has: some go to the next line when the last column is written.
  int live_width() const { return current_width(STDERR_FILENO, context_.error_terminal.width) - 1; }

  void show_live_line() {
    const auto shop = service_->state();
    const std::string state = shop_state(shop.online, shop.draining, service_->runtime().readiness(),
                                         service_->runtime().engine().policy().payment_mode);
    const int width = live_width();
    const std::string waits_for = service_->runtime().last_drain().waiting_for();
    const std::string hint = shop.ending ? "; Ctrl-C ends at once" : "";
    context_.err << kSameLine
                 << (waits_for.empty()
                         ? activity_.live_line(state, service_->runtime().engine().unfinished_jobs(), width)
                         : shortened("draining: " + waits_for, width - static_cast<int>(hint.size())) + hint)
                 << std::flush;
    live_timer_.expires_after(std::chrono::milliseconds(kLiveLineMs));
    live_timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) show_live_line();
    });
  }

  // In the place of the live line, which no longer holds.
  void show_last_line() {
    context_.err << kSameLine << activity_.last_line(service_->runtime().engine().unfinished_jobs(), live_width())
                 << '\n';
  }

  Context& context_;
  const bool watched_;  // by a person
  const bool live_;     // with a live line
  const bool json_;
  std::shared_ptr<spdlog::logger> logger_;
  boost::asio::io_context io_;
  boost::asio::signal_set signals_{io_, SIGINT, SIGTERM};
  boost::asio::steady_timer live_timer_{io_};
  Activity activity_;
  RelayLog relay_log_;
  std::optional<base::Error> failure_;
  std::unique_ptr<Service> service_;
};

Result<ExitCode> run_serve(const Arguments& arguments, Context& context) {
  auto config = context.config();
  if (!config) return tl::unexpected(config.error());
  return Foreground(context, *config).run(*config, arguments.has(kAcceptRollback));
}

void add_serve_options(cxxopts::OptionAdder& add) {
  add(kAcceptRollback, "continue with a ledger whose last entries are missing: closes the jobs that were open");
}

}  // namespace

Command serve_command() {
  return {.name = "serve",
          .summary = "Goes online: takes jobs from the relays, runs them, and bills them.",
          .examples =
              "  sellcompute serve\n"
              "  sellcompute serve 2>>sellcompute.log      # structured log lines instead of the live line\n"
              "  sellcompute -v serve                      # log lines on the terminal too\n",
          .notes =
              "On Ctrl-C, SIGTERM or SIGHUP (the terminal was closed), serve takes no new jobs and finishes those "
              "that it has started. It waits up to 45 s for models, then up to 20 s for wallet and relays; the rest "
              "continues after the next start. A second signal ends it at once; nothing is lost either way.\n"
              "\n"
              "At the start, serve asks the relays of relays.urls and the wallet whether the last entries of this "
              "ledger are missing: a backup was restored, or another machine serves with the same key. If so, it "
              "sells nothing and ends with exit code 5. --accept-rollback records what was found, closes every open "
              "job, and continues: serve does not run, sign or publish anything of those jobs again, and what is paid "
              "for one is owed back.\n",
          .uses_settings = true,
          .options = add_serve_options,
          .run = run_serve};
}

}  // namespace cmd
