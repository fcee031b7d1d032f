// sellcompute demo: one whole sale on this machine, with nothing set up. The provider, the wallet and the customer are
// the real ones; the relay is in memory, and so is the model where no Ollama runs.
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/system_error.hpp>
#include <fstream>
#include <ostream>

#include "base/scheduler.h"
#include "base/secret_file.h"
#include "cmd/cli/clock.h"
#include "cmd/cli/program.h"
#include "cmd/commands.h"
#include "cmd/customer/customer.h"
#include "cmd/provider/service.h"
#include "cmd/text/demo_screen.h"
#include "cmd/text/humanize.h"
#include "pipeline/loopback/loopback_ollama.h"
#include "pipeline/loopback/loopback_relay.h"
#include "pipeline/nostr/key_file.h"
#include "pipeline/nostr/nip19.h"

namespace cmd {
namespace {

using base::ErrorKind;
using base::fail;
using base::Result;
using std::filesystem::path;

constexpr char kQuestion[] = "What is a data vending machine? Answer in one sentence.";
constexpr char kMaxTokens[] = "200";
constexpr char kOllamaUrl[] = "http://127.0.0.1:11434";
constexpr std::int64_t kLookForOllamaMs = 2'000;
constexpr std::int64_t kGoOnlineMs = 20'000;
constexpr std::int64_t kSaleMs = 180'000;  // a real model may have to be loaded first
constexpr std::int64_t kDrainMs = 30'000;

constexpr char kMark[] =
    "# Made by `sellcompute demo`: play money and a key for nothing else. Delete the folder at will.\n";
constexpr char kSettings[] =
    "[wallet]\n"
    "kind = \"sandbox\"\n"
    "\n"
    "[selling]\n"
    "delivery_deadline = \"10 s\"  # the demo's relay does not come back\n";

// ---- the folder -----------------------------------------------------------------------------------------------------

bool is_demo_folder(const path& folder) {
  std::ifstream file(folder / "config.toml", std::ios::binary);
  std::string line;
  return std::getline(file, line) && line + "\n" == kMark;
}

// A new or empty folder, or that of an earlier demo, whose ledger then goes on.
Result<void> prepare_folder(const path& folder) {
  std::error_code error;
  const bool used = std::filesystem::exists(folder, error) &&
                    (!std::filesystem::is_directory(folder, error) || !std::filesystem::is_empty(folder, error));
  if (used && is_demo_folder(folder)) return {};
  if (used) {
    return fail(ErrorKind::config, "demo.folder", "this folder is no demo's, and is left alone", folder.string(),
                "name another one with --keep");
  }
  if (auto made = base::create_private_folder(folder); !made) return made;
  return base::create_private_file(folder / "config.toml", std::string(kMark) + "\n" + kSettings);
}

// The settings are the folder's own; what the user's environment says about real selling has no say here.
ConfigSources sources_of(const path& folder, const Context& context) {
  ConfigSources out{.config_file = (folder / "config.toml").string(), .data_dir = folder.string()};
  for (const auto& [name, value] : context.sources.environment) {
    if (!name.starts_with("SELLCOMPUTE_") || name.starts_with(kTestVariables)) out.environment.emplace(name, value);
  }
  return out;
}

Result<void> prepare_key(const path& file) {
  if (!base::is_absent(file)) return {};
  const auto key = nostr::generate_key();
  return key ? nostr::create_key_file(file, *key) : tl::unexpected(key.error());
}

// ---- the sale -------------------------------------------------------------------------------------------------------

// From the question to the settled invoice, on one io_context. Each step is the callback of the one before.
class Sale {
 public:
  Sale(Context& context, ConfigSources sources, bool payment_first)
      : screen_(context.out, context.terminal),
        sources_(std::move(sources)),
        payment_first_(payment_first),
        clock_(make_clock(sources_)) {}

  // The job that was sold, when its settlement is durable and the ledger closed.
  Result<base::JobId> run() {
    if (auto opened = open_relay(); !opened) return tl::unexpected(opened.error());
    look_for_ollama();
    io_.run();
    timer_.cancel();
    customer_.reset();
    service_.reset();
    if (failure_) return tl::unexpected(*failure_);
    return job_;
  }

 private:
  Result<void> open_relay() {
    try {
      relay_ = std::make_unique<loopback::LoopbackRelay>(io_);
    } catch (const boost::system::system_error& error) {
      return fail(ErrorKind::connection, "demo.relay", "the demo's relay could not listen: " + error.code().message(),
                  "127.0.0.1");
    }
    screen_.part("relay", relay_->url() + " (in this program)");
    return {};
  }

  void look_for_ollama() {
    auto ollama = inference::OllamaClient::create(
        io_, kOllamaUrl, {.connect_ms = kLookForOllamaMs / 2, .status_ms = kLookForOllamaMs / 2});
    if (!ollama) return end(ollama.error());
    ollama_ = std::move(*ollama);
    expect("Ollama's list of models", kLookForOllamaMs * 2);
    ollama_->status([this](const Result<inference::BackendStatus>& status) {
      if (status) return choose_model(status->models);
      use_stand_in("no Ollama answers");
    });
  }

  // A model that is in memory already answers at once.
  void choose_model(std::vector<inference::ModelInfo> models) {
    std::erase_if(models, [](const inference::ModelInfo& model) { return !model.completes; });
    if (models.empty()) return use_stand_in("Ollama has no model that answers prompts");
    const auto loaded = std::ranges::find(models, true, &inference::ModelInfo::loaded);
    model_ = loaded == models.end() ? models.front().name : loaded->name;
    screen_.part("inference", std::string("Ollama at ") + kOllamaUrl + ", " + model_);
    open_shop(kOllamaUrl);
  }

  void use_stand_in(const std::string& why) {
    auto stand_in = loopback::LoopbackOllama::start(io_);
    if (!stand_in) return end(stand_in.error());
    stand_in_ = std::move(*stand_in);
    model_ = loopback::kStandInModel;
    screen_.part("inference", "a stand-in without intelligence, because " + why + " at " + kOllamaUrl);
    open_shop(stand_in_->url());
  }

  void open_shop(const std::string& inference_url) {
    sources_.flags = {{"relays.urls", relay_->url()},
                      {"inference.url", inference_url},
                      {"selling.payment_mode", payment_first_ ? "payment_first" : "result_first"}};
    auto config = load_config(sources_);
    if (!config) return end(config.error());
    if (auto made = prepare_key(config->identity.key_file); !made) return end(made.error());
    if (auto made = base::read_or_create_secret(config->wallet.secret_file); !made) return end(made.error());
    wallet_folder_ = config->wallet.folder;
    auto service = Service::open(io_, std::move(*config), clock_, {}, false,
                                 {.entry = [this](const auto& entry) { on_entry(entry); },
                                  .online = [this] { boost::asio::post(io_, [this] { ask(); }); },
                                  .fatal = [this](base::Error error) { end(std::move(error)); }});
    if (!service) return end(service.error());
    service_ = std::move(*service);
    screen_.part("wallet", "the sandbox: genuine invoices, play money");
    screen_.part("provider", nostr::encode_npub(service_->public_key()));
    expect("the provider to go online", kGoOnlineMs);
    service_->start();
  }

  void ask() {
    auto key = nostr::generate_key();
    if (!key) return end(key.error());
    screen_.part("customer", nostr::encode_npub(key->public_key()));
    const nostr::Question question{.inputs = {{.data = kQuestion}},
                                   .provider = service_->public_key(),
                                   .relays = {relay_->url()},
                                   .params = {{"model", model_}, {"max_tokens", kMaxTokens}}};
    screen_.separate();
    began_ = clock_();
    screen_.happened(elapsed_ms(), "customer", "asks through the relay:");
    screen_.quote(kQuestion);
    auto customer = Customer::ask(io_, question, std::move(*key), clock_, kSaleMs,
                                  {.answered = [this](const auto& answer, const auto&) { on_answer(answer); },
                                   .failed = [this](base::Error error) { end(std::move(error)); }});
    if (!customer) return end(customer.error());
    customer_ = std::move(*customer);
    job_ = customer_->request().id;
    expect("the sale to be settled", kSaleMs);
  }

  // ---- what the customer does ----

  void on_answer(const nostr::Answer& answer) {
    screen_.happened(elapsed_ms(), "customer",
                     "hears: " + (answer.is_result ? "the result" : answer.status) +
                         (answer.amount ? ", " + sats(*answer.amount) : ""));
    if (answer.is_result) screen_.quote(answer.content);
    if (answer.known == nostr::Status::error) {
      return end({ErrorKind::job_request, "demo.refused", "the provider refused the job", answer.text, {}});
    }
    if (!answer.bolt11.empty() && !paid_) pay(answer);
    has_result_ = has_result_ || answer.is_result;
    close_when_sold();
  }

  void pay(const nostr::Answer& answer) {
    const auto payment = pay_from_sandbox(wallet_folder_, answer, {}, clock_());
    if (!payment) return end(payment.error());
    paid_ = true;
    screen_.happened(elapsed_ms(), "customer", "pays " + sats(payment->amount), Colour::green);
  }

  // ---- what the provider records ----

  void on_entry(const ledger::NewEntry& entry) {
    if (entry.job != job_ || job_.is_zero()) return;
    screen_.recorded(elapsed_ms(), entry.fact);
    if (std::holds_alternative<ledger::InvoiceSettled>(entry.fact)) settled_ = true;
    close_when_sold();
  }

  void close_when_sold() {
    if (!settled_ || !has_result_ || std::exchange(closing_, true)) return;
    expect("the provider to finish", kDrainMs);
    boost::asio::post(io_, [this] { service_->go_offline("the demo is over", [this] { io_.stop(); }); });
  }

  // ---- waiting ----

  // What comes next, and how long it may take; replaces what was expected before.
  void expect(const std::string& what, std::int64_t limit_ms) {
    timer_.expires_after(std::chrono::milliseconds(limit_ms));
    timer_.async_wait([this, what, limit_ms](const boost::system::error_code& error) {
      if (error) return;
      end({ErrorKind::invocation,
           "demo.timeout",
           "waited " + took(limit_ms) + " for " + what + " in vain",
           {},
           "try again with another folder (--keep DIR)"});
    });
  }

  void end(base::Error failure) {
    if (!failure_) failure_ = std::move(failure);
    io_.stop();
  }

  std::int64_t elapsed_ms() const { return clock_() - began_; }

  DemoScreen screen_;
  ConfigSources sources_;
  const bool payment_first_;
  const base::Clock clock_;
  base::TimeMs began_;  // with the question

  boost::asio::io_context io_;
  boost::asio::steady_timer timer_{io_};
  std::unique_ptr<loopback::LoopbackRelay> relay_;
  std::unique_ptr<inference::OllamaClient> ollama_;
  std::unique_ptr<loopback::LoopbackOllama> stand_in_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<Customer> customer_;
  std::string model_;
  path wallet_folder_;

  base::JobId job_;
  bool paid_ = false;
  bool has_result_ = false;
  bool settled_ = false;
  bool closing_ = false;
  std::optional<base::Error> failure_;
};

// ---- the reports, and what to do next -------------------------------------------------------------------------------

// How this program is called from here: by its name when the shell finds it, else by its path.
std::string program_name(const Context& context) {
  std::error_code error;
  const path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return "sellcompute";
  const auto found = context.sources.environment.find("PATH");
  std::istringstream folders(found == context.sources.environment.end() ? std::string() : found->second);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const path candidate = path(folder) / program.filename();
    if (std::filesystem::exists(candidate, error)) {
      if (std::filesystem::equivalent(candidate, program, error)) return program.filename().string();
      break;
    }
  }
  const path near = std::filesystem::proximate(program, error);
  return error || near.string().size() > program.string().size() ? program.string() : near.string();
}

// The very commands, as if they were typed.
ExitCode show_reports(const path& folder, Context& context) {
  DemoScreen screen(context.out, context.terminal);
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"jobs", "list"}, {"earnings", "report"}, {"audit"}}) {
    std::vector<std::string> arguments = {"--data-dir", folder.string(), "--color",
                                          context.terminal.colour ? "always" : "never"};
    std::string typed = "sellcompute --data-dir " + folder.string();
    for (const std::string& word : words) {
      arguments.push_back(word);
      typed += " " + word;
    }
    screen.command(typed);
    Context inner{.in = context.in, .out = context.out, .err = context.err};
    inner.sources.environment = sources_of(folder, context).environment;
    const ExitCode code = run_program(commands(), arguments, inner);
    if (code != ExitCode::done) return code;
  }
  return ExitCode::done;
}

void show_next(const path& folder, const base::JobId& job, Context& context) {
  DemoScreen screen(context.out, context.terminal);
  const std::string program = program_name(context);
  screen.hint("See every step of this sale, from its ledger:",
              {program + " --data-dir " + folder.string() + " replay --job " + short_id(job.hex())});
  screen.hint("Sell for real (init writes a config and a key; choose relays and models in it):",
              {program + " init", program + " status", program + " serve"});
}

Result<ExitCode> run_demo(const Arguments& arguments, Context& context) {
  const path folder = arguments.text("keep");
  if (folder.empty()) return usage_error("--keep names no folder", "give one, like --keep my-demo");
  const bool continued = is_demo_folder(folder);
  if (const auto prepared = prepare_folder(folder); !prepared) return tl::unexpected(prepared.error());

  DemoScreen screen(context.out, context.terminal);
  screen.title("One whole sale on this machine: a customer asks, a model answers, an invoice is settled.");
  screen.part("folder", folder.string() + (continued ? " (of an earlier demo: its ledger goes on)" : ""));
  const auto sold = Sale(context, sources_of(folder, context), arguments.has("payment-first")).run();
  if (!sold) return tl::unexpected(sold.error());
  const ExitCode reports = show_reports(folder, context);
  if (reports == ExitCode::done) show_next(folder, *sold, context);
  return reports;
}

}  // namespace

Command demo_command() {
  return {.name = "demo",
          .summary = "Shows one whole sale on this machine; needs no configuration.",
          .examples =
              "  sellcompute demo                     # in ./demo-ledger\n"
              "  sellcompute demo --payment-first     # the invoice comes before the work\n"
              "  sellcompute demo --keep /tmp/sale    # in another folder\n",
          .notes =
              "Uses a real Ollama with a model if one answers on 127.0.0.1:11434. Everything else runs on this\n"
              "machine, too, and the money is play money. Your own settings are not used. The folder is kept, so\n"
              "that you can try the other commands on it. Another demo in the same folder adds a sale.\n",
          .options =
              [](cxxopts::OptionAdder& add) {
                add("keep", "the folder for ledger, wallet and key",
                    cxxopts::value<std::string>()->default_value("./demo-ledger"), "DIR");
                add("payment-first", "the customer pays before the work is done");
              },
          .run = run_demo};
}

}  // namespace cmd
