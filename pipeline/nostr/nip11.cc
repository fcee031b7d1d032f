#include "pipeline/nostr/nip11.h"

#include <utility>

#include "base/utf8.h"
#include "pipeline/nostr/json.h"

namespace nostr {
namespace {

using base::utf8_prefix;

struct Limit {
  std::string_view name;
  std::optional<std::int64_t> RelayInfo::*field;
};
constexpr Limit kLimits[] = {{"max_message_length", &RelayInfo::max_message_length},
                             {"max_content_length", &RelayInfo::max_content_length},
                             {"max_event_tags", &RelayInfo::max_event_tags},
                             {"max_limit", &RelayInfo::max_limit},
                             {"min_pow_difficulty", &RelayInfo::min_pow_difficulty},
                             {"created_at_lower_limit", &RelayInfo::created_at_lower_limit},
                             {"created_at_upper_limit", &RelayInfo::created_at_upper_limit}};

struct Flag {
  std::string_view name;
  bool RelayInfo::*field;
};
constexpr Flag kFlags[] = {{"auth_required", &RelayInfo::auth_required},
                           {"payment_required", &RelayInfo::payment_required},
                           {"restricted_writes", &RelayInfo::restricted_writes}};

void read_text(std::string_view value, std::string& out) {
  std::string text;
  if (JsonReader(value).string(text)) out = utf8_prefix(text, kMaxRelayNameBytes);
}

void read_limitation(std::string_view name, std::string_view value, RelayInfo& info) {
  for (const Limit& limit : kLimits) {
    std::int64_t number = 0;
    if (name == limit.name && JsonReader(value).integer(number) && number >= 0) info.*limit.field = number;
  }
  for (const Flag& flag : kFlags) {
    bool set = false;
    if (name == flag.name && JsonReader(value).boolean(set)) info.*flag.field = set;
  }
}

// Calls `visit` with each member of an object and the text of its value; false if it is none.
template <class Visit>
bool for_each_member(std::string_view json, Visit visit) {
  JsonReader reader(json);
  std::string name;
  std::string_view value;
  for (bool more = reader.begin('{'); more; more = reader.next('}')) {
    if (reader.name(name) && reader.raw(value)) visit(name, value);
  }
  return reader.end();
}

}  // namespace

base::Result<RelayInfo> parse_relay_info(std::string_view document) {
  const auto refuse = [](const char* code, const char* message) {
    return base::fail(base::ErrorKind::connection, code, message, {}, "its limits are learnt from its answers instead");
  };
  if (document.size() > kMaxRelayInfoBytes) return refuse("nip11.too_large", "the relay says too much of itself");
  RelayInfo info;
  const bool is_object = for_each_member(document, [&](const std::string& name, std::string_view value) {
    if (name == "name") read_text(value, info.name);
    if (name == "software") read_text(value, info.software);
    if (name == "limitation") {
      for_each_member(value, [&](const auto& limit, std::string_view given) { read_limitation(limit, given, info); });
    }
  });
  if (!is_object) return refuse("nip11.malformed", "what the relay says of itself is no JSON object");
  return info;
}

}  // namespace nostr
