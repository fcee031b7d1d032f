#include "pipeline/nostr/messages.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "base/ascii.h"
#include "base/utf8.h"
#include "pipeline/nostr/json.h"

namespace nostr {
namespace {

using base::ErrorKind;
using base::fail;
using base::is_utf8;
using base::utf8_prefix;

// ---- what we say ----------------------------------------------------------------------------------------------------

// Members of an object or elements of a list, with commas between them.
class List {
 public:
  List(std::string& out, char open) : out_(out) { out_.push_back(open); }
  std::string& next() {
    if (!first_) out_.push_back(',');
    first_ = false;
    return out_;
  }
  std::string& member(std::string_view name) {
    append_json_string(next(), name);
    out_.push_back(':');
    return out_;
  }

 private:
  std::string& out_;
  bool first_ = true;
};

template <class Values, class Append>
void append_member(List& object, std::string_view name, const Values& values, Append append) {
  if (values.empty()) return;
  std::string& out = object.member(name);
  List array(out, '[');
  for (const auto& value : values) append(array.next(), value);
  out.push_back(']');
}

void append_quoted(std::string& out, std::string_view text) {
  append_json_string(out, text);
}

std::string message(std::string_view type, std::string_view json) {
  std::string out;
  out.reserve(json.size() + 16);
  out.append("[\"").append(type).append("\",").append(json).append("]");
  return out;
}

// ---- what a relay says ----------------------------------------------------------------------------------------------

auto malformed(const std::string& what) {
  return fail(ErrorKind::connection, "relay.malformed", "the relay sent " + what);
}

// Closes the message's array; elements that a later version added are passed over.
bool finish(JsonReader& reader) {
  while (reader.next(']')) {
    if (!reader.skip()) return false;
  }
  return reader.end();
}

bool next_string(JsonReader& reader, std::string& out) {
  return reader.next(']') && reader.string(out);
}

bool next_text(JsonReader& reader, std::string& out) {
  if (!next_string(reader, out)) return false;
  out = clean_relay_text(out);
  return true;
}

Result<RelayMessage> parse_event_message(JsonReader& reader) {
  RelayEvent out;
  if (!next_string(reader, out.subscription) || !reader.next(']')) {
    return malformed("an EVENT that is not [\"EVENT\", subscription, event]");
  }
  // The author of the event is at fault here, not the relay.
  if (!reader.raw(out.raw) || !finish(reader)) {
    return fail(ErrorKind::connection, "event.malformed", "the relay sent an event that nobody can read");
  }
  auto event = parse_event(out.raw);
  if (!event) return tl::unexpected(event.error());
  out.event = std::move(*event);
  return out;
}

Result<RelayMessage> parse_ok(JsonReader& reader) {
  RelayOk out;
  std::string id;
  if (!next_string(reader, id) || !reader.next(']') || !reader.boolean(out.accepted)) {
    return malformed("an OK that is not [\"OK\", id, true or false, message]");
  }
  const auto event = EventId::from_hex(id);
  if (!event) return malformed("an OK for something that is no event id");
  out.event = *event;
  if (reader.next(']')) {  // some relays leave the message out
    if (!reader.string(out.message) || !finish(reader)) return malformed("an OK whose message is no text");
    out.message = clean_relay_text(out.message);
  } else if (!reader.end()) {
    return malformed("an OK with something behind it");
  }
  return out;
}

Result<RelayMessage> parse_closed(JsonReader& reader) {
  RelayClosed out;
  if (!next_string(reader, out.subscription)) return malformed("a CLOSED that names no subscription");
  if (reader.next(']')) {  // some relays leave the message out
    if (!reader.string(out.message) || !finish(reader)) return malformed("a CLOSED whose message is no text");
    out.message = clean_relay_text(out.message);
  } else if (!reader.end()) {
    return malformed("a CLOSED with something behind it");
  }
  return out;
}

// ---- what a refusal means -------------------------------------------------------------------------------------------

constexpr std::string_view kFinalWords[] = {"auth-required", "blocked", "invalid", "mute", "restricted"};
constexpr std::string_view kMachineWords[] = {"auth-required", "blocked", "duplicate",    "error",     "invalid",
                                              "mute",          "pow",     "rate-limited", "restricted"};
constexpr std::string_view kTooLong = "not sent: this relay takes at most ";
constexpr unsigned kMaxDifficulty = 256;  // bits of an id

}  // namespace

std::string to_json(const Filter& filter) {
  std::string out;
  List object(out, '{');
  const auto append_hex = [](std::string& to, const auto& value) { to.append("\"").append(value.hex()).append("\""); };
  append_member(object, "ids", filter.ids, append_hex);
  append_member(object, "authors", filter.authors, append_hex);
  append_member(object, "kinds", filter.kinds, [](std::string& to, auto kind) { to.append(std::to_string(kind)); });
  for (const auto& [letter, values] : filter.tags) {
    append_member(object, std::string{'#', letter}, values, append_quoted);
  }
  if (filter.since_s) object.member("since").append(std::to_string(*filter.since_s));
  if (filter.until_s) object.member("until").append(std::to_string(*filter.until_s));
  if (filter.limit) object.member("limit").append(std::to_string(*filter.limit));
  out.push_back('}');
  return out;
}

std::string event_message(std::string_view event_json) {
  return message("EVENT", event_json);
}
std::string auth_message(std::string_view event_json) {
  return message("AUTH", event_json);
}

std::string req_message(std::string_view subscription, std::span<const Filter> filters) {
  std::string arguments;
  append_json_string(arguments, subscription);
  for (const Filter& filter : filters) arguments.append(",").append(to_json(filter));
  return message("REQ", arguments);
}

std::string close_message(std::string_view subscription) {
  std::string argument;
  append_json_string(argument, subscription);
  return message("CLOSE", argument);
}

Result<RelayMessage> parse_relay_message(std::string_view frame, std::size_t max_bytes) {
  if (frame.size() > max_bytes) {
    return fail(ErrorKind::connection, "relay.too_large",
                "the relay sent a frame of more than " + std::to_string(max_bytes) + " bytes");
  }
  JsonReader reader(frame);
  std::string type;
  if (!reader.begin('[') || !reader.string(type)) return malformed("what is no list that starts with a type");
  if (type == "EVENT") return parse_event_message(reader);
  if (type == "OK") return parse_ok(reader);
  if (type == "CLOSED") return parse_closed(reader);
  std::string argument;
  if (type == "EOSE") {
    if (next_string(reader, argument) && finish(reader)) return RelayEose{argument};
  } else if (type == "NOTICE") {
    if (next_text(reader, argument) && finish(reader)) return RelayNotice{argument};
  } else if (type == "AUTH") {
    if (next_string(reader, argument) && finish(reader)) return RelayAuth{argument};
  } else {
    return fail(ErrorKind::connection, "relay.unknown_message",
                "the relay sent a message of a type that we do not know");
  }
  return malformed("a " + type + " that is not [\"" + type + "\", text]");
}

std::string clean_relay_text(std::string_view text) {
  if (!is_utf8(text)) return "(no UTF-8)";
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool c1 = byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (c1) ++i;
    out += c1 || byte < 0x20 || byte == 0x7f ? ' ' : text[i];
  }
  out.resize(utf8_prefix(out, kMaxRelayTextBytes).size());
  return out;
}

std::string_view machine_word(std::string_view message) {
  static constexpr std::string_view kStrfryPrefix = "ERROR: ";
  if (message.starts_with(kStrfryPrefix)) message.remove_prefix(kStrfryPrefix.size());
  const std::string_view word = message.substr(0, message.find(':'));
  if (word.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") != std::string_view::npos) return {};
  const bool has_colon = word.size() < message.size();
  return has_colon || std::ranges::find(kMachineWords, word) != std::end(kMachineWords) ? word : std::string_view{};
}

bool refuses_filter(std::string_view message) {
  static constexpr std::string_view kWords[] = {"blocked", "invalid", "restricted", "unsupported"};
  const std::string_view word = machine_word(message);
  if (word == "auth-required" || word == "rate-limited") return false;
  if (std::ranges::find(kWords, word) != std::end(kWords)) return true;
  const std::string text = base::lower(message);
  return text.find("filter") != std::string::npos || text.find("bad req") != std::string::npos;
}

Rejection rejection(std::string_view message) {
  const std::string_view word = machine_word(message);
  if (word == "rate-limited") return Rejection::too_fast;
  if (word == "pow") return Rejection::needs_work;
  const bool final = std::ranges::find(kFinalWords, word) != std::end(kFinalWords);
  return final || message.starts_with(kTooLong) ? Rejection::for_good : Rejection::passing;
}

std::optional<unsigned> work_asked(std::string_view message) {
  std::optional<unsigned> most;
  const auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  for (auto begin = message.begin(); begin != message.end();) {
    begin = std::find_if(begin, message.end(), is_word);
    const auto end = std::find_if_not(begin, message.end(), is_word);
    unsigned number = 0;
    const auto [stop, error] = std::from_chars(begin, end, number);
    if (error == std::errc() && stop == end && number <= kMaxDifficulty) most = std::max(most.value_or(0), number);
    begin = end;
  }
  return most;
}

std::string too_long_for_relay(std::size_t max_bytes) {
  return std::string(kTooLong) + std::to_string(max_bytes) + " bytes";
}

}  // namespace nostr
