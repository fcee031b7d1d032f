// Converts LND's credential to the form that the HTTP header needs. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace wallet {

// The macaroon as hexadecimal digits. Accepts hexadecimal digits or base64 (either alphabet), with or without line
// breaks, or the bytes of LND's *.macaroon file. Fails with "wallet.macaroon"; the message repeats nothing of it.
base::Result<std::string> macaroon_hex(std::string_view bytes);

}  // namespace wallet
