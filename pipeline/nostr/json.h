// JSON text (RFC 8259) as Nostr needs it: strings out, and a strict reader that pulls. The reader allocates only the
// strings it is asked for and knows where in the text a value stood, so that an event can be kept as it crossed the
// wire. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/nostr/event.h"

namespace nostr {

inline constexpr unsigned kMaxJsonDepth = 32;  // of values that are skipped

// What becomes of control characters that have no short escape: `escaped` (\u001b) makes JSON text, `verbatim` is the
// canonical form of NIP-01.
enum class OtherControls { escaped, verbatim };

// Appends `text` in quotation marks. Escapes \n " \ \r \t \b \f and, if `others` is `escaped`, the other control
// characters; nothing else.
void append_json_string(std::string& out, std::string_view text, OtherControls others = OtherControls::escaped);
void append_json_tags(std::string& out, const std::vector<Tag>& tags, OtherControls others = OtherControls::escaped);

// The bytes of a text inside a JSON string, without its quotation marks.
std::size_t json_string_bytes(std::string_view text);

// Reads one JSON text from front to back. Every read skips white space first; after the first failure all reads fail
// and fault() says why.
class JsonReader {
 public:
  enum class Fault {
    none,
    syntax,  // no JSON
    utf8,    // bytes that are no UTF-8, or an escaped surrogate without its other half
    depth,   // nested deeper than kMaxJsonDepth
    type,    // a JSON value, but of another type
  };

  // `text` must outlive the reader.
  explicit JsonReader(std::string_view text);

  Fault fault() const { return fault_; }
  // Where the next value starts, in bytes from the beginning of the text.
  std::size_t position();
  // True when only white space is left; else a syntax fault.
  bool end();

  bool string(std::string& out);
  // A number without fraction and exponent; beyond 64 bits it becomes the nearest that fits.
  bool integer(std::int64_t& out);
  bool boolean(bool& out);
  // An array of arrays of strings, at most `max_tags` of them.
  bool tags(std::vector<Tag>& out, std::size_t max_tags);
  // Any value at all.
  bool skip();
  // The text of any value, as it stands.
  bool raw(std::string_view& out);

  // for (bool more = r.begin('['); more; more = r.next(']')) { … } — stops at the closing bracket or at a fault.
  bool begin(char open);
  bool next(char close);
  // The name of a member and its colon.
  bool name(std::string& out);

 private:
  char peek();
  bool fail(Fault fault);
  bool fail_unless_value();
  bool unescape(std::string& out);
  bool hex4(std::uint32_t& out);
  bool number();
  bool literal(std::string_view word);
  bool skip(unsigned depth);

  std::string_view text_;
  std::size_t at_ = 0;
  Fault fault_ = Fault::none;
};

}  // namespace nostr
