// The input is the bech32 text of a key or an id. It is read as it stands and once more with a good checksum.
#include "pipeline/nostr/nip19.h"

#include "tests/fuzz/bech32_input.h"
#include "tests/fuzz/fuzz.h"

namespace {

using fuzz::require;
using namespace base;
using namespace nostr;

void check_bech32(std::string_view text) {
  const auto decoded = decode_bech32(text, kMaxNip19Chars);
  if (!decoded) return;
  const std::string lower = fuzz::lower(text);
  require(encode_bech32(decoded->prefix, decoded->groups) == lower, "a text that is read is written as it was");
  const auto upper = decode_bech32(fuzz::upper(text), kMaxNip19Chars);
  require(upper && upper->prefix == decoded->prefix && upper->groups == decoded->groups,
          "upper and lower case say the same");
  require(!decode_bech32(fuzz::with_a_typo(lower), kMaxNip19Chars), "one wrong character is noticed");
}

// A fixed value has one text only.
template <class Value, class Encode>
void check_fixed(std::string_view text, const Result<Value>& value, Encode encode) {
  if (value) require(encode(*value) == fuzz::lower(text), "what is read is written as it was");
}

template <class Value, class Encode, class Decode>
void check_records(const Result<Value>& value, Encode encode, Decode decode) {
  if (!value) return;
  const auto again = decode(encode(*value));
  require(again.has_value() && *again == *value, "what is written is read as the same");
}

void check(std::string_view text) {
  check_bech32(text);
  const auto npub = decode_npub(text);
  const auto note = decode_note(text);
  const auto nsec = decode_nsec(text);
  const auto nevent = decode_nevent(text);
  const auto nprofile = decode_nprofile(text);
  require(npub.has_value() + note.has_value() + nsec.has_value() + nevent.has_value() + nprofile.has_value() <= 1,
          "a text is one thing");
  check_fixed(text, npub, encode_npub);
  check_fixed(text, note, encode_note);
  check_fixed(text, nsec, encode_nsec);
  check_records(nevent, encode_nevent, decode_nevent);
  check_records(nprofile, encode_nprofile, decode_nprofile);

  const auto key = parse_public_key(text);
  require(!npub || (key && *key == *npub), "an npub is given for its key");
  require(!nprofile || (key && *key == nprofile->key), "an nprofile is given for its key");
  require(!nsec || !key, "a secret key is no public one");
  const auto id = parse_event_id(text);
  require(!note || (id && *id == *note), "a note is given for its id");
  require(!nevent || (id && *id == nevent->id), "an nevent is given for its id");
  const std::string uri = "nostr:" + std::string(text);
  require(
      text.starts_with("nostr:") || PublicKey::from_hex(text) || parse_public_key(uri).has_value() == key.has_value(),
      "a URI is read as what is in it");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  check(text);
  check(fuzz::with_checksum(text));
  return 0;
}
