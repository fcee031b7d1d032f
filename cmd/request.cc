// sellcompute request: a customer, for trying out and for scripts.
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <charconv>
#include <csignal>
#include <fstream>
#include <iostream>
#include <iterator>
#include <ranges>

#include "cmd/clock.h"
#include "cmd/commands.h"
#include "cmd/customer.h"
#include "cmd/humanize.h"
#include "cmd/market.h"
#include "cmd/passphrase.h"
#include "pipeline/nostr/key_file.h"
#include "pipeline/nostr/nip19.h"

namespace cmd {
namespace {

using ledger::ErrorKind;
using ledger::Result;

constexpr std::int64_t kMaxTimeoutMs = 24LL * 3600 * 1000;
constexpr std::int64_t kMsatPerSat = 1000;
constexpr std::size_t kMaxSellersShown = 20;  // to people
constexpr std::size_t kMaxModelsShown = 3;    // of each
constexpr std::int64_t kLastWordMs = 3'000;   // how long a provider may take to say that it heard of a cancellation

// ---- the question ---------------------------------------------------------------------------------------------------

enum class ParameterKind { text, whole, decimal };

struct Parameter {
  const char* option;
  const char* name;  // NIP-90's
  ParameterKind kind;
  const char* arg;
  const char* description;
};

constexpr Parameter kParameters[] = {
    {"model", "model", ParameterKind::text, "NAME", "the model that shall answer"},
    {"max-tokens", "max_tokens", ParameterKind::whole, "N", "the longest answer"},
    {"temperature", "temperature", ParameterKind::decimal, "T", "how freely it chooses its words: 0.1 to 2.0"},
    {"top-k", "top_k", ParameterKind::whole, "K", "from so many words it chooses"},
    {"top-p", "top_p", ParameterKind::decimal, "P", "from words of so much probability together"},
    {"seed", "seed", ParameterKind::whole, "N", "the same seed, the same answer"},
    {"system", "system", ParameterKind::text, "TEXT", "what the model is told before the prompt"},
};

template <class Number>
bool is_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

Result<void> check(const Parameter& parameter, const std::string& text) {
  const bool good = parameter.kind == ParameterKind::text ||
                    (parameter.kind == ParameterKind::whole ? is_number<std::int64_t>(text) : is_number<double>(text));
  if (good) return {};
  return usage_error("--" + std::string(parameter.option) + " cannot be \"" + text + "\"",
                     parameter.kind == ParameterKind::whole ? "it is a whole number" : "it is a number, like 0.7");
}

// Without the last line's end, and never more than a little too much.
std::string read_text(std::istream& in) {
  std::string text(kMaxQuestionBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

Result<Input> read_file(const std::string& path, std::istream& in) {
  std::ifstream file;
  const bool is_stdin = path == "-";
  if (!is_stdin) file.open(path, std::ios::binary);
  Input input{.data = read_text(is_stdin ? in : file)};
  if (!is_stdin && (!file.is_open() || file.bad())) {
    return usage_error("--file " + path + " cannot be read", "is the name right, and may you read it?");
  }
  if (const auto good = check_text(is_stdin ? "stdin" : "the file " + path, input.data); !good) {
    return tl::unexpected(good.error());
  }
  return input;
}

// What the options name, in the order in which they were typed; then the prompt: a question stands best behind what it
// is about. Without any input but standard input, that is the prompt.
Result<std::vector<Input>> read_inputs(const Arguments& arguments, std::istream& in) {
  std::vector<Input> inputs;
  for (const auto& option : arguments.options.arguments()) {
    for (const auto type : {InputType::text, InputType::url, InputType::event, InputType::job}) {
      if (option.key() != (type == InputType::text ? "file" : name(type))) continue;
      auto input = type == InputType::text ? read_file(option.value(), in) : parse_source(type, option.value());
      if (!input) return tl::unexpected(input.error());
      inputs.push_back(std::move(*input));
    }
  }
  std::string prompt;
  if (!arguments.words.empty()) {
    prompt = arguments.words.front();
  } else if (inputs.empty()) {
    prompt = read_text(in);
  }
  if (!prompt.empty()) inputs.push_back({.data = std::move(prompt)});
  return inputs;
}

Result<std::optional<ledger::Msat>> read_bid(const Arguments& arguments) {
  if (!arguments.has("bid-sat")) return std::nullopt;
  const auto sat = ledger::Msat::from_digits(arguments.text("bid-sat"));
  if (sat && sat->value <= ledger::Msat::kMax / kMsatPerSat) return ledger::Msat{sat->value * kMsatPerSat};
  return usage_error("--bid-sat cannot be \"" + arguments.text("bid-sat") + "\"", "it is a whole number of satoshi");
}

Result<std::int64_t> read_timeout_ms(const Arguments& arguments) {
  const std::string text = arguments.text("timeout");
  const auto ms = parse_duration_ms(is_number<std::int64_t>(text) ? text + " s" : text);
  if (ms && *ms > 0 && *ms <= kMaxTimeoutMs) return *ms;
  return usage_error("--timeout cannot be \"" + text + "\"", "it is a number of seconds, or a time like \"2 min\"");
}

Result<ledger::Encryption> read_encryption(const Arguments& arguments) {
  if (!arguments.has("encrypt")) return ledger::Encryption::none;
  const std::string text = arguments.text("encrypt");
  if (!arguments.has("to") && !arguments.has("find")) {
    return usage_error("--encrypt needs the provider that shall read it", "name it with --to, or let --find choose");
  }
  for (const auto form : {ledger::Encryption::nip44, ledger::Encryption::nip04}) {
    if (text == ledger::name(form)) return form;
  }
  return usage_error("--encrypt cannot be \"" + text + "\"", "it is nip44, or nip04 for old providers");
}

Result<Question> read_question(const Arguments& arguments, const Config& config, std::istream& in) {
  Question out{.relays = config.relays.urls};
  if (arguments.has("to") && arguments.has("find")) {
    return usage_error("--to and --find contradict each other", "name the provider, or let it be chosen");
  }
  if (arguments.has("to")) {
    const auto key = nostr::parse_public_key(arguments.text("to"));
    if (!key) return usage_error("--to: " + key.error().message, key.error().hint);
    out.provider = *key;
  }
  for (const Parameter& parameter : kParameters) {
    if (!arguments.has(parameter.option)) continue;
    const std::string text = arguments.text(parameter.option);
    if (const auto good = check(parameter, text); !good) return tl::unexpected(good.error());
    out.params.emplace_back(parameter.name, text);
  }
  if (arguments.has("stream")) out.params.emplace_back("stream", "true");
  const auto bid = read_bid(arguments);
  if (!bid) return tl::unexpected(bid.error());
  out.bid = *bid;
  const auto encryption = read_encryption(arguments);
  if (!encryption) return tl::unexpected(encryption.error());
  out.encryption = *encryption;
  if (arguments.has("output")) out.output = arguments.text("output");
  auto inputs = read_inputs(arguments, in);
  if (!inputs) return tl::unexpected(inputs.error());
  out.inputs = std::move(*inputs);
  return out;
}

Need need_of(const Question& question, const Arguments& arguments) {
  Need need{.model = arguments.has("model") ? arguments.text("model") : "",
            .encryption = question.encryption != ledger::Encryption::none};
  std::vector<inference::ChatMessage> texts;
  for (const Input& input : question.inputs) {
    if (input.type == InputType::text) texts.push_back({"user", input.data});
  }
  need.input_tokens = nostr::estimate_tokens(texts);
  for (const auto& [name, value] : question.params) {
    if (name == "max_tokens") std::from_chars(value.data(), value.data() + value.size(), need.output_tokens);
  }
  return need;
}

Result<nostr::SecretKey> read_key(const Arguments& arguments) {
  if (!arguments.has("key-file")) return nostr::generate_key();
  return nostr::read_key_file(arguments.text("key-file"), ask_passphrase);
}

// ---- what is shown --------------------------------------------------------------------------------------------------

// The same facts for people (the result on stdout, the rest on stderr) or for programs (all on stdout).
class Screen {
 public:
  Screen(Context& context, bool json, runtime::Clock clock)
      : context_(context), json_(json), clock_(std::move(clock)), began_(clock_()) {}

  void asked(const nostr::Event& request) {
    if (json_) return object("request", {{"id", request.id.hex()}, {"customer", request.pubkey.hex()}});
    line("asked as " + short_npub(nostr::encode_npub(request.pubkey)) + ", request " + short_id(request.id.hex()));
  }

  // The best first.
  void sellers(const std::vector<Seller>& sellers) {
    if (json_) {
      for (const Seller& seller : sellers) object("seller", fields(seller));
      return;
    }
    if (context_.verbosity == Verbosity::quiet) return;
    Table table(
        {{"SELLER", ""}, {"MODELS", ""}, {"PRICE", "", Align::right}, {"ALIVE", ""}, {"SUITS", ""}, {"NPUB", ""}});
    for (const Seller& seller : sellers | std::views::take(kMaxSellersShown)) table.add(row(seller));
    if (!table.empty()) table.print(context_.err, Format::people, context_.error_terminal);
    if (sellers.size() > kMaxSellersShown) line("and " + std::to_string(sellers.size() - kMaxSellersShown) + " more");
  }

  void published(const ledger::RelayAnswer& answer) { relay_said(answer, "published", "it"); }

  // From now on a result begins on a fresh line.
  void cancelling(const nostr::EventId& request) {
    if (json_) return object("cancelling", {{"id", request.hex()}});
    context_.out << growing_.interrupt() << std::flush;
    line("taking request " + short_id(request.hex()) + " back");
  }

  void cancelled(const ledger::RelayAnswer& answer) { relay_said(answer, "cancelled", "the cancellation"); }

  void status(const nostr::Answer& answer, const std::string& relay) {
    if (json_) return object("status", fields(answer, relay));
    const Colour colour = answer.known == nostr::Status::error ? Colour::red : Colour::bold;
    line(short_npub(nostr::encode_npub(answer.provider)) + "  " +
         context_.error_terminal.paint(colour, printable(answer.status)) +
         (answer.amount ? ", " + sats(*answer.amount) : "") +
         (answer.text.empty() ? "" : ": " + printable(answer.text)));
  }

  // What the answer has grown by.
  void partial(const nostr::Answer& answer, const std::string& relay) {
    if (json_) return object("status", fields(answer, relay));
    context_.out << growing_.part(answer) << std::flush;
  }

  void result(const nostr::Answer& answer, const std::string& relay) {
    if (json_) return object("result", fields(answer, relay));
    context_.out << growing_.result(answer) << std::flush;
    status(answer, relay);
  }

  // There is no more to come, even of an answer that was growing.
  void end() { context_.out << growing_.interrupt() << std::flush; }

  void note(const std::string& text) {
    if (!json_) line(text);
  }

  void invoice(const nostr::Answer& answer) {
    if (json_ || answer.bolt11.empty()) return;  // programs have it from the answer
    const bool play_money = answer.bolt11.starts_with("lnbcrt");
    context_.err << "\ninvoice" << (answer.amount ? " over " + sats(*answer.amount) : "") << ":\n"
                 << printable(answer.bolt11) << "\npay it with "
                 << (play_money ? "`sellcompute wallet pay INVOICE` (the sandbox's play money), or ask with --pay"
                                : "any Lightning wallet")
                 << std::endl;
  }

  void paid(const Payment& payment, const std::string& bolt11) {
    if (json_) {
      return object("payment", {{"amount_msat", payment.amount.value},
                                {"payment_hash", payment.payment_hash.hex()},
                                {"held", payment.preimage.is_zero()},
                                {"preimage", payment.preimage.is_zero() ? "" : payment.preimage.hex()},
                                {"bolt11", bolt11}});
    }
    line(context_.error_terminal.paint(Colour::green, "paid " + sats(payment.amount)) + ", payment " +
         short_id(payment.payment_hash.hex()) + (payment.preimage.is_zero() ? ", held until the answer is there" : ""));
  }

 private:
  static nlohmann::ordered_json fields(const nostr::Answer& answer, const std::string& relay) {
    nlohmann::ordered_json out{
        {"provider", answer.provider.hex()}, {"relay", relay}, {"status", answer.status}, {"text", answer.text}};
    if (answer.amount) out["amount_msat"] = answer.amount->value;
    if (!answer.bolt11.empty()) out["bolt11"] = answer.bolt11;
    if (answer.is_result || answer.known == nostr::Status::partial) out["content"] = answer.content;
    return out;
  }

  static std::vector<Cell> row(const Seller& seller) {
    std::string models;
    for (const auto& model : seller.announcement.models | std::views::take(kMaxModelsShown)) {
      models += (models.empty() ? "" : ", ") + model.name;
    }
    if (seller.announcement.models.size() > kMaxModelsShown) models += ", …";
    return {seller.announcement.profile.name,
            models.empty() ? Cell::nothing() : Cell(models),
            seller.price ? Cell("~" + sats(*seller.price)) : Cell::nothing(),
            seller.alive ? Cell("yes") : Cell::nothing(),
            seller.suits ? Cell("yes") : Cell::nothing(),
            nostr::encode_npub(seller.announcement.provider)};
  }

  static nlohmann::ordered_json fields(const Seller& seller) {
    nlohmann::ordered_json models = nlohmann::ordered_json::array();
    for (const auto& model : seller.announcement.models) models.push_back(model.name);
    nlohmann::ordered_json out{{"provider", seller.announcement.provider.hex()},
                               {"npub", nostr::encode_npub(seller.announcement.provider)},
                               {"name", seller.announcement.profile.name},
                               {"models", std::move(models)},
                               {"alive", seller.alive},
                               {"suits", seller.suits}};
    if (seller.price) out["price_msat"] = seller.price->value;
    return out;
  }

  void relay_said(const ledger::RelayAnswer& answer, const char* type, const std::string& what) {
    if (json_) {
      return object(type, {{"relay", answer.relay}, {"accepted", answer.accepted}, {"message", answer.message}});
    }
    line(answer.relay + (answer.accepted ? " took " + what : " did not take " + what + ": " + answer.message));
  }

  void object(const char* type, const nlohmann::ordered_json& fields) {
    nlohmann::ordered_json out{{"type", type}, {"elapsed_ms", clock_() - began_}};
    out.update(fields);
    context_.out << json_line(out) << std::endl;
  }

  void line(const std::string& text) {
    if (context_.verbosity == Verbosity::quiet) return;
    const std::string time = "+" + took(clock_() - began_);
    if (growing_.is_open() && context_.error_terminal.interactive) context_.err << '\n';  // out of the answer's line
    context_.err << context_.error_terminal.paint(Colour::dim,
                                                  time + std::string(9 - std::min<std::size_t>(8, time.size()), ' '))
                 << text << std::endl;
  }

  Context& context_;
  const bool json_;
  const runtime::Clock clock_;
  const ledger::TimeMs began_;
  GrowingAnswer growing_;
};

// ---- the conversation -----------------------------------------------------------------------------------------------

class Conversation {
 public:
  Conversation(Context& context, const Arguments& arguments, const Config& config)
      : arguments_(arguments),
        wallet_folder_(config.wallet.folder),
        clock_(make_clock(context.sources)),
        screen_(context, arguments.has("json"), clock_) {}

  // The provider that suits the question best, as the market announces itself. Shows the others too.
  Result<nostr::PublicKey> find(const Question& question, const nostr::SecretKey& key) {
    screen_.note("looking who sells");
    const auto news = read_market(question.relays, key, clock_);
    if (!news) return tl::unexpected(news.error());
    const auto sellers = rank_sellers(*news, need_of(question, arguments_), clock_());
    screen_.sellers(sellers);
    if (!sellers.empty() && sellers.front().suits) return sellers.front().announcement.provider;
    return ledger::fail(ErrorKind::job_request, "request.no_seller",
                        sellers.empty() ? "nobody announces on these relays that they sell"
                                        : "nobody announces that they serve what the question needs",
                        {}, "ask the whole market without --find, or other relays with --relay");
  }

  Result<ExitCode> ask(const Question& question, nostr::SecretKey key, std::int64_t timeout_ms) {
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
            .failed = [this](ledger::Error error) { on_failure(std::move(error)); }};
  }

  Result<ExitCode> listen() {
    io_.run();
    screen_.end();
    if (failure_) return tl::unexpected(*failure_);
    return exit_code_;
  }

  void on_answer(const nostr::Answer& answer, const std::string& relay) {
    if (over_ || (paid_ && answer.provider != *paid_)) return;
    show(answer, relay);
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

  void on_failure(ledger::Error error) {
    if (cancelled_ || exit_code_ == ExitCode::interrupted) return end({});
    end(refusal_ ? *refusal_ : std::move(error));
  }

  // The provider that was asked says no: that is the end. One of the market may be followed by a better one.
  void on_refusal(const nostr::Answer& answer) {
    refusal_ = ledger::Error{ErrorKind::job_request,
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

  void end(std::optional<ledger::Error> failure) {
    over_ = true;
    failure_ = std::move(failure);
    io_.stop();
  }

  const Arguments& arguments_;
  const std::filesystem::path wallet_folder_;
  const runtime::Clock clock_;
  Screen screen_;
  boost::asio::io_context io_;
  boost::asio::signal_set signals_{io_};
  boost::asio::steady_timer last_word_timer_{io_};
  std::optional<ledger::Msat> bid_;
  bool addressed_ = false;
  std::optional<nostr::PublicKey> paid_;  // the provider that we paid: no other one's answer counts any more
  std::optional<ledger::Error> refusal_;
  std::optional<ledger::Error> failure_;
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

Result<ExitCode> run(const Arguments& arguments, Context& context) {
  const auto config = context.config();
  if (!config) return tl::unexpected(config.error());
  if (config->relays.urls.empty()) return usage_error("no relay is named", "give --relay URL, or set relays.urls");
  const auto timeout_ms = read_timeout_ms(arguments);
  if (!timeout_ms) return tl::unexpected(timeout_ms.error());
  if (arguments.has("cancel")) return take_back(arguments, context, *config, *timeout_ms);
  auto key = read_key(arguments);
  if (!key) return tl::unexpected(key.error());
  auto question = read_question(arguments, *config, context.in);
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

void options(cxxopts::OptionAdder& add) {
  const auto text = [&](const char* name, const char* description, const char* arg) {
    add(name, description, cxxopts::value<std::string>(), arg);
  };
  text("to", "the provider; without it the whole market is asked", "NPUB");
  add("find", "of those that announce themselves, ask the cheapest that serves the model");
  text("file", "a text that the prompt is about; - is stdin", "PATH");
  text("url", "a web page that the provider fetches", "URL");
  text("event", "an event whose content the provider fetches", "ID[@RELAY]");
  text("job", "an earlier job whose result the provider fetches", "ID[@RELAY]");
  for (const Parameter& parameter : kParameters) text(parameter.option, parameter.description, parameter.arg);
  text("output", "the form of the answer: text/plain, text/markdown or application/json", "MIME");
  add("stream", "show the answer while it grows, if the provider sends it so");
  text("encrypt", "nip44 or nip04: only the provider can read it", "FORM");
  text("bid-sat", "the most that it may cost", "N");
  text("key-file", "the file with your key (else one is made and thrown away)", "FILE");
  text("cancel", "ask nothing: take this earlier request back (needs its --key-file)", "ID");
  add("pay", "pay the invoice, if it is the sandbox's");
  add("timeout", "how long to wait for the result, in seconds", cxxopts::value<std::string>()->default_value("120"),
      "TIME");
  add_json_option(add);
}

}  // namespace

Command request_command() {
  return {.name = "request",
          .summary = "A customer: sends a job, shows its statuses, its result and its invoice.",
          .examples =
              "  sellcompute request --relay wss://relay.one \"What is a data vending machine?\"\n"
              "  sellcompute request --to npub1… --model llama3.2 --max-tokens 200 --bid-sat 20 <question.txt\n"
              "  sellcompute request --stream --file report.txt --url https://example.com \"What do both say?\"\n"
              "  sellcompute request --job note1…@wss://relay.one \"Translate it into French.\"\n"
              "  sellcompute request --to npub1… --pay \"…\"      # pays a sandbox's invoice (play money)\n"
              "  sellcompute request --to npub1… --encrypt nip44 \"…\"\n"
              "  sellcompute request --find --model llama3.2 \"…\"   # the cheapest that says that it serves it\n"
              "  sellcompute request --json \"…\" | jq -r 'select(.type == \"result\").content'\n",
          .words = "[PROMPT]",
          .notes =
              "The prompt comes from stdin when there is no input at all. --file, --url, --event and --job may be\n"
              "given several times; they stand before the prompt, in the order in which they are typed.\n"
              "The result goes to stdout, everything else to stderr; with --json all of it goes to stdout, one\n"
              "object a line.\n"
              "Relays are the config's, or those of --relay URL, which may be given several times.\n"
              "--find lists who sells text generation on these relays, with the estimated price of this question,\n"
              "and asks the first that suits: alive (by its heartbeat) before others, then the cheapest. What\n"
              "is asked in the end may be more: --bid-sat bounds it. With an empty prompt (\"\") it only lists.\n"
              "Ctrl-C takes the request back and waits a moment for the provider's answer; a second one ends at\n"
              "once. What was asked with --key-file can be taken back later with --cancel.\n"
              "Exit codes: 0 the result came (and was paid with --pay) or a relay took the cancellation, 1 the\n"
              "provider refused or the payment failed, 3 no relay took the request or no result came in time,\n"
              "130 interrupted.\n",
          .options = options,
          .run = run};
}

}  // namespace cmd
