#include "pipeline/nostr/nip90_ask.h"

#include <algorithm>

#include "base/utf8.h"
#include "pipeline/net/url_guard.h"
#include "pipeline/nostr/json.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip19.h"
#include "pipeline/nostr/nip90_content.h"
#include "pipeline/nostr/nip90_request.h"
#include "pipeline/nostr/nip90_words.h"

namespace nostr {
namespace {

constexpr std::pair<InputType, std::string_view> kInputTypes[] = {
    {InputType::text, "text"}, {InputType::url, "url"}, {InputType::event, "event"}, {InputType::job, "job"}};

auto refuse_prompt(std::string message, std::string hint) {
  return base::fail(base::ErrorKind::config, "request.prompt", std::move(message), {}, std::move(hint));
}

auto refuse_source(std::string message, std::string context, std::string hint) {
  return base::fail(base::ErrorKind::config, "request.input", std::move(message), std::move(context), std::move(hint));
}

Result<void> check_inputs(const std::vector<Input>& inputs) {
  if (inputs.empty()) return refuse_prompt("there is no prompt", "type it behind the options, or send it to stdin");
  if (inputs.size() > kMaxInputs) {
    return refuse_prompt("there are more than 32 inputs", "put several texts into one file");
  }
  std::size_t bytes = 0;
  for (const Input& input : inputs) {
    if (const auto good = check_text("the prompt", input.data); !good) return good;
    bytes += input.data.size();
  }
  if (bytes > kMaxQuestionBytes) {
    return refuse_prompt("the inputs are longer than 48 KiB together",
                         "relays refuse more; shorten them, or name a page with --url");
  }
  return {};
}

Tag i_tag(const Input& input, const std::vector<std::string>& relays) {
  Tag tag = {"i", without_disputed_controls(input.data), std::string(name(input.type))};
  if (input.type != InputType::event && input.type != InputType::job) return tag;
  if (!input.relay.empty()) {
    tag.push_back(input.relay);
  } else if (!relays.empty()) {
    tag.push_back(relays.front());
  }
  return tag;
}

// What the provider reads as the content where no tag is an input: the texts as the one that it makes of them; or,
// where an input is no text or that one would be read as something else, the tags as JSON.
std::string content_of(const std::vector<Input>& inputs, const std::vector<Tag>& tags) {
  std::string text;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].type != InputType::text) return tags_to_json(tags);
    if (nip90::trimmed(tags[i][1]).empty()) continue;
    text += (text.empty() ? "" : "\n\n") + tags[i][1];
  }
  return nip90::tags_in_content(text) ? tags_to_json(tags) : text;
}

// Adds the inputs: as tags, or as the content where relays would refuse such a tag.
void add_inputs(Unsigned& event, const Question& question) {
  for (const Input& input : question.inputs) event.tags.push_back(i_tag(input, question.relays));
  const auto is_too_long = [](const Tag& tag) { return tag[1].size() > kMaxTagValueBytes; };
  if (question.encryption != Encryption::none || std::ranges::none_of(event.tags, is_too_long)) return;
  event.content = content_of(question.inputs, event.tags);
  event.tags.clear();
}

// Moves the tags so far into the content, which only the provider can read (NIP-90).
Result<void> hide_tags(Unsigned& event, const Question& question, const SecretKey& key, const Nip44Nonce& nonce) {
  const std::string inner = tags_to_json(std::exchange(event.tags, {{"encrypted"}}));
  auto content = encrypt(question.encryption, inner, key, *question.provider, nonce);
  if (!content) return tl::unexpected(content.error());
  event.content = std::move(*content);
  return {};
}

Result<Input> parse_address(std::string_view typed) {
  const auto url = net::parse_url(typed, "http");
  if (url && typed.size() <= kMaxSourceBytes) return Input{InputType::url, std::string(typed), {}};
  return refuse_source("url cannot be \"" + std::string(typed.substr(0, 200)) + "\"",
                       url ? "it is longer than 2 KiB" : url.error(), "it is an address like https://example.com/page");
}

}  // namespace

std::string_view name(InputType type) {
  for (const auto& [known, name] : kInputTypes) {
    if (known == type) return name;
  }
  return "text";
}

Result<void> check_text(const std::string& what, std::string_view text) {
  if (text.empty()) return refuse_prompt(what + " is empty", "say what shall be answered");
  if (text.size() > kMaxQuestionBytes)
    return refuse_prompt(what + " is longer than 48 KiB", "relays refuse more; shorten it, or name a page with --url");
  if (!base::is_utf8(text)) return refuse_prompt(what + " is no UTF-8 text", "convert it, for example with iconv");
  return {};
}

Result<Input> parse_source(InputType type, std::string_view typed) {
  if (type == InputType::url) return parse_address(typed);
  const std::size_t at = typed.find('@');
  const std::string_view id_text = typed.substr(0, at);
  const auto id = parse_event_id(id_text);
  const auto refused = [&](const base::Error& error) {
    return refuse_source(std::string(name(type)) + ": " + error.message, error.context, error.hint);
  };
  if (!id) return refused(id.error());
  Input input{type, id->hex(), {}};
  if (at != std::string_view::npos) {
    const auto relay = net::parse_relay_url(typed.substr(at + 1));
    if (!relay) return refused(relay.error());
    input.relay = relay->text();
  } else if (const auto nevent = decode_nevent(id_text); nevent && !nevent->relays.empty()) {
    input.relay = nevent->relays.front();
  }
  return input;
}

Result<Event> to_request(const Question& question, const SecretKey& key, base::TimeMs now, const Nip44Nonce& nonce,
                         const AuxRandom& aux) {
  if (const auto good = check_inputs(question.inputs); !good) return tl::unexpected(good.error());
  Unsigned event{.kind = kTextRequestKind, .created_at_s = now.ms / 1000};
  add_inputs(event, question);
  for (const auto& [name, value] : question.params) {
    event.tags.push_back({"param", name, without_disputed_controls(value)});
  }
  if (question.encryption != Encryption::none) {
    if (const auto hidden = hide_tags(event, question, key, nonce); !hidden) return tl::unexpected(hidden.error());
  }
  if (!question.output.empty()) event.tags.push_back({"output", question.output});
  if (question.bid) event.tags.push_back({"bid", std::to_string(question.bid->value)});
  Tag& relays = event.tags.emplace_back(Tag{"relays"});
  relays.insert(relays.end(), question.relays.begin(), question.relays.end());
  if (question.provider) event.tags.push_back({"p", question.provider->hex()});
  Event request = sign(std::move(event), key, aux);
  if (const std::size_t bytes = to_json(request).size(); bytes > kMaxSentEventBytes) {
    return refuse_prompt("the request has " + std::to_string(bytes) +
                             " bytes as an event, and relays refuse more than " + std::to_string(kMaxSentEventBytes),
                         "shorten the inputs (encrypted they are a third longer, and line breaks and quotes count "
                         "twice), or name a page with --url");
  }
  return request;
}

Event to_cancellation(const EventId& request, const std::optional<PublicKey>& provider, const SecretKey& key,
                      base::TimeMs now, const AuxRandom& aux) {
  Unsigned event{.kind = kDeletionKind, .created_at_s = now.ms / 1000};
  event.tags = {{"e", request.hex()}, {"k", std::to_string(kTextRequestKind)}};
  if (provider) event.tags.push_back({"p", provider->hex()});
  return sign(std::move(event), key, aux);
}

}  // namespace nostr
