// A customer of the market: asks one question (NIP-90, kind 5050), hears what providers answer, pays from the sandbox.
// `request` is one, and `demo` has one.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/io_adapters.h"
#include "pipeline/nostr/nip90.h"

namespace cmd {

inline constexpr std::size_t kMaxQuestionBytes = 48 * 1024;  // of a prompt: relays refuse events over 64 KiB

struct Question {
  std::string prompt;
  std::optional<nostr::PublicKey> provider;                 // absent: the whole market is asked
  std::vector<std::string> relays;                          // where it is published and answers are expected
  std::vector<std::pair<std::string, std::string>> params;  // by NIP-90's names: {"max_tokens", "200"}
  std::string output;                                       // a MIME type; empty: the provider's choice
  std::optional<ledger::Msat> bid;
  ledger::Encryption encryption = ledger::Encryption::none;  // else it needs the provider
};

// The signed request. Encrypted, it hides prompt and parameters (NIP-90). Fails with "request.prompt" when the
// prompt is empty, too long or no UTF-8.
ledger::Result<nostr::Event> to_request(const Question& question, const nostr::SecretKey& key, ledger::TimeMs now);

struct CustomerHooks {
  // One relay's answer to the request.
  std::function<void(const ledger::RelayAnswer&)> published = [](const ledger::RelayAnswer&) {};
  // A 6050 or 7000 to the request that came for the first time, its signature verified; of the provider, if one was
  // named.
  std::function<void(const nostr::Answer&, const std::string& relay)> answered;
  // No relay took the request ("request.unreachable"), or time is up ("request.no_answer"). Once.
  std::function<void(ledger::Error)> failed;
};

// Lives on one io_context thread; hooks are called on it, never from inside ask(), and must not destroy the customer.
class Customer {
 public:
  // Publishes the question and listens until it is destroyed. Fails as to_request does, and with "relay_url.invalid" or
  // "key.no_randomness".
  static ledger::Result<std::unique_ptr<Customer>> ask(boost::asio::io_context& io, const Question& question,
                                                       nostr::SecretKey key, runtime::Clock clock,
                                                       std::int64_t timeout_ms, CustomerHooks hooks);
  ~Customer();

  // The request as it was signed.
  const nostr::Event& request() const;

 private:
  class Impl;
  explicit Customer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

struct Payment {
  ledger::Msat amount;
  ledger::Hash256 payment_hash;
  ledger::Hash256 preimage;  // the customer's receipt
};

// Pays the invoice of an answer through the sandbox that keeps its books in `folder`, after checking it: a regtest
// invoice for the very amount that the answer names, not above the bid. Fails with "payment.above_bid", "bolt11.…" or
// "sandbox.…".
ledger::Result<Payment> pay_from_sandbox(const std::filesystem::path& folder, const nostr::Answer& answer,
                                         const std::optional<ledger::Msat>& bid, ledger::TimeMs now);

}  // namespace cmd
