// What the fuzz targets share. A target is one function of bytes, which aborts where a property of the code it drives
// does not hold: libFuzzer calls it with inputs that it invents, replay_main.cc with those of fixtures/fuzz.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fuzz {

// `property` is what should have held, in words.
inline void require(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: it does not hold that %s\n", property);
  std::abort();
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// An input as a row of choices; when it is used up, every choice is the first one.
class Choices {
 public:
  explicit Choices(std::string_view input) : rest_(input) {}

  bool empty() const { return rest_.empty(); }

  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto out = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return out;
  }

  // 0 to `count` - 1; a byte if that is enough, else eight of them.
  std::uint64_t below(std::uint64_t count) {
    std::uint64_t out = byte();
    for (int i = 0; count > 256 && i < 7; ++i) out = out << 8 | byte();
    return count == 0 ? 0 : out % count;
  }

  // The next bytes, as many as there are.
  std::string_view bytes(std::size_t size) {
    const std::string_view out = rest_.substr(0, size);
    rest_.remove_prefix(out.size());
    return out;
  }

  std::string_view rest() { return bytes(rest_.size()); }

 private:
  std::string_view rest_;
};

}  // namespace fuzz
