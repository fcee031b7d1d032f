// NIP-90 text jobs: the one codec between what customers send (kind 5050), what we answer (6050 and 7000), and
// the ledger's facts. Requests are read liberally, answers are written exactly. Pure.
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
#include "pipeline/nostr/nip01.h"

namespace nostr {

inline constexpr std::uint32_t kTextRequestKind = 5050;
inline constexpr std::uint32_t kFirstRequestKind = 5000;
inline constexpr std::uint32_t kLastRequestKind = 5999;
constexpr std::uint32_t result_kind(std::uint32_t request_kind) {
  return request_kind + 1000;
}
inline constexpr std::uint32_t kTextResultKind = result_kind(kTextRequestKind);
inline constexpr std::uint32_t kFeedbackKind = 7000;
inline constexpr std::uint32_t kPingKind = 7007;

inline constexpr std::size_t kMaxReplyRelays = 8;
inline constexpr std::size_t kMaxTemplateParamBytes = 100;      // of a parameter that a template uses
inline constexpr std::size_t kMaxSources = 8;                   // inputs of a request that are to be gathered
inline constexpr std::size_t kMaxSourceBytes = 2'048;           // of an input's URL
inline constexpr std::size_t kMaxResultEventBytes = 60 * 1024;  // relays refuse more than 64 KiB
inline constexpr std::size_t kMaxStatusTextBytes = 1024;        // of what a 7000 says to a person

// ---- requests -------------------------------------------------------------------------------------------------------

// The kinds of request that we serve: text generation, and those that have a template.
std::vector<std::uint32_t> served_kinds(std::span<const ledger::PromptTemplate> templates);

// What a verified event asks of us, or nothing when it is not ours: another kind, or its p tags name others only. `raw`
// is its text as it crossed the wire. `request` and `relay` are left for the caller. Inputs that are not in the request
// are noted as its `sources`. A request that cannot be served as it stands has its `fault` set, with a message for the
// customer that says what would work.
std::optional<ledger::JobRequested> read_request(const Event& event, std::string_view raw, const PublicKey& us,
                                                 std::span<const ledger::PromptTemplate> templates = {});

bool is_encrypted(const Event& event);  // has the tag

// The request as its customer wrote it. Of an encrypted one (the tag `encrypted`, and a content that is encrypted
// between its author and us), the tags within are read in the place of the content. Fails with "encryption.…",
// "nip04.…", "nip44.…", or with "request.encrypted" when what was encrypted is no JSON array of tags.
struct OpenRequest {
  Event event;  // in clear text; its id and signature are those of the encrypted one
  Encryption form = Encryption::none;
};
Result<OpenRequest> open_request(const Event& request, const SecretKey& ours);

// As above, with encrypted requests opened.
std::optional<ledger::JobRequested> read_request(const Event& event, std::string_view raw, const SecretKey& ours,
                                                 std::span<const ledger::PromptTemplate> templates = {});

// The conversation that a request stands for. First, as the system's words, the `instruction` of its kind and the
// `system` parameter; then each input in the order of its tag, as
// the role that its marker names (system, user, assistant), else as the user's, with any other marker as a label before
// it
// ("label:\n…"); the content when no tag is an input. Neighbours of one role are one message, with an empty line
// between them. An input of the types url, event and job is the text that was gathered for it, `gathered` having them
// in the order of their inputs; those beyond its end are left out.
std::vector<core::ChatMessage> messages_of(const Event& request, std::span<const std::string> gathered = {},
                                           std::string_view instruction = {});

// What a conversation says, without roles.
std::uint64_t prompt_bytes(std::span<const core::ChatMessage> messages);

// What we estimate, and bill, before a backend has counted: a token for every four bytes, rounded up, and four a
// message.
std::uint64_t estimate_tokens(std::span<const core::ChatMessage> messages);

// ---- answers, written -----------------------------------------------------------------------------------------------

// The words of a 7000's status tag that NIP-90 knows.
// `pong` is not NIP-90's: it answers a ping, a kind 7007.
enum class Status { payment_required, processing, error, success, partial, pong };
std::string_view wire_name(Status status);  // "payment-required"

// What an answer asks for.
struct Bill {
  base::Msat amount;
  std::string bolt11;  // empty: an amount without an invoice
};

// Which request an answer is about.
struct RequestRef {
  EventId id;
  PublicKey customer;
  std::string relay;       // a hint where the request can be found; may be empty
  bool encrypted = false;  // then the answer's content is encrypted by the caller
};

// What the content of a 7000 hides about an encrypted job: the status tag with its words, as a JSON array of tags, the
// form in which NDK and others look for it. (A partial's content is the text so far, encrypted as it would stand.)
std::string hidden_status(Status status, std::string text);

// A 7000. `text` says why, for a person: cut at kMaxStatusTextBytes, disputed control characters replaced (nip01.h).
Unsigned feedback(const RequestRef& about, Status status, std::string text, const std::optional<Bill>& bill,
                  std::int64_t created_at_s, std::string content = {});

// The 6050. For an encrypted request `content` is encrypted by the caller, and no input is copied. `request` and `raw`
// are the request and its text as it crossed the wire, quoted verbatim. Inputs are copied as far as the event stays
// within kMaxResultEventBytes. `content` must be UTF-8 without disputed control characters.
Unsigned result(const Event& request, std::string_view raw, std::string relay_hint, std::string content,
                const std::optional<Bill>& bill, std::int64_t created_at_s);

// The most bytes that the 6050 for this request takes when the answer has this many bytes inside a JSON string: for
// admission, and for cutting an answer that grows too long. Counts the request quoted, ids, invoice and the other tags.
std::size_t result_event_bytes(std::string_view raw, std::size_t content_json_bytes);

// The bytes of a text inside a JSON string, without its quotation marks.
std::size_t json_string_bytes(std::string_view text);

// ---- answers, kept --------------------------------------------------------------------------------------------------

// The tags as the ledger keeps them: JSON, with the request tag's value left out, because the request is kept already.
std::string stored_tags(std::vector<Tag> tags);

// The signed event of a notice from its fact and its texts. Fails with "notice.tags" or, when the texts do not give the
// id that was signed, with "notice.id_mismatch".
Result<Event> rebuild_notice(const ledger::NoticeSigned& notice, const PublicKey& provider, std::string content,
                             std::string_view tags_json, std::string_view request_json);

// ---- answers, read --------------------------------------------------------------------------------------------------

// What a provider's 6050 or 7000 says, as far as it says it.
struct Answer {
  EventId request;
  PublicKey provider;
  bool is_result = false;       // a 6050
  std::string status;           // the word as it stands; "success" for a result without one
  std::optional<Status> known;  // when it is one of NIP-90's
  std::string text;             // what it says to a person
  std::optional<base::Msat> amount;
  std::string bolt11;  // empty: none
  std::string content;
  bool encrypted = false;
};

// Nothing for other kinds, and for an answer that names no request (its first e tag, or the id in its request tag).
std::optional<Answer> read_answer(const Event& event);
// The same, with what is encrypted for us opened. What cannot be opened stays as it is, and `encrypted`.
std::optional<Answer> read_answer(const Event& event, const SecretKey& ours);

}  // namespace nostr
