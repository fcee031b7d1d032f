// JSON that stands for tags, which some clients write into the unencrypted content of a request, where others write the
// prompt. Pure.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "pipeline/nostr/event.h"

namespace nostr::nip90 {

// Whether the tag says what is asked: an input, a parameter, an output or a bid. Whom a request asks and where answers
// go is said by its own tags only.
bool is_question_tag(const Tag& tag);

// The tags that the content stands for, in one of two forms; nothing when it is any other text, other JSON too: then it
// is the prompt itself.
//   [["i","A haiku on rivers","text"],["param","max_tokens","40"]]   as an encrypted content holds them (NIP-90). Every
//       tag of it is a question tag.
//   {"messages":[{"role":"user","content":"A haiku on rivers"}],"max_tokens":40}   as to an OpenAI-style server. Each
//       message is a text of the role system (or developer), user or assistant; the last is the user's and is
//       not blank. Each message becomes an input with its role, each other member with a plain value a parameter.
std::optional<std::vector<Tag>> tags_in_content(std::string_view content);

}  // namespace nostr::nip90
