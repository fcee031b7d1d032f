// The input is one frame from a relay.
#include "base/utf8.h"
#include "pipeline/nostr/json.h"
#include "pipeline/nostr/messages.h"
#include "tests/fuzz/fuzz.h"

namespace {

using fuzz::require;
using namespace base;
using namespace nostr;

bool has_controls(const std::string& text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7f) return true;
    if (byte == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0) return true;  // U+0080 to U+009F
  }
  return false;
}

void check_text(const std::string& text) {
  require(text.size() <= kMaxRelayTextBytes, "a relay's words are cut");
  require(is_utf8(text), "a relay's words are UTF-8");
  require(!has_controls(text), "a relay's words have no control characters");
  require(clean_relay_text(text) == text, "clean words stay as they are");
  require(text.find(machine_word(text)) != std::string::npos, "the machine word is one of the words");
}

// The frame in which a relay could have said the same.
std::string frame(std::string_view type, std::initializer_list<std::string_view> texts) {
  std::string out = "[\"" + std::string(type) + "\"";
  for (const std::string_view text : texts) append_json_string(out += ",", text);
  return out + "]";
}

template <class Message>
Message again(const std::string& text) {
  auto message = parse_relay_message(text, text.size());
  require(message.has_value() && std::holds_alternative<Message>(*message), "what was read can be said and read again");
  return std::get<Message>(std::move(*message));
}

void check(const RelayEvent& message, std::string_view text) {
  require(message.raw.data() >= text.data() && message.raw.data() + message.raw.size() <= text.data() + text.size(),
          "the raw event lies in its frame");
  const auto alone = parse_event(message.raw);
  require(alone.has_value() && *alone == message.event, "the raw event is the event");
  std::string said = frame("EVENT", {message.subscription});
  said.back() = ',';
  said.append(message.raw).append("]");
  const auto back = again<RelayEvent>(said);
  require(back.event == message.event && back.subscription == message.subscription, "an EVENT means the same again");
}

void check(const RelayOk& message, std::string_view) {
  check_text(message.message);
  std::string said = frame("OK", {message.event.hex()});
  said.back() = ',';
  append_json_string(said.append(message.accepted ? "true," : "false,"), message.message);
  const auto back = again<RelayOk>(said + "]");
  require(back.event == message.event && back.accepted == message.accepted && back.message == message.message,
          "an OK means the same again");
}

void check(const RelayEose& message, std::string_view) {
  require(again<RelayEose>(frame("EOSE", {message.subscription})).subscription == message.subscription,
          "an EOSE means the same again");
}

void check(const RelayClosed& message, std::string_view) {
  check_text(message.message);
  const auto back = again<RelayClosed>(frame("CLOSED", {message.subscription, message.message}));
  require(back.subscription == message.subscription && back.message == message.message,
          "a CLOSED means the same again");
}

void check(const RelayNotice& message, std::string_view) {
  check_text(message.message);
  require(again<RelayNotice>(frame("NOTICE", {message.message})).message == message.message,
          "a NOTICE means the same again");
}

void check(const RelayAuth& message, std::string_view) {
  require(again<RelayAuth>(frame("AUTH", {message.challenge})).challenge == message.challenge,
          "an AUTH means the same again");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  require(clean_relay_text(clean_relay_text(text)) == clean_relay_text(text), "cleaning twice is cleaning once");
  const auto message = parse_relay_message(text);
  if (message) {
    std::visit([&](const auto& m) { check(m, text); }, *message);
    require(size == 0 || parse_relay_message(text, size - 1).error().code == "relay.too_large",
            "a frame beyond the limit is refused");
  } else {
    const std::string& code = message.error().code;
    require(code.starts_with("relay.") || code.starts_with("event."), "every refusal has its code");
  }
  return 0;
}
