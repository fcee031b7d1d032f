#include "pipeline/nostr/nip90_content.h"

#include <algorithm>

#include "pipeline/nostr/json.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip90_words.h"

namespace nostr::nip90 {
namespace {

// The input tag of one message, or nothing when it has not that form.
std::optional<Tag> read_message(JsonReader& reader) {
  std::optional<std::string> role, content;
  for (bool more = reader.begin('{'); more; more = reader.next('}')) {
    std::string name;
    if (!reader.name(name)) break;
    if (name == "role" || name == "content") {
      if (!reader.string((name == "role" ? role : content).emplace())) break;
    } else if (!reader.skip()) {
      break;
    }
  }
  if (reader.fault() != JsonReader::Fault::none || !role || !content) return std::nullopt;
  if (*role == "developer") role = "system";
  if (*role != "system" && *role != "user" && *role != "assistant") return std::nullopt;
  return Tag{"i", std::move(*content), "text", "", std::move(*role)};
}

bool read_messages(JsonReader& reader, std::vector<Tag>& out) {
  for (bool more = reader.begin('['); more; more = reader.next(']')) {
    auto message = out.size() < kMaxTags ? read_message(reader) : std::nullopt;
    if (!message) return false;
    out.push_back(std::move(*message));
  }
  return reader.fault() == JsonReader::Fault::none && !out.empty() && out.back()[4] == "user" &&
         !trimmed(out.back()[1]).empty();
}

// A parameter's tag. A list of texts becomes its further elements; without a value it is one that was not set.
bool read_member(JsonReader& reader, std::string name, std::vector<Tag>& out) {
  Tag tag{"param", std::move(name)};
  std::string_view raw;
  if (!reader.raw(raw)) return false;
  JsonReader value(raw);
  if (raw.starts_with('"')) {
    if (!value.string(tag.emplace_back())) return false;
  } else if (raw.starts_with('[')) {
    for (bool more = value.begin('['); more; more = value.next(']')) {
      if (!value.string(tag.emplace_back())) return true;  // of other things: no parameter of ours
    }
  } else if (!raw.starts_with('{') && raw != "null") {
    tag.emplace_back(raw);
  }
  out.push_back(std::move(tag));
  return true;
}

std::optional<std::vector<Tag>> read_chat(std::string_view content) {
  JsonReader reader(content);
  std::vector<Tag> messages, params;
  for (bool more = reader.begin('{'); more; more = reader.next('}')) {
    std::string name;
    if (!reader.name(name)) return std::nullopt;
    const bool is_messages = name == "messages" && messages.empty();
    if (name == "prompt" || params.size() == kMaxTags) return std::nullopt;  // which of the two is meant?
    if (!(is_messages ? read_messages(reader, messages) : read_member(reader, std::move(name), params)))
      return std::nullopt;
  }
  if (!reader.end() || messages.empty()) return std::nullopt;
  std::ranges::move(messages, std::back_inserter(params));
  return params;
}

std::optional<std::vector<Tag>> read_tags(std::string_view content) {
  auto tags = tags_from_json(content);
  if (!tags || tags->empty() || !std::ranges::all_of(*tags, is_question_tag)) return std::nullopt;
  return std::move(*tags);
}

}  // namespace

bool is_question_tag(const Tag& tag) {
  const std::string_view name = element(tag, 0);
  return name == "i" || name == "input" || name == "param" || name == "output" || name == "bid";
}

std::optional<std::vector<Tag>> tags_in_content(std::string_view content) {
  const std::string_view text = trimmed(content);
  if (text.starts_with('[')) return read_tags(text);
  return text.starts_with('{') ? read_chat(text) : std::nullopt;
}

}  // namespace nostr::nip90
