// The input is the JSON text of an event: a request that is read and answered, and an answer that is read.
#include <algorithm>

#include "base/utf8.h"
#include "pipeline/net/url_guard.h"
#include "pipeline/nostr/json.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip90_answer.h"
#include "pipeline/nostr/nip90_request.h"
#include "tests/fuzz/fuzz.h"

namespace {

using fuzz::require;
using namespace base;
using namespace nostr;

constexpr std::int64_t kNowS = 1'795'000'000;
constexpr std::string_view kRelay = "wss://relay.example";

const SecretKey& key() {
  static const SecretKey instance = *SecretKey::from_text(std::string(63, '0') + "3");
  return instance;
}

Bill bill() {
  return {.amount = {21'000}, .bolt11 = "lnbcrt210n1" + std::string(300, 'q')};
}

void check_facts(const ledger::JobRequested& request, const Event& event) {
  const auto facts = ledger::decode<ledger::JobRequested>(ledger::encode(request));
  require(facts && ledger::encode(*facts) == ledger::encode(request), "the facts of a request can be kept");
  require(request.customer == event.pubkey && request.created_at_s == event.created_at, "a request is its customer's");
  require(request.reply_relays.size() <= kMaxReplyRelays, "relays are capped");
  for (const std::string& relay : request.reply_relays) {
    const auto url = net::parse_relay_url(relay);
    require(url && url->text() == relay, "relays are kept in their normal form");
  }
  require(request.sources.size() <= kMaxSources, "sources are capped");
  require(!request.bid || request.bid->value >= 0, "a bid is no debt");
  if (request.fault) {
    const ledger::RequestFault& fault = *request.fault;
    require(fault.reason != ledger::DeclineReason::unspecified, "a fault has its reason");
    require(base::is_utf8(fault.message) && !has_disputed_controls(fault.message), "a fault can be told");
  } else {
    const ledger::GenerationParams& params = request.params;
    require(!params.max_tokens || *params.max_tokens > 0, "a cap leaves something");
    require(!params.temperature || (*params.temperature >= 0 && *params.temperature <= 2), "numbers are in range");
    const bool asks = request.input_tokens > 0 && request.prompt_bytes > 0;
    require(asks || !request.sources.empty(), "a request without fault asks something");
  }
}

void check_messages(const ledger::JobRequested& request, const Event& event) {
  const auto messages = messages_of(event);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const std::string& role = messages[i].role;
    require(role == "system" || role == "user" || role == "assistant", "a message has a role");
    require(i == 0 || role != messages[i - 1].role, "neighbours of one role are one message");
    require(base::is_utf8(messages[i].content), "a message is UTF-8");
    bytes += messages[i].content.size();
  }
  const bool readable = !request.fault || request.fault->reason != ledger::DeclineReason::encrypted;
  require(!readable || (bytes == request.prompt_bytes && estimate_tokens(messages) == request.input_tokens),
          "a prompt's size is that of its messages");
  const std::vector<std::string> gathered(request.sources.size(), "gathered");
  require(request.fault || prompt_bytes(messages_of(event, gathered)) >= bytes + 8 * gathered.size(),
          "every source that is gathered is part of the prompt");
}

// Signed, crossed the wire, read by the customer.
Answer delivered(Unsigned answer) {
  const Event event = sign(std::move(answer), key(), {});
  const auto arrived = parse_event(to_json(event));
  require(arrived.has_value() && *arrived == event, "an answer that is sent is read as the same");
  require(verify(*arrived).has_value(), "an answer is signed");
  const auto read = read_answer(*arrived);
  require(read && read->provider == key().public_key(), "an answer is known as one of its provider's");
  return *read;
}

void check_kept(const Unsigned& answer, std::string_view raw) {
  const Event event = sign(answer, key(), {});
  const ledger::NoticeSigned notice{
      .kind = event.kind, .event = event.id, .created_at_s = event.created_at, .signature = event.sig};
  const auto rebuilt = rebuild_notice(notice, key().public_key(), event.content, stored_tags(event.tags), raw);
  require(rebuilt.has_value() && *rebuilt == event, "an answer is made again from what was kept of it");
}

void check_result(const Event& event, std::string_view raw) {
  const std::string content = "An answer, \"quoted\", \xe2\x98\x83\n" + without_disputed_controls(event.content);
  const std::size_t most = result_event_bytes(raw, json_string_bytes(content));
  if (most > kMaxResultEventBytes) return;
  const Unsigned answer = result(event, raw, std::string(kRelay), content, bill(), kNowS);
  const Answer read = delivered(answer);
  require(read.request == event.id && read.is_result && read.known == Status::success,
          "a result is one of its request");
  require(read.content == content && read.amount == bill().amount && read.bolt11 == bill().bolt11,
          "a result says what it should");
  check_kept(answer, raw);
}

// The longest answer that admission would let pass.
void check_limit(const Event& event, std::string_view raw) {
  const std::size_t least = result_event_bytes(raw, 0);
  if (least > kMaxResultEventBytes) return;
  const std::string content(kMaxResultEventBytes - least, 'x');
  const Unsigned answer = result(event, raw, std::string(kRelay), content, bill(), kNowS);
  require(to_json(sign(answer, key(), {})).size() <= kMaxResultEventBytes, "a result stays within its limit");
}

void check_feedback(const Event& event, std::string_view raw, const std::string& text) {
  const Unsigned answer =
      feedback({event.id, event.pubkey, std::string(kRelay)}, Status::error, text, std::nullopt, kNowS);
  const Answer read = delivered(answer);
  require(read.request == event.id && !read.is_result && read.known == Status::error, "feedback is about its request");
  require(read.text.size() <= 3 * kMaxStatusTextBytes, "what it says is cut");
  require(text.size() > kMaxStatusTextBytes || read.text == without_disputed_controls(text), "it says what it should");
  check_kept(answer, raw);
}

void check_read_answer(const Event& event) {
  const auto answer = read_answer(event);
  if (!answer) return;
  require(answer->provider == event.pubkey && answer->content == event.content, "an answer is its provider's");
  require(!answer->known || wire_name(*answer->known) == answer->status, "a status that is known has its name");
  require(!answer->amount || answer->amount->value >= 0, "an amount is none below nothing");
  require(!answer->is_result || !answer->status.empty(), "a result has a status");
}

// Whatever is hidden in an encrypted request: whom it asks and where answers go was said in the clear.
void check_hidden(std::string_view inner) {
  static const SecretKey customer = *SecretKey::from_text(std::string(63, '0') + "5");
  if (inner.empty() || inner.size() > kMaxNip44PlaintextBytes) return;
  Unsigned request{.kind = kTextRequestKind, .created_at_s = kNowS};
  request.tags = {{"p", key().public_key().hex()}, {"encrypted"}, {"relays", std::string(kRelay)}};
  request.content = encrypt(Encryption::nip44, inner, customer, key().public_key(), {}).value();
  const Event event = sign(std::move(request), customer, {});
  const auto read = read_request(event, inner, key());
  require(read && read->addressed && read->customer == customer.public_key(), "it asks us");
  require(read->reply_relays == std::vector<std::string>{std::string(kRelay)}, "answers go where it says in the clear");
  const auto open = open_request(event, key());
  require(open.has_value() == (read->encryption == Encryption::nip44), "what can be opened is answered encrypted");
  if (open) check_messages(*read, open->event);
  check_facts(*read, event);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  check_hidden(text);
  auto event = parse_event(text);
  if (!event) return 0;
  check_read_answer(*event);
  require(json_string_bytes(text) == json_string_bytes(std::string(text) + "\n") - 2, "sizes in JSON add up");

  event->kind = kTextRequestKind;
  const auto request = read_request(*event, text, key().public_key());
  if (!request) return 0;
  check_facts(*request, *event);
  check_messages(*request, *event);
  check_result(*event, text);
  check_limit(*event, text);
  check_feedback(*event, text, request->fault ? request->fault->message : event->content);
  return 0;
}
