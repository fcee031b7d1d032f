#include "cmd/provider/relay_connections.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cmd/cli/random.h"
#include "cmd/text/humanize.h"
#include "ledger/reader.h"
#include "pipeline/nostr/nip42.h"
#include "pipeline/nostr/nip90_request.h"

namespace cmd {
namespace {

constexpr std::int64_t kRelayInfoIntervalMs = base::kHourMs;

// One that is being dialled for the first time has nothing against it yet.
core::Observation observation_of(const nostr::RelayHealth& relay, base::TimeMs now) {
  core::Observation out{.which = relay.url, .latency_ms = relay.latency_ms};
  const std::string notice = relay.last_notice.empty() ? "" : "its last notice: " + relay.last_notice;
  out.note = std::string(nostr::name(relay.state));
  const bool reads = relay.state == nostr::RelayState::live || relay.state == nostr::RelayState::catching_up;
  if (reads && relay.cursor) out.note += ", read until " + age(now - *relay.cursor) + " ago";
  if (relay.reason.empty()) {
    out.note += notice.empty() ? "" : "; " + notice;
    return out;
  }
  const base::Error why{base::ErrorKind::connection, "relay.unreachable", relay.reason, {}, notice};
  if (relay.state == nostr::RelayState::live) {
    out.warning = why;
    out.warning->code = "relay.unread";
  } else {
    out.error = why;
    if (relay.state == nostr::RelayState::catching_up) out.error->code = "relay.refused";
  }
  return out;
}

}  // namespace

web::WebRequest relay_info_request(const std::string& relay) {
  return {.url = "http" + relay.substr(2), .accept = "application/nostr+json", .own = true};
}

nostr::RelayLimits limits_of(const nostr::RelayInfo& info) {
  nostr::RelayLimits out;
  if (info.max_message_length) out.max_message_length = static_cast<std::size_t>(*info.max_message_length);
  if (info.max_limit && *info.max_limit > 0) out.max_limit = static_cast<std::uint64_t>(*info.max_limit);
  if (info.min_pow_difficulty) out.min_pow_difficulty = static_cast<unsigned>(*info.min_pow_difficulty);
  return out;
}

RelayConnections::RelayConnections(Ports ports, const Config& config, Handlers handlers)
    : ports_(ports), config_(config), handlers_(std::move(handlers)), relays_(ports.scheduler) {}

RelayConnections::~RelayConnections() {
  hang_up();
  disconnect();
}

nostr::PoolOptions RelayConnections::options() const {
  nostr::PoolOptions out{
      .relays = config_.relays.urls,
      .wanted = {nostr::request_filter(ports_.key.public_key(), config_.selling.serve_broadcast,
                                       nostr::served_kinds(config_.selling.templates))},
      .us = ports_.key.public_key(),
      .reads_at_once = false,
      .allow_private = config_.relays.allow_private,
      .clock = [&scheduler = ports_.scheduler] { return scheduler.now(); },
      .random = random_fraction,
      .sign_auth =
          [&key = ports_.key](const std::string& url, const std::string& challenge, base::TimeMs now) {
            return std::optional(nostr::auth_event(key, url, challenge, now, {random_bytes().bytes}));
          }};
  // `since` filters the customers' clocks: a request that we would serve is asked for, however old it was when it was
  // sent.
  out.limits.overlap_ms = std::max(out.limits.overlap_ms, config_.selling.request_age_limit_ms);
  out.limits.max_age_ms = config_.relays.max_absence_ms + out.limits.overlap_ms;  // a sender's clock may be late
  return out;
}

nostr::PoolHandlers RelayConnections::pool_handlers() const {
  return {.on_event = handlers_.on_request,
          .on_control = handlers_.on_control,
          .on_refused = [this](const std::string&,
                               nostr::Refusal why) { handlers_.on_refused(std::string(nostr::name(why))); },
          .on_health =
              [this](const std::string& relay, nostr::RelayState state, const std::string& reason) {
                if (is_own(relay)) handlers_.on_health(relay, state, reason);
              },
          .on_notice =
              [this](const std::string& relay, const std::string& text) {
                if (is_own(relay)) handlers_.on_notice(relay, text);
              }};
}

bool RelayConnections::is_own(const std::string& relay) const {
  return std::ranges::find(config_.relays.urls, relay) != config_.relays.urls.end();
}

base::Result<void> RelayConnections::connect() {
  auto pool = nostr::RelayPool::make(ports_.io, options(), pool_handlers());
  if (!pool) return tl::unexpected(pool.error());
  std::map<std::string, base::TimeMs> known;
  for (const std::string& relay : config_.relays.urls) {
    const auto cursor = ledger::Reader(ports_.store).cursor(relay);
    if (!cursor) return tl::unexpected(cursor.error());
    if (*cursor) known[relay] = **cursor;
  }
  pool_ = std::move(*pool);
  relays_.use(pool_.get());
  pool_->start(known);
  read_infos();
  return {};
}

void RelayConnections::read(const std::string& relay) {
  if (pool_) pool_->read(relay);
}

// One that serves no document has no limits that we know.
void RelayConnections::read_infos() {
  for (const std::string& relay : config_.relays.urls) {
    const auto read = [this, relay](const web::Answer& document) {
      const auto info = document.and_then([](const std::string& text) { return nostr::parse_relay_info(text); });
      if (info && pool_) pool_->set_limits(relay, limits_of(*info));
    };
    ports_.web.fetch(relay_info_request(relay), lifetime_.guard(read));
  }
}

void RelayConnections::read_infos_regularly() {
  ports_.scheduler.after(kRelayInfoIntervalMs, lifetime_.guard([this] {
    read_infos();
    read_infos_regularly();
  }));
}

void RelayConnections::hang_up() {
  relays_.use(nullptr);  // what is asked from now on is answered too
  if (pool_) pool_->shut_down();
}

void RelayConnections::disconnect() {
  relays_.use(nullptr);
  pool_.reset();
}

std::vector<std::pair<std::string, base::TimeMs>> RelayConnections::cursors() const {
  std::vector<std::pair<std::string, base::TimeMs>> out;
  if (!pool_) return out;
  for (const std::string& relay : config_.relays.urls) {
    if (const auto cursor = pool_->cursor(relay)) out.emplace_back(relay, *cursor);
  }
  return out;
}

std::vector<core::Observation> RelayConnections::observe() const {
  std::vector<core::Observation> out;
  if (!pool_) return out;
  for (const nostr::RelayHealth& relay : pool_->health()) {
    if (relay.own) out.push_back(observation_of(relay, ports_.scheduler.now()));
  }
  return out;
}

nlohmann::json RelayConnections::summary() const {
  nlohmann::json out = nlohmann::json::array();
  if (!pool_) return out;
  for (const nostr::RelayHealth& relay : pool_->health()) {
    out.push_back({{"url", relay.url},
                   {"own", relay.own},
                   {"live", relay.state == nostr::RelayState::live},
                   {"state", nostr::name(relay.state)},
                   {"reason", relay.reason},
                   {"last_notice", relay.last_notice}});
  }
  return out;
}

}  // namespace cmd
