// `jobs refund`: what a running serve is asked to pay back, and what it answers.
#pragma once

#include "cmd/command.h"
#include "cmd/control_socket.h"
#include "pipeline/runtime.h"

namespace cmd {

Command refund_command();

// The serving side: {"job":…, "bolt11":… or "event":…, "fee_limit_msat":…} or {"job":…, "not_paid":…}.
void answer_refund(runtime::Runtime& runtime, const nlohmann::json& request, const ControlSocket::Answer& answer);

}  // namespace cmd
