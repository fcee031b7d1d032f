#include "cmd/config/keys.h"

#include <algorithm>
#include <cctype>

#include "cmd/config/config.h"
#include "cmd/config/keys_selling.h"

namespace cmd {
namespace {

using base::kDayMs, base::kHourMs, base::kMinuteMs, base::kSecondMs;

using enum ValueKind;

const Key kShopKeys[] = {
    {.name = "identity.key_file",
     .kind = config_path,
     .fallback = "identity.key",
     .description = "file with your Nostr key (nsec, ncryptsec or hex), accessible to you alone",
     .slot = [](Config& c) -> Slot { return &c.identity.key_file; }},
    {.name = "identity.passphrase_file",
     .kind = config_path,
     .fallback = "identity.passphrase",
     .description = "file with the passphrase of an ncryptsec; without it, the program asks at the terminal",
     .slot = [](Config& c) -> Slot { return &c.identity.passphrase_file; }},

    {.name = "relays.urls",
     .kind = relay_urls,
     .flag = "relay",
     .description = "relays where requests are read and answers are published",
     .slot = [](Config& c) -> Slot { return &c.relays.urls; }},
    {.name = "relays.allow_private",
     .kind = boolean,
     .fallback = "false",
     .flag = "allow-private",
     .description = "connect to loopback and private addresses that customers name; for tests",
     .slot = [](Config& c) -> Slot { return &c.relays.allow_private; }},
    {.name = "relays.max_absence",
     .kind = duration,
     .fallback = "7 d",
     .minimum = kMinuteMs,
     .maximum = 366 * kDayMs,
     .description = "how far back relays are asked for requests that came while `serve` was stopped",
     .slot = [](Config& c) -> Slot { return &c.relays.max_absence_ms; }},

    {.name = "web.allow_private",
     .kind = boolean,
     .fallback = "false",
     .description = "fetch pages from loopback and private addresses that customers name; for tests",
     .slot = [](Config& c) -> Slot { return &c.web.allow_private; }},

    {.name = "inference.url",
     .kind = http_url,
     .fallback = "http://127.0.0.1:11434",
     .flag = "inference-url",
     .description = "address of your Ollama server",
     .slot = [](Config& c) -> Slot { return &c.inference.url; }},
    {.name = "inference.connect_timeout",
     .kind = duration,
     .fallback = "5 s",
     .minimum = 100,
     .maximum = 5 * kMinuteMs,
     .description = "time limit for a connection to Ollama",
     .slot = [](Config& c) -> Slot { return &c.inference.connect_timeout_ms; }},
    {.name = "inference.first_token_timeout",
     .kind = duration,
     .fallback = "5 min",
     .minimum = kSecondMs,
     .maximum = kHourMs,
     .description = "time limit for loading the model and reading the prompt",
     .slot = [](Config& c) -> Slot { return &c.inference.first_token_timeout_ms; }},
    {.name = "inference.stall_timeout",
     .kind = duration,
     .fallback = "1 min",
     .minimum = kSecondMs,
     .maximum = kHourMs,
     .description = "longest pause between two parts of an answer",
     .slot = [](Config& c) -> Slot { return &c.inference.stall_timeout_ms; }},
    {.name = "inference.answer_timeout",
     .kind = duration,
     .fallback = "30 min",
     .minimum = kSecondMs,
     .maximum = kDayMs,
     .description = "time limit for a whole answer; an attempt that takes longer has failed",
     .slot = [](Config& c) -> Slot { return &c.inference.answer_timeout_ms; }},

    {.name = "wallet.kind",
     .kind = choice,
     .fallback = "sandbox",
     .choices = "sandbox|nwc|lnd|core_lightning|phoenixd|lnbits|lightning_address|electrum|spark",
     .flag = "wallet-kind",
     .description = "wallet that receives the money; the sandbox has play money only",
     .slot = [](Config& c) -> Slot { return &c.wallet.kind; }},
    {.name = "wallet.network",
     .kind = choice,
     .fallback = "bitcoin",
     .choices = "bitcoin|testnet|signet|regtest",
     .description = "network of the invoices; on any but bitcoin the money is play money",
     .slot = [](Config& c) -> Slot { return &c.wallet.network; }},
    {.name = "wallet.url",
     .kind = optional_http_url,
     .fallback = "",
     .description = "address of lnd, phoenixd, lnbits or electrum; empty: its usual address on this machine",
     .slot = [](Config& c) -> Slot { return &c.wallet.url; }},
    {.name = "wallet.socket",
     .kind = config_path,
     .fallback = "~/.lightning/bitcoin/lightning-rpc",
     .description = "socket of core_lightning; its file permissions control access",
     .slot = [](Config& c) -> Slot { return &c.wallet.socket; }},
    {.name = "wallet.address",
     .kind = lightning_address,
     .fallback = "",
     .description = "your address at the service, for lightning_address",
     .slot = [](Config& c) -> Slot { return &c.wallet.address; }},
    {.name = "wallet.credential_file",
     .kind = config_path,
     .fallback = "wallet.credential",
     .description =
         "file with the wallet's credential, accessible to you alone: nwc's connection string, lnd's invoice.macaroon "
         "or its file's path, phoenixd's password, lnbits' invoice key, electrum's user:password, spark's words",
     .slot = [](Config& c) -> Slot { return &c.wallet.credential_file; }},
    {.name = "wallet.refund_credential_file",
     .kind = config_path,
     .fallback = "wallet.refund_credential",
     .description = "optional file with a credential that may spend; only `jobs refund` uses it",
     .slot = [](Config& c) -> Slot { return &c.wallet.refund_credential_file; }},
    {.name = "wallet.certificate_file",
     .kind = config_path,
     .fallback = "wallet.certificate",
     .description = "optional file with the only certificates that are trusted at wallet.url (lnd's tls.cert)",
     .slot = [](Config& c) -> Slot { return &c.wallet.certificate_file; }},
    {.name = "wallet.former_file",
     .kind = config_path,
     .fallback = "former.toml",
     .description = "optional config file of a former wallet, whose invoices are still watched",
     .slot = [](Config& c) -> Slot { return &c.wallet.former_file; }},
    {.name = "wallet.spark_options_file",
     .kind = config_path,
     .fallback = "spark.json",
     .description = "optional JSON file with more options for Spark's SDK, such as the operators of a test network",
     .slot = [](Config& c) -> Slot { return &c.wallet.spark_options_file; }},
    {.name = "wallet.secret_file",
     .kind = config_path,
     .fallback = "wallet.secret",
     .description = "file with the secret from which preimages are derived; back it up and never share it",
     .slot = [](Config& c) -> Slot { return &c.wallet.secret_file; }},
    {.name = "wallet.folder",
     .kind = data_path,
     .fallback = "wallet",
     .description = "folder where the sandbox keeps its invoices",
     .slot = [](Config& c) -> Slot { return &c.wallet.folder; }},
    {.name = "wallet.forgets_paid",
     .kind = boolean,
     .fallback = "false",
     .description = "the wallet deletes paid invoices, so the books do not report payments that it no longer lists",
     .slot = [](Config& c) -> Slot { return &c.wallet.forgets_paid; }},
    {.name = "wallet.shared",
     .kind = boolean,
     .fallback = "false",
     .description = "other ledgers use this wallet too, so its payments for jobs unknown to this ledger are theirs",
     .slot = [](Config& c) -> Slot { return &c.wallet.shared; }},
    {.name = "wallet.allow_public",
     .kind = boolean,
     .fallback = "false",
     .flag = "allow-public",
     .description = "sell for play money on relays of other machines",
     .slot = [](Config& c) -> Slot { return &c.wallet.allow_public; }},
};

const Key kReportKeys[] = {
    {.name = "announce.enabled",
     .kind = boolean,
     .fallback = "true",
     .description = "publish your models and prices (NIP-89), and a heartbeat every five minutes",
     .slot = [](Config& c) -> Slot { return &c.announce.enabled; }},
    {.name = "announce.name",
     .kind = optional_text,
     .maximum = 200,
     .description = "name of the shop; name, about, picture and lud16 also replace those of your key's profile",
     .slot = [](Config& c) -> Slot { return &c.announce.profile.name; }},
    {.name = "announce.about",
     .kind = optional_text,
     .maximum = 4'096,
     .description = "a few sentences about the shop",
     .slot = [](Config& c) -> Slot { return &c.announce.profile.about; }},
    {.name = "announce.picture",
     .kind = optional_http_url,
     .description = "address of the shop's picture",
     .slot = [](Config& c) -> Slot { return &c.announce.profile.picture; }},
    {.name = "announce.lud16",
     .kind = lightning_address,
     .description = "Lightning address for tips and zaps; jobs are billed with invoices",
     .slot = [](Config& c) -> Slot { return &c.announce.profile.lud16; }},

    {.name = "log.level",
     .kind = choice,
     .fallback = "info",
     .choices = "trace|debug|info|warning|error",
     .flag = "log-level",
     .description = "least important messages that are logged (-v: debug, -q: error)",
     .slot = [](Config& c) -> Slot { return &c.log.level; }},
    {.name = "log.format",
     .kind = choice,
     .fallback = "auto",
     .choices = "auto|text|json",
     .flag = "log-format",
     .description = "auto: text on a terminal, JSON otherwise",
     .slot = [](Config& c) -> Slot { return &c.log.format; }},
};

std::vector<Key> all_keys() {
  std::vector<Key> out;
  for (const std::span<const Key> table :
       {std::span<const Key>(kShopKeys), selling_keys(), std::span<const Key>(kReportKeys), list_keys()}) {
    out.insert(out.end(), table.begin(), table.end());
  }
  return out;
}

}  // namespace

std::string Key::environment_name() const {
  if (of_list()) return {};
  std::string out = "SELLCOMPUTE_" + std::string(name);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  });
  return out;
}

std::span<const Key> config_keys() {
  static const std::vector<Key> all = all_keys();
  return all;
}

const Key* find_key(std::string_view name) {
  const auto found = std::ranges::find(config_keys(), name, &Key::name);
  return found == config_keys().end() ? nullptr : &*found;
}

bool is_section(std::string_view name) {
  return std::ranges::find(config_keys(), name, &Key::section) != config_keys().end();
}

}  // namespace cmd
