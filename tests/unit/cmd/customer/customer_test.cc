// A customer against a relay in memory; the provider is the test, which reads what the relay is sent.
#include "cmd/customer/customer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/temporary_folder.h"
#include "pipeline/loopback/loopback_relay.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/wallet/sandbox_books.h"

namespace cmd {
namespace {

using base::Msat;
using base::TimeMs;
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

// ---- the conversation -----------------------------------------------------------------------------------------------

class CustomerTest : public testing::Test {
 protected:
  CustomerTest() {
    options.fault = [this](std::string_view frame) {
      if (!refuse.empty()) return loopback::RelayFault{.refuse = refuse};
      const auto message = nlohmann::json::parse(frame);
      if (message.at(0) == "EVENT") {
        boost::asio::post(io, [this, event = *nostr::parse_event(message.at(1).dump())] {
          event.kind == nostr::kDeletionKind ? hear_cancellation(event) : provide(event);
        });
      }
      return loopback::RelayFault{};
    };
    relay = std::make_unique<loopback::LoopbackRelay>(io, options);
    question.relays = {relay->url()};
  }
  ~CustomerTest() override {
    customer.reset();
    relay.reset();
    io.restart();
    io.run_for(std::chrono::milliseconds(20));  // what was under way ends
  }

  CustomerHooks hooks() {
    return {.published = [this](const auto& answer) { published.push_back(answer); },
            .answered = [this](const auto& answer, const auto&) { heard.push_back(answer); },
            .failed = [this](base::Error error) { failures.push_back(std::move(error)); }};
  }

  void run_until(const std::function<bool()>& done) {
    if (!customer) customer = *Customer::ask(io, question, key_of(1), system_clock, timeout_ms, hooks());
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
  static nostr::Event stopped(const nostr::EventId& request, const nostr::SecretKey& provider) {
    return nostr::sign(nostr::feedback({request, key_of(1).public_key(), {}}, nostr::Status::error,
                                       "cancelled as you asked", {}, now_s()),
                       provider, {});
  }
  static nostr::Event result(const nostr::Event& request, const std::string& text, const nostr::SecretKey& provider) {
    return nostr::sign(nostr::result(request, nostr::to_json(request), {}, text, {}, now_s()), provider, {});
  }
  static std::int64_t now_s() { return system_clock().ms / 1000; }

  boost::asio::io_context io;
  loopback::LoopbackRelayOptions options;
  std::unique_ptr<loopback::LoopbackRelay> relay;
  std::string refuse;  // what the relay says instead of taking an event
  std::function<void(const nostr::Event& request)> provide = [](const nostr::Event&) {};
  std::function<void(const nostr::Event& deletion)> hear_cancellation = [](const nostr::Event&) {};
  nostr::Question question{.inputs = {{.data = "Why?"}}};
  std::int64_t timeout_ms = 20'000;
  std::unique_ptr<Customer> customer;
  std::vector<ledger::RelayAnswer> published;
  std::vector<nostr::Answer> heard;
  std::vector<base::Error> failures;
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
    relay->inject(result(*nostr::to_request({.inputs = {{.data = "Other"}}}, key_of(1), system_clock(), {}, {}),
                         "another's", key_of(2)));
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
  EXPECT_EQ(failures[0].kind, base::ErrorKind::connection);
  EXPECT_THAT(failures[0].context, HasSubstr(question.relays[0]));
}

TEST_F(CustomerTest, ARelayThatRefusesIsNamedWithItsReason) {
  refuse = "blocked: not from you";
  run_until([&] { return !failures.empty(); });
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].code, "request.unreachable");
  EXPECT_THAT(failures[0].context, HasSubstr("blocked: not from you"));
}

TEST_F(CustomerTest, ARefusalIsFollowedByWhatWouldWork) {
  const std::pair<const char*, const char*> kAdvice[] = {
      {"pow: 28 bits needed", "proof of work"},
      {"rate-limited: slow down", "wait a minute"},
      {"invalid: tag val too large: 1500", "shorten the question"},
      {"invalid: event too large: 70000", "shorten the question"},
      {"invalid: created_at too late", "set this machine's clock"},
      {"blocked: pubkey not admitted", "use a key that it knows"},
      {"error: out of disk", "name another with --relay"},
  };
  for (const auto& [words, advice] : kAdvice) {
    refuse = words;
    failures.clear();
    customer.reset();
    run_until([&] { return !failures.empty(); });
    ASSERT_EQ(failures.size(), 1u) << words;
    EXPECT_THAT(failures[0].hint, HasSubstr(advice)) << words;
  }
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

TEST_F(CustomerTest, HearsThePartsOfAnEncryptedAnswerInClearText) {
  question.provider = key_of(2).public_key();
  question.encryption = ledger::Encryption::nip44;
  provide = [this](const nostr::Event& request) {
    const auto sealed = nostr::encrypt(ledger::Encryption::nip44, "Because", key_of(2), request.pubkey,
                                       *nostr::Nip44Nonce::from_bytes(std::string(32, 'r')));
    relay->inject(nostr::sign(
        nostr::feedback({request.id, request.pubkey, {}, true}, nostr::Status::partial, "", {}, now_s(), *sealed),
        key_of(2), {}));
  };
  run_until([&] { return !heard.empty(); });
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_EQ(heard[0].known, nostr::Status::partial);
  EXPECT_FALSE(heard[0].encrypted);
  EXPECT_EQ(heard[0].content, "Because");
  EXPECT_EQ(heard[0].text, "");
}

TEST_F(CustomerTest, TakesItsQuestionBackAndHearsThatItWasStopped) {
  std::vector<ledger::RelayAnswer> cancelled;
  provide = [&](const nostr::Event&) {
    ASSERT_TRUE(customer->cancel([&](const auto& answer) { cancelled.push_back(answer); }));
  };
  std::optional<nostr::Event> deletion;
  hear_cancellation = [&](const nostr::Event& event) {
    deletion = event;
    relay->inject(stopped(customer->request().id, key_of(2)));
  };
  run_until([&] { return !heard.empty() && !cancelled.empty(); });
  ASSERT_TRUE(deletion);
  EXPECT_EQ(deletion->tag_value("e"), customer->request().id.hex());
  EXPECT_EQ(deletion->pubkey, customer->request().pubkey);
  ASSERT_EQ(cancelled.size(), 1u);
  EXPECT_TRUE(cancelled[0].accepted);
  EXPECT_THAT(statuses(), ElementsAre("error"));
}

TEST_F(CustomerTest, TakesBackWhatItAskedEarlier) {
  const auto earlier = *nostr::EventId::from_hex(std::string(64, 'a'));
  hear_cancellation = [&](const nostr::Event& deletion) {
    EXPECT_EQ(deletion.tag_value("e"), earlier.hex());
    relay->inject(stopped(earlier, key_of(2)));
  };
  customer = *Customer::take_back(io, earlier, question.relays, key_of(1), system_clock, timeout_ms, hooks());
  run_until([&] { return !heard.empty() && !published.empty(); });
  ASSERT_EQ(published.size(), 1u);
  EXPECT_TRUE(published[0].accepted);
  EXPECT_EQ(heard.at(0).text, "cancelled as you asked");
  EXPECT_THAT(failures, IsEmpty());
}

TEST_F(CustomerTest, ACancellationThatNoRelayTakesIsAFailureThatSaysSo) {
  refuse = "blocked: not from you";
  const auto earlier = *nostr::EventId::from_hex(std::string(64, 'a'));
  customer = *Customer::take_back(io, earlier, question.relays, key_of(1), system_clock, timeout_ms, hooks());
  run_until([&] { return !failures.empty(); });
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].code, "request.unreachable");
  EXPECT_THAT(failures[0].message, HasSubstr("cancellation"));
}

// ---- paying ---------------------------------------------------------------------------------------------------------

class PayFromSandbox : public testing::Test {
 protected:
  PayFromSandbox() { EXPECT_TRUE(books.prepare()); }

  nostr::Answer bill(Msat invoiced, std::optional<Msat> named) {
    const auto bolt11 = books.create({.job = *base::JobId::from_hex(std::string(64, 'a')),
                                      .amount = invoiced,
                                      .description = "a job",
                                      .expiry_ms = 600'000},
                                     *base::Secret::from_hex(std::string(64, '5')), kNow);
    return {.is_result = true, .amount = named, .bolt11 = *bolt11};
  }

  base::TemporaryFolder temporary = base::TemporaryFolder::make("test").value();
  const std::filesystem::path folder = temporary.path() / "wallet";
  wallet::SandboxBooks books{folder};
};

TEST_F(PayFromSandbox, PaysOnceAndHasTheReceipt) {
  const auto answer = bill(Msat{9'000}, Msat{9'000});
  const auto payment = pay_from_sandbox(folder, answer, Msat{9'000}, kNow);
  ASSERT_TRUE(payment) << payment.error().describe();
  EXPECT_EQ(payment->amount, Msat{9'000});
  EXPECT_EQ(base::sha256(payment->preimage.view()), payment->payment_hash);
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
