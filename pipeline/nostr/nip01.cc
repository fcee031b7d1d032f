#include "pipeline/nostr/nip01.h"

#include <algorithm>
#include <array>

#include "pipeline/nostr/json.h"

namespace nostr {
namespace {

using base::ErrorKind;
using base::fail;
using Fault = JsonReader::Fault;

constexpr char kDelete = 0x7f;

std::string serialize(const Event& event, OtherControls others) {
  std::string out;
  out.reserve(event.content.size() + 256 * (event.tags.size() + 1));
  out.append("[0,\"").append(event.pubkey.hex()).append("\",");
  out.append(std::to_string(event.created_at)).append(",").append(std::to_string(event.kind)).append(",");
  append_json_tags(out, event.tags, others);
  out.push_back(',');
  append_json_string(out, event.content, others);
  out.push_back(']');
  return out;
}

bool is_disputed(char c) {
  return c == kDelete ||
         (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != '\b' && c != '\f');
}

bool has_disputed_controls(const Event& event) {
  const auto disputed = [](const std::string& text) { return nostr::has_disputed_controls(text); };
  return disputed(event.content) || std::any_of(event.tags.begin(), event.tags.end(), [&](const Tag& tag) {
           return std::any_of(tag.begin(), tag.end(), disputed);
         });
}

// ---- reading --------------------------------------------------------------------------------------------------------

constexpr std::array<std::string_view, 7> kFields = {"id", "pubkey", "created_at", "kind", "tags", "content", "sig"};
constexpr unsigned kAllFields = (1U << kFields.size()) - 1;

auto refuse_event(std::string code, std::string message) {
  return fail(ErrorKind::job_request, std::move(code), std::move(message));
}

auto refuse_event(Fault fault, std::string_view where) {
  const std::string place(where);
  switch (fault) {
    case Fault::utf8:
      return refuse_event("event.utf8", place + " is not valid UTF-8");
    case Fault::depth:
      return refuse_event("event.depth", place + " is nested too deep");
    case Fault::type:
      return refuse_event("event.type", place + " has the wrong JSON type");
    default:
      return refuse_event("event.syntax", place + " is not valid JSON");
  }
}

template <std::size_t N, class Tag>
bool lower_hex(const std::string& text, base::FixedBytes<N, Tag>& out) {
  if (std::any_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'F'; })) return false;
  const auto value = base::FixedBytes<N, Tag>::from_hex(text);
  if (value) out = *value;
  return value.has_value();
}

class EventParser {
 public:
  explicit EventParser(std::string_view text) : reader_(text) {}

  Result<Event> parse() {
    unsigned seen = 0;
    for (bool more = reader_.begin('{'); more; more = reader_.next('}')) {
      if (!reader_.name(text_)) return refuse_event(reader_.fault(), "the event");
      const auto field = static_cast<std::size_t>(std::find(kFields.begin(), kFields.end(), text_) - kFields.begin());
      if (field == kFields.size()) {
        if (!reader_.skip()) return refuse_event(reader_.fault(), "an unknown field of the event");
        continue;
      }
      if ((seen >> field & 1) != 0) return refuse_event("event.repeated_field", quoted(field) + " stands there twice");
      seen |= 1U << field;
      if (auto good = read(field); !good) return tl::unexpected(good.error());
    }
    if (!reader_.end()) return refuse_event(reader_.fault(), "the event");
    if (seen != kAllFields) return refuse_event("event.missing_field", missing(seen) + " is missing");
    return std::move(event_);
  }

 private:
  static std::string quoted(std::size_t field) { return "the event's " + std::string(kFields[field]); }

  static std::string missing(unsigned seen) {
    std::size_t field = 0;
    while ((seen >> field & 1) != 0) ++field;
    return quoted(field);
  }

  Result<void> read(std::size_t field) {
    switch (field) {
      case 0:
        return read_hex(field, event_.id);
      case 1:
        return read_hex(field, event_.pubkey);
      case 2:
        return read_created_at();
      case 3:
        return read_kind();
      case 4:
        return read_tags();
      case 5:
        return reader_.string(event_.content) ? Result<void>{} : refuse_event(reader_.fault(), quoted(field));
      default:
        return read_hex(field, event_.sig);
    }
  }

  template <class Bytes>
  Result<void> read_hex(std::size_t field, Bytes& out) {
    if (!reader_.string(text_)) return refuse_event(reader_.fault(), quoted(field));
    if (lower_hex(text_, out)) return {};
    return refuse_event("event.hex",
                        quoted(field) + " is not " + std::to_string(2 * Bytes::kSize) + " lower-case hex digits");
  }

  Result<void> read_created_at() {
    if (!reader_.integer(event_.created_at)) return refuse_event(reader_.fault(), "the event's created_at");
    if (event_.created_at >= 0 && event_.created_at <= kMaxCreatedAtS) return {};
    return refuse_event("event.created_at", "the event's created_at is no time in seconds between 1970 and 9999");
  }

  Result<void> read_kind() {
    std::int64_t kind = 0;
    if (!reader_.integer(kind)) return refuse_event(reader_.fault(), "the event's kind");
    if (kind < 0 || kind > kMaxKind) return refuse_event("event.kind", "the event's kind is not between 0 and 65535");
    event_.kind = static_cast<std::uint32_t>(kind);
    return {};
  }

  Result<void> read_tags() {
    if (reader_.tags(event_.tags, kMaxTags)) return {};
    if (reader_.fault() == Fault::utf8 || reader_.fault() == Fault::syntax)
      return refuse_event(reader_.fault(), "the event's tags");
    return refuse_event("event.tags", "the event's tags are not at most 2000 lists of strings");
  }

  JsonReader reader_;
  Event event_;
  std::string text_;
};

}  // namespace

std::string canonical(const Event& event) {
  return serialize(event, OtherControls::verbatim);
}

EventId compute_id(const Event& event) {
  return EventId{base::sha256(canonical(event)).bytes};
}

Event sign(Unsigned unsigned_event, const SecretKey& key, const AuxRandom& aux) {
  Event event{.pubkey = key.public_key(),
              .created_at = unsigned_event.created_at_s,
              .kind = unsigned_event.kind,
              .tags = std::move(unsigned_event.tags),
              .content = std::move(unsigned_event.content)};
  event.id = compute_id(event);
  event.sig = key.sign(event.id.view(), aux);
  return event;
}

std::string to_json(const Event& event) {
  std::string out;
  out.reserve(event.content.size() + 256 * (event.tags.size() + 2));
  out.append("{\"id\":\"").append(event.id.hex());
  out.append("\",\"pubkey\":\"").append(event.pubkey.hex());
  out.append("\",\"created_at\":").append(std::to_string(event.created_at));
  out.append(",\"kind\":").append(std::to_string(event.kind));
  out.append(",\"tags\":");
  append_json_tags(out, event.tags);
  out.append(",\"content\":");
  append_json_string(out, event.content);
  out.append(",\"sig\":\"").append(event.sig.hex()).append("\"}");
  return out;
}

std::string tags_to_json(const std::vector<Tag>& tags) {
  std::string out;
  append_json_tags(out, tags);
  return out;
}

Result<std::vector<Tag>> tags_from_json(std::string_view text) {
  JsonReader reader(text);
  std::vector<Tag> tags;
  if (!reader.tags(tags, kMaxTags) || !reader.end())
    return refuse_event("event.tags", "these are not the tags of an event");
  return tags;
}

Result<Event> parse_event(std::string_view text, std::size_t max_bytes) {
  if (text.size() > max_bytes) {
    return refuse_event("event.too_large", "the event is larger than " + std::to_string(max_bytes) + " bytes");
  }
  return EventParser(text).parse();
}

bool id_matches(const Event& event) {
  if (compute_id(event) == event.id) return true;
  return has_disputed_controls(event) && base::sha256(serialize(event, OtherControls::escaped)).bytes == event.id.bytes;
}

bool signature_matches(const Event& event) {
  return verify_signature(event.pubkey, event.id.view(), event.sig);
}

Result<void> verify(const Event& event) {
  if (!id_matches(event)) return refuse_event("event.id_mismatch", "the event's id is not the hash of what it says");
  if (!signature_matches(event)) return refuse_event("event.signature", "the event's signature is not by its pubkey");
  return {};
}

bool has_disputed_controls(std::string_view text) {
  return std::any_of(text.begin(), text.end(), is_disputed);
}

std::string without_disputed_controls(std::string text) {
  if (!has_disputed_controls(text)) return text;
  std::string out;
  out.reserve(text.size() + 16);
  for (const char c : text) {
    if (is_disputed(c)) {
      out.append("\xef\xbf\xbd");
    } else {
      out.push_back(c);
    }
  }
  return out;
}

std::string with_escaped_delete(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (const char c : json) {
    if (c == kDelete) {
      out.append("\\u007f");
    } else {
      out.push_back(c);
    }
  }
  return out;
}

}  // namespace nostr
