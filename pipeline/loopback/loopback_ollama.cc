#include "pipeline/loopback/loopback_ollama.h"

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "base/types.h"
#include "pipeline/net/awaitable.h"

namespace loopback {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using net::into;
using nlohmann::json;

constexpr std::uint64_t kMaxRequestBytes = 16 * 1024 * 1024;
constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::size_t kTokensBeforeFault = 3;
constexpr char kLastChunk[] = "0\r\n\r\n";
constexpr char kVersion[] = "0.24.0-stand-in";
constexpr char kNoSuchPage[] = "404 page not found";
constexpr char kCreatedAt[] = "2026-01-01T00:00:00Z";
constexpr auto kForEver = asio::steady_timer::time_point::max();

StandInAnswer refusal_of(LoopbackFault fault) {
  switch (fault) {
    case LoopbackFault::unknown_model:
      return {.http_status = 404, .error = "model 'absent' not found"};
    case LoopbackFault::bad_request:
      return {.http_status = 400, .error = "invalid character 'x'"};
    case LoopbackFault::input_too_long:
      return {.http_status = 400, .error = "the input length exceeds the context length"};
    case LoopbackFault::busy:
      return {.http_status = 503, .error = "server busy, please try again.  maximum pending requests exceeded"};
    case LoopbackFault::server_error:
      return {.http_status = 500, .error = "llama runner process has terminated: exit status 2"};
    default:
      return {};
  }
}

std::string token_line(const StandInAnswer& answer, const std::string& token) {
  return json{{"model", answer.model},
              {"created_at", kCreatedAt},
              {"message", {{"role", "assistant"}, {"content", token}}},
              {"done", false}}
             .dump() +
         "\n";
}

// What a thinking model sends before its answer.
std::string thinking_line(const StandInAnswer& answer, const std::string& token) {
  return json{{"model", answer.model},
              {"created_at", kCreatedAt},
              {"message", {{"role", "assistant"}, {"content", ""}, {"thinking", token}}},
              {"done", false}}
             .dump() +
         "\n";
}

std::string done_line(const StandInAnswer& answer) {
  json line = {{"model", answer.model},
               {"created_at", kCreatedAt},
               {"message", {{"role", "assistant"}, {"content", ""}}},
               {"done", true},
               {"done_reason", answer.done_reason}};
  // Like Ollama, leaves out a count that is 0.
  if (answer.input_tokens > 0) line["prompt_eval_count"] = answer.input_tokens;
  if (!answer.tokens.empty()) line["eval_count"] = answer.tokens.size();
  return line.dump() + "\n";
}

json version() {
  return {{"version", kVersion}};
}

json error_body(const std::string& error) {
  return {{"error", error}};
}

json describe(const StandInModel& model) {
  return {{"name", model.name},
          {"model", model.name},
          {"digest", base::sha256(model.name).hex()},
          {"size", 1},
          {"details", {{"family", "standin"}, {"parameter_size", "0"}, {"quantization_level", "none"}}}};
}

json show(const StandInModel& model) {
  json shown = {
      {"details", {{"family", "standin"}}},
      {"model_info", {{"general.architecture", "standin"}, {"standin.context_length", model.context_tokens}}}};
  if (!model.capabilities.empty()) shown["capabilities"] = model.capabilities;
  return shown;
}

}  // namespace

class LoopbackOllama::Server : public std::enable_shared_from_this<Server> {
 public:
  Server(asio::io_context& io, LoopbackOptions options) : options_(std::move(options)), acceptor_(io) {}

  error_code listen() {
    const tcp::endpoint any_port(asio::ip::address_v4::loopback(), 0);
    error_code error;
    acceptor_.open(any_port.protocol(), error);
    if (!error) acceptor_.bind(any_port, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (!error) port_ = acceptor_.local_endpoint(error).port();
    if (error) return error;
    asio::co_spawn(
        acceptor_.get_executor(), [self = shared_from_this()] { return self->accept(); }, asio::detached);
    return {};
  }

  void close();

  std::uint16_t port() const { return port_; }

  const LoopbackOptions options_;
  FaultHook fault_hook_ = [](std::uint64_t) { return LoopbackFault::none; };
  LoopbackRecord record_;
  std::set<std::string> loaded_;  // models that have answered

 private:
  class Session;

  asio::awaitable<void> accept();

  tcp::acceptor acceptor_;
  std::uint16_t port_ = 0;
  std::set<std::shared_ptr<Session>> sessions_;
};

// One connection, one request.
class LoopbackOllama::Server::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<Server> server, tcp::socket socket)
      : server_(std::move(server)), stream_(std::move(socket)), timer_(stream_.get_executor()) {}

  asio::awaitable<void> run() {
    http::request_parser<http::string_body> parser;
    parser.body_limit(kMaxRequestBytes);
    error_code error;
    co_await read(parser, error);
    if (error) co_return;
    asio::co_spawn(
        stream_.get_executor(), [self = shared_from_this()] { return self->watch(); }, asio::detached);
    co_await answer(parser.get());
    answered_ = true;
    close();
  }

  void close() {
    closed_ = true;
    timer_.cancel();
    error_code ignored;
    stream_.shutdown(tcp::socket::shutdown_send, ignored);
    stream_.close(ignored);
  }

 private:
  // Bytes go to the parser and come from text by hand: Beast's operations on streams take long to compile.
  asio::awaitable<void> read(http::request_parser<http::string_body>& parser, error_code& error) {
    std::string received;
    std::array<char, kReadBytes> bytes;
    parser.eager(true);
    while (!parser.is_done()) {
      const std::size_t size = co_await stream_.async_read_some(asio::buffer(bytes), into(error));
      if (error) co_return;
      received.append(bytes.data(), size);
      received.erase(0, parser.put(asio::buffer(received), error));
      if (error == http::error::need_more) error = {};
      if (error) co_return;
    }
  }

  // Notices that the client left, also while nothing is being sent.
  asio::awaitable<void> watch() {
    error_code error;
    char byte = 0;
    co_await stream_.async_read_some(asio::buffer(&byte, 1), into(error));
    if (answered_ || closed_) co_return;
    ++server_->record_.abandoned;
    close();
  }

  asio::awaitable<void> answer(const http::request<http::string_body>& request) {
    const std::string_view path(request.target().data(), request.target().size());
    const std::vector<StandInModel>& models = server_->options_.models;
    if (server_->options_.missing.contains(std::string(path))) co_return co_await send(404, error_body(kNoSuchPage));
    if (path == "/api/show") ++server_->record_.shows;
    if (server_->options_.silent.contains(std::string(path))) co_return co_await wait_until(kForEver);
    if (path == "/api/version") co_return co_await send(200, version());
    if (path == "/api/tags") co_return co_await send(200, list([](const StandInModel&) { return true; }));
    if (path == "/api/ps") {
      co_return co_await send(200, list([this](const StandInModel& m) { return server_->loaded_.contains(m.name); }));
    }
    if (path == "/api/show") {
      if (server_->record_.shows <= server_->options_.failing_shows)
        co_return co_await send(500, error_body("the model cannot be read"));
      const json asked = json::parse(request.body(), nullptr, false);
      for (const StandInModel& model : models) {
        if (asked.is_object() && asked.value("model", json()) == model.name) co_return co_await send(200, show(model));
      }
      co_return co_await send(404, error_body("model not found"));
    }
    if (path == "/api/chat") co_return co_await chat(request.body());
    co_await send(404, error_body(kNoSuchPage));
  }

  template <class Listed>
  json list(Listed listed) const {
    json models = json::array();
    for (const StandInModel& model : server_->options_.models) {
      if (listed(model)) models.push_back(describe(model));
    }
    return {{"models", models}};
  }

  asio::awaitable<void> chat(const std::string& body) {
    server_->record_.last_chat_body = body;
    const LoopbackFault fault = server_->fault_hook_(++server_->record_.chats);
    if (fault == LoopbackFault::hang_up) co_return;
    if (fault == LoopbackFault::stall_at_start) co_return co_await wait_until(kForEver);
    StandInAnswer answer = refusal_of(fault);
    if (answer.http_status == 200) answer = stand_in_answer(server_->options_.models, body);
    if (answer.http_status != 200) co_return co_await send(answer.http_status, error_body(answer.error));
    server_->loaded_.insert(answer.model);
    co_await stream(answer, fault);
  }

  asio::awaitable<void> stream(StandInAnswer answer, LoopbackFault fault) {
    if (fault == LoopbackFault::loaded_only) answer = {.model = answer.model, .done_reason = "load"};
    const std::int64_t token_ms = fault == LoopbackFault::slow ? kSlowTokenMs : server_->options_.token_ms;
    const bool thinks = fault == LoopbackFault::thinks_only || fault == LoopbackFault::endless;
    co_await send_head();
    for (std::size_t i = 0; i < answer.tokens.size() && !closed_; ++i) {
      if (i == kTokensBeforeFault && breaks_in_mid_stream(fault)) co_return co_await break_off(answer, fault);
      co_await wait_until(std::chrono::steady_clock::now() + std::chrono::milliseconds(token_ms));
      // Not within co_await: GCC 12 destroys what a condition chooses there twice.
      const std::string line = thinks ? thinking_line(answer, answer.tokens[i]) : token_line(answer, answer.tokens[i]);
      co_await send_chunk(line);
      if (i + 1 == answer.tokens.size() && fault == LoopbackFault::endless) i = 0;
    }
    co_await send_chunk(done_line(answer));
    co_await send_bytes(kLastChunk);
  }

  static bool breaks_in_mid_stream(LoopbackFault fault) {
    return fault >= LoopbackFault::stall && fault <= LoopbackFault::bad_json;
  }

  asio::awaitable<void> break_off(const StandInAnswer& answer, LoopbackFault fault) {
    const std::string line = token_line(answer, "lost");
    if (fault == LoopbackFault::stall) co_await wait_until(kForEver);
    if (fault == LoopbackFault::cut_line) co_await send_chunk(line.substr(0, line.size() / 2));
    if (fault == LoopbackFault::bad_json) co_await send_chunk("<html>\n");
    if (fault != LoopbackFault::error_line) co_return;
    co_await send_chunk("{\"error\":\"an error was encountered while running the model: unexpected EOF\"}\n");
    co_await send_bytes(kLastChunk);
  }

  asio::awaitable<void> wait_until(asio::steady_timer::time_point when) {
    if (closed_) co_return;
    timer_.expires_at(when);
    error_code cancelled;
    co_await timer_.async_wait(into(cancelled));
  }

  asio::awaitable<void> send(unsigned status, json body) {
    http::response<http::string_body> response(static_cast<http::status>(status), 11);
    response.set(http::field::content_type, "application/json");
    response.keep_alive(false);
    response.body() = body.dump(-1, ' ', false, json::error_handler_t::replace);
    response.prepare_payload();
    co_await send_bytes((std::ostringstream() << response).str());
  }

  asio::awaitable<void> send_head() {
    http::response<http::empty_body> response(http::status::ok, 11);
    response.set(http::field::content_type, "application/x-ndjson");
    response.keep_alive(false);
    response.chunked(true);
    co_await send_bytes((std::ostringstream() << response.base()).str());
  }

  asio::awaitable<void> send_chunk(const std::string& line) {
    co_await send_bytes((std::ostringstream() << std::hex << line.size() << "\r\n" << line << "\r\n").str());
  }

  asio::awaitable<void> send_bytes(std::string bytes) {
    if (closed_) co_return;
    error_code error;
    co_await asio::async_write(stream_, asio::buffer(bytes), into(error));
  }

  const std::shared_ptr<Server> server_;
  tcp::socket stream_;
  asio::steady_timer timer_;
  bool answered_ = false;
  bool closed_ = false;
};

asio::awaitable<void> LoopbackOllama::Server::accept() {
  while (true) {
    error_code error;
    tcp::socket socket = co_await acceptor_.async_accept(into(error));
    if (error) co_return;
    const auto session = std::make_shared<Session>(shared_from_this(), std::move(socket));
    sessions_.insert(session);
    asio::co_spawn(
        acceptor_.get_executor(), [session] { return session->run(); },
        [self = shared_from_this(), session](const std::exception_ptr&) { self->sessions_.erase(session); });
  }
}

void LoopbackOllama::Server::close() {
  error_code ignored;
  acceptor_.close(ignored);
  for (const auto& session : sessions_) session->close();
  sessions_.clear();
}

LoopbackOllama::LoopbackOllama(std::shared_ptr<Server> server) : server_(std::move(server)) {}

LoopbackOllama::~LoopbackOllama() {
  server_->close();
}

base::Result<std::unique_ptr<LoopbackOllama>> LoopbackOllama::start(asio::io_context& io, LoopbackOptions options) {
  auto server = std::make_shared<Server>(io, std::move(options));
  if (const error_code error = server->listen()) {
    return base::fail(base::ErrorKind::connection, "inference.loopback",
                      "the stand-in cannot listen on 127.0.0.1: " + error.message());
  }
  return std::unique_ptr<LoopbackOllama>(new LoopbackOllama(std::move(server)));
}

std::string LoopbackOllama::url() const {
  return "http://127.0.0.1:" + std::to_string(server_->port());
}

const LoopbackRecord& LoopbackOllama::record() const {
  return server_->record_;
}

void LoopbackOllama::set_fault(LoopbackFault fault) {
  set_fault_hook([fault](std::uint64_t) { return fault; });
}

void LoopbackOllama::set_fault_hook(FaultHook hook) {
  server_->fault_hook_ = std::move(hook);
}

}  // namespace loopback
