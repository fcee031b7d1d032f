// Answers: written exactly, kept without saying anything twice, read liberally.
#include "pipeline/nostr/nip90_answer.h"

#include <algorithm>
#include <array>

#include "base/utf8.h"
#include "pipeline/nostr/json.h"
#include "pipeline/nostr/nip01.h"

namespace nostr {
namespace {

using base::utf8_prefix;

// What a 6050 holds beside its content, the request and the copied inputs: field names, ids, keys, signature, an
// invoice, a relay hint, the other tags.
constexpr std::size_t kResultOverheadBytes = 3 * 1024;

constexpr std::array kStatusNames = {
    std::pair{Status::payment_required, std::string_view("payment-required")},
    std::pair{Status::processing, std::string_view("processing")},
    std::pair{Status::error, std::string_view("error")},
    std::pair{Status::success, std::string_view("success")},
    std::pair{Status::partial, std::string_view("partial")},
    std::pair{Status::pong, std::string_view("pong")},
};

Tag e_tag(const EventId& id, std::string relay) {
  Tag tag = {"e", id.hex()};
  if (!relay.empty()) tag.push_back(std::move(relay));
  return tag;
}

Tag status_tag(Status status, std::string text) {
  Tag tag = {"status", std::string(wire_name(status))};
  text.resize(utf8_prefix(text, kMaxStatusTextBytes).size());
  if (!text.empty()) tag.push_back(without_disputed_controls(std::move(text)));
  return tag;
}

void add_bill(std::vector<Tag>& tags, const std::optional<Bill>& bill) {
  if (!bill) return;
  Tag& tag = tags.emplace_back(Tag{"amount", std::to_string(bill->amount.value)});
  if (!bill->bolt11.empty()) tag.push_back(bill->bolt11);
}

std::size_t json_bytes(const Tag& tag) {
  std::size_t bytes = 3;  // brackets, and the comma before the next tag
  for (const std::string& value : tag) bytes += json_string_bytes(value) + 3;
  return bytes;
}

// The inputs, in order, as far as they fit and relays take them; the request that is quoted in full has the others.
void add_inputs(std::vector<Tag>& tags, const Event& request, std::size_t taken) {
  for (const Tag& tag : request.tags) {
    if (tag.empty() || tag[0] != "i" || std::any_of(tag.begin(), tag.end(), has_disputed_controls)) continue;
    if (tag.size() > 1 && tag[1].size() > kMaxTagValueBytes) continue;
    const std::size_t size = json_bytes(tag);
    if (taken + size > kMaxResultEventBytes) continue;
    taken += size;
    tags.push_back(tag);
  }
}

auto answer_error(std::string code, std::string message) {
  return base::fail(base::ErrorKind::invocation, std::move(code), std::move(message));
}

// ---- reading --------------------------------------------------------------------------------------------------------

std::optional<EventId> answered_request(const Event& event) {
  if (const auto e = event.tag_value("e")) {
    if (const auto id = EventId::from_hex(*e)) return id;
  }
  if (const auto request = event.tag_value("request")) {
    if (const auto parsed = parse_event(*request)) return parsed->id;
  }
  return std::nullopt;
}

void read_amount(const Tag& tag, Answer& out) {
  if (tag.size() > 1) out.amount = base::Msat::from_digits(tag[1]);
  if (tag.size() > 2 && (tag[2].starts_with("ln") || tag[2].starts_with("LN"))) out.bolt11 = tag[2];
}

void read_status(const Tag& tag, Answer& out) {
  out.status = tag.size() > 1 ? tag[1] : "";
  if (tag.size() > 2) out.text = tag[2];
}

std::optional<Status> known_status(std::string_view word) {
  for (const auto& [status, name] : kStatusNames) {
    if (name == word) return status;
  }
  return std::nullopt;
}

}  // namespace

std::string_view wire_name(Status status) {
  for (const auto& [value, name] : kStatusNames) {
    if (value == status) return name;
  }
  return "error";
}

std::string hidden_status(Status status, std::string text) {
  return tags_to_json({status_tag(status, std::move(text))});
}

Unsigned feedback(const RequestRef& about, Status status, std::string text, const std::optional<Bill>& bill,
                  std::int64_t created_at_s, std::string content) {
  Unsigned out{.kind = kFeedbackKind, .created_at_s = created_at_s, .content = std::move(content)};
  out.tags.push_back(status_tag(status, std::move(text)));
  out.tags.push_back(e_tag(about.id, about.relay));
  out.tags.push_back({"p", about.customer.hex()});
  add_bill(out.tags, bill);
  if (about.encrypted) out.tags.push_back({"encrypted"});
  return out;
}

Unsigned result(const Event& request, std::string_view raw, std::string relay_hint, std::string content,
                const std::optional<Bill>& bill, std::int64_t created_at_s) {
  const std::size_t taken = result_event_bytes(raw, json_string_bytes(content));
  Unsigned out{.kind = result_kind(request.kind), .created_at_s = created_at_s, .content = std::move(content)};
  out.tags.push_back({"request", with_escaped_delete(raw)});
  out.tags.push_back(e_tag(request.id, std::move(relay_hint)));
  out.tags.push_back({"p", request.pubkey.hex()});
  if (is_encrypted(request)) {
    out.tags.push_back({"encrypted"});
  } else {
    add_inputs(out.tags, request, taken);
  }
  add_bill(out.tags, bill);
  out.tags.push_back({"status", std::string(wire_name(Status::success))});
  out.tags.push_back({"alt", "Result of a text job (NIP-90)"});
  return out;
}

std::size_t result_event_bytes(std::string_view raw, std::size_t content_json_bytes) {
  return kResultOverheadBytes + json_string_bytes(with_escaped_delete(raw)) + content_json_bytes;
}

std::string stored_tags(std::vector<Tag> tags) {
  for (Tag& tag : tags) {
    if (!tag.empty() && tag[0] == "request") tag.resize(1);
  }
  return tags_to_json(tags);
}

Result<Event> rebuild_notice(const ledger::NoticeSigned& notice, const PublicKey& provider, std::string content,
                             std::string_view tags_json, std::string_view request_json) {
  auto tags = tags_from_json(tags_json);
  if (!tags) return answer_error("notice.tags", "the tags that the ledger kept of an answer cannot be read");
  Event event{.id = notice.event,
              .pubkey = provider,
              .created_at = notice.created_at_s,
              .kind = notice.kind,
              .tags = std::move(*tags),
              .content = std::move(content),
              .sig = notice.signature};
  const auto quote = std::ranges::find(event.tags, Tag{"request"});
  // Earlier versions quoted U+007F as it stood.
  for (std::string quoted : {with_escaped_delete(request_json), std::string(request_json)}) {
    if (quote != event.tags.end()) *quote = {"request", std::move(quoted)};
    if (compute_id(event) == event.id) return event;
  }
  return answer_error("notice.id_mismatch", "the texts that the ledger kept do not give the answer that was signed");
}

std::optional<Answer> read_answer(const Event& event) {
  const bool is_result = is_result_kind(event.kind);
  if (!is_result && event.kind != kFeedbackKind) return std::nullopt;
  const auto request = answered_request(event);
  if (!request) return std::nullopt;
  Answer out{.request = *request, .provider = event.pubkey, .is_result = is_result, .content = event.content};
  for (const Tag& tag : event.tags) {
    if (tag.empty()) continue;
    if (tag[0] == "status" && out.status.empty()) read_status(tag, out);
    if (tag[0] == "amount" && !out.amount) read_amount(tag, out);
    if (tag[0] == "encrypted") out.encrypted = true;
  }
  if (out.is_result && out.status.empty()) out.status = wire_name(Status::success);
  out.known = known_status(out.status);
  // Some providers explain themselves in the content; a partial result's content is no explanation.
  const bool explains = !out.is_result && !out.encrypted && out.known != Status::partial;
  if (explains && out.text.empty()) out.text = event.content;
  return out;
}

std::optional<Answer> read_answer(const Event& event, const SecretKey& ours) {
  auto out = read_answer(event);
  if (!out || !out->encrypted) return out;
  auto decrypted = decrypt(event.content, ours, event.pubkey);
  if (!decrypted) return out;
  Event open = event;
  std::erase_if(open.tags, [](const Tag& tag) { return !tag.empty() && tag[0] == "encrypted"; });
  const bool holds_answer = out->is_result || out->known == Status::partial;
  const auto hidden = tags_from_json(holds_answer ? "[]" : decrypted->plaintext);
  const bool holds_tags = hidden && !hidden->empty();
  // They say more than the tags in the clear, and so are read first.
  if (holds_tags) open.tags.insert(open.tags.begin(), hidden->begin(), hidden->end());
  open.content = holds_tags ? std::string() : std::move(decrypted->plaintext);
  return read_answer(open);
}

}  // namespace nostr
