#include "cmd/config/policy.h"

#include <algorithm>
#include <boost/url/ipv4_address.hpp>
#include <boost/url/ipv6_address.hpp>

#include "cmd/config/template.h"
#include "pipeline/inference/offered_models.h"
#include "pipeline/net/url_guard.h"

namespace cmd {
namespace {

bool is_loopback(const std::string& relay) {
  const auto url = net::parse_relay_url(relay);
  if (!url) return false;
  if (url->host == "localhost") return true;
  const auto v4 = boost::urls::parse_ipv4_address(url->host);
  const auto v6 = boost::urls::parse_ipv6_address(url->host);
  return (v4 && v4->is_loopback()) || (v6 && v6->is_loopback());
}

ledger::ModelOffer default_offer_of(const inference::ModelInfo& model, const Config& config) {
  ledger::ModelOffer offer = config.default_offer;
  offer.name = model.name;
  if (model.context_tokens > 1 && model.context_tokens < offer.context_tokens) {
    offer.context_tokens = model.context_tokens;
    offer.max_output_tokens = std::min(offer.max_output_tokens, model.context_tokens / 2);  // half is for the prompt
  }
  return offer;
}

}  // namespace

ledger::ProviderConfigured to_policy(const Config& config, const base::PublicKey& provider, const WalletFacts& wallet,
                                     std::span<const inference::ModelInfo> backend_models) {
  ledger::ProviderConfigured policy = config.selling;
  policy.provider = provider;
  policy.wallet = config.wallet.kind;
  policy.play_money = wallet.play_money;
  policy.wallet_unit = wallet.unit;
  policy.wallet_minimum = wallet.minimum;
  if (policy.models.empty()) {
    for (const auto& model : backend_models) policy.models.push_back(default_offer_of(model, config));
  }
  std::erase_if(policy.models, [&](const ledger::ModelOffer& offer) {
    return std::ranges::any_of(backend_models,
                               [&](const auto& model) { return inference::is_of(offer, model) && !model.completes; });
  });
  return policy;
}

base::Result<void> check_relays(const Config& config) {
  if (!config.relays.urls.empty()) return {};
  return base::fail(base::ErrorKind::config, "config.no_relays", "no relay is chosen",
                    config.paths.config_file.string(),
                    "name those that your customers use in `relays.urls`, or give --relay URL; public ones are, for "
                    "example, " +
                        std::string(public_relays()[0]) + " and " + std::string(public_relays()[1]));
}

base::Result<void> check_play_money(const Config& config) {
  const bool play_money = is_always_play_money(config.wallet.kind) || config.wallet.network != "bitcoin";
  if (!play_money || config.wallet.allow_public) return {};
  const auto stranger = std::ranges::find_if_not(config.relays.urls, is_loopback);
  if (stranger == config.relays.urls.end()) return {};
  return base::fail(base::ErrorKind::config, "config.play_money",
                    "the money of this wallet is play money, and " + *stranger + " is not a loopback relay",
                    "relays.urls", "choose another wallet.kind, or set wallet.allow_public = true if you mean it");
}

}  // namespace cmd
