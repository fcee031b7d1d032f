#include "pipeline/net/websocket_messages.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"

namespace net {
namespace {

constexpr unsigned kText = 1;
constexpr unsigned kBinary = 2;
constexpr unsigned kClose = 8;
constexpr unsigned kPing = 9;
constexpr unsigned kPong = 10;
constexpr std::size_t kMaxControlBytes = 125;

unsigned byte_at(std::string_view bytes, std::size_t index) {
  return static_cast<unsigned char>(bytes[index]);
}

}  // namespace

std::optional<WebsocketMessages::Part> WebsocketMessages::next() {
  for (;;) {
    if (!frame_ && !read_header()) {
      input_.erase(0, std::exchange(at_, 0));
      if (fault_.empty()) return std::nullopt;
      return Part{Kind::broken, fault_};
    }
    read_payload();
    if (frame_->bytes_left > 0) {
      input_.clear();
      at_ = 0;
      return std::nullopt;
    }
    if (auto part = end_frame()) return part;
  }
}

// Returns false if the header is incomplete, or there is a fault.
bool WebsocketMessages::read_header() {
  const std::string_view bytes = rest();
  if (!fault_.empty() || bytes.size() < 2) return false;
  const unsigned first = byte_at(bytes, 0);
  const unsigned second = byte_at(bytes, 1);
  std::uint64_t size = second & 0x7f;
  const std::size_t size_bytes = size == 127 ? 8 : size == 126 ? 2 : 0;
  if (bytes.size() < 2 + size_bytes) return false;
  if (size_bytes > 0) size = 0;
  for (std::size_t i = 0; i < size_bytes; ++i) size = size << 8 | byte_at(bytes, 2 + i);

  const Frame frame{(first & 0x80) != 0, first & 0x0f, size};
  fault_ = fault_of(frame, first & 0x70, (second & 0x80) != 0);
  if (!fault_.empty()) return false;
  if (frame.is_control()) control_.assign(bytes.substr(0, 2));
  if (frame.opcode == kText || frame.opcode == kBinary) message_opcode_ = frame.opcode;
  at_ += 2 + size_bytes;
  frame_ = frame;
  return true;
}

std::string WebsocketMessages::fault_of(const Frame& frame, unsigned flags, bool masked) const {
  if (flags != 0) return "a frame has a reserved bit";
  if (masked) return "a frame of the server is masked";
  if (frame.is_control()) {
    if (frame.opcode < kClose || frame.opcode > kPong) return "a frame of an unknown kind";
    return frame.ends_message && frame.bytes_left <= kMaxControlBytes ? "" : "a control frame is too long";
  }
  if (frame.opcode > kBinary) return "a frame of an unknown kind";
  const bool goes_on = frame.opcode == 0;
  return goes_on == (message_opcode_ != 0) ? "" : "a frame belongs to no message";
}

void WebsocketMessages::read_payload() {
  const std::string_view bytes =
      rest().substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(rest().size(), frame_->bytes_left)));
  at_ += bytes.size();
  frame_->bytes_left -= bytes.size();
  if (frame_->is_control()) {
    control_.append(bytes);
  } else if (too_long_ || message_.size() + bytes.size() > max_bytes_) {
    too_long_ = true;
    message_.clear();
  } else {
    message_.append(bytes);
  }
}

std::optional<WebsocketMessages::Part> WebsocketMessages::end_frame() {
  const Frame frame = *std::exchange(frame_, std::nullopt);
  if (frame.is_control()) return Part{frame.opcode == kPing ? Kind::ping : Kind::control, std::exchange(control_, {})};
  if (!frame.ends_message) return std::nullopt;
  const unsigned opcode = std::exchange(message_opcode_, 0);
  std::string message = std::exchange(message_, {});
  if (std::exchange(too_long_, false)) return Part{Kind::too_long, {}};
  if (opcode == kBinary) return Part{Kind::binary, {}};
  if (!base::is_utf8(message)) return Part{Kind::not_utf8, {}};
  return Part{Kind::text, std::move(message)};
}

}  // namespace net
