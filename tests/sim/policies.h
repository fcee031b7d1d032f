// The shop of the simulator's tests: cheap, patient, and with room for what the tests ask.
#pragma once

#include "pipeline/core/shop.h"

namespace sim {

inline core::Policy policy_of(ledger::PaymentMode mode) {
  return {.wallet = "simulated",
          .play_money = true,
          .wallet_unit = {1000},
          .wallet_minimum = {1000},
          .models = {{.name = "llama3.2:latest",
                      .base = {1000},
                      .output_per_1k_tokens = {50'000},
                      .context_tokens = 4096,
                      .max_output_tokens = 200}},
          .payment_mode = mode,
          .slots = 1,
          .queue_limit = 8,
          .credit_percent = 20,
          .credit_window_ms = 30 * core::kDayMs,
          .stranger_pool = {1'000'000},
          .stranger_window_ms = 3'600'000,
          .exposure_limit = {10'000'000},
          .invoice_expiry_ms = 20'000,
          .invoice_grace_ms = 2'000,
          .inference_attempts = 5,
          .inference_retry_ms = 500,
          .invoice_attempts = 5,
          .invoice_retry_ms = 500,
          .delivery_deadline_ms = 60'000,
          .request_age_limit_ms = 3'600'000,
          .result_event_limit_bytes = 60 * 1024,
          .serve_broadcast = true,
          .error_notices_per_customer = 5,
          .offers_limit = 10,
          .error_notices = 50};
}

}  // namespace sim
