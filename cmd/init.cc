// sellcompute init: the config file, a key and the wallet's secret; never over existing ones.
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

// What is left to do, in the order in which it is done.
void print_next_steps(const Config& config, Context& context) {
  const auto step = [&](std::string_view text) {
    context.err << "  - " << paragraph(text, context.error_terminal.width, 4) << '\n';
  };
  context.err << "\nNext:\n";
  step("back up the key and the wallet secret");
  if (config.relays.urls.empty()) {
    step("choose relays in the config file, `relays.urls`; these are public ones, for which we do not vouch:");
    for (const std::string_view url : public_relays()) context.err << "      " << url << '\n';
  }
  if (is_always_play_money(config.wallet.kind)) step("choose a wallet there, `wallet.kind`; the sandbox is play money");
  step("`sellcompute status` checks everything, `sellcompute serve` goes online");
}

Result<ExitCode> run_init(const Arguments& arguments, Context& context) {
  const auto paths = find_paths(context.sources);
  if (!paths) return tl::unexpected(paths.error());
  const auto settings = settings_to_write(arguments, context);
  const auto config_file = make_config_file(paths->config_file, settings);
  if (!config_file) return tl::unexpected(config_file.error());
  const auto config = context.config();
  if (!config) return tl::unexpected(config.error());
  const auto key_file = make_key_file(*config, arguments.has("import") ? arguments.text("import") : "");
  if (!key_file) return tl::unexpected(key_file.error());
  const auto wallet_secret = make_wallet_secret(config->wallet.secret_file);
  if (!wallet_secret) return tl::unexpected(wallet_secret.error());

  print_made({*config_file, *key_file, *wallet_secret}, arguments, context);
  if (!config_file->is_new && !settings.empty()) {
    context.err << "warning: the config file was there and is kept, so the settings that you gave are not in it\n";
  }
  if (wallet_secret->is_new && !base::is_absent(config->paths.ledger())) {
    context.err
        << "warning: this shop has a ledger, and its wallet secret was missing. If it has sold anything, put the "
           "old one from your backup in the place of the new one.\n";
  }
  if (arguments.format() == Format::people && context.verbosity != Verbosity::quiet) {
    print_next_steps(*config, context);
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
              "flags go into a new config file.\n"
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
