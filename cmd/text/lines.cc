#include "cmd/text/lines.h"

#include <limits>

namespace cmd {

// istream::getline wants room for the line, its end and a zero.
LineReader::LineReader(std::istream& in, std::size_t max_bytes) : in_(in), buffer_(max_bytes + 2) {}

std::optional<Line> LineReader::next() {
  for (;;) {
    in_.getline(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    auto size = static_cast<std::size_t>(in_.gcount());
    if (in_.bad() || (size == 0 && !in_.good())) return std::nullopt;
    const bool too_long = in_.fail() && !in_.eof();
    if (too_long) {
      in_.clear();
      in_.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    } else if (!in_.eof()) {
      --size;  // the end of the line was counted
    }
    ++number_;
    std::string text(buffer_.data(), size);
    if (text.ends_with('\r')) text.pop_back();
    if (!text.empty()) return Line{number_, std::move(text), too_long};
  }
}

base::Result<void> LineReader::read_to_the_end() const {
  return whole(in_, "the input");
}

base::Result<void> whole(const std::istream& in, const std::string& what) {
  if (!in.bad()) return {};
  return base::fail(base::ErrorKind::invocation, "input.unreadable", what + " cannot be read to its end", {},
                    "is it a folder, or closed, or on a bad disk?");
}

}  // namespace cmd
