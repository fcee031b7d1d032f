#include "pipeline/wallet/preimage.h"

namespace wallet {

Preimage derive_preimage(std::string_view wallet_secret, std::string_view wallet_kind, const InvoiceOrder& order) {
  std::string message = "sellcompute preimage 1\n";
  message.append(wallet_kind).append("\n");
  message.append(order.job.hex()).append("\n");
  message.append(std::to_string(static_cast<std::uint32_t>(order.purpose))).append("\n");
  message.append(std::to_string(order.attempt)).append("\n");
  message.append(std::to_string(order.amount.value)).append("\n");
  return base::hmac_sha256(wallet_secret, message);
}

}  // namespace wallet
