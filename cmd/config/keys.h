// Every setting there is, in one table: the config file, the environment, the flags, `sellcompute config`, `init`'s
// commented file and the error messages are all made from it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ledger/fact.h"

namespace cmd {

struct Config;

enum class ValueKind {
  boolean,
  integer,   // in the key's unit, within its range
  duration,  // "30 s" in text, milliseconds inside; the range is in milliseconds
  text,
  optional_text,      // empty: none; at most `maximum` bytes
  optional_http_url,  // http:// or https://, or empty
  lightning_address,  // name@domain (LUD-16), or empty
  choice,             // one of `choices`
  config_path,        // relative to the config file's folder
  data_path,          // relative to the data folder
  http_url,           // http:// or https://
  relay_urls,         // a list of ws:// or wss://
};

// Where a value is kept.
using Slot = std::variant<bool*, std::uint32_t*, std::uint64_t*, std::int64_t*, base::Msat*, std::string*,
                          std::filesystem::path*, std::vector<std::string>*, ledger::PaymentMode*>;

struct Key {
  std::string_view
      name;  // "selling.slots"; "models.*" are the keys of one [[models]] table, "kinds.*" of one [[kinds]] table
  ValueKind kind = ValueKind::text;
  std::string_view fallback;  // as the environment would say it
  std::int64_t minimum = 0;   // of an integer or a duration
  std::int64_t maximum = std::numeric_limits<std::int64_t>::max();
  std::string_view unit;
  std::string_view choices;  // "a|b"
  std::string_view flag;     // without dashes; empty: none
  std::string_view description;
  Slot (*slot)(Config& config) = nullptr;  // for a key of a list's tables: the slot in the table added last

  // "SELLCOMPUTE_SELLING_SLOTS"; lists of tables have no variables: use the file.
  std::string environment_name() const;
  bool of_list() const { return name.starts_with("models.") || name.starts_with("kinds."); }
  std::string_view section() const { return name.substr(0, name.find('.')); }
};

std::span<const Key> config_keys();
// Null if there is no such setting.
const Key* find_key(std::string_view name);
// Whether settings begin with this and a dot: "wallet".
bool is_section(std::string_view name);

}  // namespace cmd
