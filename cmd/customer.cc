#include "cmd/customer.h"

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <map>

#include "cmd/humanize.h"
#include "pipeline/nostr/json.h"
#include "pipeline/nostr/key_file.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip42.h"
#include "pipeline/nostr/relay_pool.h"
#include "pipeline/wallet/sandbox.h"

namespace cmd {

using ledger::ErrorKind;
using ledger::fail;
using ledger::Result;

namespace {

Result<void> check_prompt(const std::string& prompt) {
  const auto refuse = [](const char* message, const char* hint) {
    return fail(ErrorKind::config, "request.prompt", message, {}, hint);
  };
  if (prompt.empty()) return refuse("there is no prompt", "type it behind the options, or send it to stdin");
  if (prompt.size() > kMaxQuestionBytes) return refuse("the prompt is longer than 48 KiB", "relays refuse more");
  if (!nostr::is_utf8(prompt)) return refuse("the prompt is no UTF-8 text", "convert it, for example with iconv");
  return {};
}

// What the question says, for the provider's eyes only (NIP-90).
Result<void> hide_tags(nostr::Unsigned& event, const Question& question, const nostr::SecretKey& key) {
  const auto random = nostr::generate_aux();
  if (!random) return tl::unexpected(random.error());
  const std::string inner = nostr::tags_to_json(std::exchange(event.tags, {{"encrypted"}}));
  auto content = nostr::encrypt(question.encryption, inner, key, *question.provider, {random->bytes});
  if (!content) return tl::unexpected(content.error());
  event.content = std::move(*content);
  return {};
}

}  // namespace

Result<nostr::Event> to_request(const Question& question, const nostr::SecretKey& key, ledger::TimeMs now) {
  if (const auto good = check_prompt(question.prompt); !good) return tl::unexpected(good.error());
  nostr::Unsigned event{.kind = nostr::kTextRequestKind, .created_at_s = now.ms / 1000};
  event.tags.push_back({"i", nostr::without_disputed_controls(question.prompt), "text"});
  for (const auto& [name, value] : question.params) event.tags.push_back({"param", name, value});
  if (question.encryption != ledger::Encryption::none) {
    if (const auto hidden = hide_tags(event, question, key); !hidden) return tl::unexpected(hidden.error());
  }
  if (!question.output.empty()) event.tags.push_back({"output", question.output});
  if (question.bid) event.tags.push_back({"bid", std::to_string(question.bid->value)});
  nostr::Tag& relays = event.tags.emplace_back(nostr::Tag{"relays"});
  relays.insert(relays.end(), question.relays.begin(), question.relays.end());
  if (question.provider) event.tags.push_back({"p", question.provider->hex()});
  const auto aux = nostr::generate_aux();
  if (!aux) return tl::unexpected(aux.error());
  return nostr::sign(std::move(event), key, *aux);
}

// ---- the conversation -----------------------------------------------------------------------------------------------

class Customer::Impl {
 public:
  Impl(boost::asio::io_context& io, nostr::SecretKey key, nostr::Event request, CustomerHooks hooks)
      : key_(std::move(key)), request_(std::move(request)), hooks_(std::move(hooks)), deadline_(io) {}

  Result<void> start(boost::asio::io_context& io, const Question& question, runtime::Clock clock,
                     std::int64_t timeout_ms) {
    nostr::Filter answers{.kinds = {nostr::kTextResultKind, nostr::kFeedbackKind},
                          .tags = {{'e', {request_.id.hex()}}}};
    if (question.provider) answers.authors = {*question.provider};
    nostr::PoolOptions options{
        .relays = question.relays,
        .wanted = {std::move(answers)},
        .clock = std::move(clock),
        .random = [] { return 0.5; },  // jitter is for crowds
        .sign_auth = [this](const auto& url, const auto& challenge, auto now) { return auth(url, challenge, now); }};
    auto pool = nostr::RelayPool::make(
        io, std::move(options),
        {.on_event = [this](const nostr::Received& received) { on_event(received); },
         .on_refused = [](const std::string&, nostr::Refusal) {},
         .on_health = [this](const auto& url, auto state, const auto& reason) { on_health(url, state, reason); },
         .on_notice = [](const std::string&, const std::string&) {}});
    if (!pool) return tl::unexpected(pool.error());
    pool_ = std::move(*pool);
    pool_->start({});
    for (const std::string& relay : question.relays) {
      pool_->publish(relay, nostr::to_json(request_), request_.id,
                     [this](const ledger::RelayAnswer& answer) { on_published(answer); });
    }
    wait_until(timeout_ms);
    return {};
  }

  const nostr::Event& request() const { return request_; }

 private:
  std::optional<nostr::Event> auth(const std::string& url, const std::string& challenge, ledger::TimeMs now) const {
    const auto aux = nostr::generate_aux();
    return aux ? std::optional(nostr::auth_event(key_, url, challenge, now, *aux)) : std::nullopt;
  }

  void on_event(const nostr::Received& received) {
    const auto answer = nostr::read_answer(received.event, key_);
    if (!answer || answer->request != request_.id) return;
    last_status_ = answer->is_result ? "a result" : answer->status;
    hooks_.answered(*answer, received.relay);
  }

  void on_published(const ledger::RelayAnswer& answer) {
    hooks_.published(answer);
    if (answer.accepted) {
      taken_ = true;
    } else {
      lost(answer.relay, answer.message);
    }
  }

  void on_health(const std::string& url, nostr::RelayState state, const std::string& reason) {
    if (state == nostr::RelayState::offline) lost(url, reason);
  }

  // This relay will hardly take the request; the last one's loss is the end.
  void lost(const std::string& relay, const std::string& reason) {
    lost_[relay] = reason;
    if (taken_ || lost_.size() < pool_->health().size()) return;
    std::string reasons;
    for (const auto& [url, why] : lost_) reasons += (reasons.empty() ? "" : "; ") + url + ": " + why;
    give_up({ErrorKind::connection, "request.unreachable", "no relay took the request", reasons,
             "look at the relay's address, or name another with --relay"});
  }

  void wait_until(std::int64_t timeout_ms) {
    deadline_.expires_after(std::chrono::milliseconds(timeout_ms));
    deadline_.async_wait([this, timeout_ms](const boost::system::error_code& error) {
      if (error) return;
      const std::string heard = last_status_.empty() ? "nobody answered" : "the last word was " + last_status_;
      give_up({ErrorKind::connection, "request.no_answer", "no result came within " + took(timeout_ms), heard,
               last_status_.empty() ? "is a provider online on this relay? name one with --to, or wait longer with "
                                      "--timeout"
                                    : "wait longer with --timeout"});
    });
  }

  void give_up(ledger::Error error) {
    if (!std::exchange(failed_, true)) hooks_.failed(std::move(error));
  }

  const nostr::SecretKey key_;
  const nostr::Event request_;
  const CustomerHooks hooks_;
  boost::asio::steady_timer deadline_;
  std::map<std::string, std::string> lost_;  // relays that cannot be reached or refused, and why
  bool taken_ = false;                       // by a relay
  bool failed_ = false;
  std::string last_status_;
  std::unique_ptr<nostr::RelayPool> pool_;
};

Result<std::unique_ptr<Customer>> Customer::ask(boost::asio::io_context& io, const Question& question,
                                                nostr::SecretKey key, runtime::Clock clock, std::int64_t timeout_ms,
                                                CustomerHooks hooks) {
  auto request = to_request(question, key, clock());
  if (!request) return tl::unexpected(request.error());
  auto impl = std::make_unique<Impl>(io, std::move(key), std::move(*request), std::move(hooks));
  if (auto started = impl->start(io, question, std::move(clock), timeout_ms); !started) {
    return tl::unexpected(started.error());
  }
  return std::unique_ptr<Customer>(new Customer(std::move(impl)));
}

Customer::Customer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Customer::~Customer() = default;

const nostr::Event& Customer::request() const {
  return impl_->request();
}

// ---- paying ---------------------------------------------------------------------------------------------------------

Result<Payment> pay_from_sandbox(const std::filesystem::path& folder, const nostr::Answer& answer,
                                 const std::optional<ledger::Msat>& bid, ledger::TimeMs now) {
  const auto decoded = wallet::decode_bolt11(answer.bolt11);
  if (!decoded) return tl::unexpected(decoded.error());
  const ledger::Msat asked = answer.amount.value_or(decoded->amount.value_or(ledger::Msat{}));
  const auto invoice = wallet::check_invoice(answer.bolt11, asked, {wallet::Network::regtest}, now);
  if (!invoice) return tl::unexpected(invoice.error());
  if (bid && asked > *bid) {
    return fail(ErrorKind::payment, "payment.above_bid",
                "the provider asks " + sats(asked) + ", above the bid of " + sats(*bid), {}, "nothing was paid");
  }
  const auto preimage = wallet::SandboxWallet::pay(folder, answer.bolt11, now);
  if (!preimage) return tl::unexpected(preimage.error());
  return Payment{asked, invoice->payment_hash, *preimage};
}

}  // namespace cmd
