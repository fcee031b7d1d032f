// The providers that announce themselves (NIP-89), ranked for one question. Used by `request --find`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/scheduler.h"
#include "pipeline/nostr/keys.h"
#include "pipeline/nostr/nip89.h"

namespace cmd {

inline constexpr std::int64_t kMaxSilenceS = 2 * nostr::kHeartbeatIntervalS;  // of a provider that counts as alive
inline constexpr std::uint64_t kUsualAnswerTokens = 500;  // of an answer without a cap, for comparing prices

// What a question asks of its provider.
struct Need {
  std::string model;  // empty: the provider's choice
  bool encryption = false;
  std::uint64_t input_tokens = 0;
  std::uint64_t output_tokens = kUsualAnswerTokens;
};

struct Seller {
  nostr::Announcement announcement;
  std::int64_t announced_at_s = 0;
  bool suits = false;               // says that it serves what the question needs
  bool alive = false;               // has a heartbeat at most kMaxSilenceS before or after now (clocks differ)
  std::optional<base::Msat> price;  // estimate for the question; nothing if no readable price is announced
};

// What the relays hold.
struct MarketNews {
  std::vector<nostr::Event> announcements;
  std::vector<nostr::Event> heartbeats;
};

// Every seller of text generation, the best first: one that suits before others, then one that is alive, then the
// cheapest, then the newest. A provider that names no model may serve the needed one, but does not count as serving it.
// Of a provider's announcements with the same `d` the newest counts. Pure.
std::vector<Seller> rank_sellers(const MarketNews& news, const Need& need, base::TimeMs now);

// Asks the relays who sells, and who of those is alive; signs in with `key` where a relay wants it. Blocks for
// 2 * kQueryTimeoutMs at most. Fails with "request.unreachable" if no relay answers, or with "relay_url.invalid".
base::Result<MarketNews> read_market(const std::vector<std::string>& relays, const nostr::SecretKey& key,
                                     const base::Clock& clock);

}  // namespace cmd
