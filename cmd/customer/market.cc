#include "cmd/customer/market.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <map>
#include <tuple>
#include <utility>

#include "base/scheduler.h"
#include "pipeline/core/model_name.h"
#include "pipeline/core/pricing.h"
#include "pipeline/nostr/key_file.h"
#include "pipeline/nostr/nip42.h"
#include "pipeline/nostr/nip90_request.h"
#include "pipeline/nostr/relay/pool.h"

namespace cmd {
namespace {

using base::ErrorKind;
using base::Result;
using nostr::Event;

// ---- who suits ------------------------------------------------------------------------------------------------------

// The model that would answer: the one that is needed, else the provider's default, the first.
const nostr::AnnouncedModel* model_for(const nostr::Announcement& announcement, const Need& need) {
  const auto& models = announcement.models;
  const auto found = std::ranges::find_if(models, [&](const nostr::AnnouncedModel& model) {
    return need.model.empty() || core::is_same_model(model.name, need.model);
  });
  return found == models.end() ? nullptr : &*found;
}

std::optional<base::Msat> price_of(const nostr::AnnouncedModel* model, const Need& need) {
  if (!model || !model->offer) return std::nullopt;
  // Without a cap the largest that can be announced: what strangers ask times what was typed must stay an amount.
  constexpr std::uint64_t kLongest = nostr::kMaxAnnouncedTokens;
  const std::uint64_t cap = model->offer->max_output_tokens == 0 ? kLongest : model->offer->max_output_tokens;
  return core::price(*model->offer, need.input_tokens, std::min(cap, need.output_tokens), {1}, {0});
}

bool is_alive(const nostr::Announcement& announcement, const std::vector<Event>& heartbeats, base::TimeMs now) {
  const std::int64_t now_s = now.ms / 1000;
  return std::ranges::any_of(heartbeats, [&](const Event& beat) {
    return beat.kind == nostr::kHeartbeatKind && beat.pubkey == announcement.provider &&
           beat.tag_value("d").value_or(announcement.d) == announcement.d && beat.created_at >= now_s - kMaxSilenceS &&
           beat.created_at <= now_s + kMaxSilenceS;
  });
}

Seller judge(const Event& event, nostr::Announcement announcement, const MarketNews& news, const Need& need,
             base::TimeMs now) {
  const auto* model = model_for(announcement, need);
  Seller out{.announced_at_s = event.created_at,
             .suits = (need.model.empty() || model) && (!need.encryption || announcement.encryption),
             .alive = is_alive(announcement, news.heartbeats, now),
             .price = price_of(model, need)};
  out.announcement = std::move(announcement);
  return out;
}

auto rank(const Seller& seller) {
  return std::tuple(!seller.suits, !seller.alive, !seller.price, seller.price.value_or(base::Msat{}),
                    -seller.announced_at_s, seller.announcement.provider, seller.announcement.d);
}

// ---- asking the relays ----------------------------------------------------------------------------------------------

class Search {
 public:
  Search(std::vector<std::string> relays, const nostr::SecretKey& key, const base::Clock& clock)
      : relays_(std::move(relays)), key_(key), clock_(clock) {}

  Result<MarketNews> run() {
    auto pool = nostr::RelayPool::make(io_, options(),
                                       {.on_event = [](const nostr::Received&) {},
                                        .on_refused = [](const std::string&, nostr::Refusal) {},
                                        .on_health =
                                            [this](const auto& url, auto state, const auto& reason) {
                                              if (state == nostr::RelayState::offline)
                                                done_with(url, reason.empty() ? "offline" : reason);
                                            },
                                        .on_notice = [](const std::string&, const std::string&) {}});
    if (!pool) return tl::unexpected(pool.error());
    pool_ = std::move(*pool);
    ask({.kinds = {nostr::kAnnouncementKind}, .tags = {{'k', {std::to_string(nostr::kTextRequestKind)}}}},
        news_.announcements, [this] { ask_who_is_alive(); });
    io_.run();
    pool_->shut_down();
    if (answered_) return news_;
    std::string reasons;
    for (const auto& [url, why] : failures_) reasons += (reasons.empty() ? "" : "; ") + url + ": " + why;
    return base::fail(ErrorKind::connection, "request.unreachable", "no relay says who sells", reasons,
                      "look at the relay's address, or name another with --relay");
  }

 private:
  // None is our own: nothing is listened for. They are the customer's word all the same, and not guarded.
  nostr::PoolOptions options() {
    return {.allow_private = true,
            .max_guests = relays_.size(),
            .clock = clock_,
            .random = [] { return 0.5; },  // jitter is for crowds
            .sign_auth = [this](const auto& url, const auto& challenge, auto now) -> std::optional<Event> {
              const auto aux = nostr::generate_aux();
              return aux ? std::optional(nostr::auth_event(key_, url, challenge, now, *aux)) : std::nullopt;
            }};
  }

  // Asks every relay that can be reached; `then` is for when all have answered, or failed.
  void ask(nostr::Filter filter, std::vector<Event>& found, std::function<void()> then) {
    filter.limit = nostr::kMaxQueryEvents;
    waiting_ = relays_;
    then_ = std::move(then);
    for (const std::string& relay : relays_) {
      pool_->query(relay, filter, [this, relay, &found](Result<std::vector<Event>> events) {
        if (!events) return done_with(relay, events.error().message);
        std::ranges::move(*events, std::back_inserter(found));
        answered_ = true;
        done_with(relay, {});
      });
    }
  }

  // What cannot be reached is not asked again: a query would wait for it to its end.
  void done_with(const std::string& relay, const std::string& failure) {
    if (std::erase(waiting_, relay) == 0) return;
    if (!failure.empty()) {
      failures_[relay] = failure;
      std::erase(relays_, relay);
    }
    if (waiting_.empty()) std::exchange(then_, {})();
  }

  void ask_who_is_alive() {
    nostr::Filter beats{.kinds = {nostr::kHeartbeatKind}, .since_s = clock_().ms / 1000 - kMaxSilenceS};
    for (const Event& event : news_.announcements) beats.authors.push_back(event.pubkey);
    std::ranges::sort(beats.authors);
    beats.authors.erase(std::ranges::unique(beats.authors).begin(), beats.authors.end());
    if (beats.authors.empty()) return io_.stop();
    ask(std::move(beats), news_.heartbeats, [this] { io_.stop(); });
  }

  std::vector<std::string> relays_;
  const nostr::SecretKey& key_;
  const base::Clock clock_;
  boost::asio::io_context io_;
  MarketNews news_;
  bool answered_ = false;                        // by a relay
  std::map<std::string, std::string> failures_;  // of relays that did not, and why
  std::vector<std::string> waiting_;             // relays that are still to answer
  std::function<void()> then_;
  std::unique_ptr<nostr::RelayPool> pool_;
};

}  // namespace

std::vector<Seller> rank_sellers(const MarketNews& news, const Need& need, base::TimeMs now) {
  std::map<std::pair<nostr::PublicKey, std::string>, Seller> newest;
  for (const Event& event : news.announcements) {
    auto announcement = nostr::read_announcement(event);
    if (!announcement) continue;
    const std::pair address{announcement->provider, announcement->d};
    const auto known = newest.find(address);
    if (known != newest.end() && known->second.announced_at_s >= event.created_at) continue;
    newest[address] = judge(event, std::move(*announcement), news, need, now);
  }
  std::vector<Seller> out;
  for (auto& [address, seller] : newest) {
    const auto& kinds = seller.announcement.kinds;
    if (std::ranges::find(kinds, nostr::kTextRequestKind) != kinds.end()) out.push_back(std::move(seller));
  }
  std::ranges::sort(out, {}, rank);
  return out;
}

Result<MarketNews> read_market(const std::vector<std::string>& relays, const nostr::SecretKey& key,
                               const base::Clock& clock) {
  return Search(relays, key, clock).run();
}

}  // namespace cmd
