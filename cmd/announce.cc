// sellcompute announce: being found on the relays, or no longer.
#include <boost/asio/io_context.hpp>
#include <ostream>

#include "cmd/cli/clock.h"
#include "cmd/cli/control_socket.h"
#include "cmd/cli/passphrase.h"
#include "cmd/commands.h"
#include "cmd/config/policy.h"
#include "cmd/provider/announcement.h"
#include "cmd/text/humanize.h"
#include "pipeline/net/io_scheduler.h"
#include "pipeline/nostr/key_file.h"
#include "pipeline/nostr/nip42.h"
#include "pipeline/nostr/relay/pool.h"

namespace cmd {
namespace {

using base::Result;

constexpr auto kWithdrawalTime = std::chrono::minutes(2);  // every relay is asked, and then looked at

// Takes the announcement back without a running `serve`, whose relays and key it uses.
class Withdrawal {
 public:
  Withdrawal(const Config& config, nostr::SecretKey key, base::Clock clock)
      : config_(config), key_(std::move(key)), scheduler_(io_, clock), clock_(std::move(clock)) {}

  // What `serve` answers: one object a relay.
  Result<nlohmann::json> run() {
    auto pool = nostr::RelayPool::make(io_, options(), handlers());
    if (!pool) return tl::unexpected(pool.error());
    runtime::Announcer announcer(
        {.relays = **pool,
         .scheduler = scheduler_,
         .sign = [this](nostr::Unsigned event) { return nostr::sign(std::move(event), key_, aux()); },
         .obstacle = [] { return std::string("its announcement is being withdrawn"); }},
        announcer_options(config_, {.provider = key_.public_key()}));
    nlohmann::json report;
    announcer.withdraw([&](const std::vector<runtime::Visibility>& visibility) {
      report = to_json(visibility);
      io_.stop();
    });
    io_.run();
    (*pool)->shut_down();
    return report;
  }

 private:
  // None is its own: nothing is listened for. They are the operator's word all the same, and not guarded.
  nostr::PoolOptions options() {
    return {.allow_private = true,
            .max_guests = config_.relays.urls.size(),
            .clock = clock_,
            .random = [] { return 0.5; },
            .sign_auth =
                [this](const std::string& url, const std::string& challenge, base::TimeMs now) {
                  return std::optional(nostr::auth_event(key_, url, challenge, now, aux()));
                }};
  }
  static nostr::PoolHandlers handlers() {
    return {.on_event = [](const nostr::Received&) {},
            .on_refused = [](const std::string&, nostr::Refusal) {},
            .on_health = [](const std::string&, nostr::RelayState, const std::string&) {},
            .on_notice = [](const std::string&, const std::string&) {}};
  }
  static nostr::AuxRandom aux() {
    const auto random = nostr::generate_aux();
    if (!random) throw std::runtime_error(random.error().describe());  // no randomness, no safe way on
    return *random;
  }

  const Config& config_;
  const nostr::SecretKey key_;
  boost::asio::io_context io_;
  net::IoScheduler scheduler_;
  const base::Clock clock_;
};

Result<nlohmann::json> withdraw(const Config& config, const Context& context) {
  auto reply = ask_running_serve(control_socket_path(config.paths.data_dir), {{"method", "withdraw"}}, kWithdrawalTime);
  if (reply) return (*reply)["relays"];
  if (reply.error().code != "control.not_running") return tl::unexpected(reply.error());
  if (const auto chosen = check_relays(config); !chosen) return tl::unexpected(chosen.error());
  auto key = nostr::read_key_file(config.identity.key_file, passphrase_source(config.identity));
  if (!key) return tl::unexpected(key.error());
  return Withdrawal(config, std::move(*key), make_clock(context.sources)).run();
}

ExitCode print(const nlohmann::json& relays, Format format, const Context& context) {
  Table table({{"", "relay"}, {"", "withdrawn"}, {"", "note"}});
  ExitCode code = ExitCode::done;
  for (const auto& site : relays) {
    const std::string trouble = site.value("trouble", "");
    const bool gone = trouble.empty() && !site.value("visible", false);
    if (!gone) code = ExitCode::unreachable;
    table.add(
        {site.value("relay", ""), {gone ? "withdrawn" : "FAIL", gone, gone ? Colour::green : Colour::red}, trouble});
  }
  table.print(context.out, format, context.terminal);
  return code;
}

Result<ExitCode> announce(const Config& config, Format format, const Context& context) {
  const auto reply = ask_running_serve(control_socket_path(config.paths.data_dir), {{"method", "announce"}});
  if (!reply) return tl::unexpected(reply.error());
  const std::string text = reply->value("text", "done");
  if (format == Format::json) {
    context.out << json_line({{"announcing", true}, {"text", text}}) << '\n';
  } else if (context.verbosity != Verbosity::quiet) {
    context.err << printable_lines(text) << '\n';
  }
  return ExitCode::done;
}

Result<ExitCode> run_announce(const Arguments& arguments, Context& context) {
  const auto config = context.config();
  if (!config) return tl::unexpected(config.error());
  if (!arguments.has("withdraw")) return announce(*config, arguments.format(), context);
  const bool show_progress = context.error_terminal.interactive && context.verbosity != Verbosity::quiet;
  if (show_progress) context.err << "asking each relay to forget the announcement ...\r" << std::flush;
  const auto relays = withdraw(*config, context);
  if (show_progress) context.err << "\x1b[K" << std::flush;
  if (!relays) return tl::unexpected(relays.error());
  return print(*relays, arguments.format(), context);
}

}  // namespace

Command announce_command() {
  return {
      .name = "announce",
      .summary = "Publishes the announcement on the relays (NIP-89), or withdraws it.",
      .examples =
          "  sellcompute announce              # a running serve checks now, and publishes where it is missing\n"
          "  sellcompute announce --withdraw   # customers no longer find you there\n",
      .notes =
          "A running serve publishes the announcement by itself, unless announce.enabled is false; `sellcompute\n"
          "status` shows which relays have it. After --withdraw it stays withdrawn until `sellcompute announce` or\n"
          "the next start of serve. Exit code 3 if a relay could not be asked, or still has the announcement.\n",
      .uses_settings = true,
      .options =
          [](cxxopts::OptionAdder& add) {
            add("withdraw", "ask every relay to delete the announcement; profile and relay list stay");
            add_json_option(add);
          },
      .run = run_announce};
}

}  // namespace cmd
