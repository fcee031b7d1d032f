// A relay, and behind it a wallet that speaks Nostr Wallet Connect, for tests.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "pipeline/nostr/nip01.h"
#include "pipeline/wallet/nwc_connection.h"
#include "tests/sim/virtual_time.h"

namespace wallet {

inline constexpr char kNwcUri[] =
    "nostr+walletconnect://"
    "c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5?relay=wss%3A%2F%2Frelay.example"
    "&secret=0000000000000000000000000000000000000000000000000000000000000003&lud16=me@pay.example\n";
inline const base::Hash256 kNwcPreimage = base::sha256("nwc");
inline const base::Hash256 kNwcHash = base::sha256(kNwcPreimage.view());

inline nostr::Nip44Nonce nwc_nonce() {
  return *nostr::Nip44Nonce::from_bytes(std::string(32, 'n'));
}

// Its relay and the wallet behind it.
class WalletAtRelay final : public nostr::Relays {
 public:
  explicit WalletAtRelay(sim::ProcessTime& time) : time_(time) {}

  void publish_watched(const std::string& relay, const std::string& json, const base::EventId& id,
                       std::function<void(ledger::RelayAnswer)> done, std::function<void()>) override {
    publish(relay, json, id, std::move(done));
  }
  void publish(const std::string& relay, const std::string& event_json, const base::EventId&,
               std::function<void(ledger::RelayAnswer)> done) override {
    const bool taken = refusal.empty() && !dead.contains(relay);
    done({.relay = relay, .accepted = taken, .message = refusal, .at = time_.now()});
    if (!taken) return;
    const nostr::Event request = *nostr::parse_event(event_json);
    const auto opened = nostr::decrypt(request.content, key, request.pubkey);
    requests.push_back(nlohmann::json::parse(opened->plaintext));
    forms.push_back(opened->form);
    if (deaf.contains(opened->form)) return;
    const std::string method = requests.back()["method"];
    if (answers.contains(method)) say(kNwcResponseKind, answers.at(method), request.id);
  }
  void query(const std::string& relay, nostr::Filter,
             std::function<void(base::Result<std::vector<nostr::Event>>)> done) override {
    ++info_asked;
    if (dead.contains(relay)) return done(base::fail(base::ErrorKind::connection, "relay.query", "it is down"));
    std::vector<nostr::Event> out;
    if (info) out.push_back(nostr::sign(*info, key, {}));
    done(out);
  }
  base::Result<void> watch(std::vector<nostr::Filter>) override { return {}; }
  unsigned required_pow(const std::string&) const override { return 0; }

  void say(std::uint32_t kind, const nlohmann::json& what, const nostr::EventId& about = {}) {
    nostr::Unsigned event{.kind = kind, .created_at_s = 1};
    event.tags = {{"p", customer->hex()}, {"e", about.hex()}};
    event.content = *nostr::encrypt(forms.empty() ? ledger::Encryption::nip44 : forms.back(), what.dump(), key,
                                    *customer, nwc_nonce());
    connection->on_event(nostr::sign(std::move(event), key, {}));
  }

  nostr::SecretKey key = *nostr::SecretKey::from_text(std::string(63, '0') + "2");
  std::optional<nostr::PublicKey> customer;
  NwcConnection* connection = nullptr;
  std::optional<nostr::Unsigned> info;
  std::string refusal;
  std::set<std::string> dead;         // relays
  std::set<ledger::Encryption> deaf;  // what the wallet cannot read
  std::map<std::string, nlohmann::json> answers;
  std::vector<nlohmann::json> requests;
  std::vector<ledger::Encryption> forms;
  int info_asked = 0;

 private:
  sim::ProcessTime& time_;
};

// Our end of it, in virtual time.
struct NwcWorld {
  explicit NwcWorld(const std::string& uri = kNwcUri)
      : connection(
            relay, process, [] { return base::Salt{}; }, *NwcUri::parse(uri)) {
    relay.connection = &connection;
    relay.customer = NwcUri::parse(uri)->secret.public_key();
    relay.info =
        nostr::Unsigned{.kind = kNwcInfoKind, .content = "make_invoice lookup_invoice list_transactions get_info"};
    relay.info->tags = {{"encryption", "nip44_v2 nip04"}, {"notifications", "payment_received payment_sent"}};
  }
  void pass(std::int64_t ms) {
    const base::TimeMs until = time.now() + ms;
    while (time.step(until)) {
    }
  }

  sim::VirtualTime time{base::TimeMs{1'800'000'000'000}};
  sim::ProcessTime process{time};
  WalletAtRelay relay{process};
  NwcConnection connection;
};

}  // namespace wallet
