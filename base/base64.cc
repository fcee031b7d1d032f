#include "base/base64.h"

#include <openssl/evp.h>

#include "base/types.h"

namespace base {
namespace {

unsigned char* unsigned_data(std::string& data) {
  return reinterpret_cast<unsigned char*>(data.data());
}

}  // namespace

std::string to_base64(std::string_view raw) {
  const std::size_t size = (raw.size() + 2) / 3 * 4;
  std::string out(size + 1, '\0');  // OpenSSL writes a terminating zero
  EVP_EncodeBlock(unsigned_data(out), unsigned_data(raw), static_cast<int>(raw.size()));
  out.resize(size);
  return out;
}

std::optional<std::string> from_base64(std::string_view base64) {
  if (base64.size() % 4 != 0) return std::nullopt;
  std::string out(base64.size() / 4 * 3, '\0');
  if (EVP_DecodeBlock(unsigned_data(out), unsigned_data(base64), static_cast<int>(base64.size())) < 0) {
    return std::nullopt;
  }
  const std::size_t padding = base64.ends_with("==") ? 2 : base64.ends_with("=") ? 1 : 0;
  out.resize(out.size() - padding);
  // OpenSSL overlooks white space at the ends, padding in the middle and bits that the padding cuts off.
  if (to_base64(out) != base64) return std::nullopt;
  return out;
}

}  // namespace base
