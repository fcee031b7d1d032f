#include "pipeline/nostr/profile.h"

#include <algorithm>

#include "pipeline/nostr/json.h"
#include "pipeline/nostr/nip01.h"

namespace nostr {
namespace {

struct Member {
  std::string name;
  std::string value;  // JSON, as it stands
  bool operator==(const Member&) const = default;
};

std::optional<std::vector<Member>> members_of(std::string_view content) {
  JsonReader reader(content);
  std::vector<Member> out;
  for (bool more = reader.begin('{'); more; more = reader.next('}')) {
    Member member;
    std::string_view value;
    if (!reader.name(member.name) || !reader.raw(value)) return std::nullopt;
    member.value = value;
    out.push_back(std::move(member));
  }
  return reader.end() ? std::optional(out) : std::nullopt;
}

std::string in_json(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

// The text that a JSON value stands for, however it is escaped; nothing if it is no text.
std::optional<std::string> text_of(std::string_view value) {
  JsonReader reader(value);
  std::string text;
  return reader.string(text) ? std::optional(text) : std::nullopt;
}

void say(std::vector<Member>& members, std::string_view name, const std::string& text) {
  if (text.empty()) return;
  const auto known = std::ranges::find(members, name, &Member::name);
  if (known == members.end()) {
    members.push_back({std::string(name), in_json(text)});
  } else if (text_of(known->value) != text) {
    known->value = in_json(text);
  }
}

std::string content_of(const std::vector<Member>& members) {
  std::string out = "{";
  for (const Member& member : members) {
    out += (out.size() == 1 ? "" : ",") + in_json(member.name) + ":" + member.value;
  }
  return with_escaped_delete(out + "}");
}

}  // namespace

std::optional<Unsigned> updated_profile(const Profile& ours, const Event* existing) {
  const auto before = existing ? members_of(existing->content) : std::nullopt;
  std::vector<Member> members = before.value_or(std::vector<Member>());
  say(members, "name", ours.name);
  say(members, "about", ours.about);
  say(members, "picture", ours.picture);
  say(members, "lud16", ours.lud16);
  if (ours.says_nothing() || members == before) return std::nullopt;
  return Unsigned{
      .kind = kProfileKind, .tags = existing ? existing->tags : std::vector<Tag>(), .content = content_of(members)};
}

}  // namespace nostr
