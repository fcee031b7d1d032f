// A customer against a relay in memory; the provider is the test, which reads what the relay is sent.
#include "cmd/customer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <nlohmann/json.hpp>

#include "pipeline/nostr/loopback_relay.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/wallet/sandbox_books.h"
#include "tests/support/temporary_folder.h"

namespace cmd {
namespace {

using ledger::Msat;
using ledger::TimeMs;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr TimeMs kNow{1'763'800'000'500};

nostr::SecretKey key_of(char byte) {
  return *nostr::SecretKey::from_bytes(std::string(32, byte));
}

TimeMs system_clock() {
  using namespace std::chrono;
  return {duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count()};
}

// ---- the request ----------------------------------------------------------------------------------------------------

TEST(ToRequest, SaysAllThatWasAsked) {
  const auto request = to_request({.prompt = "Why?",
                                   .provider = key_of(2).public_key(),
                                   .relays = {"wss://one", "wss://two"},
                                   .params = {{"model", "llama3.2"}, {"max_tokens", "20"}},
                                   .output = "text/markdown",
                                   .bid = Msat{9'000}},
                                  key_of(1), kNow);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->kind, 5050u);
  EXPECT_EQ(request->created_at, 1'763'800'000);
  EXPECT_EQ(request->pubkey, key_of(1).public_key());
  EXPECT_TRUE(nostr::verify(*request));
  EXPECT_THAT(request->tags,
              ElementsAre(ElementsAre("i", "Why?", "text"), ElementsAre("param", "model", "llama3.2"),
                          ElementsAre("param", "max_tokens", "20"), ElementsAre("output", "text/markdown"),
                          ElementsAre("bid", "9000"), ElementsAre("relays", "wss://one", "wss://two"),
                          ElementsAre("p", key_of(2).public_key().hex())));
}

TEST(ToRequest, IsReadByAProviderAsItWasMeant) {
  const auto request = to_request({.prompt = "Why?", .relays = {"wss://one"}, .bid = Msat{9'000}}, key_of(1), kNow);
  const auto read = nostr::read_request(*request, nostr::to_json(*request), key_of(2).public_key());
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->fault);
  EXPECT_FALSE(read->addressed);
  EXPECT_EQ(read->bid, Msat{9'000});
  EXPECT_THAT(read->reply_relays, ElementsAre("wss://one"));
}

TEST(ToRequest, RefusesWhatIsNoPrompt) {
  for (const std::string& prompt : {std::string(), std::string(kMaxQuestionBytes + 1, 'a'), std::string("\xff\xfe")}) {
    const auto request = to_request({.prompt = prompt}, key_of(1), kNow);
    ASSERT_FALSE(request);
    EXPECT_EQ(request.error().code, "request.prompt");
  }
}

// ---- the conversation -----------------------------------------------------------------------------------------------

class CustomerTest : public testing::Test {
 protected:
  CustomerTest() {
    options.fault = [this](std::string_view frame) {
      if (!refuse.empty()) return nostr::RelayFault{.refuse = refuse};
      const auto message = nlohmann::json::parse(frame);
      if (message.at(0) == "EVENT") {
        boost::asio::post(io, [this, request = *nostr::parse_event(message.at(1).dump())] { provide(request); });
      }
      return nostr::RelayFault{};
    };
    relay = std::make_unique<nostr::LoopbackRelay>(io, options);
    question.relays = {relay->url()};
  }
  ~CustomerTest() override {
    customer.reset();
    relay.reset();
    io.restart();
    io.run_for(std::chrono::milliseconds(20));  // what was under way ends
  }

  void run_until(const std::function<bool()>& done) {
    customer = *Customer::ask(io, question, key_of(1), system_clock, timeout_ms,
                              {.answered = [this](const auto& answer, const auto&) { heard.push_back(answer); },
                               .failed = [this](ledger::Error error) { failures.push_back(std::move(error)); }});
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done() && std::chrono::steady_clock::now() < deadline) io.run_one_for(std::chrono::milliseconds(20));
  }

  std::vector<std::string> statuses() const {
    std::vector<std::string> out;
    for (const auto& answer : heard) out.push_back(answer.is_result ? "result: " + answer.content : answer.status);
    return out;
  }

  static nostr::Event processing(const nostr::Event& request, const nostr::SecretKey& provider) {
    return nostr::sign(nostr::feedback({request.id, request.pubkey, {}}, nostr::Status::processing, "", {}, now_s()),
                       provider, {});
  }
  static nostr::Event result(const nostr::Event& request, const std::string& text, const nostr::SecretKey& provider) {
    return nostr::sign(nostr::result(request, nostr::to_json(request), {}, text, {}, now_s()), provider, {});
  }
  static std::int64_t now_s() { return system_clock().ms / 1000; }

  boost::asio::io_context io;
  nostr::LoopbackRelayOptions options;
  std::unique_ptr<nostr::LoopbackRelay> relay;
  std::string refuse;  // what the relay says instead of taking an event
  std::function<void(const nostr::Event& request)> provide = [](const nostr::Event&) {};
  Question question{.prompt = "Why?"};
  std::int64_t timeout_ms = 20'000;
  std::unique_ptr<Customer> customer;
  std::vector<nostr::Answer> heard;
  std::vector<ledger::Error> failures;
};

TEST_F(CustomerTest, HearsStatusesAndResultInTheirOrder) {
  provide = [this](const nostr::Event& request) {
    relay->inject(processing(request, key_of(2)));
    relay->inject(result(request, "Because.", key_of(2)));
  };
  run_until([&] { return heard.size() == 2; });
  EXPECT_THAT(statuses(), ElementsAre("processing", "result: Because."));
  EXPECT_EQ(heard[1].provider, key_of(2).public_key());
  EXPECT_THAT(failures, IsEmpty());
}

TEST_F(CustomerTest, DoesNotHearForgeriesStrangersAndAnswersToOthers) {
  question.provider = key_of(2).public_key();
  provide = [this](const nostr::Event& request) {
    auto forged = result(request, "forged", key_of(2));
    forged.content = "forged twice";
    relay->inject(forged);
    relay->inject(result(request, "a stranger's", key_of(3)));
    relay->inject(result(*to_request({.prompt = "Other"}, key_of(1), system_clock()), "another's", key_of(2)));
    relay->inject(result(request, "Because.", key_of(2)));
  };
  run_until([&] { return !heard.empty(); });
  EXPECT_THAT(statuses(), ElementsAre("result: Because."));
}

TEST_F(CustomerTest, WithoutARelayThereIsNoPointInWaiting) {
  question.relays = {relay->url()};
  relay.reset();
  run_until([&] { return !failures.empty(); });
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].code, "request.unreachable");
  EXPECT_EQ(failures[0].kind, ledger::ErrorKind::connection);
  EXPECT_THAT(failures[0].context, HasSubstr(question.relays[0]));
}

TEST_F(CustomerTest, ARelayThatRefusesIsNamedWithItsReason) {
  refuse = "blocked: not from you";
  run_until([&] { return !failures.empty(); });
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].code, "request.unreachable");
  EXPECT_THAT(failures[0].context, HasSubstr("blocked: not from you"));
}

TEST_F(CustomerTest, OneRelayThatTakesItIsEnough) {
  question.relays.insert(question.relays.begin(), "ws://127.0.0.1:1");
  provide = [this](const nostr::Event& request) { relay->inject(result(request, "Because.", key_of(2))); };
  run_until([&] { return !heard.empty(); });
  EXPECT_THAT(statuses(), ElementsAre("result: Because."));
  EXPECT_THAT(failures, IsEmpty());
}

TEST_F(CustomerTest, TheDeadlineSaysWhatWasHeardLast) {
  timeout_ms = 500;
  provide = [this](const nostr::Event& request) { relay->inject(processing(request, key_of(2))); };
  run_until([&] { return !failures.empty(); });
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].code, "request.no_answer");
  EXPECT_THAT(failures[0].context, HasSubstr("processing"));
}

// ---- paying ---------------------------------------------------------------------------------------------------------

class PayFromSandbox : public testing::Test {
 protected:
  PayFromSandbox() { EXPECT_TRUE(books.prepare()); }

  nostr::Answer bill(Msat invoiced, std::optional<Msat> named) {
    const auto bolt11 = books.create({.job = *ledger::JobId::from_hex(std::string(64, 'a')),
                                      .amount = invoiced,
                                      .description = "a job",
                                      .expiry_ms = 600'000},
                                     *runtime::Secret::from_hex(std::string(64, '5')), kNow);
    return {.is_result = true, .amount = named, .bolt11 = *bolt11};
  }

  sim::TemporaryFolder temporary;
  const std::filesystem::path folder = temporary.path() / "wallet";
  wallet::SandboxBooks books{folder};
};

TEST_F(PayFromSandbox, PaysOnceAndHasTheReceipt) {
  const auto answer = bill(Msat{9'000}, Msat{9'000});
  const auto payment = pay_from_sandbox(folder, answer, Msat{9'000}, kNow);
  ASSERT_TRUE(payment) << payment.error().describe();
  EXPECT_EQ(payment->amount, Msat{9'000});
  EXPECT_EQ(ledger::sha256(payment->preimage.view()), payment->payment_hash);
  EXPECT_EQ(pay_from_sandbox(folder, answer, {}, kNow).error().code, "sandbox.already_paid");
  EXPECT_EQ(*books.balance(), Msat{9'000});
}

TEST_F(PayFromSandbox, PaysNothingAboveTheBid) {
  EXPECT_EQ(pay_from_sandbox(folder, bill(Msat{9'000}, Msat{9'000}), Msat{8'000}, kNow).error().code,
            "payment.above_bid");
  EXPECT_EQ(pay_from_sandbox(folder, bill(Msat{9'000}, {}), Msat{8'000}, kNow).error().code, "payment.above_bid");
  EXPECT_EQ(*books.balance(), Msat{0});
}

TEST_F(PayFromSandbox, PaysNothingWhenInvoiceAndAnswerDisagree) {
  EXPECT_EQ(pay_from_sandbox(folder, bill(Msat{9'000}, Msat{1'000}), {}, kNow).error().code, "bolt11.wrong_amount");
  EXPECT_EQ(*books.balance(), Msat{0});
}

}  // namespace
}  // namespace cmd
