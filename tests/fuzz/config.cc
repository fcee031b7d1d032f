// The input is a config file.
#include "cmd/config/config.h"

#include <sys/mman.h>
#include <unistd.h>

#include "cmd/config/faults.h"
#include "tests/fuzz/fuzz.h"

namespace {

using fuzz::require;
using namespace cmd;

// A file that is in memory only.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view text) : descriptor_(::memfd_create("config.toml", 0)) {
    require(descriptor_ >= 0, "there is memory for a file");
    require(::write(descriptor_, text.data(), text.size()) == static_cast<ssize_t>(text.size()), "and for its text");
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { ::close(descriptor_); }
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

base::Result<Config> load(std::string_view text) {
  const MemoryFile file(text);
  return load_config(
      {.environment = {{"HOME", "/home/seller"}}, .config_file = file.path(), .data_dir = {}, .flags = {}});
}

std::string_view name_in_section(std::string_view name) {
  return name.substr(name.find('.') + 1);
}

// The settings in force, as a config file.
std::string written(const Config& config) {
  std::string out;
  std::string section;
  for (const Setting& setting : config.settings) {
    const std::string begins = setting.name.substr(0, setting.name.find('.'));
    if (begins != section) out += begins.starts_with("models[") ? "[[models]]\n" : "[" + begins + "]\n";
    section = begins;
    out.append(name_in_section(setting.name)).append(" = ").append(toml_text(setting.value)).append("\n");
  }
  return out;
}

std::string words(const Config& config) {
  std::string out = ledger::encode(config.selling) + ledger::encode(config.default_offer);
  for (const Setting& setting : config.settings) out += setting.name + "=" + toml_text(setting.value) + "\n";
  for (const std::string& url : config.relays.urls) out += url + "\n";
  return out + config.inference.url + config.wallet.kind + config.log.level + config.identity.key_file.string();
}

void check_ranges(const Config& config) {
  require(config.selling.slots >= 1, "there is a slot");
  for (const ledger::ModelOffer& model : config.selling.models) {
    require(!model.name.empty(), "a model has a name");
    require(model.max_output_tokens < model.context_tokens, "an answer leaves room for a prompt");
    require(model.base.value >= 0 && model.base.value <= base::Msat::kMax, "a price is an amount that can exist");
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto config = load(fuzz::text_of(data, size));
  if (!config) {
    require(config.error().kind == base::ErrorKind::config && config.error().code.starts_with("config."),
            "every refusal has its code");
    require(!config.error().message.empty(), "every refusal says why");
    require(config.error().code == kManyFaults || !config.error().context.empty(), "and where");
    return 0;
  }
  check_ranges(*config);
  const auto again = load(written(*config));
  require(again.has_value(), "settings that are written can be read");
  require(words(*again) == words(*config), "settings that are written are read as the same");
  return 0;
}
