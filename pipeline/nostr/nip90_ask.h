// NIP-90 text jobs as a customer asks for them: the request (kind 5050), and the deletion that cancels it (NIP-09).
// nip90_request.h reads them. Pure: randomness is an argument.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ledger/vocabulary.h"
#include "pipeline/nostr/encryption.h"
#include "pipeline/nostr/event.h"
#include "pipeline/nostr/keys.h"

namespace nostr {

inline constexpr std::size_t kMaxQuestionBytes = 48 * 1024;  // of all inputs
inline constexpr std::size_t kMaxInputs = 32;

// What an input holds: the text itself, or where the provider finds it.
enum class InputType : std::uint8_t { text, url, event, job };
std::string_view name(InputType type);  // NIP-90's: "url"

struct Input {
  InputType type = InputType::text;
  std::string data;   // the text, the address, or the id in hex
  std::string relay;  // where the event, or the job's result, can be found; empty: the first of the question's relays
  bool operator==(const Input&) const = default;
};

// Whether a text can be an input; `what` is its name in the message. Fails with "request.prompt" when it is empty,
// longer than kMaxQuestionBytes or no UTF-8.
Result<void> check_text(const std::string& what, std::string_view text);

// What a person types for an input that the provider fetches: an address over http(s), or an id in hex, as note or as
// nevent, optionally followed by "@" and a relay ("note1…@wss://relay.one"; otherwise a nevent's own relay counts).
// `type` is not text. Fails with "request.input"; the message begins with the type's name.
Result<Input> parse_source(InputType type, std::string_view typed);

struct Question {
  std::vector<Input> inputs;                                // in the order in which they are read
  std::optional<PublicKey> provider;                        // absent: the whole market is asked
  std::vector<std::string> relays;                          // where it is published and answers are expected
  std::vector<std::pair<std::string, std::string>> params;  // by NIP-90's names: {"max_tokens", "200"}
  std::string output;                                       // a MIME type; empty: the provider's choice
  std::optional<base::Msat> bid;
  Encryption encryption = Encryption::none;  // any other form requires `provider`
};

// The signed request. Encrypted, with `nonce`, it hides inputs and parameters (NIP-90). Otherwise inputs are i tags. If
// one is longer than kMaxTagValueBytes, relays would refuse it as a tag, so all inputs go into the content: as plain
// texts, or as the i tags in JSON if one of them is not a text (nip90_content.h reads both). Fails with
// "request.prompt" when there is no input, when check_text() refuses one, when there are more than kMaxInputs or they
// have more than kMaxQuestionBytes together, and when the signed event has more than kMaxSentEventBytes; and as
// encrypt() does.
Result<Event> to_request(const Question& question, const SecretKey& key, base::TimeMs now, const Nip44Nonce& nonce,
                         const AuxRandom& aux);

// The signed kind 5 that cancels a request of this key (NIP-09). It names the provider, if one was asked: some relays
// let a subscriber read only events that name it.
Event to_cancellation(const EventId& request, const std::optional<PublicKey>& provider, const SecretKey& key,
                      base::TimeMs now, const AuxRandom& aux);

}  // namespace nostr
