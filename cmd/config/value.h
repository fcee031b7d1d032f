// One setting's value: read from text or TOML, checked against its key, put into its slot, written back.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "cmd/config/keys.h"

namespace cmd {

using Value = std::variant<bool, std::int64_t, std::string, std::vector<std::string>>;

// What a value of this key may be, for a person: "a whole number from 1 to 1,024 (inferences)".
std::string allowed(const Key& key);

// The same in short, for a setting whose value is shown: "1 to 1,024 inferences", "never, asked, always"; empty if
// there is nothing to say.
std::string range_text(const Key& key);

// The value that a flag or an environment variable stands for (lists are separated by commas). The type is not checked
// here: text that is no number stays text, and `assign` refuses it.
Value value_of_text(const Key& key, std::string_view text);

// Puts the value where the key says. Fails with "config.value", naming the key, the value and what is allowed; `where`
// says where the value was written.
base::Result<void> assign(const Key& key, const Value& value, Config& config, const std::string& where);

// As TOML would say it: "\"30 s\"", "1000", "[\"wss://relay.one\"]".
std::string toml_text(const Value& value);
nlohmann::ordered_json json_value(const Value& value);

}  // namespace cmd
