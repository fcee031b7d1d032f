// NIP-90 text jobs: the answers of a provider (kinds 6050 and 7000). Writes them for the provider, stores them without
// what the ledger already has, and reads them liberally for customers. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/fact.h"
#include "pipeline/nostr/event.h"
#include "pipeline/nostr/keys.h"
#include "pipeline/nostr/nip90_request.h"

namespace nostr {

constexpr std::uint32_t result_kind(std::uint32_t request_kind) {
  return request_kind + 1000;
}
constexpr bool is_result_kind(std::uint32_t kind) {
  return kind >= result_kind(kFirstRequestKind) && kind <= result_kind(kLastRequestKind);
}
inline constexpr std::uint32_t kTextResultKind = result_kind(kTextRequestKind);
inline constexpr std::uint32_t kFeedbackKind = 7000;

inline constexpr std::size_t kMaxResultEventBytes = 60 * 1024;  // relays refuse more than 64 KiB
inline constexpr std::size_t kMaxStatusTextBytes = 1024;        // of what a 7000 says to a person

// ---- written --------------------------------------------------------------------------------------------------------

// The words of a 7000's status tag that NIP-90 knows.
// `pong` is not NIP-90's: it answers a ping, a kind 7007.
enum class Status { payment_required, processing, error, success, partial, pong };
std::string_view wire_name(Status status);  // "payment-required"

// The payment that an answer asks for.
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

// The content, before encryption, of a 7000 for an encrypted job: a JSON array with the status tag and its text, which
// is where NDK and others look for it. (The content of a partial result is the text so far, encrypted without such an
// array.)
std::string hidden_status(Status status, std::string text);

// A 7000. `text` says why, for a person: cut at kMaxStatusTextBytes, disputed control characters replaced (nip01.h).
Unsigned feedback(const RequestRef& about, Status status, std::string text, const std::optional<Bill>& bill,
                  std::int64_t created_at_s, std::string content = {});

// The 6050. For an encrypted request `content` is encrypted by the caller, and no input is copied. `request` and `raw`
// are the request and its text as it crossed the wire, quoted verbatim except for U+007F, which becomes its
// escape. Inputs of at most kMaxTagValueBytes are copied as far as the event stays within kMaxResultEventBytes.
// `content` must be UTF-8 without disputed control characters.
Unsigned result(const Event& request, std::string_view raw, std::string relay_hint, std::string content,
                const std::optional<Bill>& bill, std::int64_t created_at_s);

// The largest size of the 6050 for this request if the answer takes `content_json_bytes` as a JSON string. Includes the
// quoted request, ids, invoice and the other tags. Used for admission, and to cut an answer that grows too long.
std::size_t result_event_bytes(std::string_view raw, std::size_t content_json_bytes);

// ---- kept -----------------------------------------------------------------------------------------------------------

// The tags as the ledger keeps them: JSON, with the request tag's value left out, because the request is kept already.
std::string stored_tags(std::vector<Tag> tags);

// The signed event of a notice from its fact and its texts. Fails with "notice.tags" or, when the texts do not give the
// id that was signed, with "notice.id_mismatch".
Result<Event> rebuild_notice(const ledger::NoticeSigned& notice, const PublicKey& provider, std::string content,
                             std::string_view tags_json, std::string_view request_json);

// ---- read -----------------------------------------------------------------------------------------------------------

// The contents of a provider's 6050 or 7000. Members for which the event has nothing are empty.
struct Answer {
  EventId request;
  PublicKey provider;
  bool is_result = false;       // a 6050
  std::string status;           // the word as it stands; "success" for a result without one
  std::optional<Status> known;  // when it is one of the words of Status
  std::string text;             // what it says to a person
  std::optional<base::Msat> amount;
  std::string bolt11;  // empty: none
  std::string content;
  bool encrypted = false;
};

// Nothing for other kinds, and for an answer that names no request (its first e tag, or the id in its request tag).
std::optional<Answer> read_answer(const Event& event);
// The same, but decrypts what is encrypted for us. An answer that cannot be decrypted is returned as it stands, with
// `encrypted` set.
std::optional<Answer> read_answer(const Event& event, const SecretKey& ours);

}  // namespace nostr
