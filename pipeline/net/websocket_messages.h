// The messages of a websocket's server, taken out of the bytes that it sends (RFC 6455, section 5). A message that
// cannot be used is skipped instead of ending the connection: a relay passes on what strangers wrote, and a stored
// event whose bytes are no UTF-8 would end every connection on which it is asked for. (Section 8.1 says to fail the
// connection then; this departs from it on purpose. Nothing of such a message is kept.) Pure, and C++17, as its user
// is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace net {

class WebsocketMessages {
 public:
  enum class Kind {
    text,
    too_long,  // skipped: a message of more than `max_bytes`
    not_utf8,  // skipped
    binary,    // passed over: a message of bytes
    ping,      // a whole frame as it came
    control,   // the same: pong or close
    broken,    // these are no frames of a server: the connection has to end. Nothing comes after it.
  };
  struct Part {
    Kind kind;
    std::string bytes;  // of the text or of the frame; what is broken, for a person
  };

  explicit WebsocketMessages(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  // Bytes that came after those of the last call.
  void append(std::string_view bytes) { input_.append(bytes); }
  // The next part that is complete, or nothing until more bytes are appended.
  std::optional<Part> next();

 private:
  struct Frame {
    bool ends_message = false;
    unsigned opcode = 0;
    std::uint64_t bytes_left = 0;
    bool is_control() const { return opcode >= 8; }
  };

  std::string_view rest() const { return std::string_view(input_).substr(at_); }
  bool read_header();
  std::string fault_of(const Frame& frame, unsigned flags, bool masked) const;
  void read_payload();
  std::optional<Part> end_frame();

  std::size_t max_bytes_;
  std::string input_;
  std::size_t at_ = 0;  // of the input: read up to here
  std::optional<Frame> frame_;
  std::string control_;          // the control frame that is being read
  unsigned message_opcode_ = 0;  // of the message that is being read; 0: none is
  std::string message_;
  bool too_long_ = false;
  std::string fault_;
};

}  // namespace net
