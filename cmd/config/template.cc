#include "cmd/config/template.h"

#include <algorithm>
#include <array>

namespace cmd {
namespace {

constexpr std::array<std::string_view, 5> kPublicRelays = {
    "wss://relay.damus.io", "wss://nos.lol", "wss://relay.primal.net", "wss://nostr.mom", "wss://offchain.pub",
};

constexpr std::size_t kCommentColumn = 52;  // where the description of a setting begins, if the setting is shorter

// Settings that are not commented out: what everybody has to look at.
constexpr std::string_view kRelays = "relays.urls";
constexpr std::string_view kWallet = "wallet.kind";
constexpr std::array<std::string_view, 3> kPrices = {"selling.default_base_msat",
                                                     "selling.default_input_msat_per_1k_tokens",
                                                     "selling.default_output_msat_per_1k_tokens"};

constexpr std::string_view kHead =
    "# The settings of sellcompute (TOML). Fill in relays, wallet and prices; `sellcompute status` then checks them.\n"
    "# Flags and SELLCOMPUTE_... variables override this file. `sellcompute config` shows what is in force.\n"
    "\n"
    "# ---- Relays: customers reach you only through them. Remove the # before those that you want, or add others.\n"
    "# These are public relays where such requests are seen. Others run them, and we do not vouch for any.\n";
constexpr std::string_view kWalletHead =
    "\n# ---- Wallet: the sandbox is play money for trying out. README.md (\"Wallets\") says what the others need.\n";
constexpr std::string_view kPricesHead =
    "\n# ---- Prices of models without a [[models]] table. 1,000 msat are 1 sat.\n";
constexpr std::string_view kRestHead =
    "\n# ---- Everything else, with its default. Remove the # before a line to change it.\n";
constexpr std::string_view kModelsHead =
    "\n# ---- Tables. They stay at the end of the file.\n"
    "# One [[models]] table per model that you sell; the first is the default. Without any, all models that answer\n"
    "# prompts are sold. What a table leaves out comes from selling.default_*.\n"
    "#[[models]]\n";
constexpr std::string_view kKindsHead =
    "\n# One [[kinds]] table per kind of text job that you serve besides text generation (5050).\n"
    "#[[kinds]]\n";

// What the keys of lists show, as they have no defaults of their own.
std::string example(const Key& key) {
  if (key.name == "kinds.kind") return "5001";
  if (key.name == "kinds.instruction") return "\"Summarise the text in {length|three sentences}. Say nothing else.\"";
  if (key.name == "models.name") return "\"llama3.2\"";
  const std::string fallback_name = "selling.default_" + std::string(key.name.substr(key.name.find('.') + 1));
  const Key* key_of_fallback = find_key(fallback_name);
  return key_of_fallback ? std::string(key_of_fallback->fallback) : "";
}

// "selling.slots = 1     # answers at the same time [1 to 1,024 inferences]"
std::string line(std::string_view name, const std::string& value, const Key& key, std::string_view sign) {
  std::string out = std::string(sign) + std::string(name) + " = " + value;
  out.append(out.size() < kCommentColumn ? kCommentColumn - out.size() : 0, ' ');
  const std::string range = range_text(key);
  return out + "  # " + std::string(key.description) + (range.empty() ? "" : " [" + range + "]") + "\n";
}

// The file, put together from the keys.
class Template {
 public:
  explicit Template(const ConfigSources::Flags& flags) : flags_(flags) {}

  std::string text() const {
    std::string out = std::string(kHead) + relays() + std::string(kWalletHead) + living(kWallet);
    out += kPricesHead;
    for (const std::string_view price : kPrices) out += living(price);
    return out + rest() + lists();
  }

 private:
  const std::string* given(std::string_view name) const {
    const auto found = std::ranges::find(flags_, name, &ConfigSources::Flags::value_type::first);
    return found == flags_.end() ? nullptr : &found->second;
  }

  std::string value(const Key& key) const {
    const std::string* text = given(key.name);
    return toml_text(value_of_text(key, text ? std::string_view(*text) : key.fallback));
  }

  std::string living(std::string_view name) const {
    const Key& key = *find_key(name);
    return line(name, value(key), key, "");
  }

  std::string relays() const {
    if (given(kRelays)) return std::string(kRelays) + " = " + value(*find_key(kRelays)) + "\n";
    std::string out = std::string(kRelays) + " = [\n";
    for (const std::string_view url : kPublicRelays) out.append("#  \"").append(url).append("\",\n");
    return out + "]\n";
  }

  std::string rest() const {
    std::string out(kRestHead);
    std::string_view section;
    for (const Key& key : config_keys()) {
      const bool shown = key.name == kRelays || key.name == kWallet || std::ranges::count(kPrices, key.name) > 0;
      if (key.of_list() || shown) continue;
      if (!section.empty() && key.section() != section) out += '\n';
      section = key.section();
      out += line(key.name, value(key), key, given(key.name) ? "" : "#");
    }
    return out;
  }

  static std::string lists() {
    std::string out;
    std::string_view section;
    for (const Key& key : config_keys()) {
      if (!key.of_list()) continue;
      if (key.section() != section) out += key.section() == "models" ? kModelsHead : kKindsHead;
      section = key.section();
      out += line(key.name.substr(key.name.find('.') + 1), example(key), key, "#");
    }
    return out;
  }

  const ConfigSources::Flags& flags_;
};

}  // namespace

std::span<const std::string_view> public_relays() {
  return kPublicRelays;
}

base::Result<std::string> config_template(const ConfigSources::Flags& flags) {
  for (const Key& key : config_keys()) {
    const auto given = std::ranges::find(flags, key.name, &ConfigSources::Flags::value_type::first);
    if (given == flags.end()) continue;
    Config scratch;
    const auto right = assign(key, value_of_text(key, given->second), scratch, "--" + std::string(key.flag));
    if (!right) return tl::unexpected(right.error());
  }
  return Template(flags).text();
}

}  // namespace cmd
