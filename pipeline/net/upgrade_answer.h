// The answer that opens a websocket, taken out of the bytes of the server. Interim answers (1xx except 101; RFC 9110,
// section 15.2) are passed over. If the status line has no reason phrase, a space is added after the status code, as
// the grammar requires. Pure, and C++17, as its user is.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace net {

inline constexpr unsigned kMaxInterimAnswers = 8;  // before the final answer, of every HTTP server

class UpgradeAnswer {
 public:
  static constexpr std::size_t kMaxHeadBytes = 16'000;  // of each answer; websocketpp reads no more

  // Takes the bytes that belong to the answer and returns those that come after it. Needs !is_complete() and no
  // fault().
  std::string_view append(std::string_view bytes);
  bool is_complete() const { return is_complete_; }
  // Status line and headers up to the empty line. Needs is_complete().
  const std::string& text() const { return head_; }
  // Why nothing will come of it, for a person; empty: nothing is wrong so far.
  const std::string& fault() const { return fault_; }

 private:
  void end_head();

  std::string head_;
  unsigned interim_ = 0;
  bool is_complete_ = false;
  std::string fault_;
};

}  // namespace net
