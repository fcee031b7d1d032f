#include "cmd/customer/customer.h"

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <map>

#include "base/scheduler.h"
#include "base/utf8.h"
#include "cmd/text/humanize.h"
#include "pipeline/net/url_guard.h"
#include "pipeline/nostr/json.h"
#include "pipeline/nostr/key_file.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip19.h"
#include "pipeline/nostr/nip42.h"
#include "pipeline/nostr/relay/pool.h"
#include "pipeline/wallet/sandbox.h"

namespace cmd {

using base::ErrorKind;
using base::fail;
using base::Result;

namespace {

constexpr std::pair<InputType, std::string_view> kInputTypes[] = {
    {InputType::text, "text"}, {InputType::url, "url"}, {InputType::event, "event"}, {InputType::job, "job"}};

auto refuse(std::string message, std::string hint) {
  return fail(ErrorKind::config, "request.prompt", std::move(message), {}, std::move(hint));
}

Result<void> check_inputs(const std::vector<Input>& inputs) {
  if (inputs.empty()) return refuse("there is no prompt", "type it behind the options, or send it to stdin");
  if (inputs.size() > kMaxInputs) return refuse("there are more than 32 inputs", "put several texts into one file");
  std::size_t bytes = 0;
  for (const Input& input : inputs) {
    if (const auto good = check_text("the prompt", input.data); !good) return good;
    bytes += input.data.size();
  }
  if (bytes > kMaxQuestionBytes) return refuse("the inputs are longer than 48 KiB together", "relays refuse more");
  return {};
}

nostr::Tag to_tag(const Input& input, const std::vector<std::string>& relays) {
  nostr::Tag tag = {"i", nostr::without_disputed_controls(input.data), std::string(name(input.type))};
  if (input.type != InputType::event && input.type != InputType::job) return tag;
  if (!input.relay.empty()) {
    tag.push_back(input.relay);
  } else if (!relays.empty()) {
    tag.push_back(relays.front());
  }
  return tag;
}

Result<nostr::Event> sign(nostr::Unsigned event, const nostr::SecretKey& key) {
  const auto aux = nostr::generate_aux();
  if (!aux) return tl::unexpected(aux.error());
  return nostr::sign(std::move(event), key, *aux);
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

Result<Input> parse_address(std::string_view typed) {
  const auto url = net::parse_url(typed, "http");
  if (url && typed.size() <= nostr::kMaxSourceBytes) return Input{InputType::url, std::string(typed), {}};
  return fail(ErrorKind::config, "request.input", "--url cannot be \"" + std::string(typed.substr(0, 200)) + "\"",
              url ? "it is longer than 2 KiB" : url.error(), "it is an address like https://example.com/page");
}

}  // namespace

std::string_view name(InputType type) {
  for (const auto& [known, name] : kInputTypes) {
    if (known == type) return name;
  }
  return "text";
}

Result<void> check_text(const std::string& what, std::string_view text) {
  if (text.empty()) return refuse(what + " is empty", "say what shall be answered");
  if (text.size() > kMaxQuestionBytes) return refuse(what + " is longer than 48 KiB", "relays refuse more");
  if (!base::is_utf8(text)) return refuse(what + " is no UTF-8 text", "convert it, for example with iconv");
  return {};
}

Result<Input> parse_source(InputType type, std::string_view typed) {
  if (type == InputType::url) return parse_address(typed);
  const std::size_t at = typed.find('@');
  const std::string_view id_text = typed.substr(0, at);
  const auto id = nostr::parse_event_id(id_text);
  const auto refuse = [&](const base::Error& error) {
    return fail(ErrorKind::config, "request.input", "--" + std::string(name(type)) + ": " + error.message,
                error.context, error.hint);
  };
  if (!id) return refuse(id.error());
  Input input{type, id->hex(), {}};
  if (at != std::string_view::npos) {
    const auto relay = net::parse_relay_url(typed.substr(at + 1));
    if (!relay) return refuse(relay.error());
    input.relay = relay->text();
  } else if (const auto nevent = nostr::decode_nevent(id_text); nevent && !nevent->relays.empty()) {
    input.relay = nevent->relays.front();
  }
  return input;
}

Result<nostr::Event> to_request(const Question& question, const nostr::SecretKey& key, base::TimeMs now) {
  if (const auto good = check_inputs(question.inputs); !good) return tl::unexpected(good.error());
  nostr::Unsigned event{.kind = nostr::kTextRequestKind, .created_at_s = now.ms / 1000};
  for (const Input& input : question.inputs) event.tags.push_back(to_tag(input, question.relays));
  for (const auto& [name, value] : question.params) event.tags.push_back({"param", name, value});
  if (question.encryption != ledger::Encryption::none) {
    if (const auto hidden = hide_tags(event, question, key); !hidden) return tl::unexpected(hidden.error());
  }
  if (!question.output.empty()) event.tags.push_back({"output", question.output});
  if (question.bid) event.tags.push_back({"bid", std::to_string(question.bid->value)});
  nostr::Tag& relays = event.tags.emplace_back(nostr::Tag{"relays"});
  relays.insert(relays.end(), question.relays.begin(), question.relays.end());
  if (question.provider) event.tags.push_back({"p", question.provider->hex()});
  return sign(std::move(event), key);
}

Result<nostr::Event> to_cancellation(const nostr::EventId& request, const nostr::SecretKey& key, base::TimeMs now) {
  nostr::Unsigned event{.kind = nostr::kDeletionKind, .created_at_s = now.ms / 1000};
  event.tags = {{"e", request.hex()}, {"k", std::to_string(nostr::kTextRequestKind)}};
  return sign(std::move(event), key);
}

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
    const auto cancellation = to_cancellation(request_, key_, clock_());
    if (!cancellation) return tl::unexpected(cancellation.error());
    publish(*cancellation, published);
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
             "look at the relay's address, or name another with --relay"});
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
  boost::asio::steady_timer deadline_;
  std::map<std::string, std::string> lost_;  // relays that cannot be reached or refused, and why
  bool taken_ = false;                       // by a relay
  bool failed_ = false;
  std::string last_status_;
  std::unique_ptr<nostr::RelayPool> pool_;
};

Result<std::unique_ptr<Customer>> Customer::ask(boost::asio::io_context& io, const Question& question,
                                                nostr::SecretKey key, base::Clock clock, std::int64_t timeout_ms,
                                                CustomerHooks hooks) {
  auto request = to_request(question, key, clock());
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
  auto cancellation = to_cancellation(request, key, clock());
  if (!cancellation) return tl::unexpected(cancellation.error());
  auto impl =
      std::make_unique<Impl>(io, std::move(key), std::move(*cancellation), request, std::move(clock), std::move(hooks));
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
