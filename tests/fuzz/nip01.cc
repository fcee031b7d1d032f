// The input is the JSON text of one event. A JSON library reads it too: both must see the same.
#include "pipeline/nostr/nip01.h"

#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "pipeline/nostr/json.h"
#include "pipeline/nostr/nip01.h"
#include "tests/fuzz/fuzz.h"

namespace {

using fuzz::require;
using nlohmann::json;
using namespace base;
using namespace nostr;

std::string dumped(const std::string& text) {
  return json(text).dump();
}

void check_against_library(const Event& event, const json& value) {
  require(value.at("id") == event.id.hex() && value.at("pubkey") == event.pubkey.hex() &&
              value.at("sig") == event.sig.hex(),
          "ids, keys and signatures are what a JSON library reads");
  require(value.at("created_at") == event.created_at && value.at("kind") == event.kind,
          "numbers are what a JSON library reads");
  require(value.at("content") == event.content, "the content is what a JSON library reads");
  require(value.at("tags") == json(event.tags), "the tags are what a JSON library reads");
  std::string quoted;
  append_json_string(quoted, event.content);
  require(json::parse(quoted) == json(event.content), "a JSON library reads the strings that we write");
  require(has_disputed_controls(event.content) || quoted == dumped(event.content), "strings are quoted as others do");
}

void check_event(const Event& event) {
  const auto again = parse_event(to_json(event), static_cast<std::size_t>(-1));
  require(again.has_value() && *again == event, "an event that is written is read as the same");
  require(compute_id(*again) == compute_id(event) && canonical(*again) == canonical(event), "its id stays");
  require(id_matches(*again) == id_matches(event), "the verdict on its id stays");
  require(tags_from_json(tags_to_json(event.tags)).value() == event.tags, "tags that are written are read as the same");

  Event ours = event;
  ours.content = without_disputed_controls(event.content);
  for (Tag& tag : ours.tags) {
    for (std::string& value : tag) value = without_disputed_controls(value);
  }
  ours.id = compute_id(ours);
  require(id_matches(ours), "an event has the id that we give it");
  const json readable = json::array({0, ours.pubkey.hex(), ours.created_at, ours.kind, ours.tags, ours.content});
  require(readable.dump() == canonical(ours), "everybody agrees on the canonical form of what we write");
  ours.kind ^= 1;
  require(!id_matches(ours), "an id covers what the event says");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  const json value = json::parse(text, nullptr, false);
  JsonReader reader(text);
  const bool readable = reader.skip() && reader.end();
  // The library passes over a byte-order mark, and for it a text ends at a zero byte.
  const bool lenient = text.starts_with("\xef\xbb\xbf") || text.find('\0') != std::string_view::npos;
  require(value.is_discarded() || lenient || readable || reader.fault() == JsonReader::Fault::depth,
          "what a JSON library reads, we read");
  require(!readable || is_utf8(text), "what we read is UTF-8");

  const auto event = parse_event(text);
  require(!event || readable || reader.fault() == JsonReader::Fault::depth, "an event is JSON");
  if (event) check_event(*event);
  if (event && !value.is_discarded()) check_against_library(*event, value);
  if (!event) require(event.error().code.starts_with("event."), "every refusal has its code");
  return 0;
}
