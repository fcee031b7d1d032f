// An answer as it is printed while it grows. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "pipeline/nostr/nip90_answer.h"

namespace cmd {

// Turns an answer that comes in parts into the text to print. Each 7000 `partial` holds the whole text so far (NIP-90).
// If several providers send parts, only those of the first are printed.
class GrowingAnswer {
 public:
  // Returns what the part adds. A part that does not continue the printed text is returned whole, on a fresh line. A
  // part that is older, unreadable or from another provider adds nothing.
  std::string part(const nostr::Answer& partial);
  // Returns the rest of the result, from any provider, and the end of the line.
  std::string result(const nostr::Answer& answer);
  // Call it before printing something else. Returns the end of the open line, if any. The next part is printed whole.
  std::string interrupt();

  // What was printed last waits for more on the same line.
  bool is_open() const { return !printed_.empty() && !printed_.ends_with('\n'); }

 private:
  std::string advance(std::string_view whole);

  std::optional<nostr::PublicKey> provider_;
  std::string printed_;
};

}  // namespace cmd
