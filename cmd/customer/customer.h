// A customer of the market: asks one question (NIP-90, kind 5050), hears what providers answer, takes the question back
// (NIP-09), pays from the sandbox. `request` is one, and `demo` has one.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/scheduler.h"
#include "pipeline/nostr/nip90_answer.h"
#include "pipeline/nostr/nip90_ask.h"

namespace boost::asio {
class io_context;
}

namespace cmd {

struct CustomerHooks {
  // One relay's answer to the request (of take_back(): to the cancellation).
  std::function<void(const ledger::RelayAnswer&)> published = [](const ledger::RelayAnswer&) {};
  // A 6050 or 7000 that answers the request. Called once per event, after its signature was verified. If the question
  // named a provider, only that provider's answers are reported.
  std::function<void(const nostr::Answer&, const std::string& relay)> answered;
  // No relay took what was sent ("request.unreachable"), or time is up ("request.no_answer"). Once.
  std::function<void(base::Error)> failed;
};

// Lives on one io_context thread; hooks are called on it, never from inside ask(), and must not destroy the customer.
class Customer {
 public:
  // Publishes the question and listens until it is destroyed. Fails as to_request does, and with "relay_url.invalid" or
  // "key.no_randomness".
  static base::Result<std::unique_ptr<Customer>> ask(boost::asio::io_context& io, const nostr::Question& question,
                                                     nostr::SecretKey key, base::Clock clock, std::int64_t timeout_ms,
                                                     CustomerHooks hooks);

  // Takes back a request that this key made before, on the relays that it went to, and listens to what its providers
  // say. Fails with "relay_url.invalid" or "key.no_randomness".
  static base::Result<std::unique_ptr<Customer>> take_back(boost::asio::io_context& io, const nostr::EventId& request,
                                                           const std::vector<std::string>& relays, nostr::SecretKey key,
                                                           base::Clock clock, std::int64_t timeout_ms,
                                                           CustomerHooks hooks);
  ~Customer();

  // The request, or what takes it back, as it was signed.
  const nostr::Event& request() const;

  // Takes the question back on all of its relays; answers are still heard. `published` gets each relay's answer, if it
  // comes while the customer lives. Fails with "key.no_randomness".
  base::Result<void> cancel(std::function<void(const ledger::RelayAnswer&)> published);

 private:
  class Impl;
  explicit Customer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// ---- paying ---------------------------------------------------------------------------------------------------------

// A preimage of zero: the payment is held until the answer is there.
struct Payment {
  base::Msat amount;
  base::Hash256 payment_hash;
  base::Hash256 preimage;  // the customer's receipt
};

// Pays the invoice of an answer through the sandbox that keeps its books in `folder`, after checking it: a regtest
// invoice for the very amount that the answer names, not above the bid. Fails with "payment.above_bid", "bolt11.…" or
// "sandbox.…".
base::Result<Payment> pay_from_sandbox(const std::filesystem::path& folder, const nostr::Answer& answer,
                                       const std::optional<base::Msat>& bid, base::TimeMs now);

}  // namespace cmd
