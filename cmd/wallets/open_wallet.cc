#include "cmd/wallets/open_wallet.h"

#include <sys/un.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/scheduler.h"
#include "base/secret_file.h"
#include "cmd/cli/random.h"
#include "cmd/config/policy.h"
#include "pipeline/net/tls_trust.h"
#include "pipeline/nostr/relay/pool.h"
#include "pipeline/wallet/core_lightning.h"
#include "pipeline/wallet/electrum.h"
#include "pipeline/wallet/lightning_address.h"
#include "pipeline/wallet/links/http_client.h"
#include "pipeline/wallet/links/rpc_child.h"
#include "pipeline/wallet/links/rpc_socket.h"
#include "pipeline/wallet/lnbits.h"
#include "pipeline/wallet/lnd.h"
#include "pipeline/wallet/macaroon.h"
#include "pipeline/wallet/nwc.h"
#include "pipeline/wallet/nwc_connection.h"
#include "pipeline/wallet/paced_wallet.h"
#include "pipeline/wallet/phoenixd.h"
#include "pipeline/wallet/sandbox.h"
#include "pipeline/wallet/spark.h"
#include "pipeline/web/web_client.h"

namespace cmd {

using base::ErrorKind;
using base::fail;
using base::Result;

Result<base::Secret> read_wallet_secret(const Config& config) {
  auto secret = base::read_secret(config.wallet.secret_file);
  if (secret || secret.error().code != "secret_file.missing") return secret;
  const bool is_new_shop = base::is_absent(config.paths.ledger());
  return fail(
      ErrorKind::config, "config.wallet_secret", "the wallet's secret is missing", config.wallet.secret_file.string(),
      is_new_shop
          ? "`sellcompute init` makes one; a shop that has sold before restores it from its backup"
          : "restore it from your backup: the invoices of this shop are made with it; a shop that has sold nothing "
            "yet gets one by `sellcompute init`");
}

namespace {

constexpr std::size_t kMaxFormerWallets = 8;
constexpr std::size_t kAccountDigits = 8;

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Site {
  boost::asio::io_context& io;
  base::Scheduler& scheduler;
  const Config& config;
  const base::Clock& clock;
  const base::Random& random;
  std::filesystem::path credential_file;
  wallet::WalletPorts ports;

  const Config::Wallet& settings() const { return config.wallet; }
};

// The file's bytes as they are.
Result<std::string> read_raw_credential(const Site& site) {
  auto bytes = base::read_private_file(site.credential_file);
  if (bytes || bytes.error().code != "secret_file.missing") return bytes;
  auto error = bytes.error();
  error.hint = "write the credential of your wallet into it (chmod 600), or name another wallet.credential_file";
  return tl::unexpected(std::move(error));
}

void trim_end(std::string& text) {
  const auto end = text.find_last_not_of(" \r\n");
  text.resize(end == std::string::npos ? 0 : end + 1);
}

// One line of text: it goes into a header, or is a connection string.
Result<std::string> read_credential(const Site& site) {
  auto text = read_raw_credential(site);
  if (!text) return text;
  trim_end(*text);
  const bool one_line = std::ranges::none_of(*text, [](unsigned char c) { return c < ' ' || c == 0x7f; });
  if (!text->empty() && one_line) return text;
  return fail(
      ErrorKind::config, "config.wallet_credential",
      text->empty() ? "the wallet's credential is empty" : "the wallet's credential is more than a line of text",
      site.credential_file.string());
}

// The macaroon itself, or in a line the path of the file that LND keeps it in.
Result<std::string> read_macaroon(const Site& site) {
  auto bytes = read_raw_credential(site);
  if (!bytes) return bytes;
  if (bytes->starts_with('/')) {
    trim_end(*bytes);
    bytes = base::read_public_file(*bytes);
    if (!bytes) return bytes;
  }
  return wallet::macaroon_hex(*bytes).map_error([&](base::Error error) {
    error.context = site.credential_file.string();
    return error;
  });
}

// What wallet.url is trusted by; empty: the system's authorities.
Result<std::string> read_certificate(const Site& site) {
  const auto& file = site.settings().certificate_file;
  if (base::is_absent(file)) return std::string();
  auto pem = base::read_public_file(file);
  if (!pem) return pem;
  const std::string fault = net::certificates_fault(*pem);
  if (fault.empty()) return pem;
  return fail(ErrorKind::config, "config.wallet_certificate", "the file of the wallet's certificate " + fault,
              file.string(), "copy the server's certificate into it (lnd's tls.cert), or remove it");
}

Result<std::unique_ptr<wallet::HttpClient>> connect_http(const Site& site, const char* default_url, Headers headers) {
  const std::string& url = site.settings().url;
  auto origin = net::parse_origin(url.empty() ? default_url : url);
  if (!origin) return tl::unexpected(origin.error());
  auto certificate = read_certificate(site);
  if (!certificate) return tl::unexpected(certificate.error());
  origin->trusted_pem = std::move(*certificate);
  return std::make_unique<wallet::HttpClient>(site.io, site.scheduler,
                                              wallet::HttpAccess{std::move(*origin), std::move(headers)});
}

std::string basic(const std::string& user_and_password) {
  return "Basic " + base::to_base64(user_and_password);
}

// A wallet behind HTTP; `headers` makes its credential into what is sent.
template <class Port, class Kind, class... More>
Result<Opened<Port>> open_http(const Site& site, const char* default_url, Headers headers, More... more) {
  auto http = connect_http(site, default_url, std::move(headers));
  if (!http) return tl::unexpected(http.error());
  const std::shared_ptr<wallet::HttpClient> link = std::move(*http);
  return Opened<Port>{link, std::make_unique<Kind>(*link, site.ports, std::move(more)...)};
}

// ---- one function a wallet ------------------------------------------------------------------------------------------

Result<OpenedWallet> open_sandbox(const Site& site) {
  const auto secret = read_wallet_secret(site.config);
  if (!secret) return tl::unexpected(secret.error());
  // Its own folder is usually in there, and would be made with one that others may enter.
  if (base::is_absent(site.config.paths.data_dir)) {
    const auto folder = base::create_private_folder(site.config.paths.data_dir);
    if (!folder) return tl::unexpected(folder.error());
  }
  auto sandbox = wallet::SandboxWallet::open(site.io, site.settings().folder, *secret, site.clock);
  if (!sandbox) return tl::unexpected(sandbox.error());
  return OpenedWallet{nullptr, std::move(*sandbox)};
}

template <class Port, class Kind>
Result<Opened<Port>> open_lnd(const Site& site) {
  return read_macaroon(site).and_then([&](const std::string& macaroon) {
    return open_http<Port, Kind>(site, "https://127.0.0.1:8080", {{"Grpc-Metadata-macaroon", macaroon}});
  });
}

template <class Port, class Kind>
Result<Opened<Port>> open_phoenixd(const Site& site) {
  return read_credential(site).and_then([&](const std::string& password) {
    return open_http<Port, Kind>(site, "http://127.0.0.1:9740", {{"Authorization", basic(":" + password)}});
  });
}

constexpr char kLnbits[] = "http://127.0.0.1:5000";

Result<OpenedWallet> open_lnbits(const Site& site) {
  return read_credential(site).and_then([&](const std::string& key) {
    return open_http<wallet::Wallet, wallet::LnbitsWallet>(site, kLnbits, {{"X-Api-Key", key}}, key);
  });
}

Result<Opened<wallet::Payer>> open_lnbits_payer(const Site& site) {
  return read_credential(site).and_then([&](const std::string& key) {
    return open_http<wallet::Payer, wallet::LnbitsPayer>(site, kLnbits, {{"X-Api-Key", key}});
  });
}

template <class Port, class Kind>
Result<Opened<Port>> open_electrum(const Site& site) {
  return read_credential(site).and_then([&](const std::string& user_and_password) {
    return open_http<Port, Kind>(site, "http://127.0.0.1:7777", {{"Authorization", basic(user_and_password)}});
  });
}

Result<std::shared_ptr<wallet::RpcSocket>> open_rpc_socket(const Site& site) {
  const std::string path = site.settings().socket;
  if (path.size() < sizeof(sockaddr_un::sun_path)) return std::make_shared<wallet::RpcSocket>(site.io, path);
  return fail(ErrorKind::config, "config.wallet_socket",
              "the path of the wallet's socket is longer than the " +
                  std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " bytes that a socket may have",
              path, "name a symbolic link to it in wallet.socket");
}

Result<OpenedWallet> open_core_lightning(const Site& site) {
  return open_rpc_socket(site).map([&](const auto& link) {
    return OpenedWallet{link, std::make_unique<wallet::CoreLightningWallet>(*link, site.scheduler, site.ports)};
  });
}

Result<Opened<wallet::Payer>> open_sandbox_payer(const Site& site) {
  return Opened<wallet::Payer>{nullptr,
                               std::make_unique<wallet::SandboxPayer>(site.io, site.settings().folder, site.clock)};
}

Result<Opened<wallet::Payer>> open_core_lightning_payer(const Site& site) {
  return open_rpc_socket(site).map([&](const auto& link) {
    return Opened<wallet::Payer>{link, std::make_unique<wallet::CoreLightningPayer>(*link, site.ports)};
  });
}

// The operator names the server, and the server names the rest.
class OwnWeb final : public web::PageReader {
 public:
  explicit OwnWeb(boost::asio::io_context& io) : client_(io) {}
  void get(const std::string& url, std::function<void(Result<std::string>)> done) override {
    client_.fetch({.url = url, .accept = "application/json", .own = true}, std::move(done));
  }

 private:
  web::WebClient client_;
};

Result<OpenedWallet> open_lightning_address(const Site& site) {
  auto address = wallet::LightningAddress::parse(site.settings().address);
  if (!address) return tl::unexpected(address.error());
  const auto link = std::make_shared<OwnWeb>(site.io);
  return OpenedWallet{link, std::make_unique<wallet::LightningAddressWallet>(*link, site.ports, std::move(*address))};
}

// Its relays, and the connection that hears what they bring.
struct NwcLink {
  std::unique_ptr<nostr::RelayPool> pool;
  std::unique_ptr<wallet::NwcConnection> connection;
};

Result<void> connect_nwc(const Site& site, wallet::NwcUri uri, NwcLink& link) {  // `link` outlives its pool
  nostr::PoolOptions options{
      .relays = uri.relays,
      .wanted = wallet::nwc_filters(uri),
      .clock = site.clock,
      .random = random_fraction,
      .sign_auth = [&link](const std::string& url, const std::string& challenge, base::TimeMs now) {
        return std::optional(link.connection->sign_auth(url, challenge, now));
      }};
  auto pool = nostr::RelayPool::make(
      site.io, std::move(options),
      {.on_event = [&link](const nostr::Received& received) { link.connection->on_event(received.event); },
       .on_refused = [](const std::string&, nostr::Refusal) {},
       .on_health =
           [&link](const std::string& relay, nostr::RelayState state, const std::string&) {
             if (state == nostr::RelayState::live) link.connection->on_connected(relay);
             if (state == nostr::RelayState::offline) link.connection->on_disconnected(relay);
           },
       .on_notice = [](const std::string&, const std::string&) {}});
  if (!pool) return tl::unexpected(pool.error());
  link.pool = std::move(*pool);
  link.connection = std::make_unique<wallet::NwcConnection>(*link.pool, site.scheduler, site.random, std::move(uri));
  link.pool->start({});
  return {};
}

template <class Port>
Result<Opened<Port>> open_nwc(const Site& site) {
  const auto text = read_credential(site);
  if (!text) return tl::unexpected(text.error());
  auto uri = wallet::NwcUri::parse(*text);
  if (!uri) return tl::unexpected(uri.error());
  const auto link = std::make_shared<NwcLink>();
  if (const auto done = connect_nwc(site, std::move(*uri), *link); !done) return tl::unexpected(done.error());
  return Opened<Port>{link, std::make_unique<wallet::NwcWallet>(*link->connection, site.ports)};
}

// What the SDK is told besides the words: nothing, or for another world who runs it.
Result<nlohmann::json> spark_options(const Site& site) {
  const auto& file = site.settings().spark_options_file;
  if (base::is_absent(file)) return nlohmann::json::object();
  const auto text = base::read_public_file(file);
  if (!text) return tl::unexpected(text.error());
  auto options = nlohmann::json::parse(*text, nullptr, false);
  if (options.is_object()) return options;
  return fail(ErrorKind::config, "config.wallet_options", "Spark's options are no JSON object", file.string());
}

Result<OpenedWallet> open_spark(const Site& site) {
  if (base::is_absent(std::filesystem::path(SELLCOMPUTE_SPARK_SIDECAR).parent_path() / "node_modules")) {
    return fail(ErrorKind::config, "config.wallet_spark", "what the Spark wallet needs is not installed", {},
                "run `script/spark` in the folder that this program was built from");
  }
  const auto words = read_credential(site);
  if (!words) return tl::unexpected(words.error());
  const auto options = spark_options(site);
  if (!options) return tl::unexpected(options.error());
  const std::string usual = site.settings().network == "bitcoin" ? "MAINNET" : "REGTEST";
  const nlohmann::json first = {
      {"mnemonic_or_seed", *words}, {"network", options->value("network", usual)}, {"options", *options}};
  const auto link =
      std::make_shared<wallet::RpcChild>(site.io, site.scheduler,
                                         wallet::ChildOptions{.command = {"node", SELLCOMPUTE_SPARK_SIDECAR},
                                                              .first = {.method = "open", .params = first.dump()}});
  return OpenedWallet{link, std::make_unique<wallet::SparkWallet>(*link, site.ports)};
}

constexpr std::pair<std::string_view, Result<OpenedWallet> (*)(const Site&)> kOpeners[] = {
    {"sandbox", open_sandbox},
    {"nwc", open_nwc<wallet::Wallet>},
    {"lnd", open_lnd<wallet::Wallet, wallet::LndWallet>},
    {"core_lightning", open_core_lightning},
    {"phoenixd", open_phoenixd<wallet::Wallet, wallet::PhoenixdWallet>},
    {"lnbits", open_lnbits},
    {"lightning_address", open_lightning_address},
    {"electrum", open_electrum<wallet::Wallet, wallet::ElectrumWallet>},
    {"spark", open_spark},
};

struct PayerOpener {
  std::string_view kind;
  Result<Opened<wallet::Payer>> (*open)(const Site&);
  bool needs_credential = true;        // else the wallet's own access may spend
  bool credential_is_account = false;  // else the account is the place, and credentials may change
};

constexpr PayerOpener kPayerOpeners[] = {
    {.kind = "sandbox", .open = open_sandbox_payer, .needs_credential = false},
    {.kind = "nwc", .open = open_nwc<wallet::Payer>, .credential_is_account = true},
    {.kind = "lnd", .open = open_lnd<wallet::Payer, wallet::LndPayer>},
    {.kind = "core_lightning", .open = open_core_lightning_payer, .needs_credential = false},
    {.kind = "phoenixd", .open = open_phoenixd<wallet::Payer, wallet::PhoenixdPayer>},
    {.kind = "lnbits", .open = open_lnbits_payer, .credential_is_account = true},
    {.kind = "electrum", .open = open_electrum<wallet::Payer, wallet::ElectrumPayer>},
};

// Where the account is and whose it is, under our secret: nothing of the credential can be told from it.
Result<std::string> account_of(const Site& site, bool credential_is_account) {
  const auto& settings = site.settings();
  const auto secret = read_wallet_secret(site.config);
  if (!secret) return tl::unexpected(secret.error());
  const auto credential = credential_is_account ? read_credential(site) : Result<std::string>(std::string());
  if (!credential) return tl::unexpected(credential.error());
  const std::string place = settings.kind + "\n" + settings.url + "\n" + settings.socket.string() + "\n" +
                            settings.folder.string() + "\n" + *credential;
  const auto digest = base::hmac_sha256(secret->view(), "sellcompute payer account 1\n" + place);
  return settings.kind + " " + digest.hex().substr(0, kAccountDigits);
}

}  // namespace

wallet::Network network_of(const Config& config) {
  if (is_always_play_money(config.wallet.kind)) return wallet::Network::regtest;
  for (const auto network : {wallet::Network::testnet, wallet::Network::signet, wallet::Network::regtest}) {
    if (config.wallet.network == name(network)) return network;
  }
  return wallet::Network::bitcoin;
}

wallet::ShopNeeds needs_of(const Config& config) {
  return {.network = network_of(config), .hold = config.selling.payment_mode == ledger::PaymentMode::escrow};
}

Result<OpenedWallet> open_wallet(boost::asio::io_context& io, base::Scheduler& scheduler, const Config& config,
                                 const base::Clock& clock, const base::Random& random,
                                 std::function<void(const std::string&)> warn) {
  const auto secret = read_wallet_secret(config);
  if (!secret) return tl::unexpected(secret.error());
  Site site{.io = io,
            .scheduler = scheduler,
            .config = config,
            .clock = clock,
            .random = random,
            .credential_file = config.wallet.credential_file};
  site.ports = {.clock = clock,
                .preimage =
                    [secret = *secret, kind = config.wallet.kind](const wallet::InvoiceOrder& order) {
                      return wallet::derive_preimage(secret.view(), kind, order);
                    },
                .play_money = network_of(config) != wallet::Network::bitcoin,
                .warn = std::move(warn)};
  const bool named_by_credential = config.wallet.kind == "lnbits" || config.wallet.kind == "electrum";
  if (named_by_credential) {
    auto account = account_of(site, true);
    if (!account) return tl::unexpected(account.error());
    site.ports.account = std::move(*account);
  }
  for (const auto& [kind, open] : kOpeners) {
    if (kind != config.wallet.kind) continue;
    auto opened = open(site);
    if (!opened) return opened;
    opened->wallet = std::make_unique<wallet::PacedWallet>(std::move(opened->wallet), scheduler);
    if (opened->wallet->abilities().repeats == wallet::Repeats::by_preimage) opened->preimage_of = site.ports.preimage;
    return opened;
  }
  return fail(ErrorKind::config, "config.wallet_kind", "there is no wallet \"" + config.wallet.kind + "\"");
}

Result<std::vector<OpenedWallet>> open_former_wallets(boost::asio::io_context& io, base::Scheduler& scheduler,
                                                      const Config& config, const base::Clock& clock,
                                                      const base::Random& random) {
  std::vector<OpenedWallet> out;
  std::filesystem::path file = config.wallet.former_file;
  for (std::size_t i = 0; i < kMaxFormerWallets && !base::is_absent(file); ++i) {
    // Only what the file says: the environment and the flags are about the wallet of today.
    const auto former = load_config({.environment = {{"HOME", config.paths.home.string()}},
                                     .config_file = file.string(),
                                     .data_dir = config.paths.data_dir.string()});
    if (!former) return tl::unexpected(former.error());
    auto opened = open_wallet(io, scheduler, *former, clock, random, [](const std::string&) {});
    if (!opened) return tl::unexpected(opened.error());
    out.push_back(std::move(*opened));
    if (former->wallet.former_file == file) break;  // the default, in the same folder: itself
    file = former->wallet.former_file;
  }
  return out;
}

Result<OpenedPayer> open_payer(boost::asio::io_context& io, base::Scheduler& scheduler, const Config& config,
                               const base::Clock& clock, const base::Random& random) {
  const Site site{.io = io,
                  .scheduler = scheduler,
                  .config = config,
                  .clock = clock,
                  .random = random,
                  .credential_file = config.wallet.refund_credential_file,
                  .ports = {.clock = clock, .play_money = network_of(config) != wallet::Network::bitcoin}};
  for (const auto& opener : kPayerOpeners) {
    if (opener.kind != config.wallet.kind) continue;
    if (opener.needs_credential && base::is_absent(site.credential_file)) break;
    auto opened = opener.open(site);
    if (!opened) return tl::unexpected(opened.error());
    auto account = account_of(site, opener.credential_is_account);
    if (!account) return tl::unexpected(account.error());
    return OpenedPayer{std::move(*opened), std::move(*account)};
  }
  return OpenedPayer{};
}

}  // namespace cmd
