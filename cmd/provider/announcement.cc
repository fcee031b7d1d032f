#include "cmd/provider/announcement.h"

#include <nlohmann/json.hpp>

#include "pipeline/nostr/nip90_request.h"

namespace cmd {
namespace {

nlohmann::json time_or_null(const std::optional<base::TimeMs>& time) {
  return time ? nlohmann::json(time->ms) : nlohmann::json();
}

}  // namespace

runtime::Announcer::Options announcer_options(const Config& config, const ledger::ProviderConfigured& policy) {
  runtime::Announcer::Options out{.relays = config.relays.urls, .profile = config.announce.profile};
  out.announcement = {.provider = policy.provider,
                      .d = kAnnouncementD,
                      .profile = config.announce.profile,
                      .kinds = nostr::served_kinds(policy.templates),
                      .topics = {"dvm", "ai", "llm", "text-generation"},
                      .encryption = true};
  if (out.announcement.profile.name.empty()) out.announcement.profile.name = kDefaultShopName;
  for (const ledger::ModelOffer& offer : policy.models) out.announcement.models.push_back({offer.name, offer});
  return out;
}

nlohmann::json to_json(const std::vector<runtime::Visibility>& visibility) {
  nlohmann::json out = nlohmann::json::array();
  for (const runtime::Visibility& one : visibility) {
    out.push_back({{"relay", one.relay},
                   {"visible", one.visible},
                   {"looked_at_ms", time_or_null(one.looked_at)},
                   {"trouble", one.trouble}});
  }
  return out;
}

nlohmann::json describe_announcing(const runtime::Announcer& announcer, const Config::Announce& settings) {
  return {{"enabled", settings.enabled},
          {"withdrawn", announcer.withdrawn()},
          {"relays", to_json(announcer.visibility())},
          {"heartbeat_at_ms", time_or_null(announcer.last_heartbeat())},
          {"heartbeat_trouble", announcer.heartbeat_trouble()}};
}

}  // namespace cmd
