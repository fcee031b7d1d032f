// The client against the loopback server: every way a chat goes well or badly, over real sockets.
#include "pipeline/inference/ollama_client.h"

#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "pipeline/loopback/loopback_ollama.h"

namespace inference {
namespace {

using ledger::InferenceFailure;
using loopback::kStandInContextTokens;
using loopback::kStandInModel;
using loopback::LoopbackFault;
using loopback::LoopbackOllama;
using nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;
using tcp = boost::asio::ip::tcp;
using Clock = std::chrono::steady_clock;

constexpr auto kPatience = std::chrono::seconds(20);
constexpr OllamaTimeouts kShort = {.connect_ms = 300, .first_token_ms = 300, .stall_ms = 300, .status_ms = 300};

class OllamaClientTest : public testing::Test {
 protected:
  OllamaClientTest() { connect({}); }

  void serve(loopback::LoopbackOptions options) {
    server_ = LoopbackOllama::start(io_, std::move(options)).value();
    connect({});
  }

  void connect(OllamaTimeouts timeouts) { client_ = OllamaClient::create(io_, server_->url(), timeouts).value(); }

  template <class Condition>
  bool run_until(Condition condition) {
    const auto deadline = Clock::now() + kPatience;
    while (!condition() && Clock::now() < deadline) {
      io_.restart();
      io_.run_one_for(std::chrono::milliseconds(20));
    }
    return condition();
  }

  void settle() {
    io_.restart();
    io_.run_for(std::chrono::milliseconds(100));
  }

  static ChatRequest question() {
    return {.model = kStandInModel, .messages = {{"user", "Why is the sky blue?"}}, .max_output_tokens = 500};
  }

  void begin(const ChatRequest& request = question()) {
    text_.clear();
    chunks_ = 0;
    end_.reset();
    generation_ = client_->chat(
        request,
        [this](std::string_view chunk) {
          text_ += chunk;
          ++chunks_;
        },
        [this](auto end) {
          EXPECT_FALSE(end_) << "told twice";
          end_ = std::move(end);
        });
  }

  tl::expected<Completion, Failure> chat(const ChatRequest& request = question()) {
    begin(request);
    EXPECT_TRUE(run_until([this] { return end_.has_value(); }));
    return *end_;
  }

  Failure failure_with(LoopbackFault fault) {
    server_->set_fault(fault);
    return chat().error();
  }

  base::Result<BackendStatus> status() {
    std::optional<base::Result<BackendStatus>> answer;
    client_->status([&](auto result) { answer = std::move(result); });
    EXPECT_TRUE(run_until([&] { return answer.has_value(); }));
    return *answer;
  }

  boost::asio::io_context io_;
  std::unique_ptr<LoopbackOllama> server_ = LoopbackOllama::start(io_, {.token_ms = 0}).value();
  std::unique_ptr<OllamaClient> client_;
  std::unique_ptr<Generation> generation_;
  std::string text_;
  int chunks_ = 0;
  std::optional<tl::expected<Completion, Failure>> end_;
};

// ---- a chat that goes well ------------------------------------------------------------------------------------------

TEST_F(OllamaClientTest, StreamsAnAnswerAndCountsIt) {
  const auto end = chat();
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_THAT(end->text, HasSubstr("Why is the sky blue?"));
  EXPECT_EQ(text_, end->text);
  EXPECT_GT(chunks_, 1);
  EXPECT_GT(end->input_tokens, 0U);
  EXPECT_GT(end->output_tokens, 10U);
  EXPECT_EQ(end->finish, ledger::FinishReason::stop);
  EXPECT_GE(end->total_ms, end->first_token_ms);
}

TEST_F(OllamaClientTest, EveryParameterReachesTheServer) {
  ChatRequest request = question();
  request.context_tokens = 2048;
  request.params.temperature = 0.5;
  request.params.top_k = 7;
  request.params.top_p = 0.25;
  request.params.frequency_penalty = 0.125;
  request.params.presence_penalty = -0.5;
  request.params.seed = 99;
  request.params.stop = {"###"};
  ASSERT_TRUE(chat(request));
  const json sent = json::parse(server_->record().last_chat_body);
  EXPECT_EQ(sent["truncate"], false);
  EXPECT_EQ(sent["options"], json::parse(R"({"num_predict":500,"num_ctx":2048,"temperature":0.5,"top_k":7,"top_p":0.25,
      "frequency_penalty":0.125,"presence_penalty":-0.5,"seed":99,"stop":["###"]})"));
}

TEST_F(OllamaClientTest, TheCapEndsTheAnswer) {
  ChatRequest request = question();
  request.max_output_tokens = 4;
  const auto end = chat(request);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->finish, ledger::FinishReason::length);
  EXPECT_EQ(end->output_tokens, 4U);
}

TEST_F(OllamaClientTest, SeveralChatsRunAtOnce) {
  int ended = 0;
  std::vector<std::unique_ptr<Generation>> generations;
  for (int i = 0; i < 20; ++i) {
    generations.push_back(client_->chat(
        question(), [](auto) {}, [&](auto end) { ended += end.has_value(); }));
  }
  EXPECT_TRUE(run_until([&] { return ended == 20; }));
}

TEST_F(OllamaClientTest, AGenerationOutlivesItsClient) {
  begin();
  client_.reset();
  EXPECT_TRUE(run_until([this] { return end_.has_value(); }));
  EXPECT_TRUE(*end_);
}

// ---- each way to fail -----------------------------------------------------------------------------------------------

TEST_F(OllamaClientTest, TellsEachFailureApart) {
  using enum InferenceFailure;
  EXPECT_EQ(failure_with(LoopbackFault::hang_up).kind, unreachable);
  EXPECT_EQ(failure_with(LoopbackFault::unknown_model).kind, unknown_model);
  EXPECT_EQ(failure_with(LoopbackFault::bad_request).kind, rejected);
  EXPECT_EQ(failure_with(LoopbackFault::input_too_long).kind, input_too_long);
  EXPECT_EQ(failure_with(LoopbackFault::busy).kind, busy);
  EXPECT_EQ(failure_with(LoopbackFault::server_error).kind, server_error);
  EXPECT_EQ(failure_with(LoopbackFault::error_line).kind, server_error);
  EXPECT_EQ(failure_with(LoopbackFault::cut_stream).kind, cut_off);
  EXPECT_EQ(failure_with(LoopbackFault::cut_line).kind, cut_off);
  EXPECT_EQ(failure_with(LoopbackFault::bad_json).kind, malformed);
  EXPECT_EQ(failure_with(LoopbackFault::loaded_only).kind, malformed);
}

TEST_F(OllamaClientTest, AFailureIsOfOneChatOnly) {
  server_->set_fault_hook([](std::uint64_t chat) { return chat == 1 ? LoopbackFault::busy : LoopbackFault::none; });
  EXPECT_FALSE(chat());
  EXPECT_TRUE(chat());
}

TEST_F(OllamaClientTest, WhatCameBeforeTheFailureWasPassedOn) {
  EXPECT_THAT(failure_with(LoopbackFault::error_line).message, HasSubstr("unexpected EOF"));
  EXPECT_THAT(text_, StartsWith("This is"));
}

TEST_F(OllamaClientTest, AModelOrAnInputThatOllamaRefusesNeedsNoFault) {
  ChatRequest request = question();
  request.model = "absent";
  EXPECT_EQ(chat(request).error().kind, InferenceFailure::unknown_model);
  request = question();
  request.messages[0].content = std::string(100'000, 'x');
  EXPECT_EQ(chat(request).error().kind, InferenceFailure::input_too_long);
}

TEST_F(OllamaClientTest, NobodyListeningIsUnreachable) {
  server_.reset();
  const auto end = chat();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().kind, InferenceFailure::unreachable);
  EXPECT_EQ(end.error().message, "Connection refused") << "without an address: it goes into the ledger";
}

TEST_F(OllamaClientTest, AnUnknownHostIsUnreachable) {
  client_ = OllamaClient::create(io_, "http://no-such-host.invalid:11434").value();
  EXPECT_EQ(chat().error().kind, InferenceFailure::unreachable);
}

TEST_F(OllamaClientTest, AServerThatStopsInMidStreamCutsTheAnswerOff) {
  server_->set_fault(LoopbackFault::stall);
  begin();
  ASSERT_TRUE(run_until([this] { return chunks_ > 0; }));
  server_.reset();
  ASSERT_TRUE(run_until([this] { return end_.has_value(); }));
  EXPECT_EQ(end_->error().kind, InferenceFailure::cut_off);
}

// ---- time-outs ------------------------------------------------------------------------------------------------------

TEST_F(OllamaClientTest, GivesUpWaitingForTheFirstToken) {
  connect(kShort);
  const Failure failure = failure_with(LoopbackFault::stall_at_start);
  EXPECT_EQ(failure.kind, InferenceFailure::timed_out);
  EXPECT_EQ(failure.message, "no first token within 300 ms");
  EXPECT_TRUE(run_until([this] { return server_->record().abandoned == 1; }));
}

TEST_F(OllamaClientTest, GivesUpOnAStreamThatStalls) {
  connect(kShort);
  const Failure failure = failure_with(LoopbackFault::stall);
  EXPECT_EQ(failure.kind, InferenceFailure::timed_out);
  EXPECT_EQ(failure.message, "the stream stalled for 300 ms");
  EXPECT_THAT(text_, StartsWith("This is"));
}

TEST_F(OllamaClientTest, ThoughtsAreNoText) {
  server_->set_fault(LoopbackFault::thinks_only);
  const auto end = chat();
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(end->text, "");
  EXPECT_GT(end->output_tokens, 10U);
  EXPECT_EQ(chunks_, 0) << "whoever asked decides what an answer without text is worth";
}

TEST_F(OllamaClientTest, ThoughtsWithoutEndAreLeftWhenTheGenerationIsDropped) {
  server_->set_fault(LoopbackFault::endless);
  begin();
  settle();
  EXPECT_FALSE(end_);
  generation_.reset();
  EXPECT_TRUE(run_until([&] { return server_->record().abandoned == 1; }));
}

TEST_F(OllamaClientTest, IsPatientWithASlowStream) {
  connect({.connect_ms = 2'000, .first_token_ms = 2'000, .stall_ms = 2'000});
  server_->set_fault(LoopbackFault::slow);
  ChatRequest request = question();
  request.max_output_tokens = 12;  // 2.4 s in all
  EXPECT_TRUE(chat(request));
}

TEST_F(OllamaClientTest, GivesUpConnecting) {
  tcp::acceptor silent(io_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));  // no TLS handshake ever comes
  const std::string url = "https://127.0.0.1:" + std::to_string(silent.local_endpoint().port());
  client_ = OllamaClient::create(io_, url, kShort).value();
  const Failure failure = chat().error();
  EXPECT_EQ(failure.kind, InferenceFailure::unreachable);
  EXPECT_EQ(failure.message, "no connection within 300 ms");
}

// ---- cancelling -----------------------------------------------------------------------------------------------------

TEST_F(OllamaClientTest, DroppingTheGenerationClosesTheConnectionAtOnce) {
  for (const LoopbackFault fault : {LoopbackFault::stall, LoopbackFault::stall_at_start, LoopbackFault::slow}) {
    server_->set_fault(fault);
    const std::uint64_t before = server_->record().abandoned;
    const std::uint64_t chats = server_->record().chats;
    begin();
    ASSERT_TRUE(run_until([&] { return server_->record().chats > chats; }));
    generation_.reset();
    EXPECT_TRUE(run_until([&] { return server_->record().abandoned == before + 1; }));
    EXPECT_FALSE(end_) << "nothing is told after it was dropped";
  }
}

TEST_F(OllamaClientTest, AGenerationMayBeDroppedBeforeItBegan) {
  begin();
  generation_.reset();
  settle();
  EXPECT_FALSE(end_);
  EXPECT_EQ(server_->record().chats, 0U);
}

TEST_F(OllamaClientTest, AGenerationMayBeDroppedInsideItsOwnCallbacks) {
  int chunks = 0;
  generation_ = client_->chat(
      question(),
      [&](auto) {
        ++chunks;
        generation_.reset();
      },
      [](auto) { FAIL() << "dropped before"; });
  EXPECT_TRUE(run_until([&] { return chunks > 0; }));
  settle();
  EXPECT_EQ(chunks, 1);

  bool ended = false;
  generation_ = client_->chat(
      question(), [](auto) {},
      [&](auto) {
        ended = true;
        generation_.reset();
      });
  EXPECT_TRUE(run_until([&] { return ended; }));
}

TEST_F(OllamaClientTest, WhatACallbackThrowsComesOutOfTheIoContext) {
  generation_ = client_->chat(
      question(), [](auto) { throw std::overflow_error("the caller's"); }, [](auto) {});
  EXPECT_THROW(run_until([] { return false; }), std::overflow_error);
}

// ---- status ---------------------------------------------------------------------------------------------------------

TEST_F(OllamaClientTest, StatusNamesTheVersionAndTheModels) {
  const auto before = status();
  ASSERT_TRUE(before) << before.error().describe();
  EXPECT_EQ(before->version, "0.24.0-stand-in");
  ASSERT_EQ(before->models.size(), 1U);
  EXPECT_EQ(before->models[0].name, kStandInModel);
  EXPECT_EQ(before->models[0].context_tokens, kStandInContextTokens);
  EXPECT_FALSE(before->models[0].loaded);
  ASSERT_TRUE(chat());
  EXPECT_TRUE(status()->models[0].loaded);
  EXPECT_EQ(server_->record().shows, 1U) << "a context length is asked once";
}

TEST_F(OllamaClientTest, StatusTellsModelsThatMakeEmbeddingsFromThoseThatAnswer) {
  serve({.models = {{"nomic-embed-text", 2'048, {"embedding"}}, {"old", 4'096, {}}, {"llama3.2", 8'192}}});
  const auto models = status()->models;
  ASSERT_EQ(models.size(), 3U);
  EXPECT_FALSE(models[0].completes);
  EXPECT_EQ(models[0].context_tokens, 2'048U);
  EXPECT_TRUE(models[1].completes) << "an older server lists no capabilities";
  EXPECT_TRUE(models[2].completes);
  EXPECT_FALSE(status()->models[0].completes);
  EXPECT_EQ(server_->record().shows, 3U) << "each is asked once";
  ChatRequest request = question();
  request.model = "nomic-embed-text";
  EXPECT_EQ(chat(request).error().kind, InferenceFailure::rejected);
}

TEST_F(OllamaClientTest, AModelThatTheServerFailedToShowIsAskedAboutAgain) {
  serve({.failing_shows = 1});
  ASSERT_TRUE(status());
  EXPECT_EQ(status()->models[0].context_tokens, kStandInContextTokens);
  status();
  EXPECT_EQ(server_->record().shows, 2U);
}

// Old servers, proxies and others' servers lack the one or the other: what they do not tell is not known.
TEST_F(OllamaClientTest, StatusOfAServerThatTellsNoMoreThanItsModels) {
  for (const std::string missing : {"/api/version", "/api/ps", "/api/show"}) {
    serve({.token_ms = 0, .missing = {missing}});
    ASSERT_TRUE(chat());
    const auto answer = status();
    ASSERT_TRUE(answer) << missing << answer.error().describe();
    EXPECT_EQ(answer->version.empty(), missing == "/api/version");
    EXPECT_EQ(answer->models.at(0).loaded, missing != "/api/ps");
    EXPECT_EQ(answer->models.at(0).context_tokens, missing == "/api/show" ? 0U : kStandInContextTokens);
    EXPECT_TRUE(answer->models.at(0).completes);
  }
  serve({.missing = {"/api/tags"}});
  EXPECT_EQ(status().error().code, "inference.refused") << "without models there is nothing to sell";
}

TEST_F(OllamaClientTest, StatusOfAServerThatHangsWhenItShowsAModel) {
  serve({.models = {{"one", 8'192}, {"two", 8'192}}, .silent = {"/api/show"}});
  connect(kShort);
  const auto answer = status();
  ASSERT_TRUE(answer) << answer.error().describe();
  EXPECT_EQ(answer->models.size(), 2U);
  EXPECT_EQ(server_->record().shows, 1U) << "the other waits for the next time";
  EXPECT_TRUE(status());
  EXPECT_EQ(server_->record().shows, 2U);
  EXPECT_TRUE(status());
  EXPECT_EQ(server_->record().shows, 2U) << "both hung the last time";
  EXPECT_TRUE(status());
  EXPECT_EQ(server_->record().shows, 3U);
}

TEST_F(OllamaClientTest, StatusSaysWhatToDoWhenNobodyListens) {
  server_.reset();
  const auto answer = status();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, base::ErrorKind::connection);
  EXPECT_EQ(answer.error().code, "inference.unreachable");
  EXPECT_THAT(answer.error().hint, HasSubstr("ollama serve"));
  EXPECT_THAT(answer.error().describe(), HasSubstr("127.0.0.1"));
}

TEST_F(OllamaClientTest, StatusOfSomethingElseThanOllamaIsAnError) {
  client_ = OllamaClient::create(io_, server_->url() + "/elsewhere").value();
  EXPECT_EQ(status().error().code, "inference.refused");
}

TEST_F(OllamaClientTest, StatusIsBoundedInTime) {
  tcp::acceptor silent(io_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
  const std::string url = "http://127.0.0.1:" + std::to_string(silent.local_endpoint().port());
  client_ = OllamaClient::create(io_, url, kShort).value();
  EXPECT_EQ(status().error().code, "inference.timed_out");
}

// Sends the head of an answer, and then a space now and then.
class TricklingServer {
 public:
  explicit TricklingServer(boost::asio::io_context& io)
      : acceptor_(io, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)), socket_(io), timer_(io) {
    acceptor_.async_accept(socket_, [this](const auto& error) {
      if (!error) send("HTTP/1.1 200 OK\r\n\r\n");
    });
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }

 private:
  void send(const std::string& bytes) {
    boost::system::error_code error;
    boost::asio::write(socket_, boost::asio::buffer(bytes), error);
    if (error) return;
    timer_.expires_after(std::chrono::milliseconds(50));
    timer_.async_wait([this](const auto& cancelled) {
      if (!cancelled) send(" ");
    });
  }
  tcp::acceptor acceptor_;
  tcp::socket socket_;
  boost::asio::steady_timer timer_;
};

TEST_F(OllamaClientTest, StatusIsBoundedInTimeAlsoWhenItsAnswerTrickles) {
  TricklingServer trickling(io_);
  client_ = OllamaClient::create(io_, trickling.url(), kShort).value();
  EXPECT_EQ(status().error().code, "inference.timed_out");
}

TEST_F(OllamaClientTest, DestroyingTheClientEndsItsStatusCalls) {
  client_->status([](auto) { FAIL() << "the client is gone"; });
  client_.reset();
  settle();
}

TEST_F(OllamaClientTest, TheClientMayBeDestroyedInsideItsStatusCallback) {
  bool told = false;
  client_->status([&](auto) {
    told = true;
    client_.reset();
  });
  EXPECT_TRUE(run_until([&] { return told; }));
}

// ---- the address ----------------------------------------------------------------------------------------------------

TEST(Origin, IsReadFromAUrl) {
  const auto plain = net::parse_origin("http://127.0.0.1:11434");
  ASSERT_TRUE(plain);
  EXPECT_FALSE(plain->tls);
  EXPECT_EQ(plain->host, "127.0.0.1");
  EXPECT_EQ(plain->port, "11434");
  EXPECT_EQ(plain->prefix, "");
  const auto proxied = net::parse_origin("https://gpu.example/ollama/");
  EXPECT_TRUE(proxied->tls);
  EXPECT_EQ(proxied->port, "443");
  EXPECT_EQ(proxied->prefix, "/ollama");
  EXPECT_EQ(net::parse_origin("http://[::1]:11434")->host, "::1");
  EXPECT_EQ(net::parse_origin("http://[::1]:11434")->authority, "[::1]:11434");
}

TEST(Origin, RefusesWhatIsNone) {
  for (const char* url : {"", "127.0.0.1:11434", "ftp://host", "http://", "http://host/?q=1", "http://host:99999999",
                          "http://me:secret@host:11434", "http://host#x", "unix:/run/ollama"}) {
    const auto origin = net::parse_origin(url);
    ASSERT_FALSE(origin) << url;
    EXPECT_EQ(origin.error().kind, base::ErrorKind::config);
    EXPECT_EQ(origin.error().code, "http.bad_url");
    EXPECT_EQ(origin.error().describe().find("secret"), std::string::npos);
  }
}

}  // namespace
}  // namespace inference
