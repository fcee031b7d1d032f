// The ports through which the runtime reaches the outside world, and its options.
#pragma once

#include "base/random.h"
#include "base/scheduler.h"
#include "pipeline/core/shares.h"
#include "pipeline/inference/backend.h"
#include "pipeline/nostr/relays.h"
#include "pipeline/runtime/journal.h"
#include "pipeline/wallet/bolt11.h"
#include "pipeline/wallet/payer.h"
#include "pipeline/wallet/wallet.h"
#include "pipeline/web/page_reader.h"

namespace runtime {

// All of them outlive the runtime.
struct Ports {
  Journal& journal;
  wallet::Wallet& wallet;
  std::vector<wallet::Wallet*> former_wallets = {};  // used before: their open invoices are still watched
  wallet::Payer* payer = nullptr;                    // null: nothing can be paid back
  std::string payer_account = {};                    // the account that pays: "lnd 3fa9c1d2"
  inference::Backend& backend;
  nostr::Relays& relays;
  web::PageReader& web;
  base::Scheduler& scheduler;
  base::Random random;
  std::function<bool()> disk_low;
};

struct Options {
  std::vector<std::string> own_relays;    // targets of every answer (CustomerRelays::targets_of)
  std::vector<wallet::Network> networks;  // an invoice of any other network is refused
  // Which customers see an answer while it grows, as far as core::may_stream allows.
  enum class Stream { never, asked, always } stream = Stream::asked;
  core::EntryLimits entries = {};  // how many requests are recorded per hour
  // The longest that a generation may take, from its start to its end. Nothing that a backend sends prolongs it.
  std::int64_t answer_limit_ms = 30 * base::kMinuteMs;
};

}  // namespace runtime
