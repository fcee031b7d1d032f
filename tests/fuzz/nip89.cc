// The input is the content of an event: a stranger's announcement that is read, and a profile that ours is written
// over.
#include "pipeline/nostr/nip89.h"

#include "base/utf8.h"
#include "pipeline/nostr/json.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip89.h"
#include "tests/fuzz/fuzz.h"

namespace {

using fuzz::require;
using namespace base;
using namespace nostr;

Event with_content(std::uint32_t kind, std::string content) {
  return {.kind = kind, .tags = {{"d", "x"}, {"k", "5050"}}, .content = std::move(content)};
}

void check_words(const std::string& words, std::size_t max_bytes) {
  require(is_utf8(words) && !has_disputed_controls(words), "words of strangers are harmless");
  require(words.size() <= 3 * max_bytes, "words of strangers are cut");
}

void check_models(const Announcement& read) {
  require(read.models.size() <= kMaxAnnouncedModels, "models are capped");
  for (const auto& [name, offer] : read.models) {
    require(!name.empty(), "a model has a name");
    check_words(name, kMaxAnnouncedNameBytes);
    if (!offer) continue;
    for (const base::Msat price : {offer->base, offer->input_per_1k_tokens, offer->output_per_1k_tokens}) {
      require(price.value >= 0 && price.value <= kMaxAnnouncedPriceMsat, "prices are in range");
    }
    require(offer->context_tokens <= kMaxAnnouncedTokens, "limits are in range");
  }
}

void check_announcement(const std::string& content) {
  const auto read = read_announcement(with_content(kAnnouncementKind, content));
  require(read && read->kinds.size() == 1, "an announcement is read, whatever it says");
  check_models(*read);
  check_words(read->profile.name, kMaxAnnouncedNameBytes);
  check_words(read->profile.about, kMaxAnnouncedTextBytes);
  const auto written = updated_announcement(*read, nullptr);
  require(written && to_json(with_content(kAnnouncementKind, written->content)).size() < 64U * 1024,
          "what is announced is taken by relays");
  const Event again{.kind = written->kind, .tags = written->tags, .content = written->content};
  require(!updated_announcement(*read, &again), "what says the same is left alone");
}

void check_profile(const std::string& content) {
  const Profile ours{.name = "A \"shop\"", .about = "line\nline", .lud16 = "me@pay.example"};
  const Event existing = with_content(kProfileKind, content);
  const auto update = updated_profile(ours, &existing);
  if (!update) return;
  JsonReader reader(update->content);
  require(reader.skip() && reader.end(), "a profile is JSON");
  require(update->tags == existing.tags, "a profile keeps its tags");
  const Event again = with_content(kProfileKind, update->content);
  require(!updated_profile(ours, &again), "a profile that says it all is left alone");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string content(fuzz::text_of(data, size));
  check_announcement(content);
  check_profile(content);
  return 0;
}
