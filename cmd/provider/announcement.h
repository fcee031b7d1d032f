// Makes the announcement from the settings and the offered models, and reports on which relays it is visible.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "cmd/config/config.h"
#include "pipeline/runtime/announcer.h"

namespace cmd {

inline constexpr char kAnnouncementD[] = "sellcompute";  // one shop per key
inline constexpr char kDefaultShopName[] = "sellcompute";

// The announcer's options for this provider.
runtime::Announcer::Options announcer_options(const Config& config, const ledger::ProviderConfigured& policy);

// [{"relay":"wss://…","visible":true,"looked_at_ms":…,"trouble":""},…]; looked_at_ms is null before the first look.
nlohmann::json to_json(const std::vector<runtime::Visibility>& visibility);

// {"enabled":true,"withdrawn":false,"relays":[…],"heartbeat_at_ms":…,"heartbeat_trouble":""}: for `status`.
nlohmann::json describe_announcing(const runtime::Announcer& announcer, const Config::Announce& settings);

}  // namespace cmd
