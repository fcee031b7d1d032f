#include "cmd/customer/customer.h"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <map>

#include "base/ascii.h"
#include "base/scheduler.h"
#include "cmd/text/humanize.h"
#include "pipeline/nostr/key_file.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip42.h"
#include "pipeline/nostr/relay/pool.h"
#include "pipeline/wallet/sandbox.h"

namespace cmd {

using base::ErrorKind;
using base::fail;
using base::Result;

// ---- when no relay takes it ----------------------------------------------------------------------------------------

namespace {

bool mentions(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(words,
                             [text](std::string_view word) { return text.find(word) != std::string_view::npos; });
}

// What would work where a relay refuses an event with these words; empty: they do not say.
std::string advice_for(const std::string& refusal) {
  using nostr::Rejection;
  const std::string text = base::lower(refusal);
  const Rejection why = nostr::rejection(refusal);
  if (why == Rejection::needs_work)
    return "this relay wants proof of work, which `request` does not do: name another with --relay";
  if (why == Rejection::too_fast) return "wait a minute, or name another relay with --relay";
  if (mentions(text, {"too large", "too long", "too big", "takes at most"}))
    return "shorten the question, or let the provider fetch its text with --url";
  if (mentions(text, {"created_at", "too early", "too late", "in the future", "in the past"}))
    return "set this machine's clock: the relay finds the time of the request wrong";
  if (why == Rejection::for_good)
    return "this relay takes no events of this key: name another with --relay, or use a key that it knows with "
           "--key-file";
  return {};
}

// `reasons`: of each relay, why it did not take it.
std::string advice_for(const std::map<std::string, std::string>& reasons) {
  for (const auto& [relay, reason] : reasons) {
    if (std::string advice = advice_for(reason); !advice.empty()) return advice;
  }
  return "look at the relay's address, or name another with --relay";
}

}  // namespace

// ---- the conversation -----------------------------------------------------------------------------------------------

class Customer::Impl {
 public:
  // `event` is sent, and answers to `request` are heard: the same, unless a request of long ago is taken back.
  Impl(boost::asio::io_context& io, nostr::SecretKey key, nostr::Event event, const nostr::EventId& request,
       base::Clock clock, CustomerHooks hooks)
      : key_(std::move(key)),
        event_(std::move(event)),
        request_(request),
        clock_(std::move(clock)),
        hooks_(std::move(hooks)),
        deadline_(io) {}

  Result<void> start(boost::asio::io_context& io, std::vector<std::string> relays,
                     const std::optional<nostr::PublicKey>& provider, std::int64_t timeout_ms) {
    nostr::Filter answers{.kinds = {nostr::kTextResultKind, nostr::kFeedbackKind}, .tags = {{'e', {request_.hex()}}}};
    if (provider) answers.authors = {*provider};
    provider_ = provider;
    relays_ = std::move(relays);
    nostr::PoolOptions options{
        .relays = relays_,
        .wanted = {std::move(answers)},
        .clock = clock_,
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
    publish(event_, [this](const ledger::RelayAnswer& answer) { on_published(answer); });
    wait_until(timeout_ms);
    return {};
  }

  Result<void> cancel(const std::function<void(const ledger::RelayAnswer&)>& published) {
    const auto aux = nostr::generate_aux();
    if (!aux) return tl::unexpected(aux.error());
    publish(nostr::to_cancellation(request_, provider_, key_, clock_(), *aux), published);
    return {};
  }

  const nostr::Event& event() const { return event_; }

 private:
  void publish(const nostr::Event& event, const std::function<void(const ledger::RelayAnswer&)>& done) {
    for (const std::string& relay : relays_) pool_->publish(relay, nostr::to_json(event), event.id, done);
  }

  std::optional<nostr::Event> auth(const std::string& url, const std::string& challenge, base::TimeMs now) const {
    const auto aux = nostr::generate_aux();
    return aux ? std::optional(nostr::auth_event(key_, url, challenge, now, *aux)) : std::nullopt;
  }

  void on_event(const nostr::Received& received) {
    const auto answer = nostr::read_answer(received.event, key_);
    if (!answer || answer->request != request_) return;
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

  // This relay will hardly take what we send; the last one's loss is the end.
  void lost(const std::string& relay, const std::string& reason) {
    lost_[relay] = reason;
    if (taken_ || lost_.size() < pool_->health().size()) return;
    std::string reasons;
    for (const auto& [url, why] : lost_) reasons += (reasons.empty() ? "" : "; ") + url + ": " + why;
    give_up({ErrorKind::connection, "request.unreachable",
             event_.id == request_ ? "no relay took the request" : "no relay took the cancellation", reasons,
             advice_for(lost_)});
  }

  void wait_until(std::int64_t timeout_ms) {
    deadline_.expires_after(std::chrono::milliseconds(timeout_ms));
    deadline_.async_wait([this, timeout_ms](const boost::system::error_code& error) {
      if (!error) give_up(too_late(timeout_ms));
    });
  }

  base::Error too_late(std::int64_t timeout_ms) const {
    if (event_.id != request_) {
      return {ErrorKind::connection,
              "request.unreachable",
              "no relay took the cancellation within " + took(timeout_ms),
              {},
              "wait longer with --timeout"};
    }
    const std::string heard = last_status_.empty() ? "nobody answered" : "the last word was " + last_status_;
    return {ErrorKind::connection, "request.no_answer", "no result came within " + took(timeout_ms), heard,
            last_status_.empty() ? "is a provider online on this relay? name one with --to, or wait longer with "
                                   "--timeout"
                                 : "wait longer with --timeout"};
  }

  void give_up(base::Error error) {
    if (!std::exchange(failed_, true)) hooks_.failed(std::move(error));
  }

  const nostr::SecretKey key_;
  const nostr::Event event_;
  const nostr::EventId request_;
  const base::Clock clock_;
  const CustomerHooks hooks_;
  std::vector<std::string> relays_;
  std::optional<nostr::PublicKey> provider_;
  boost::asio::steady_timer deadline_;
  std::map<std::string, std::string> lost_;  // relays that cannot be reached or refused, and why
  bool taken_ = false;                       // by a relay
  bool failed_ = false;
  std::string last_status_;
  std::unique_ptr<nostr::RelayPool> pool_;
};

Result<std::unique_ptr<Customer>> Customer::ask(boost::asio::io_context& io, const nostr::Question& question,
                                                nostr::SecretKey key, base::Clock clock, std::int64_t timeout_ms,
                                                CustomerHooks hooks) {
  const auto nonce = nostr::generate_aux();
  if (!nonce) return tl::unexpected(nonce.error());
  const auto aux = nostr::generate_aux();
  if (!aux) return tl::unexpected(aux.error());
  auto request = nostr::to_request(question, key, clock(), {nonce->bytes}, *aux);
  if (!request) return tl::unexpected(request.error());
  const nostr::EventId id = request->id;
  auto impl = std::make_unique<Impl>(io, std::move(key), std::move(*request), id, std::move(clock), std::move(hooks));
  if (auto started = impl->start(io, question.relays, question.provider, timeout_ms); !started) {
    return tl::unexpected(started.error());
  }
  return std::unique_ptr<Customer>(new Customer(std::move(impl)));
}

Result<std::unique_ptr<Customer>> Customer::take_back(boost::asio::io_context& io, const nostr::EventId& request,
                                                      const std::vector<std::string>& relays, nostr::SecretKey key,
                                                      base::Clock clock, std::int64_t timeout_ms, CustomerHooks hooks) {
  const auto aux = nostr::generate_aux();
  if (!aux) return tl::unexpected(aux.error());
  auto cancellation = nostr::to_cancellation(request, {}, key, clock(), *aux);
  auto impl =
      std::make_unique<Impl>(io, std::move(key), std::move(cancellation), request, std::move(clock), std::move(hooks));
  if (auto started = impl->start(io, relays, {}, timeout_ms); !started) return tl::unexpected(started.error());
  return std::unique_ptr<Customer>(new Customer(std::move(impl)));
}

Customer::Customer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Customer::~Customer() = default;

const nostr::Event& Customer::request() const {
  return impl_->event();
}

Result<void> Customer::cancel(std::function<void(const ledger::RelayAnswer&)> published) {
  return impl_->cancel(published);
}

// ---- paying ---------------------------------------------------------------------------------------------------------

Result<Payment> pay_from_sandbox(const std::filesystem::path& folder, const nostr::Answer& answer,
                                 const std::optional<base::Msat>& bid, base::TimeMs now) {
  const auto decoded = wallet::decode_bolt11(answer.bolt11);
  if (!decoded) return tl::unexpected(decoded.error());
  const base::Msat asked = answer.amount.value_or(decoded->amount.value_or(base::Msat{}));
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
