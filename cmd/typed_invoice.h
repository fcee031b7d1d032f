// A Lightning invoice that a person gave on the command line.
#pragma once

#include <string>

#include "base/result.h"
#include "pipeline/wallet/bolt11.h"

namespace cmd {

// The invoice in the text. Fails as a usage error that says in plain words what is wrong with the text.
base::Result<wallet::DecodedInvoice> read_typed_invoice(const std::string& text);

}  // namespace cmd
