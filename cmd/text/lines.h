// Lines from stdin, made for pipes: bounded, whatever comes.
#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <vector>

namespace cmd {

struct Line {
  std::uint64_t number = 0;  // from 1
  std::string text;          // without its end (\n or \r\n)
  bool too_long = false;     // then `text` is only its beginning
};

// Reads line by line; a line beyond `max_bytes` is cut and marked, never kept whole. Empty lines are passed over.
class LineReader {
 public:
  LineReader(std::istream& in, std::size_t max_bytes);
  std::optional<Line> next();

 private:
  std::istream& in_;
  std::vector<char> buffer_;
  std::uint64_t number_ = 0;
};

}  // namespace cmd
