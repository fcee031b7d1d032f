#include "ledger/text.h"

namespace ledger {

using base::sha256;

TextRef ref(const Text& text) {
  return {sha256(text.salt.view(), text.bytes).bytes};
}

}  // namespace ledger
