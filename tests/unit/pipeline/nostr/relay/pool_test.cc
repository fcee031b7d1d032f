// The pool against real relays on this machine: intake, cursors, publishing, asking, relays that misbehave.
#include "pipeline/nostr/relay/pool.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <thread>

#include "tests/support/push_server.h"
#include "tests/unit/pipeline/nostr/relay/relay_pool_fixture.h"

namespace nostr {
namespace {

using loopback::LoopbackRelayOptions;
using loopback::RelayFault;
using testing::ElementsAre;
using testing::HasSubstr;

// ---- intake ---------------------------------------------------------------------------------------------------------

TEST_F(RelayPoolTest, BringsStoredAndLiveRequestsOnceEach) {
  auto& one = relay();
  one.inject(request("stored"));
  open_live_pool({one.url()});
  one.inject(request("live"));
  ASSERT_TRUE(run_until([&] { return received.size() == 2; }));
  EXPECT_THAT(prompts(), ElementsAre("stored", "live"));
  EXPECT_EQ(received[0].relay, one.url());
  EXPECT_EQ(received[0].raw, to_json(received[0].event));
  const auto health = pool->health();
  ASSERT_EQ(health.size(), 1U);
  EXPECT_TRUE(health[0].own);
  EXPECT_EQ(health[0].state, RelayState::live);
  EXPECT_TRUE(health[0].last_event);
}

TEST_F(RelayPoolTest, AStormOfPingsEndsTheConnection) {
  std::string pings;
  for (int i = 0; i < 1'000; ++i) pings += support::server_frame('\x89', "");
  const support::PushServer stormy(io, {.before = {}, .frames = pings, .repeat = 1'000});
  const std::string url = "ws://" + stormy.authority();
  open_pool({url});
  EXPECT_TRUE(run_until([&] { return states[url] == RelayState::offline; }));
  EXPECT_THAT(reasons, ElementsAre("sent more than 3000 pings and other useless messages in a minute"));
}

TEST(RequestFilter, AsksForNothingThatIsNotAnswered) {
  const auto us = SecretKey::from_bytes(std::string(32, '\x07'))->public_key();
  constexpr std::uint32_t kTwoKinds[] = {5050, 5100};
  EXPECT_EQ(to_json(request_filter(us, false, served_kinds({}))), R"({"kinds":[5050],"#p":[")" + us.hex() + "\"]}");
  EXPECT_EQ(to_json(request_filter(us, true, kTwoKinds)), R"({"kinds":[5050,5100]})");
}

TEST_F(RelayPoolTest, AnEventOfSeveralRelaysComesOnce) {
  auto& one = relay();
  auto& two = relay();
  const auto event = request("same");
  one.inject(event);
  two.inject(event);
  open_live_pool({one.url(), two.url()});
  ASSERT_TRUE(run_until([&] { return refused[Refusal::duplicate] == 1; }));
  EXPECT_THAT(prompts(), ElementsAre("same"));
}

TEST_F(RelayPoolTest, AFloodOfForgeriesIsCountedAndStopsNothing) {
  auto& one = relay();
  open_live_pool({one.url()});
  auto forged = request("real");
  forged.sig.bytes[5] ^= 1;
  constexpr int kForgeries = 300;
  for (int i = 0; i < kForgeries; ++i) one.inject(forged);
  auto other_id = request("other");
  other_id.content = "changed";
  one.inject(other_id);
  one.inject(request("real"));
  ASSERT_TRUE(run_until([&] { return received.size() == 1 && refused[Refusal::bad_signature] == kForgeries; }));
  EXPECT_EQ(refused[Refusal::bad_id], 1);
  EXPECT_THAT(prompts(), ElementsAre("real")) << "a forgery with its id did not shut it out";
}

TEST_F(RelayPoolTest, WhatIsSkewedOrHugeIsRefused) {
  auto& one = relay();
  open_live_pool({one.url()});
  one.inject(request("from tomorrow", -86'400));
  one.inject(request(std::string(options.limits.max_event_bytes, 'x')));
  one.inject(request(std::string(kMaxFrameBytes, 'x')));
  ASSERT_TRUE(run_until([&] { return refused[Refusal::too_large] == 2; }));
  EXPECT_EQ(refused[Refusal::skewed], 1);
  EXPECT_EQ(states[one.url()], RelayState::live) << "the relay is not to blame";
}

TEST_F(RelayPoolTest, MoreStoredEventsThanARelaySendsAtOnceAllArrive) {
  LoopbackRelayOptions small_pages;
  small_pages.max_page = 25;
  auto& one = relay(small_pages);
  for (int i = 0; i < 90; ++i) one.inject(request(std::to_string(i), i));
  open_live_pool({one.url()});
  EXPECT_TRUE(run_until([&] { return received.size() == 90; })) << received.size();
}

// ---- coming back, the cursor ----------------------------------------------------------------------------------------

TEST_F(RelayPoolTest, WhatCameWhileAwayIsFetched) {
  auto& one = relay();
  open_live_pool({one.url()});
  one.drop_connections();
  ASSERT_TRUE(run_until([&] { return states[one.url()] == RelayState::offline; }));
  one.inject(request("while away"));
  ASSERT_TRUE(run_until([&] { return states[one.url()] == RelayState::live; }));
  EXPECT_TRUE(run_until([&] { return received.size() == 1; }));
}

TEST_F(RelayPoolTest, ARestartReadsFromTheCursorOn) {
  auto& one = relay();
  one.inject(request("two days ago", 2 * 86'400));
  one.inject(request("four days ago", 4 * 86'400));
  open_live_pool({one.url()}, {{one.url() + "/", kPoolStart - 3 * 86'400'000LL}});
  ASSERT_TRUE(run_until([&] { return received.size() == 1; }));
  run_for(std::chrono::milliseconds(50));
  EXPECT_THAT(prompts(), ElementsAre("two days ago"));
}

TEST_F(RelayPoolTest, TheCursorFollowsALiveRelayAndWaitsForReceipts) {
  keep_receipts = true;
  auto& one = relay();
  open_live_pool({one.url()});
  EXPECT_EQ(pool->cursor("wss://unknown.example"), std::nullopt);
  one.inject(request("first"));
  ASSERT_TRUE(run_until([&] { return received.size() == 1; }));
  const auto held = pool->cursor(one.url());
  jumped_ms += 10'000;
  one.inject(request("second"));
  ASSERT_TRUE(run_until([&] { return received.size() == 2; }));
  EXPECT_EQ(pool->cursor(one.url()), held) << "the first is not handled";
  received[0].receipt.reset();
  EXPECT_TRUE(run_until([&] { return *pool->cursor(one.url()) >= *held + 9'000; }));
  const auto second = pool->cursor(one.url());
  run_for(std::chrono::milliseconds(50));
  EXPECT_EQ(pool->cursor(one.url()), second) << "the second still holds it";
  EXPECT_LE(*pool->cursor(one.url()), clock());
}

TEST_F(RelayPoolTest, StoredEventsHoldTheCursorWhereItWas) {
  keep_receipts = true;
  const auto cursor = kPoolStart - 86'400'000LL;
  auto& one = relay();
  one.inject(request("yesterday", 80'000));
  open_live_pool({one.url()}, {{one.url(), cursor}});
  ASSERT_TRUE(run_until([&] { return received.size() == 1; }));
  EXPECT_EQ(pool->cursor(one.url()), cursor);
  received.clear();
  EXPECT_TRUE(run_until([&] { return *pool->cursor(one.url()) >= kPoolStart; }));
}

TEST_F(RelayPoolTest, ADuplicateHoldsTheCursorOfItsRelayToo) {
  keep_receipts = true;
  const auto cursor = kPoolStart - 86'400'000LL;
  auto& one = relay();
  auto& two = relay();
  const auto event = request("same");
  one.inject(event);
  two.inject(event);
  open_live_pool({one.url(), two.url()}, {{one.url(), cursor}, {two.url(), cursor}});
  ASSERT_TRUE(run_until([&] { return refused[Refusal::duplicate] == 1; }));
  EXPECT_EQ(pool->cursor(one.url()), cursor);
  EXPECT_EQ(pool->cursor(two.url()), cursor);
  std::thread([receipt = std::move(received[0].receipt)]() mutable { receipt.reset(); }).join();
  EXPECT_TRUE(
      run_until([&] { return *pool->cursor(one.url()) >= kPoolStart && *pool->cursor(two.url()) >= kPoolStart; }));
}

TEST_F(RelayPoolTest, ARelayIsReadNoFurtherThanWeCanHandle) {
  keep_receipts = true;
  options.limits.max_unhandled = 8;
  auto& one = relay();
  open_live_pool({one.url()});
  constexpr std::size_t kRequests = 600;
  for (std::size_t i = 0; i < kRequests; ++i) one.inject(request(std::to_string(i) + std::string(1'000, ' ')));
  run_for(std::chrono::milliseconds(300));
  EXPECT_GE(received.size(), 8U);
  EXPECT_LE(received.size(), 60U) << "what one read of the socket holds comes on top";
  keep_receipts = false;
  const auto release_all = [&] {
    for (auto& event : received) event.receipt.reset();
    return received.size() == kRequests;
  };
  EXPECT_TRUE(run_until(release_all)) << "nothing is lost: " << received.size();
}

// ---- publishing -----------------------------------------------------------------------------------------------------

TEST_F(RelayPoolTest, APublicationIsAnsweredByTheRelay) {
  auto& one = relay();
  open_live_pool({one.url()});
  const auto event = request("ours");
  auto& first = publish(one.url(), event);
  ASSERT_TRUE(run_until([&] { return first.size() == 1; }));
  EXPECT_TRUE(first[0].accepted);
  EXPECT_EQ(first[0].relay, one.url());
  auto& again = publish(one.url(), event);
  ASSERT_TRUE(run_until([&] { return again.size() == 1; }));
  EXPECT_TRUE(again[0].accepted) << again[0].message;
}

TEST_F(RelayPoolTest, TwoPublicationsOfOneEventAreBothAnswered) {
  auto& one = relay();
  open_live_pool({one.url()});
  const auto event = request("ours");
  auto& first = publish(one.url(), event);
  auto& second = publish(one.url(), event);
  ASSERT_TRUE(run_until([&] { return first.size() == 1 && second.size() == 1; }));
  EXPECT_EQ(one.stored(), 1U);
}

TEST_F(RelayPoolTest, ARefusalCarriesTheRelaysWords) {
  LoopbackRelayOptions refusing;
  refusing.fault = [](std::string_view frame) {
    return RelayFault{.refuse = frame.starts_with(R"(["EVENT")") ? "blocked: not today" : ""};
  };
  auto& one = relay(refusing);
  open_live_pool({one.url()});
  auto& answers = publish(one.url(), request("ours"));
  ASSERT_TRUE(run_until([&] { return answers.size() == 1; }));
  EXPECT_FALSE(answers[0].accepted);
  EXPECT_EQ(answers[0].message, "blocked: not today");
}

TEST_F(RelayPoolTest, SilenceIsAnAnswerToo) {
  LoopbackRelayOptions silent;
  silent.fault = [](std::string_view frame) { return RelayFault{.ignore = frame.starts_with(R"(["EVENT")")}; };
  auto& one = relay(silent);
  open_live_pool({one.url()});
  auto& answers = publish(one.url(), request("ours"));
  run_for(std::chrono::milliseconds(50));
  jumped_ms += kPublishTimeoutMs;
  ASSERT_TRUE(run_until([&] { return answers.size() == 1; }));
  EXPECT_EQ(answers[0].message, "no answer within 30 s");
}

TEST_F(RelayPoolTest, APublicationSurvivesADroppedConnection) {
  int drops = 1;
  LoopbackRelayOptions dropping;
  dropping.fault = [&](std::string_view frame) {
    return RelayFault{.drop = frame.starts_with(R"(["EVENT")") && drops-- > 0};
  };
  auto& one = relay(dropping);
  open_live_pool({one.url()});
  auto& answers = publish(one.url(), request("ours"));
  ASSERT_TRUE(run_until([&] { return answers.size() == 1; }));
  EXPECT_TRUE(answers[0].accepted);
}

TEST_F(RelayPoolTest, ARelayThatCannotBeReachedIsAnAnswerWithTheReason) {
  const auto nobody = relay().url();
  relays.clear();
  options.allow_private = true;
  open_pool({});
  auto& answers = publish(nobody, request("ours"));
  run_for(std::chrono::milliseconds(100));
  jumped_ms += kPublishTimeoutMs;
  ASSERT_TRUE(run_until([&] { return answers.size() == 1; }));
  EXPECT_FALSE(answers[0].accepted);
  EXPECT_THAT(answers[0].message, HasSubstr("connection refused"));
}

// ---- customers' relays ----------------------------------------------------------------------------------------------

TEST_F(RelayPoolTest, ACustomersRelayAtAPrivateAddressIsRefused) {
  auto& inside = relay();
  open_pool({});
  auto& answers = publish(inside.url(), request("ours"));
  auto& by_name = publish("ws://localhost:" + std::to_string(inside.port()), request("ours"));
  ASSERT_TRUE(run_until([&] { return answers.size() == 1 && by_name.size() == 1; }));
  EXPECT_FALSE(answers[0].accepted);
  EXPECT_EQ(answers[0].message, "refused: 127.0.0.1 is at 127.0.0.1, which is not a public address");
  EXPECT_THAT(by_name[0].message, HasSubstr("not a public address"));
  EXPECT_EQ(inside.connections(), 0U);
}

TEST_F(RelayPoolTest, WhatIsNoRelayUrlIsAnswered) {
  open_pool({});
  auto& answers = publish("http://example.com", request("ours"));
  ASSERT_TRUE(run_until([&] { return answers.size() == 1; }));
  EXPECT_FALSE(answers[0].accepted);
  EXPECT_FALSE(answers[0].message.empty());
}

TEST_F(RelayPoolTest, ACustomersRelayIsLeftWhenIdle) {
  options.allow_private = true;
  auto& guest = relay();
  open_pool({});
  auto& answers = publish(guest.url(), request("ours"));
  ASSERT_TRUE(run_until([&] { return answers.size() == 1; }));
  EXPECT_TRUE(answers[0].accepted);
  EXPECT_EQ(guest.connections(), 1U);
  EXPECT_FALSE(pool->health()[0].own);
  run_for(std::chrono::milliseconds(50));
  jumped_ms += kIdleMs;
  EXPECT_TRUE(run_until([&] { return guest.connections() == 0; }));
  EXPECT_EQ(states[guest.url()], RelayState::idle);
}

TEST_F(RelayPoolTest, CustomersRelaysAreLimitedInNumber) {
  options.allow_private = true;
  options.max_guests = 1;
  LoopbackRelayOptions silent;
  silent.fault = [](std::string_view) { return RelayFault{.ignore = true}; };
  auto& busy = relay(silent);
  auto& other = relay();
  open_pool({});
  auto& waiting = publish(busy.url(), request("ours"));
  auto& refusal = publish(other.url(), request("ours"));
  ASSERT_TRUE(run_until([&] { return refusal.size() == 1; }));
  EXPECT_EQ(refusal[0].message, "not sent: 1 customers' relays are in use already");
  jumped_ms += kPublishTimeoutMs;
  ASSERT_TRUE(run_until([&] { return waiting.size() == 1; }));
  auto& later = publish(other.url(), request("ours"));
  ASSERT_TRUE(run_until([&] { return later.size() == 1; }));
  EXPECT_TRUE(later[0].accepted) << "the idle guest made room";
}

// ---- asking ---------------------------------------------------------------------------------------------------------

TEST_F(RelayPoolTest, ACustomersRelayCanBeAsked) {
  options.allow_private = true;
  auto& guest = relay();
  const auto theirs = request("theirs");
  auto forged = request("forged");
  forged.sig.bytes[5] ^= 1;
  guest.inject(theirs);
  guest.inject(forged);
  open_pool({});
  std::vector<Event> found;
  int answers = 0;
  pool->query(guest.url(), {.kinds = {5050}, .limit = 10}, [&](base::Result<std::vector<Event>> answer) {
    ++answers;
    found = std::move(*answer);
  });
  EXPECT_EQ(answers, 0) << "never from inside the call";
  ASSERT_TRUE(run_until([&] { return answers == 1; }));
  EXPECT_THAT(found, ElementsAre(theirs));
  EXPECT_TRUE(received.empty());
}

TEST_F(RelayPoolTest, AQueryLeadsToNoPrivateAddressEither) {
  auto& inside = relay();
  open_pool({});
  std::string why;
  pool->query(inside.url(), {.limit = 1},
              [&](const base::Result<std::vector<Event>>& answer) { why = answer.error().message; });
  ASSERT_TRUE(run_until([&] { return !why.empty(); }));
  EXPECT_THAT(why, HasSubstr("not a public address"));
  EXPECT_EQ(inside.connections(), 0U);
}

TEST_F(RelayPoolTest, WhatIsWatchedComesBesideTheRequests) {
  auto& one = relay();
  open_live_pool({one.url()});
  ASSERT_TRUE(pool->watch({{.kinds = {5}}}));
  Event cancel = request("x");
  cancel.kind = 5;
  cancel.id = compute_id(cancel);
  cancel.sig = key.sign(cancel.id.view(), AuxRandom{});
  one.inject(cancel);
  one.inject(request("y"));
  ASSERT_TRUE(run_until([&] { return control.size() == 1 && received.size() == 1; }));
  EXPECT_EQ(control[0].event, cancel);
}

// ---- one bad relay, the end -----------------------------------------------------------------------------------------

TEST_F(RelayPoolTest, OneBadRelayStopsNoOther) {
  const auto nobody = relay().url();
  relays.clear();
  auto& good = relay();
  open_pool({nobody, good.url()});
  ASSERT_TRUE(run_until([&] { return states[good.url()] == RelayState::live; }));
  EXPECT_EQ(states[nobody], RelayState::offline);
  EXPECT_THAT(reasons, testing::Contains("connection refused"));
}

TEST_F(RelayPoolTest, AMessageBeyondAllLimitsIsCountedAndEndsNothing) {
  auto& one = relay();
  open_live_pool({one.url()});
  one.inject(request(std::string(5'000'000, 'x')));
  one.inject(request("next"));
  ASSERT_TRUE(run_until([&] { return !received.empty(); }));
  EXPECT_THAT(prompts(), ElementsAre("next"));
  EXPECT_EQ(refused[Refusal::too_large], 1);
  EXPECT_EQ(states[one.url()], RelayState::live);
}

TEST_F(RelayPoolTest, AServerThatIsNoRelayIsNamedByItsAnswer) {
  namespace asio = boost::asio;
  asio::ip::tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
  asio::ip::tcp::socket client(io);
  acceptor.async_accept(client, [&](const boost::system::error_code&) {
    asio::write(client, asio::buffer(std::string("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")));
  });
  const auto url = "ws://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port());
  open_pool({url});
  ASSERT_TRUE(run_until([&] { return states[url] == RelayState::offline; }));
  EXPECT_THAT(reasons, testing::Contains("HTTP 403 Forbidden"));
}

TEST_F(RelayPoolTest, OurOwnRelaysMustBeRelayUrls) {
  options.relays = {"https://example.com"};
  options.clock = [this] { return clock(); };
  const auto made = RelayPool::make(io, options, {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, "relay_url.invalid");
}

TEST_F(RelayPoolTest, ShuttingDownAnswersWhatWaits) {
  LoopbackRelayOptions silent;
  silent.fault = [](std::string_view frame) { return RelayFault{.ignore = frame.starts_with(R"(["EVENT")")}; };
  auto& one = relay(silent);
  open_live_pool({one.url()});
  auto& answers = publish(one.url(), request("ours"));
  pool->shut_down();
  ASSERT_TRUE(run_until([&] { return answers.size() == 1 && one.connections() == 0; }));
  EXPECT_EQ(answers[0].message, "shutting down");
}

}  // namespace
}  // namespace nostr
