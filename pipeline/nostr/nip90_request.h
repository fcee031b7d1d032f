// NIP-90 text jobs: what customers send (kind 5050), read liberally into the ledger's facts. nip90_ask.h writes it.
// Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/fact.h"
#include "pipeline/core/chat_message.h"
#include "pipeline/nostr/encryption.h"
#include "pipeline/nostr/event.h"
#include "pipeline/nostr/keys.h"

namespace nostr {

inline constexpr std::uint32_t kTextRequestKind = 5050;
inline constexpr std::uint32_t kFirstRequestKind = 5000;
inline constexpr std::uint32_t kLastRequestKind = 5999;
inline constexpr std::uint32_t kPingKind = 7007;

inline constexpr std::size_t kMaxReplyRelays = 8;
inline constexpr std::size_t kMaxTemplateParamBytes = 100;  // of a parameter that a template uses
inline constexpr std::size_t kMaxSources = 8;               // inputs of a request that are to be gathered
inline constexpr std::size_t kMaxSourceBytes = 2'048;       // of an input's URL

// The kinds of request that we serve: text generation, and those that have a template.
std::vector<std::uint32_t> served_kinds(std::span<const ledger::PromptTemplate> templates);

// What a verified event asks of us, or nothing when it is not ours: another kind, or its p tags name others only. `raw`
// is its text as it crossed the wire. `request` and `relay` are left for the caller. Inputs that the request only
// refers to (a URL, an event, another job) are listed in `sources`. A request that cannot be served as it stands has
// its `fault` set, with a message for the customer that says what would work.
std::optional<ledger::JobRequested> read_request(const Event& event, std::string_view raw, const PublicKey& us,
                                                 std::span<const ledger::PromptTemplate> templates = {});

bool is_encrypted(const Event& event);  // has a tag `encrypted`

// The request as its customer wrote it. An encrypted request has a tag `encrypted` and a content that its author
// encrypted to us; the tags inside that content are added to the event, whose content is then empty. Fails with
// "encryption.…", "nip04.…", "nip44.…", or with "request.encrypted" when what was encrypted is neither an array of tags
// nor chat messages (nip90_content.h).
struct OpenRequest {
  Event event;  // in clear text; its id and signature are those of the encrypted one
  Encryption form = Encryption::none;
};
Result<OpenRequest> open_request(const Event& request, const SecretKey& ours);

// As above, with encrypted requests opened.
std::optional<ledger::JobRequested> read_request(const Event& event, std::string_view raw, const SecretKey& ours,
                                                 std::span<const ledger::PromptTemplate> templates = {});

// Returns the conversation that a request asks to be continued. The `instruction` of its kind and the `system`
// parameter come first, in the role system. Each input follows, in the order of the tags. Its role is the one that its
// marker names (system, user, assistant), else user; any other marker becomes a label before the text ("label:\n…"). If
// no tag is an input, the content is read: as tags where it holds some (nip90_content.h), else as the prompt.
// Consecutive messages of one role are joined, with an empty line between them. An input of type url, event or job
// stands for the text that was gathered for it. `gathered` has these texts in the order of their inputs; inputs beyond
// its end are left out.
std::vector<core::ChatMessage> messages_of(const Event& request, std::span<const std::string> gathered = {},
                                           std::string_view instruction = {});

// The number of bytes of a conversation's messages, without their roles.
std::uint64_t prompt_bytes(std::span<const core::ChatMessage> messages);

// The number of tokens that we assume, and bill, before a backend has counted: one per four bytes of a message, rounded
// up, plus four per message.
std::uint64_t estimate_tokens(std::span<const core::ChatMessage> messages);

}  // namespace nostr
