// The configuration of one run: flags, then environment, then config file, then default; nothing global.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "cmd/config/value.h"
#include "ledger/fact.h"
#include "pipeline/core/shares.h"
#include "pipeline/nostr/profile.h"

namespace cmd {

// Where the program keeps things: the XDG base directories, unless told otherwise.
struct Paths {
  std::filesystem::path home;         // for "~/"; may be empty
  std::filesystem::path config_file;  // $XDG_CONFIG_HOME/sellcompute/config.toml
  std::filesystem::path data_dir;     // $XDG_DATA_HOME/sellcompute

  std::filesystem::path ledger() const { return data_dir / "ledger"; }
};

enum class Source { fallback, file, environment, flag };
std::string_view name(Source source);

// One setting as it is in force.
struct Setting {
  std::string name;  // "selling.slots", "models[0].name"
  Value value;
  Source source = Source::fallback;
  std::string where;  // the file and its line, the variable, or the flag; empty for defaults
};

struct Config {
  Paths paths;
  struct Identity {
    std::filesystem::path key_file;
    std::filesystem::path passphrase_file;
  } identity;
  struct Relays {
    std::vector<std::string> urls;
    bool allow_private = false;
    std::int64_t max_absence_ms = 0;
  } relays;
  struct Web {
    bool allow_private = false;
  } web;
  struct Inference {
    std::string url;
    std::int64_t connect_timeout_ms = 0;
    std::int64_t first_token_timeout_ms = 0;
    std::int64_t stall_timeout_ms = 0;
    std::int64_t answer_timeout_ms = 0;
  } inference;
  struct Wallet {
    std::string kind;
    std::string network;  // bitcoin, testnet, signet or regtest
    std::string url;      // empty: where such a wallet usually listens
    std::string address;
    std::filesystem::path socket;
    std::filesystem::path credential_file;
    std::filesystem::path refund_credential_file;
    std::filesystem::path certificate_file;
    std::filesystem::path former_file;
    std::filesystem::path spark_options_file;
    std::filesystem::path secret_file;
    std::filesystem::path folder;
    bool forgets_paid = false;
    bool shared = false;
    bool allow_public = false;
  } wallet;
  struct Announce {
    bool enabled = false;
    nostr::Profile profile;
  } announce;
  struct Log {
    std::string level;
    std::string format;
  } log;
  ledger::ProviderConfigured selling;  // the settings in it; config/policy.h adds the key and the wallet
  std::string partials;                // never, asked or always
  core::EntryLimits entries;           // requests that are recorded
  ledger::ModelOffer default_offer;    // of a model without a price of its own; no name

  std::vector<Setting> settings;  // every key once, in the order of the table, then each model's
};

// What a configuration is made from. `environment` is all of it.
struct ConfigSources {
  using Flags = std::vector<std::pair<std::string_view, std::string>>;  // key and text, as given
  std::map<std::string, std::string, std::less<>> environment;
  std::string config_file;  // --config; empty: as Paths says
  std::string data_dir;     // --data-dir
  Flags flags;
};

// Variables with this prefix are settings, except these: the paths of the config file and of the data folder, and the
// tests' variables.
inline constexpr std::string_view kVariablePrefix = "SELLCOMPUTE_";
inline constexpr std::string_view kConfigVariable = "SELLCOMPUTE_CONFIG";
inline constexpr std::string_view kDataDirVariable = "SELLCOMPUTE_DATA_DIR";
inline constexpr std::string_view kTestVariables = "SELLCOMPUTE_TEST_";  // prefix of the variables for tests

inline constexpr std::uintmax_t kMaxConfigFileBytes = 1024 * 1024;

// Fails with "config.no_home" where neither XDG variables nor HOME say where files belong.
base::Result<Paths> find_paths(const ConfigSources& sources);

// Fails with "config.unreadable" (the named file is not there or too large), "config.syntax", "config.unknown_key",
// "config.value" (wrong type or out of range) or "config.conflict" (settings that contradict each other); several
// faults are one "config.faults" (faults.h). A value that another source overrides must be right too. A missing file at
// the place where it is looked for by default is no failure.
base::Result<Config> load_config(const ConfigSources& sources);

}  // namespace cmd
