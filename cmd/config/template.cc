#include "cmd/config/template.h"

#include "cmd/config/value.h"

namespace cmd {
namespace {

// What the keys of lists show, as they have no defaults of their own.
std::string example(const Key& key) {
  if (key.name == "kinds.kind") return "5001";
  if (key.name == "kinds.instruction") return "\"Summarise the text in {length|three sentences}. Say nothing else.\"";
  if (key.name == "models.name") return "\"llama3.2\"";
  const std::string fallback_name = "selling.default_" + std::string(key.name.substr(key.name.find('.') + 1));
  for (const Key& other : config_keys()) {
    if (other.name == fallback_name) return std::string(other.fallback);
  }
  return {};
}

std::string line(const Key& key) {
  const std::string value = key.of_list() ? example(key) : toml_text(value_of_text(key, key.fallback));
  std::string out = "# " + std::string(key.description) + ":\n#   " + allowed(key) + "\n";
  return out + "#" + std::string(key.name.substr(key.name.find('.') + 1)) + " = " + value + "\n";
}

}  // namespace

std::string config_template() {
  std::string out =
      "# sellcompute's settings (TOML). Commented lines show the defaults: take away the # to change one.\n"
      "# Flags and SELLCOMPUTE_... variables win over this file; `sellcompute config` shows what is in force.\n";
  std::string_view section;
  for (const Key& key : config_keys()) {
    if (key.section() != section) {
      section = key.section();
      if (section == "kinds") {
        out +=
            "\n# One [[kinds]] table for each kind of text job that you serve beside text generation (5050).\n"
            "#[[kinds]]\n";
      } else if (section == "models") {
        out +=
            "\n# One [[models]] table for each model that you sell, the first is the default. Without any, all that "
            "the\n"
            "# backend has and that answer prompts are sold at the default price. What a table leaves out comes from\n"
            "# selling.default_*.\n"
            "#[[models]]\n";
      } else {
        out += "\n[" + std::string(section) + "]\n";
      }
    }
    out += line(key);
  }
  return out;
}

}  // namespace cmd
