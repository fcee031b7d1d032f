// sellcompute init: the config file, a key and the wallet's secret; never over existing ones.
#include <algorithm>
#include <filesystem>
#include <ostream>

#include "base/secret_file.h"
#include "cmd/cli/passphrase.h"
#include "cmd/commands.h"
#include "cmd/config/policy.h"
#include "cmd/config/template.h"
#include "cmd/text/fit.h"
#include "pipeline/nostr/key_file.h"
#include "pipeline/nostr/nip19.h"

namespace cmd {
namespace {

using base::Result;

// One file that `init` cares for.
struct Made {
  std::string what;
  std::filesystem::path path;
  bool is_new = false;
  std::string npub;  // whose it is, if it is the key
};

Result<void> make_parent_folder(const std::filesystem::path& file) {
  const auto folder = file.parent_path();
  if (!base::is_absent(folder)) return {};
  return base::create_private_folder(folder);
}

// Settings that were typed as flags go into the new file; -v and -q are no settings.
ConfigSources::Flags settings_to_write(const Arguments& arguments, const Context& context) {
  ConfigSources::Flags flags = context.sources.flags;
  if (!arguments.has("log-level")) std::erase_if(flags, [](const auto& flag) { return flag.first == "log.level"; });
  return flags;
}

Result<Made> make_config_file(const std::filesystem::path& path, const ConfigSources::Flags& flags) {
  const auto text = config_template(flags);
  if (!text) return tl::unexpected(text.error());
  if (auto done = make_parent_folder(path); !done) return tl::unexpected(done.error());
  const auto done = base::create_private_file(path, *text);
  if (!done && done.error().code != "secret_file.exists") return tl::unexpected(done.error());
  return Made{.what = "config", .path = path, .is_new = done.has_value()};
}

Result<nostr::SecretKey> read_key(const std::filesystem::path& file, const Config& config) {
  return nostr::read_key_file(file, passphrase_source(config.identity));
}

// The imported key must become the key; it is looked at first, so that a file that holds none is not copied.
Result<nostr::SecretKey> import_key(const std::string& from, const Config& config) {
  auto key = read_key(from, config);
  if (!key) return key;
  if (auto done = nostr::copy_key_file(from, config.identity.key_file); !done) return tl::unexpected(done.error());
  return key;
}

// A key that is there already is kept, and read to see whose it is.
Result<nostr::SecretKey> make_key(const Config& config, bool& is_new) {
  auto key = nostr::generate_key();
  if (!key) return key;
  const auto done = nostr::create_key_file(config.identity.key_file, *key);
  is_new = done.has_value();
  if (is_new) return key;
  if (done.error().code == "key_file.exists") return read_key(config.identity.key_file, config);
  return tl::unexpected(done.error());
}

Result<Made> make_key_file(const Config& config, const std::string& import_file) {
  Made made{.what = "key", .path = config.identity.key_file, .is_new = true};
  if (auto done = make_parent_folder(made.path); !done) return tl::unexpected(done.error());
  const auto key = import_file.empty() ? make_key(config, made.is_new) : import_key(import_file, config);
  if (!key) return tl::unexpected(key.error());
  made.npub = nostr::encode_npub(key->public_key());
  return made;
}

Result<Made> make_wallet_secret(const std::filesystem::path& path) {
  if (auto done = make_parent_folder(path); !done) return tl::unexpected(done.error());
  const bool existed = !base::is_absent(path);
  if (auto secret = base::read_or_create_secret(path); !secret) return tl::unexpected(secret.error());
  return Made{.what = "wallet secret", .path = path, .is_new = !existed};
}

void print_made(const std::vector<Made>& all, const Arguments& arguments, const Context& context) {
  Table table({{"", "what"}, {"", "new"}, {"", "path"}, {"", "npub"}});
  for (const Made& made : all) {
    table.add({made.what,
               {made.is_new ? "written" : "was there, kept", made.is_new, made.is_new ? Colour::green : Colour::plain},
               made.path.string(),
               made.npub.empty() ? Cell("", nullptr) : Cell(made.npub)});
  }
  table.print(context.out, arguments.format(), context.terminal);
}

// ---- what is left to do ---------------------------------------------------------------------------------------------

// What each kind of wallet wants in its credential file. The other kinds need none.
constexpr std::pair<std::string_view, std::string_view> kCredentials[] = {
    {"nwc", "put the connection string of your wallet (nostr+walletconnect://...), as the only line, into"},
    {"lnd", "put LND's invoice.macaroon, or a line with the path of that file, into"},
    {"phoenixd", "put phoenixd's HTTP password, as the only line, into"},
    {"lnbits", "put the invoice key of your LNbits account, as the only line, into"},
    {"electrum", "put user:password of Electrum's RPC, as the only line, into"},
    {"spark", "put the twelve words of your Spark wallet, as the only line, into"},
};

// What is left to do, in the order in which it is done.
class NextSteps {
 public:
  NextSteps(const Config& config, Context& context) : config_(config), context_(context) {}

  void print() {
    context_.err << "\nNext:\n";
    step("back up the key and the wallet secret");
    if (config_.relays.urls.empty()) {
      step("choose relays in the config file, `relays.urls`; these are public ones, for which we do not vouch:");
      for (const std::string_view url : public_relays()) line(std::string(url));
    }
    wallet();
    step("`sellcompute status` checks everything, `sellcompute serve` goes online");
  }

 private:
  void step(const std::string& text) {
    context_.err << "  - " << paragraph(text, context_.error_terminal.width, 4) << '\n';
  }
  // Part of a step, to be copied: it is never broken.
  void line(const std::string& text) { context_.err << "      " << text << '\n'; }

  void wallet() {
    const Config::Wallet& wallet = config_.wallet;
    if (is_always_play_money(wallet.kind)) step("choose a wallet there, `wallet.kind`; the sandbox is play money");
    if (wallet.kind == "spark") step("run `script/spark` in the folder that this program was built from");
    credential();
    if (wallet.kind == "lnd" && base::is_absent(wallet.certificate_file)) {
      step("copy LND's tls.cert to");
      line(wallet.certificate_file.string());
    }
    if (wallet.kind == "core_lightning") {
      step("check that your user may use the socket of Core Lightning, `wallet.socket`:");
      line(wallet.socket.string());
    }
    if (wallet.kind == "lightning_address" && wallet.address.empty()) {
      step("set your address in the config file, `wallet.address`");
    }
  }

  void credential() {
    const auto* wanted =
        std::ranges::find_if(kCredentials, [&](const auto& one) { return one.first == config_.wallet.kind; });
    const auto& file = config_.wallet.credential_file;
    if (wanted == std::end(kCredentials) || !base::is_absent(file)) return;
    step(std::string(wanted->second));
    line(file.string());
    step("let nobody else read that file:");
    line("chmod 600 " + file.string());
  }

  const Config& config_;
  Context& context_;
};

// ---- warnings -------------------------------------------------------------------------------------------------------

void warn(const std::string& text, const Context& context) {
  context.err << paragraph("warning: " + text, context.error_terminal.width) << '\n';
}

// How to give a setting of a config file that is kept another value.
std::string how_to_set(const Setting& setting, const std::string& line, const Config& config) {
  if (setting.source == Source::file) return "To change it, edit this line: " + setting.where;
  if (setting.source == Source::environment) return "The variable " + setting.where + " sets it.";
  return "To change it, set " + line + " in " + config.paths.config_file.string() +
         ", above the first line that begins with [";
}

// `config` is without the flags: what holds the next time.
void warn_of_settings_not_written(const ConfigSources::Flags& flags, const Config& config, const Context& context) {
  for (const auto& [name, text] : flags) {
    const auto setting = std::ranges::find(config.settings, name, &Setting::name);
    const Value wanted = value_of_text(*find_key(name), text);
    if (setting == config.settings.end() || setting->value == wanted) continue;
    warn("the config file was there and is kept. " + setting->name + " was NOT changed: it is " +
             toml_text(setting->value) + (setting->source == Source::fallback ? ", the default. " : ". ") +
             how_to_set(*setting, setting->name + " = " + toml_text(wanted), config),
         context);
  }
}

Result<ExitCode> run_init(const Arguments& arguments, Context& context) {
  const auto paths = find_paths(context.sources);
  if (!paths) return tl::unexpected(paths.error());
  const auto settings = settings_to_write(arguments, context);
  const auto config_file = make_config_file(paths->config_file, settings);
  if (!config_file) return tl::unexpected(config_file.error());
  const auto config = context.config();
  if (!config) return tl::unexpected(config.error());
  ConfigSources without_flags = context.sources;
  without_flags.flags.clear();
  const auto lasting = load_config(without_flags);
  if (!lasting) return tl::unexpected(lasting.error());
  const auto key_file = make_key_file(*config, arguments.has("import") ? arguments.text("import") : "");
  if (!key_file) return tl::unexpected(key_file.error());
  const auto wallet_secret = make_wallet_secret(config->wallet.secret_file);
  if (!wallet_secret) return tl::unexpected(wallet_secret.error());

  print_made({*config_file, *key_file, *wallet_secret}, arguments, context);
  if (!config_file->is_new) warn_of_settings_not_written(settings, *lasting, context);
  if (wallet_secret->is_new && !base::is_absent(config->paths.ledger())) {
    warn(
        "this shop has a ledger, and its wallet secret was missing. If it has sold anything, put the old one from your "
        "backup in the place of the new one.",
        context);
  }
  if (arguments.format() == Format::people && context.verbosity != Verbosity::quiet) {
    NextSteps(*lasting, context).print();
  }
  return ExitCode::done;
}

}  // namespace

Command init_command() {
  return {.name = "init",
          .summary = "Writes a commented config file, a new key and the wallet's secret; never over existing ones.",
          .examples =
              "  sellcompute init\n"
              "  sellcompute init --relay wss://nos.lol --wallet-kind nwc\n"
              "  sellcompute init --import my-nsec.txt        # sell under a key that you have\n"
              "  sellcompute --config ./config.toml --data-dir ./data init\n",
          .notes =
              "All three files are for your user alone (mode 0600). What is there already is kept. Settings given as\n"
              "flags go into a new config file; a config file that is there is not changed.\n"
              "A key that you import must answer no jobs in another program.\n",
          .uses_settings = true,
          .options =
              [](cxxopts::OptionAdder& add) {
                add("import",
                    "a file with the key to use: nsec, ncryptsec (it stays encrypted) or hex, readable by you alone",
                    cxxopts::value<std::string>(), "FILE");
                add_json_option(add);
              },
          .run = run_init};
}

}  // namespace cmd
