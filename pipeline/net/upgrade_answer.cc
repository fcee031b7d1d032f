#include "pipeline/net/upgrade_answer.h"

#include <algorithm>

namespace net {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kHeadEnd = "\r\n\r\n";

// "101" of "HTTP/1.1 101 Switching Protocols".
std::string_view status_of(std::string_view line) {
  const std::size_t blank = line.find(' ');
  return blank == std::string_view::npos ? std::string_view() : line.substr(blank + 1, 3);
}

}  // namespace

std::string_view UpgradeAnswer::append(std::string_view bytes) {
  while (!bytes.empty() && !is_complete_ && fault_.empty()) {
    const std::size_t before = head_.size();
    head_.append(bytes);
    const std::size_t end = head_.find(kHeadEnd, before < kHeadEnd.size() ? 0 : before - kHeadEnd.size() + 1);
    const std::size_t size = end == std::string::npos ? head_.size() : end + kHeadEnd.size();
    bytes.remove_prefix(size - before);
    head_.resize(size);
    if (size > kMaxHeadBytes) {
      fault_ = "its answer has more than " + std::to_string(kMaxHeadBytes) + " bytes of headers";
    } else if (end != std::string::npos) {
      end_head();
    }
  }
  return bytes;
}

void UpgradeAnswer::end_head() {
  const std::string line = head_.substr(0, head_.find(kLineEnd));
  const std::string_view status = status_of(line);
  if (status.size() == 3 && status.front() == '1' && status != "101") {
    head_.clear();
    if (++interim_ > kMaxInterimAnswers)
      fault_ = "it sent more than " + std::to_string(kMaxInterimAnswers) + " interim answers";
    return;
  }
  is_complete_ = true;
  if (std::count(line.begin(), line.end(), ' ') < 2) head_.insert(line.size(), " ");
}

}  // namespace net
