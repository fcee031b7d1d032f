#include "pipeline/inference/ollama_client.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "pipeline/inference/ollama_api.h"
#include "pipeline/inference/ollama_stream.h"

namespace inference {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxCachedModels = 10'000;  // of which it is remembered what was shown

// One chat: what its connection says goes into the stream machine, what that says to the caller. Callbacks of the
// connection hold it weakly and pin it while they run, so that the caller may drop its Generation inside `text`.
class Chat : public std::enable_shared_from_this<Chat> {
 public:
  Chat(Backend::OnText text, Backend::OnDone done) : text_(std::move(text)), done_(std::move(done)) {}

  void start(boost::asio::io_context& io, const net::HttpOrigin& origin, std::string body, net::HttpTimeouts timeouts) {
    const auto pinned = [weak = weak_from_this()](auto input) {
      return [weak, input](const auto&... what) {
        if (const auto chat = weak.lock()) chat->tell(input(*chat, what...));
      };
    };
    call_ = std::make_unique<net::HttpCall>(
        io, origin, net::HttpRequest{.path = "/api/chat", .body = std::move(body)}, timeouts,
        net::HttpCallbacks{.head = pinned([](Chat& chat, unsigned status) { return chat.stream_.on_head(status); }),
                           .body = pinned([](Chat& chat, std::string_view bytes) {
                             return chat.stream_.on_body(bytes, chat.elapsed_ms());
                           }),
                           .end = pinned([](Chat& chat) { return chat.stream_.on_end_of_body(chat.elapsed_ms()); }),
                           .failed = pinned([](Chat& chat, const net::HttpFailure& failure) {
                             return failure.timed_out_ms > 0 ? chat.stream_.on_timeout(failure.timed_out_ms)
                                                             : chat.stream_.on_connection_error(failure.message);
                           })});
  }

  // From now on the caller hears nothing, and the backend may stop.
  void close() { call_.reset(); }

 private:
  std::int64_t elapsed_ms() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started_).count();
  }

  void tell(Progress progress) {
    if (!progress.text.empty()) text_(progress.text);
    if (!call_ || !progress.end) return;
    close();
    done_(std::move(*progress.end));
  }

  const Backend::OnText text_;
  const Backend::OnDone done_;
  const Clock::time_point started_ = Clock::now();
  OllamaStream stream_;
  std::unique_ptr<net::HttpCall> call_;
};

class ChatGeneration final : public Generation {
 public:
  explicit ChatGeneration(std::shared_ptr<Chat> chat) : chat_(std::move(chat)) {}
  ~ChatGeneration() override { chat_->close(); }

 private:
  const std::shared_ptr<Chat> chat_;
};

}  // namespace

// The questions behind one status(): version, tags, ps, then show for each model not yet known; one after the other.
class OllamaClient::StatusCheck : public std::enable_shared_from_this<StatusCheck> {
 public:
  StatusCheck(OllamaClient& client, std::function<void(base::Result<BackendStatus>)> done)
      : client_(client), done_(std::move(done)) {}

  void start() {
    ask("/api/version", {}, [this](const base::Result<std::string>& body) {
      const auto version = body.and_then(parse_version);
      if (!version && is_away(version.error())) return give_up(version.error());
      status_.version = version.value_or("");
      ask_tags();
    });
  }

 private:
  using Answer = std::function<void(const base::Result<std::string>& body)>;

  void ask_tags() {
    ask("/api/tags", {}, [this](const base::Result<std::string>& body) {
      auto models = body.and_then(parse_tags);
      if (!models) return give_up(models.error());
      models_ = std::move(*models);
      for (const ListedModel& model : models_) status_.models.push_back({.name = model.name});
      ask_ps();
    });
  }

  void ask_ps() {
    ask("/api/ps", {}, [this](const base::Result<std::string>& body) {
      const auto loaded = body.and_then(parse_ps);
      if (!loaded && is_away(loaded.error())) return give_up(loaded.error());
      // Ollama before 0.1.38 has no such path, and others neither.
      for (ModelInfo& model : status_.models) {
        model.loaded = loaded && std::ranges::count(*loaded, model.name, &ListedModel::name) > 0;
      }
      ask_show(0);
    });
  }

  void ask_show(std::size_t index) {
    for (; index < models_.size(); ++index) {
      const auto found = client_.shown_.find(key(models_[index]));
      if (client_.hung_.contains(key(models_[index]))) continue;
      if (found == client_.shown_.end()) break;
      status_.models[index].context_tokens = found->second.context_tokens;
      status_.models[index].completes = found->second.completes;
    }
    if (index == models_.size()) {
      client_.hung_.clear();
      return finish(std::move(status_));
    }
    ask("/api/show", make_show_body(models_[index].name), [this, index](const base::Result<std::string>& body) {
      // A model that is listed but cannot be shown (just deleted, broken, or by a server without this path) is no
      // reason to know nothing of the others. It is asked about again if the server may answer better the next time.
      // Where it hangs on one, this check ends, and the next one begins with the others.
      const auto shown = body.and_then(parse_show);
      if (!shown && is_away(shown.error())) {
        client_.hung_.insert(key(models_[index]));
        return finish(std::move(status_));
      }
      if (!shown && may_pass(http_status_)) return ask_show(index + 1);
      remember(models_[index], shown.value_or(ShownModel()));
      ask_show(index);
    });
  }

  static bool may_pass(unsigned http_status) { return http_status >= 500 || http_status == 408 || http_status == 429; }

  // Not answered at all; else it was, in words that tell nothing.
  static bool is_away(const base::Error& error) {
    return error.code == "inference.unreachable" || error.code == "inference.timed_out";
  }

  static const std::string& key(const ListedModel& model) { return model.digest.empty() ? model.name : model.digest; }

  void remember(const ListedModel& model, const ShownModel& shown) {
    if (client_.shown_.size() >= kMaxCachedModels) client_.shown_.clear();
    client_.shown_[key(model)] = shown;
  }

  // Asks one question; what the connection says is pinned to this check's life like a chat's.
  void ask(std::string path, std::string request_body, Answer answer) {
    body_.clear();
    asked_ = Clock::now();
    answer_ = std::move(answer);
    const auto pinned = [weak = weak_from_this()](auto react) {
      return [weak, react](const auto&... what) {
        if (const auto check = weak.lock()) react(*check, what...);
      };
    };
    const std::int64_t limit_ms = client_.timeouts_.status_ms;
    call_ = std::make_unique<net::HttpCall>(
        client_.io_, client_.origin_, net::HttpRequest{.path = std::move(path), .body = std::move(request_body)},
        net::HttpTimeouts{.connect_ms = client_.timeouts_.connect_ms, .first_byte_ms = limit_ms, .stall_ms = limit_ms},
        net::HttpCallbacks{
            .head = pinned([](StatusCheck& check, unsigned status) { check.http_status_ = status; }),
            .body = pinned([](StatusCheck& check, std::string_view bytes) { check.on_body(bytes); }),
            .end = pinned([](StatusCheck& check) { check.on_end(); }),
            .failed = pinned([](StatusCheck& check, const net::HttpFailure& what) { check.on_failed(what); })});
  }

  void on_body(std::string_view bytes) {
    // Silence is what the connection's own timeouts end; this ends an answer that trickles.
    if (Clock::now() - asked_ > 2 * std::chrono::milliseconds(client_.timeouts_.status_ms)) {
      return answered(failure("inference.timed_out", "its answer does not end"));
    }
    if (body_.size() + bytes.size() > kMaxAnswerBytes) {
      return answered(failure("inference.malformed", "it answered without end"));
    }
    body_.append(bytes);
  }

  void on_end() {
    if (http_status_ == 200) return answered(std::exchange(body_, {}));
    answered(failure("inference.refused", failure_of_status(http_status_, body_).message));
  }

  void on_failed(const net::HttpFailure& what) {
    if (what.timed_out_ms == 0) return answered(failure("inference.unreachable", what.message));
    answered(failure("inference.timed_out", "no answer within " + std::to_string(what.timed_out_ms) + " ms"));
  }

  void answered(const base::Result<std::string>& body) {
    call_.reset();
    const Answer answer = std::move(answer_);
    answer(body);
  }

  tl::unexpected<base::Error> failure(std::string_view code, const std::string& message) const {
    return base::fail(base::ErrorKind::connection, std::string(code), "Ollama: " + message, client_.origin_.authority,
                      "is Ollama running? try `ollama serve`");
  }

  void give_up(base::Error error) {
    error.context = client_.origin_.authority;
    finish(tl::unexpected(std::move(error)));
  }

  void finish(base::Result<BackendStatus> result) {
    client_.checks_.erase(shared_from_this());
    done_(std::move(result));
  }

  OllamaClient& client_;
  const std::function<void(base::Result<BackendStatus>)> done_;
  BackendStatus status_;
  std::vector<ListedModel> models_;  // in step with status_.models
  unsigned http_status_ = 0;
  std::string body_;
  Clock::time_point asked_;
  Answer answer_;
  std::unique_ptr<net::HttpCall> call_;
};

OllamaClient::OllamaClient(boost::asio::io_context& io, net::HttpOrigin origin, OllamaTimeouts timeouts)
    : io_(io), origin_(std::move(origin)), timeouts_(timeouts) {}

OllamaClient::~OllamaClient() = default;

base::Result<std::unique_ptr<OllamaClient>> OllamaClient::create(boost::asio::io_context& io, std::string_view url,
                                                                 OllamaTimeouts timeouts) {
  return net::parse_origin(url).map([&](net::HttpOrigin origin) {
    return std::unique_ptr<OllamaClient>(new OllamaClient(io, std::move(origin), timeouts));
  });
}

std::unique_ptr<Generation> OllamaClient::chat(const ChatRequest& request, OnText text, OnDone done) {
  const auto chat = std::make_shared<Chat>(std::move(text), std::move(done));
  chat->start(
      io_, origin_, make_chat_body(request),
      {.connect_ms = timeouts_.connect_ms, .first_byte_ms = timeouts_.first_token_ms, .stall_ms = timeouts_.stall_ms});
  return std::make_unique<ChatGeneration>(chat);
}

void OllamaClient::status(std::function<void(base::Result<BackendStatus>)> done) {
  const auto check = std::make_shared<StatusCheck>(*this, std::move(done));
  checks_.insert(check);
  check->start();
}

}  // namespace inference
