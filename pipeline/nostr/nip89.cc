#include "pipeline/nostr/nip89.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "pipeline/nostr/json.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip90_request.h"

namespace nostr {
namespace {

using base::utf8_prefix;
using nlohmann::ordered_json;

// What read_request (nip90_request.h) takes from `param` tags, besides the model.
constexpr std::array kParams = {"max_tokens",       "temperature", "top_k", "top_p", "frequency_penalty",
                                "presence_penalty", "seed",        "stop",  "system"};

std::string address_of(const PublicKey& provider, const std::string& d) {
  return std::to_string(kAnnouncementKind) + ":" + provider.hex() + ":" + d;
}

// ---- written --------------------------------------------------------------------------------------------------------

std::vector<AnnouncedModel> sayable(const std::vector<AnnouncedModel>& models) {
  std::vector<AnnouncedModel> out;
  for (const AnnouncedModel& model : models) {
    if (model.name.size() <= kMaxAnnouncedNameBytes && out.size() < kMaxAnnouncedModels) out.push_back(model);
  }
  return out;
}

ordered_json params_of(const std::vector<AnnouncedModel>& models) {
  ordered_json names = ordered_json::array();
  for (const AnnouncedModel& model : models) names.push_back(model.name);
  ordered_json out = {{"model", {{"required", false}, {"values", std::move(names)}}}};
  for (const char* param : kParams) out[param] = {{"required", false}, {"values", ordered_json::array()}};
  return out;
}

ordered_json prices_of(const std::vector<AnnouncedModel>& models) {
  ordered_json out = ordered_json::array();
  for (const auto& [name, offer] : models) {
    if (!offer) continue;
    out.push_back({{"model", name},
                   {"base_msat", offer->base.value},
                   {"input_msat_per_1k_tokens", offer->input_per_1k_tokens.value},
                   {"output_msat_per_1k_tokens", offer->output_per_1k_tokens.value},
                   {"context_tokens", offer->context_tokens},
                   {"max_output_tokens", offer->max_output_tokens}});
  }
  return out;
}

std::string content_of(const Announcement& ours, const std::vector<AnnouncedModel>& models) {
  ordered_json out = ordered_json::object();
  const auto say = [&](const char* name, const std::string& text) {
    if (!text.empty()) out[name] = text;
  };
  say("name", ours.profile.name);
  say("about", ours.profile.about);
  say("picture", ours.profile.picture);
  say("lud16", ours.profile.lud16);
  out["encryptionSupported"] = ours.encryption;
  out["nip90Params"] = params_of(models);
  out["prices"] = prices_of(models);
  // What is no UTF-8 (a backend's names may be anything) is replaced: relays would refuse the event.
  return with_escaped_delete(out.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
}

// As many models as relays take.
std::string content_of(const Announcement& ours) {
  auto models = sayable(ours.models);
  std::string content = content_of(ours, models);
  while (!models.empty() && json_string_bytes(content) > kMaxAnnouncementBytes) {
    models.pop_back();
    content = content_of(ours, models);
  }
  return content;
}

// ---- read -----------------------------------------------------------------------------------------------------------

// Members of a JSON object as they stand, by name; the first of a repeated one counts. What is no object has none.
class Members {
 public:
  explicit Members(std::string_view text) {
    JsonReader reader(text);
    for (bool more = reader.begin('{'); more; more = reader.next('}')) {
      std::string name;
      std::string_view value;
      if (!reader.name(name) || !reader.raw(value)) return;
      members_.emplace_back(std::move(name), value);
    }
  }

  std::string_view raw(std::string_view name) const {
    for (const auto& [known, value] : members_) {
      if (known == name) return value;
    }
    return {};
  }
  std::string text(std::string_view name, std::size_t max_bytes) const;
  std::optional<std::int64_t> number(std::string_view name, std::int64_t max) const;

 private:
  std::vector<std::pair<std::string, std::string_view>> members_;
};

std::string words(std::string_view text, std::size_t max_bytes) {
  return without_disputed_controls(std::string(utf8_prefix(text, max_bytes)));
}

std::string text_of(std::string_view json, std::size_t max_bytes) {
  JsonReader reader(json);
  std::string text;
  return reader.string(text) ? words(text, max_bytes) : std::string();
}

std::string Members::text(std::string_view name, std::size_t max_bytes) const {
  return text_of(raw(name), max_bytes);
}

// A whole number from 0 to `max`.
std::optional<std::int64_t> Members::number(std::string_view name, std::int64_t max) const {
  JsonReader reader(raw(name));
  std::int64_t value = 0;
  return reader.integer(value) && value >= 0 && value <= max ? std::optional(value) : std::nullopt;
}

// The first elements of a JSON array, as they stand.
std::vector<std::string_view> elements_of(std::string_view text) {
  JsonReader reader(text);
  std::vector<std::string_view> out;
  for (bool more = reader.begin('['); more && out.size() < kMaxAnnouncedModels; more = reader.next(']')) {
    std::string_view value;
    if (!reader.raw(value)) break;
    out.push_back(value);
  }
  return out;
}

// No price as long as a part of it is missing.
std::optional<ledger::ModelOffer> read_offer(const Members& price, const std::string& name) {
  const auto base = price.number("base_msat", kMaxAnnouncedPriceMsat);
  const auto input = price.number("input_msat_per_1k_tokens", kMaxAnnouncedPriceMsat);
  const auto output = price.number("output_msat_per_1k_tokens", kMaxAnnouncedPriceMsat);
  if (!base || !input || !output) return std::nullopt;
  const auto tokens = [&](std::string_view limit) {
    return static_cast<std::uint64_t>(price.number(limit, kMaxAnnouncedTokens).value_or(0));
  };
  return ledger::ModelOffer{.name = name,
                            .base = {*base},
                            .input_per_1k_tokens = {*input},
                            .output_per_1k_tokens = {*output},
                            .context_tokens = tokens("context_tokens"),
                            .max_output_tokens = tokens("max_output_tokens")};
}

// The model of this name, added if it was not known; null when there are too many, or it has no name.
AnnouncedModel* model_named(std::vector<AnnouncedModel>& models, const std::string& name) {
  const auto known = std::ranges::find(models, name, &AnnouncedModel::name);
  if (known != models.end()) return &*known;
  if (name.empty() || models.size() == kMaxAnnouncedModels) return nullptr;
  return &models.emplace_back(AnnouncedModel{name, std::nullopt});
}

std::vector<AnnouncedModel> read_models(const Members& content) {
  std::vector<AnnouncedModel> out;
  for (const std::string_view element : elements_of(content.raw("prices"))) {
    const Members price(element);
    const std::string name = price.text("model", kMaxAnnouncedNameBytes);
    AnnouncedModel* model = model_named(out, name);
    if (model && !model->offer) model->offer = read_offer(price, name);
  }
  const Members params(content.raw("nip90Params"));
  const Members model_param(params.raw("model"));
  for (const std::string_view name : elements_of(model_param.raw("values"))) {
    model_named(out, text_of(name, kMaxAnnouncedNameBytes));
  }
  return out;
}

void read_tag(const Tag& tag, Announcement& out) {
  if (tag.size() < 2) return;
  if (tag[0] == "t" && out.topics.size() < kMaxAnnouncedTags)
    out.topics.push_back(words(tag[1], kMaxAnnouncedNameBytes));
  std::uint32_t kind = 0;
  const auto [end, error] = std::from_chars(tag[1].data(), tag[1].data() + tag[1].size(), kind);
  const bool number = error == std::errc() && end == tag[1].data() + tag[1].size() && kind <= kMaxKind;
  const bool known = std::ranges::find(out.kinds, kind) != out.kinds.end();
  if (tag[0] == "k" && number && !known && out.kinds.size() < kMaxAnnouncedTags) out.kinds.push_back(kind);
}

}  // namespace

std::optional<Unsigned> updated_announcement(const Announcement& ours, const Event* existing) {
  Unsigned out{.kind = kAnnouncementKind, .content = content_of(ours)};
  out.tags.push_back({"d", ours.d});
  for (const std::uint32_t kind : ours.kinds) out.tags.push_back({"k", std::to_string(kind)});
  for (const std::string& topic : ours.topics) out.tags.push_back({"t", without_disputed_controls(topic)});
  out.tags.push_back({"alt", "A seller of AI inference (NIP-90) and its prices"});
  if (existing && existing->tags == out.tags && existing->content == out.content) return std::nullopt;
  return out;
}

std::optional<Announcement> read_announcement(const Event& event) {
  if (event.kind != kAnnouncementKind) return std::nullopt;
  Announcement out{.provider = event.pubkey, .d = std::string(event.tag_value("d").value_or(""))};
  for (const Tag& tag : event.tags) read_tag(tag, out);
  const Members content(event.content);
  out.profile.name = content.text("name", kMaxAnnouncedNameBytes);
  out.profile.about = content.text("about", kMaxAnnouncedTextBytes);
  out.profile.picture = content.text("picture", kMaxAnnouncedTextBytes);
  out.profile.lud16 = content.text("lud16", kMaxAnnouncedNameBytes);
  out.encryption = content.raw("encryptionSupported") == "true";
  out.models = read_models(content);
  return out;
}

Unsigned heartbeat(const std::string& d, std::int64_t created_at_s) {
  return {.kind = kHeartbeatKind,
          .created_at_s = created_at_s,
          .tags = {{"d", d}, {"expiration", std::to_string(created_at_s + kHeartbeatIntervalS)}}};
}

Unsigned withdrawal(const PublicKey& provider, const std::string& d, const std::vector<EventId>& known,
                    std::int64_t created_at_s) {
  Unsigned out{.kind = kDeletionKind, .created_at_s = created_at_s};
  out.tags.push_back({"a", address_of(provider, d)});
  for (const EventId& id : known) out.tags.push_back({"e", id.hex()});
  out.tags.push_back({"k", std::to_string(kAnnouncementKind)});
  return out;
}

}  // namespace nostr
