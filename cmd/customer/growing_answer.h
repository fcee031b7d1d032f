// An answer as it is printed while it grows. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "pipeline/nostr/nip90_answer.h"

namespace cmd {

// What is to be printed of an answer that comes in parts: each 7000 `partial` holds the whole text so far (NIP-90). If
// several providers send parts, only those of the first are printed.
class GrowingAnswer {
 public:
  // What a part adds; all of it, on a fresh line, if it does not continue what was printed; nothing of one that was
  // overtaken, that cannot be read, or that is another provider's.
  std::string part(const nostr::Answer& partial);
  // What is still missing of the result, whoever made it, and the line's end.
  std::string result(const nostr::Answer& answer);
  // Ends a line that stands open: something else is printed, and what comes then begins afresh.
  std::string interrupt();

  // What was printed last waits for more on the same line.
  bool is_open() const { return !printed_.empty() && !printed_.ends_with('\n'); }

 private:
  std::string advance(std::string_view whole);

  std::optional<nostr::PublicKey> provider_;
  std::string printed_;
};

}  // namespace cmd
