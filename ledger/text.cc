#include "ledger/text.h"

namespace ledger {

TextRef ref(const Text& text) {
  return {sha256(text.salt.view(), text.bytes).bytes};
}

}  // namespace ledger
