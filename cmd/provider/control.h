// What a running `serve` does when another command asks it to.
#pragma once

#include "cmd/cli/control_socket.h"
#include "pipeline/runtime/runtime.h"

namespace cmd {

// Pays a customer back: {"job":…, "bolt11":… or "event":…, "fee_limit_msat":…} or {"job":…, "not_paid":…}.
void answer_refund(runtime::Runtime& runtime, const nlohmann::json& request, const ControlSocket::Answer& answer);

}  // namespace cmd
