// Lines from stdin, made for pipes: bounded, whatever comes.
#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace cmd {

struct Line {
  std::uint64_t number = 0;  // from 1
  std::string text;          // without its end (\n or \r\n)
  bool too_long = false;     // then `text` is only its beginning
};

// Reads line by line; a line beyond `max_bytes` is cut and marked, never kept whole. Empty lines are passed over. A
// read error ends the lines just as the end of the input does: call read_to_the_end() to tell them apart.
class LineReader {
 public:
  LineReader(std::istream& in, std::size_t max_bytes);
  std::optional<Line> next();
  // "input.unreadable", if it was an error that ended the lines.
  base::Result<void> read_to_the_end() const;

 private:
  std::istream& in_;
  std::vector<char> buffer_;
  std::uint64_t number_ = 0;
};

// "input.unreadable" if reading `in`, which a person knows as `what`, has failed; its end is no failure.
base::Result<void> whole(const std::istream& in, const std::string& what);

}  // namespace cmd
