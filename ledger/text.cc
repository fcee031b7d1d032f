#include "ledger/text.h"

namespace ledger {

TextRef ref(const Text& text) {
  std::string salted(text.salt.view());
  salted += text.bytes;
  return {sha256(salted).bytes};
}

}  // namespace ledger
