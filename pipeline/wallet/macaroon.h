// LND's credential in the one form that its header takes. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace wallet {

// The macaroon as hexadecimal digits: from them, from base64 of either alphabet, each also wrapped into lines, or from the
// bytes as LND keeps them in *.macaroon. Fails with "wallet.macaroon"; the message repeats nothing of it.
base::Result<std::string> macaroon_hex(std::string_view bytes);

}  // namespace wallet
