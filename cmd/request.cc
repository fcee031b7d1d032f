// sellcompute request: a customer, for trying out and for scripts.
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>

#include "base/scheduler.h"
#include "cmd/cli/clock.h"
#include "cmd/commands.h"
#include "cmd/customer/question.h"
#include "cmd/customer/request_screen.h"
#include "pipeline/nostr/nip19.h"

namespace cmd {
namespace {

using base::ErrorKind;
using base::Result;

constexpr auto kProgressEvery = std::chrono::seconds(1);
constexpr std::int64_t kLastWordMs = 3'000;  // how long a provider may take to say that it heard of a cancellation

class Conversation {
 public:
  Conversation(Context& context, const Arguments& arguments, const Config& config)
      : arguments_(arguments),
        wallet_folder_(config.wallet.folder),
        clock_(make_clock(context.sources)),
        screen_(context, arguments.has("json"), clock_) {}

  // The provider that suits the question best, as the market announces itself. Shows the others too.
  Result<nostr::PublicKey> find(const nostr::Question& question, const nostr::SecretKey& key) {
    screen_.note("looking who sells");
    const auto news = read_market(question.relays, key, clock_);
    if (!news) return tl::unexpected(news.error());
    const auto sellers = rank_sellers(*news, need_of(question, arguments_), clock_());
    screen_.sellers(sellers);
    if (!sellers.empty() && sellers.front().suits) return sellers.front().announcement.provider;
    return base::fail(ErrorKind::job_request, "request.no_seller",
                      sellers.empty() ? "nobody announces on these relays that they sell"
                                      : "nobody announces that they serve what the question needs",
                      {}, "ask the whole market without --find, or other relays with --relay");
  }

  Result<ExitCode> ask(const nostr::Question& question, nostr::SecretKey key, std::int64_t timeout_ms) {
    bid_ = question.bid;
    addressed_ = question.provider.has_value();
    auto customer = Customer::ask(io_, question, std::move(key), clock_, timeout_ms,
                                  hooks([this](const auto& answer) { screen_.published(answer); }));
    if (!customer) return tl::unexpected(customer.error());
    customer_ = std::move(*customer);
    screen_.asked(customer_->request());
    wait_for_signal();
    return listen();
  }

  // Takes back what was asked earlier.
  Result<ExitCode> take_back(const nostr::EventId& request, const std::vector<std::string>& relays,
                             nostr::SecretKey key, std::int64_t timeout_ms) {
    cancelling_ = true;
    auto customer = Customer::take_back(io_, request, relays, std::move(key), clock_, timeout_ms,
                                        hooks([this](const auto& answer) { on_cancelled(answer); }));
    if (!customer) return tl::unexpected(customer.error());
    customer_ = std::move(*customer);
    screen_.cancelling(request);
    return listen();
  }

 private:
  CustomerHooks hooks(std::function<void(const ledger::RelayAnswer&)> published) {
    return {.published = std::move(published),
            .answered = [this](const auto& answer, const auto& relay) { on_answer(answer, relay); },
            .failed = [this](base::Error error) { on_failure(std::move(error)); }};
  }

  Result<ExitCode> listen() {
    show_progress();
    io_.run();
    screen_.end();
    if (failure_) return tl::unexpected(*failure_);
    return exit_code_;
  }

  void show_progress() {
    progress_.expires_after(kProgressEvery);
    progress_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      screen_.still_waiting();
      show_progress();
    });
  }

  void on_answer(const nostr::Answer& answer, const std::string& relay) {
    if (over_ || (paid_ && answer.provider != *paid_)) return;
    show(answer, relay);
    if (screen_.is_unread()) return end({});
    if (cancelling_) return on_answer_to_cancellation(answer);
    if (answer.known == nostr::Status::error) return on_refusal(answer);
    if (!answer.bolt11.empty() && !paid_ && !settle(answer)) return;
    if (answer.is_result) end({});
  }

  void show(const nostr::Answer& answer, const std::string& relay) {
    if (answer.is_result) return screen_.result(answer, relay);
    const bool grows = answer.known == nostr::Status::partial && arguments_.has("stream") && !cancelling_;
    return grows ? screen_.partial(answer, relay) : screen_.status(answer, relay);
  }

  void on_failure(base::Error error) {
    if (cancelled_ || exit_code_ == ExitCode::interrupted) return end({});
    end(refusal_ ? *refusal_ : std::move(error));
  }

  // The provider that was asked says no: that is the end. One of the market may be followed by a better one.
  void on_refusal(const nostr::Answer& answer) {
    refusal_ = base::Error{ErrorKind::job_request,
                           "request.refused",
                           "the provider could not serve the request",
                           answer.text.empty() ? "it gave no reason" : answer.text,
                           {}};
    if (addressed_ || paid_) end(*refusal_);
  }

  // Pays, or says how to. False: the end.
  bool settle(const nostr::Answer& answer) {
    if (!arguments_.has("pay")) {
      screen_.invoice(answer);
      return true;
    }
    const auto payment = pay_from_sandbox(wallet_folder_, answer, bid_, clock_());
    if (!payment) {
      end(payment.error());
      return false;
    }
    paid_ = answer.provider;
    screen_.paid(*payment, answer.bolt11);
    return true;
  }

  // ---- taking it back ----

  // From now on the first signal takes the request back, and the second ends the process at once, as the
  // first did while nothing was asked.
  void wait_for_signal() {
    for (const int signal : {SIGINT, SIGTERM}) signals_.add(signal);
    signals_.async_wait([this](const boost::system::error_code& error, int) {
      if (error) return;
      signals_.async_wait([](const boost::system::error_code& again, int) {
        if (!again) std::_Exit(static_cast<int>(ExitCode::interrupted));
      });
      cancel();
    });
  }

  void cancel() {
    cancelling_ = true;
    exit_code_ = ExitCode::interrupted;
    screen_.cancelling(customer_->request().id);
    screen_.note("once more ends at once");
    const auto sent = customer_->cancel([this](const ledger::RelayAnswer& answer) { on_cancelled(answer); });
    if (!sent) return end(sent.error());
    wait_for_last_word();
  }

  void on_cancelled(const ledger::RelayAnswer& answer) {
    if (over_) return;
    screen_.cancelled(answer);
    if (!answer.accepted || std::exchange(cancelled_, true)) return;
    if (last_word_) return end({});
    wait_for_last_word();
  }

  // A provider's last word is that it stopped, or a result: one that was faster, or what there is so far, perhaps with
  // a bill. What is taken back is not paid without another thought.
  void on_answer_to_cancellation(const nostr::Answer& answer) {
    if (!paid_) screen_.invoice(answer);
    if (answer.known != nostr::Status::error && !answer.is_result) return;
    last_word_ = true;
    if (cancelled_) end({});
  }

  void wait_for_last_word() {
    last_word_timer_.expires_after(std::chrono::milliseconds(kLastWordMs));
    last_word_timer_.async_wait([this](const boost::system::error_code& error) {
      if (error || over_) return;
      screen_.note("no provider has said that it stopped");
      end({});
    });
  }

  void end(std::optional<base::Error> failure) {
    over_ = true;
    failure_ = std::move(failure);
    io_.stop();
  }

  const Arguments& arguments_;
  const std::filesystem::path wallet_folder_;
  const base::Clock clock_;
  RequestScreen screen_;
  boost::asio::io_context io_;
  boost::asio::signal_set signals_{io_};
  boost::asio::steady_timer last_word_timer_{io_};
  boost::asio::steady_timer progress_{io_};
  std::optional<base::Msat> bid_;
  bool addressed_ = false;
  std::optional<nostr::PublicKey> paid_;  // the provider that we paid: no other one's answer counts any more
  std::optional<base::Error> refusal_;
  std::optional<base::Error> failure_;
  ExitCode exit_code_ = ExitCode::done;  // where nothing failed
  bool cancelling_ = false;
  bool cancelled_ = false;  // a relay took the cancellation
  bool last_word_ = false;
  bool over_ = false;
  std::unique_ptr<Customer> customer_;
};

Result<ExitCode> take_back(const Arguments& arguments, Context& context, const Config& config,
                           std::int64_t timeout_ms) {
  if (!arguments.has("key-file")) {
    return usage_error("--cancel needs the key that asked", "name its file with --key-file");
  }
  if (!arguments.words.empty()) return usage_error("--cancel asks nothing", "leave the prompt out");
  const auto request = nostr::parse_event_id(arguments.text("cancel"));
  if (!request) return usage_error("--cancel: " + request.error().message, request.error().hint);
  auto key = read_key(arguments);
  if (!key) return tl::unexpected(key.error());
  return Conversation(context, arguments, config).take_back(*request, config.relays.urls, std::move(*key), timeout_ms);
}

Result<ExitCode> run_request(const Arguments& arguments, Context& context) {
  const auto config = context.config();
  if (!config) return tl::unexpected(config.error());
  if (config->relays.urls.empty()) return usage_error("no relay is named", "give --relay URL, or set relays.urls");
  const auto timeout_ms = read_timeout_ms(arguments);
  if (!timeout_ms) return tl::unexpected(timeout_ms.error());
  if (arguments.has("cancel")) return take_back(arguments, context, *config, *timeout_ms);
  auto key = read_key(arguments);
  if (!key) return tl::unexpected(key.error());
  auto question = read_question(arguments, *config, context);
  if (!question) return tl::unexpected(question.error());
  Conversation conversation(context, arguments, *config);
  if (arguments.has("find")) {
    const auto provider = conversation.find(*question, *key);
    if (!provider) return tl::unexpected(provider.error());
    if (question->inputs.empty()) return ExitCode::done;  // whoever asks nothing wants the list
    question->provider = *provider;
  }
  return conversation.ask(*question, std::move(*key), *timeout_ms);
}

void request_options(cxxopts::OptionAdder& add) {
  const auto text = [&](const char* name, const char* description, const char* arg) {
    add(name, description, cxxopts::value<std::string>(), arg);
  };
  add_question_options(add);
  text("key-file", "the file with your key (without it, a new key for this request only)", "FILE");
  text("cancel", "send no request, but cancel this earlier one (needs its --key-file)", "ID");
  add("pay", "pay the invoice, if it is the sandbox's");
  add("timeout", "how long to wait for the result, in seconds", cxxopts::value<std::string>()->default_value("120"),
      "TIME");
  add_json_option(add);
}

}  // namespace

Command request_command() {
  return {.name = "request",
          .summary = "Buys as a customer: sends a job request, shows its statuses, its result and its invoice.",
          .examples =
              "  sellcompute request --relay wss://relay.one \"What is a data vending machine?\"\n"
              "  sellcompute request --to npub1… --model llama3.2 --max-tokens 200 --bid-sat 20 <question.txt\n"
              "  sellcompute request --stream --file report.txt --url https://example.com \"What do both say?\"\n"
              "  sellcompute request --job note1…@wss://relay.one \"Translate it into French.\"\n"
              "  sellcompute request --to npub1… --pay \"…\"      # pays a sandbox's invoice (play money)\n"
              "  sellcompute request --to npub1… --encrypt nip44 \"…\"\n"
              "  sellcompute request --find --model llama3.2 \"…\"   # the cheapest provider of this model\n"
              "  sellcompute request --json \"…\" | jq -r 'select(.type == \"result\").content'\n",
          .words = "[PROMPT]",
          .notes =
              "Without PROMPT and other inputs, the command reads the prompt from stdin. --file, --url, --event and\n"
              "--job may be given several times; these inputs come before the prompt, in the order of the options.\n"
              "The result goes to stdout, everything else to stderr; with --json all of it goes to stdout, one\n"
              "object a line.\n"
              "\n"
              "The relays are those of --relay URL (may be given several times), else those of the config file.\n"
              "\n"
              "--find lists the providers of text generation on these relays, each with an estimated price for this\n"
              "request. It asks the first provider that serves the model: those with a recent heartbeat come first,\n"
              "then the cheapest. The final price may be higher; --bid-sat limits it. With an empty prompt (\"\"),\n"
              "--find only prints the list.\n"
              "\n"
              "Ctrl-C cancels the request and waits a moment for the provider's answer; a second Ctrl-C ends at once.\n"
              "A request that was sent with --key-file can be cancelled later with --cancel.\n"
              "\n"
              "Exit codes: 0 the result came (and was paid with --pay) or a relay took the cancellation, 1 the\n"
              "provider refused or the payment failed, 3 no relay took the request or no result came in time,\n"
              "130 interrupted.\n",
          .options = request_options,
          .run = run_request};
}

}  // namespace cmd
