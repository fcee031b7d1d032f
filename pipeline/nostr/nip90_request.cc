// Requests, read liberally: what clients send is listed in tests/unit/pipeline/nostr/nip90_request_test.cc.
#include "pipeline/nostr/nip90_request.h"

#include <algorithm>

#include "base/ascii.h"
#include "pipeline/core/chat_message.h"
#include "pipeline/net/url_guard.h"
#include "pipeline/nostr/json.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip13.h"
#include "pipeline/nostr/nip19.h"
#include "pipeline/nostr/nip90_content.h"
#include "pipeline/nostr/nip90_params.h"
#include "pipeline/nostr/nip90_words.h"

namespace nostr {
namespace {

using core::ChatMessage;
using ledger::DeclineReason;
using ledger::JobRequested;
using net::parse_relay_url;
using nip90::element;
using nip90::fault;
using nip90::in_quotes;
using nip90::is_param;
using nip90::MaybeFault;
using nip90::parse_number;
using nip90::trimmed;

constexpr std::size_t kBytesPerToken = 4;
constexpr std::size_t kTokensPerMessage = 4;  // the marks of a chat template around it

// ---- inputs ---------------------------------------------------------------------------------------------------------

bool is_text_type(std::string_view type) {
  return type == "text" || type == "prompt";
}
// What an input's type asks to be gathered; unspecified for text, and for types that nobody knows.
ledger::InputType source_type(std::string_view type) {
  for (const ledger::InputType known : {ledger::InputType::url, ledger::InputType::event, ledger::InputType::job}) {
    if (type == ledger::name(known)) return known;
  }
  return ledger::InputType::unspecified;
}
bool is_input_type(std::string_view type) {
  return is_text_type(type) || source_type(type) != ledger::InputType::unspecified;
}
bool is_role(std::string_view marker) {
  return marker == "system" || marker == "user" || marker == "assistant";
}

struct RequestInput {
  std::string_view text;
  std::string type;    // lower case; empty: text
  std::string marker;  // as it stands
  std::string relay;   // where to find it, as it stands

  bool is_source() const { return source_type(type) != ledger::InputType::unspecified; }
  // As whose words it is read.
  std::string role() const { return is_role(base::lower(marker)) ? base::lower(marker) : "user"; }
};

// ["i", data, type, relay, marker]; some put the marker where the relay belongs.
RequestInput read_i(const Tag& tag) {
  RequestInput input{.text = element(tag, 1), .type = base::lower(trimmed(element(tag, 2)))};
  input.marker = trimmed(element(tag, 4));
  const std::string_view relay = trimmed(element(tag, 3));
  const bool is_url = relay.find("://") != std::string_view::npos;
  if (is_url) input.relay = relay;
  if (!is_url && input.marker.empty()) input.marker = relay;
  return input;
}

// ["input", type, data], or the form of an i tag.
RequestInput read_input(const Tag& tag) {
  const std::string first = base::lower(trimmed(element(tag, 1)));
  if (tag.size() >= 3 && is_input_type(first)) return {.text = tag[2], .type = first, .marker = {}, .relay = {}};
  return read_i(tag);
}

std::optional<RequestInput> input_of(const Tag& tag) {
  const std::string_view name = element(tag, 0);
  std::optional<RequestInput> input;
  if (name == "i") input = read_i(tag);
  if (name == "input") input = read_input(tag);
  if (is_param(tag, "prompt")) input = RequestInput{.text = element(tag, 2), .type = {}, .marker = {}, .relay = {}};
  if (input && trimmed(input->text).empty()) input.reset();
  return input;
}

std::vector<RequestInput> inputs_of(const Event& request) {
  std::vector<RequestInput> inputs;
  for (const Tag& tag : request.tags) {
    if (auto input = input_of(tag)) inputs.push_back(std::move(*input));
  }
  if (inputs.empty() && !trimmed(request.content).empty())
    inputs.push_back({.text = request.content, .type = {}, .marker = {}, .relay = {}});
  return inputs;
}

// The request with what JSON in its content stands for (nip90_content.h) as its own tags. The content is read only
// where no tag is an input, and where it has one.
Event unpacked(const Event& request) {
  const auto is_input = [](const Tag& tag) { return input_of(tag).has_value(); };
  if (is_encrypted(request) || std::ranges::any_of(request.tags, is_input)) return request;
  auto tags = nip90::tags_in_content(request.content);
  if (!tags || std::ranges::none_of(*tags, is_input)) return request;
  Event out = request;
  out.content.clear();
  std::ranges::move(*tags, std::back_inserter(out.tags));
  return out;
}

void append_message(std::vector<ChatMessage>& messages, std::string_view role, std::string_view text) {
  if (messages.empty() || messages.back().role != role) {
    messages.push_back({std::string(role), std::string(text)});
  } else {
    messages.back().content.append("\n\n").append(text);
  }
}

// ---- faults ---------------------------------------------------------------------------------------------------------

// http or https; whatever else may be wrong with it is told when it is fetched.
MaybeFault read_url(std::string_view url, ledger::InputSource& out) {
  const std::string start = base::lower(url.substr(0, 8));
  const bool is_web = start.starts_with("http://") || start == "https://";
  const bool is_printable =
      std::none_of(url.begin(), url.end(), [](char c) { return (c >= 0 && c <= ' ') || c == 0x7f; });
  if (!is_web || !is_printable) {
    return fault(DeclineReason::malformed,
                 "the input " + in_quotes(url) + " is no web address; write it like https://example.com/page");
  }
  if (url.size() > kMaxSourceBytes) {
    return fault(DeclineReason::malformed, "the web address " + in_quotes(url) + " has more than " +
                                               std::to_string(kMaxSourceBytes) + " bytes; send its text itself");
  }
  out.data = url;
  return {};
}

// Of an event, or of a job. A bad relay is dropped: others may have it.
MaybeFault read_id(std::string_view text, std::string_view relay, ledger::InputSource& out) {
  const auto id = parse_event_id(text);
  if (!id) {
    return fault(DeclineReason::malformed, "the input " + in_quotes(text) + " is not the id of " +
                                               (out.type == ledger::InputType::job ? "a job" : "an event") +
                                               "; write its 64 digits of hex");
  }
  out.data = id->hex();
  if (const auto url = parse_relay_url(relay)) out.relay = url->text();
  return {};
}

MaybeFault read_source(const RequestInput& input, JobRequested& out) {
  if (out.sources.size() == kMaxSources) {
    return fault(DeclineReason::unsupported_input, "at most " + std::to_string(kMaxSources) +
                                                       " inputs are gathered; send the texts of the others themselves");
  }
  ledger::InputSource source{.type = source_type(input.type)};
  const std::string_view data = trimmed(input.text);
  auto bad = source.type == ledger::InputType::url ? read_url(data, source) : read_id(data, input.relay, source);
  if (!bad) out.sources.push_back(std::move(source));
  return bad;
}

MaybeFault read_inputs(const Event& event, JobRequested& out) {
  bool asks = false;
  for (const RequestInput& input : inputs_of(event)) {
    asks = asks || input.role() == "user";
    if (input.type.empty() || is_text_type(input.type)) continue;
    if (!input.is_source()) {
      return fault(DeclineReason::unsupported_input,
                   "inputs of type " + in_quotes(input.type) +
                       " are not served here; send the prompt itself: [\"i\",\"…\",\"text\"]");
    }
    if (auto bad = read_source(input, out)) return bad;
  }
  if (asks) return {};
  return fault(DeclineReason::no_prompt, "there is no prompt; send it as [\"i\",\"…\",\"text\"]");
}

MaybeFault read_output(const Event& event, JobRequested& out) {
  const std::string_view asked = trimmed(event.tag_value("output").value_or(""));
  out.output = base::lower(trimmed(asked.substr(0, asked.find(';'))));  // without parameters such as charset
  for (const std::string_view known : {"", "text/plain", "text/markdown", "application/json"}) {
    if (out.output == known) return {};
  }
  out.output.clear();
  return fault(
      DeclineReason::unsupported_output,
      "output " + in_quotes(asked) + " is not made here; ask for text/plain, text/markdown or application/json");
}

MaybeFault read_bid(const Event& event, JobRequested& out) {
  const std::string_view bid = trimmed(event.tag_value("bid").value_or(""));
  if (bid.empty()) return {};
  out.bid = base::Msat::from_digits(bid);
  if (out.bid) return {};
  return fault(DeclineReason::malformed,
               "the bid " + in_quotes(bid) + " is not an amount in millisatoshi, in plain digits");
}

MaybeFault read_expiration(const Event& event, JobRequested& out) {
  const std::string_view text = trimmed(event.tag_value("expiration").value_or(""));
  if (text.empty()) return {};
  const auto seconds = parse_number<std::int64_t>(text);
  if (!seconds || *seconds < 0 || *seconds > kMaxCreatedAtS) {
    return fault(DeclineReason::malformed,
                 "the expiration " + in_quotes(text) + " is not a time in seconds since 1970");
  }
  out.expires_at = base::TimeMs{*seconds * 1000};
  return {};
}

// ---- the rest -------------------------------------------------------------------------------------------------------

enum class Addressee { everybody, us, others };

Addressee addressee(const Event& event, const PublicKey& us) {
  Addressee found = Addressee::everybody;
  for (const Tag& tag : event.tags) {
    if (element(tag, 0) != "p" || trimmed(element(tag, 1)).empty()) continue;
    const auto key = parse_public_key(trimmed(tag[1]));
    if (key && *key == us) return Addressee::us;
    found = Addressee::others;
  }
  return found;
}

// From one tag with many, or from several tags.
std::vector<std::string> reply_relays(const Event& event) {
  std::vector<std::string> relays;
  for (const Tag& tag : event.tags) {
    if (element(tag, 0) != "relays") continue;
    for (std::size_t i = 1; i < tag.size() && relays.size() < kMaxReplyRelays; ++i) {
      const auto url = parse_relay_url(trimmed(tag[i]));
      if (!url) continue;
      std::string text = url->text();
      if (std::find(relays.begin(), relays.end(), text) == relays.end()) relays.push_back(std::move(text));
    }
  }
  return relays;
}

MaybeFault find_encryption_fault(const Event& event) {
  if (!is_encrypted(event)) return {};
  return fault(DeclineReason::encrypted,
               "the request cannot be decrypted; encrypt the i and param tags, as a JSON array, to our key with NIP-44 "
               "version 2, as the content");
}

void read_prompt(const std::vector<ChatMessage>& messages, JobRequested& out) {
  out.prompt_bytes = prompt_bytes(messages);
  out.input_tokens = estimate_tokens(messages);
}

}  // namespace

std::vector<ChatMessage> messages_of(const Event& request, std::span<const std::string> gathered,
                                     std::string_view instruction) {
  const Event open = unpacked(request);
  std::vector<ChatMessage> messages;
  if (!instruction.empty()) append_message(messages, "system", instruction);
  for (const Tag& tag : open.tags) {
    if (is_param(tag, "system") && !trimmed(element(tag, 2)).empty()) append_message(messages, "system", tag[2]);
  }
  for (const RequestInput& input : inputs_of(open)) {
    std::string_view text = input.text;
    if (input.is_source()) {
      if (gathered.empty()) continue;
      text = gathered.front();
      gathered = gathered.subspan(1);
    }
    if (input.marker.empty() || is_role(base::lower(input.marker))) {
      append_message(messages, input.role(), text);
    } else {
      append_message(messages, input.role(), input.marker + ":\n" + std::string(text));
    }
  }
  return messages;
}

std::uint64_t prompt_bytes(std::span<const ChatMessage> messages) {
  std::uint64_t bytes = 0;
  for (const ChatMessage& message : messages) bytes += message.content.size();
  return bytes;
}

std::uint64_t estimate_tokens(std::span<const ChatMessage> messages) {
  std::uint64_t tokens = 0;
  for (const ChatMessage& message : messages) {
    tokens += (message.content.size() + kBytesPerToken - 1) / kBytesPerToken + kTokensPerMessage;
  }
  return tokens;
}

bool is_encrypted(const Event& event) {
  return std::any_of(event.tags.begin(), event.tags.end(),
                     [](const Tag& tag) { return element(tag, 0) == "encrypted"; });
}

Result<OpenRequest> open_request(const Event& request, const SecretKey& ours) {
  OpenRequest out{.event = request};
  if (!is_encrypted(request)) return out;
  auto decrypted = decrypt(request.content, ours, request.pubkey);
  if (!decrypted) return tl::unexpected(decrypted.error());
  const auto tags = tags_from_json(decrypted->plaintext);
  auto inner = tags ? std::optional(*tags) : nip90::tags_in_content(decrypted->plaintext);
  if (!inner) {
    return base::fail(base::ErrorKind::job_request, "request.encrypted", "what was encrypted is no JSON array of tags");
  }
  out.form = decrypted->form;
  out.event.content.clear();
  std::erase_if(out.event.tags, [](const Tag& tag) { return element(tag, 0) == "encrypted"; });
  // Whom it asks, and where answers go, was signed in the clear: nothing hidden says otherwise.
  for (Tag& tag : *inner) {
    if (nip90::is_question_tag(tag)) out.event.tags.push_back(std::move(tag));
  }
  return out;
}

std::vector<std::uint32_t> served_kinds(std::span<const ledger::PromptTemplate> templates) {
  std::vector<std::uint32_t> out{kTextRequestKind};
  for (const auto& one : templates) out.push_back(one.kind);
  return out;
}

std::optional<JobRequested> read_request(const Event& event, std::string_view raw, const SecretKey& ours,
                                         std::span<const ledger::PromptTemplate> templates) {
  const PublicKey us = ours.public_key();
  // Only what names us can be encrypted to us.
  if (!is_encrypted(event) || addressee(event, us) != Addressee::us) return read_request(event, raw, us, templates);
  const auto open = open_request(event, ours);
  if (!open) return read_request(event, raw, us, templates);
  auto out = read_request(open->event, raw, us, templates);
  if (out) out->encryption = open->form;
  return out;
}

std::optional<JobRequested> read_request(const Event& event, std::string_view raw, const PublicKey& us,
                                         std::span<const ledger::PromptTemplate> templates) {
  const auto own = std::ranges::find(templates, event.kind, &ledger::PromptTemplate::kind);
  if (event.kind != kTextRequestKind && own == templates.end()) return std::nullopt;
  const Addressee to = addressee(event, us);
  if (to == Addressee::others) return std::nullopt;
  JobRequested out{.customer = event.pubkey,
                   .kind = event.kind,
                   .created_at_s = event.created_at,
                   .reply_relays = reply_relays(event),
                   .addressed = to == Addressee::us,
                   .request_bytes = json_string_bytes(with_escaped_delete(raw)),
                   .pow_bits = committed_difficulty(event)};
  out.fault = find_encryption_fault(event);
  if (out.fault) return out;  // nothing else of it can be read
  const Event open = unpacked(event);
  if (own != templates.end()) out.fault = nip90::fill_in(own->instruction, open, out.instruction);
  read_prompt(messages_of(open, {}, out.instruction), out);
  for (MaybeFault found : {read_inputs(open, out), nip90::read_params(open, out), read_output(open, out),
                           read_bid(open, out), read_expiration(open, out)}) {
    if (found && !out.fault) out.fault = std::move(found);
  }
  return out;
}

}  // namespace nostr
