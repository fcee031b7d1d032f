// sellcompute request: a customer, for trying out and for scripts.
#include <boost/asio/io_context.hpp>
#include <charconv>
#include <iostream>
#include <iterator>

#include "cmd/clock.h"
#include "cmd/commands.h"
#include "cmd/customer.h"
#include "cmd/humanize.h"
#include "cmd/passphrase.h"
#include "pipeline/nostr/key_file.h"
#include "pipeline/nostr/nip19.h"

namespace cmd {
namespace {

using ledger::ErrorKind;
using ledger::Result;

constexpr std::int64_t kMaxTimeoutMs = 24LL * 3600 * 1000;
constexpr std::int64_t kMsatPerSat = 1000;

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

// The word, else standard input, without the line's end.
std::string read_prompt(const Arguments& arguments, std::istream& in) {
  if (!arguments.words.empty()) return arguments.words.front();
  std::string prompt(kMaxQuestionBytes + 1, '\0');
  in.read(prompt.data(), static_cast<std::streamsize>(prompt.size()));
  prompt.resize(static_cast<std::size_t>(in.gcount()));
  while (prompt.ends_with('\n')) prompt.pop_back();
  return prompt;
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
  if (!arguments.has("to")) return usage_error("--encrypt needs the provider that shall read it", "name it with --to");
  for (const auto form : {ledger::Encryption::nip44, ledger::Encryption::nip04}) {
    if (text == ledger::name(form)) return form;
  }
  return usage_error("--encrypt cannot be \"" + text + "\"", "it is nip44, or nip04 for old providers");
}

Result<Question> read_question(const Arguments& arguments, const Config& config, std::istream& in) {
  Question out{.relays = config.relays.urls};
  if (out.relays.empty()) return usage_error("no relay is named", "give --relay URL, or set relays.urls");
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
  const auto bid = read_bid(arguments);
  if (!bid) return tl::unexpected(bid.error());
  out.bid = *bid;
  const auto encryption = read_encryption(arguments);
  if (!encryption) return tl::unexpected(encryption.error());
  out.encryption = *encryption;
  if (arguments.has("output")) out.output = arguments.text("output");
  out.prompt = read_prompt(arguments, in);
  return out;
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

  void published(const ledger::RelayAnswer& answer) {
    if (json_) {
      return object("published", {{"relay", answer.relay}, {"accepted", answer.accepted}, {"message", answer.message}});
    }
    line(answer.relay + (answer.accepted ? " took it" : " did not take it: " + answer.message));
  }

  void status(const nostr::Answer& answer, const std::string& relay) {
    if (json_) return object("status", fields(answer, relay));
    const Colour colour = answer.known == nostr::Status::error ? Colour::red : Colour::bold;
    line(short_npub(nostr::encode_npub(answer.provider)) + "  " +
         context_.error_terminal.paint(colour, printable(answer.status)) +
         (answer.amount ? ", " + sats(*answer.amount) : "") +
         (answer.text.empty() ? "" : ": " + printable(answer.text)));
  }

  void result(const nostr::Answer& answer, const std::string& relay) {
    if (json_) {
      auto out = fields(answer, relay);
      out["content"] = answer.content;
      return object("result", std::move(out));
    }
    status(answer, relay);
    context_.out << answer.content << std::endl;
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
                                {"preimage", payment.preimage.hex()},
                                {"bolt11", bolt11}});
    }
    line(context_.error_terminal.paint(Colour::green, "paid " + sats(payment.amount)) + ", payment " +
         short_id(payment.payment_hash.hex()));
  }

 private:
  static nlohmann::ordered_json fields(const nostr::Answer& answer, const std::string& relay) {
    nlohmann::ordered_json out{
        {"provider", answer.provider.hex()}, {"relay", relay}, {"status", answer.status}, {"text", answer.text}};
    if (answer.amount) out["amount_msat"] = answer.amount->value;
    if (!answer.bolt11.empty()) out["bolt11"] = answer.bolt11;
    return out;
  }

  void object(const char* type, const nlohmann::ordered_json& fields) {
    nlohmann::ordered_json out{{"type", type}, {"elapsed_ms", clock_() - began_}};
    out.update(fields);
    context_.out << json_line(out) << std::endl;
  }

  void line(const std::string& text) {
    if (context_.verbosity == Verbosity::quiet) return;
    const std::string time = "+" + took(clock_() - began_);
    context_.err << context_.error_terminal.paint(Colour::dim,
                                                  time + std::string(9 - std::min<std::size_t>(8, time.size()), ' '))
                 << text << std::endl;
  }

  Context& context_;
  const bool json_;
  const runtime::Clock clock_;
  const ledger::TimeMs began_;
};

// ---- the conversation -----------------------------------------------------------------------------------------------

class Conversation {
 public:
  Conversation(Context& context, const Arguments& arguments, const Config& config)
      : arguments_(arguments),
        wallet_folder_(config.wallet.folder),
        clock_(make_clock(context.sources)),
        screen_(context, arguments.has("json"), clock_) {}

  Result<ExitCode> run(const Question& question, nostr::SecretKey key, std::int64_t timeout_ms) {
    bid_ = question.bid;
    addressed_ = question.provider.has_value();
    auto customer =
        Customer::ask(io_, question, std::move(key), clock_, timeout_ms,
                      {.published = [this](const auto& answer) { screen_.published(answer); },
                       .answered = [this](const auto& answer, const auto& relay) { on_answer(answer, relay); },
                       .failed = [this](ledger::Error error) { end(refusal_ ? *refusal_ : std::move(error)); }});
    if (!customer) return tl::unexpected(customer.error());
    screen_.asked((*customer)->request());
    io_.run();
    if (failure_) return tl::unexpected(*failure_);
    return ExitCode::done;
  }

 private:
  void on_answer(const nostr::Answer& answer, const std::string& relay) {
    if (over_ || (paid_ && answer.provider != *paid_)) return;
    if (answer.is_result) {
      screen_.result(answer, relay);
    } else {
      screen_.status(answer, relay);
    }
    if (answer.known == nostr::Status::error) return on_refusal(answer);
    if (!answer.bolt11.empty() && !paid_ && !settle(answer)) return;
    if (answer.is_result) end({});
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
  std::optional<ledger::Msat> bid_;
  bool addressed_ = false;
  std::optional<nostr::PublicKey> paid_;  // the provider that we paid: no other one's answer counts any more
  std::optional<ledger::Error> refusal_;
  std::optional<ledger::Error> failure_;
  bool over_ = false;
};

Result<ExitCode> run(const Arguments& arguments, Context& context) {
  const auto config = context.config();
  if (!config) return tl::unexpected(config.error());
  const auto timeout_ms = read_timeout_ms(arguments);
  if (!timeout_ms) return tl::unexpected(timeout_ms.error());
  auto key = read_key(arguments);
  if (!key) return tl::unexpected(key.error());
  const auto question = read_question(arguments, *config, context.in);
  if (!question) return tl::unexpected(question.error());
  return Conversation(context, arguments, *config).run(*question, std::move(*key), *timeout_ms);
}

void options(cxxopts::OptionAdder& add) {
  const auto text = [&](const char* name, const char* description, const char* arg) {
    add(name, description, cxxopts::value<std::string>(), arg);
  };
  text("to", "the provider; without it the whole market is asked", "NPUB");
  for (const Parameter& parameter : kParameters) text(parameter.option, parameter.description, parameter.arg);
  text("output", "the form of the answer: text/plain, text/markdown or application/json", "MIME");
  text("encrypt", "nip44 or nip04: only the provider can read it", "FORM");
  text("bid-sat", "the most that it may cost", "N");
  text("key-file", "the file with your key (else one is made and thrown away)", "FILE");
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
              "  sellcompute request --to npub1… --pay \"…\"      # pays a sandbox's invoice (play money)\n"
              "  sellcompute request --to npub1… --encrypt nip44 \"…\"\n"
              "  sellcompute request --json \"…\" | jq -r 'select(.type == \"result\").content'\n",
          .words = "[PROMPT]",
          .notes =
              "The prompt comes from stdin when it is not given. The result goes to stdout, everything else to\n"
              "stderr; with --json all of it goes to stdout, one object a line.\n"
              "Relays are the config's, or those of --relay URL, which may be given several times.\n"
              "Exit codes: 0 the result came (and was paid with --pay), 1 the provider refused or the payment\n"
              "failed, 3 no relay took the request or no result came in time.\n",
          .options = options,
          .run = run};
}

}  // namespace cmd
