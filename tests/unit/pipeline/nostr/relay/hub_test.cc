// All relays together, without their sockets: what is asked of them besides requests, and what a hostile one can do.
#include "pipeline/nostr/relay/hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/nostr/keys.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip90_request.h"

namespace nostr {
namespace {

using net::parse_relay_url;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

constexpr char kOne[] = "wss://one.example";
constexpr char kTwo[] = "wss://two.example";
constexpr char kGuest[] = "wss://guest.example";

// The transport of one relay, in the hands of a test.
class TestLink final : public RelayLink {
 public:
  TestLink(const RelaySessionOptions& options, std::function<TimeMs()> clock, RelayLinkHandlers handlers)
      : RelayLink(options, std::move(clock), std::move(handlers)) {}

  void open() { opened(); }
  void say(const std::string& frame) { received(frame); }
  void send_event(const std::string& subscription, const Event& event) {
    say(R"(["EVENT",")" + subscription + "\"," + to_json(event) + "]");
  }
  void skip(const std::string& reason) { skipped(reason); }
  void lose(const std::string& reason) { closed(reason); }
  void tick() { ticked(); }
  void pause_reading(bool) override {}

  std::vector<std::string> sent;
  bool connected = false;

 private:
  void dial() override { connected = true; }
  void send_text(const std::string& text) override { sent.push_back(text); }
  void ping() override {}
  void hang_up() override { connected = false; }
  void wake_at(TimeMs) override {}
};

class RelayHubTest : public testing::Test {
 protected:
  ~RelayHubTest() override {
    received.clear();
    hub->abandon();
  }

  void start(const std::vector<std::string>& own) {
    for (const auto& url : own) hub->add_own(*parse_relay_url(url));
    hub->start({});
    for (const auto& url : own) {
      link(url).open();
      link(url).say(R"(["EOSE","in"])");
    }
    settle();
  }

  TestLink& link(const std::string& url) { return *links.at(url); }

  void settle() {
    while (!tasks.empty()) {
      const auto task = std::move(tasks.front());
      tasks.pop_front();
      task();
    }
  }

  Event event(std::uint32_t kind, const std::string& content, std::int64_t age_s = 0) const {
    Event out{.pubkey = key.public_key(),
              .created_at = now.ms / 1000 - age_s,
              .kind = kind,
              .tags = {{"p", key.public_key().hex()}},
              .content = content};
    out.id = compute_id(out);
    out.sig = key.sign(out.id.view(), AuxRandom{});
    return out;
  }
  Event request(const std::string& content) const { return event(5050, content); }
  static Event forged(Event out) {
    out.sig.bytes[5] ^= 1;
    return out;
  }

  void ask(const std::string& relay, Filter filter) {
    hub->query(relay, std::move(filter), [this](const Result<std::vector<Event>>& answer) {
      answers.emplace_back(answer ? "found" : answer.error().message);
      if (answer) {
        for (const auto& one : *answer) answers.back() += " " + one.content;
      }
    });
  }

  static std::vector<std::string> contents(const std::vector<Received>& events) {
    std::vector<std::string> out;
    for (const auto& one : events) out.push_back(one.event.content);
    return out;
  }

  TimeMs now{1'700'000'000'000};
  SecretKey key = *SecretKey::from_bytes(std::string(32, '\x07'));
  std::map<std::string, TestLink*> links;
  std::deque<std::function<void()>> tasks;
  std::size_t verified = 0;
  std::vector<Received> received;
  std::vector<Received> control;
  std::map<Refusal, int> refused;
  std::map<std::string, std::string> reasons;  // why a relay is not live
  std::vector<std::string> answers;
  std::shared_ptr<RelayHub> hub = std::make_shared<RelayHub>(
      HubOptions{.wanted = {request_filter(key.public_key(), true, served_kinds({}))},
                 .us = key.public_key(),
                 .clock = [this] { return now; }},
      HubPorts{.link =
                   [this](const RelayUrl& url, bool own, RelayLinkHandlers handlers) {
                     auto made = std::make_unique<TestLink>(
                         RelaySessionOptions{.url = url.text(), .persistent = own, .random = [] { return 0.0; }},
                         [this] { return now; }, std::move(handlers));
                     links[url.text()] = made.get();
                     return made;
                   },
               .post = [this](std::function<void()> task) { tasks.push_back(std::move(task)); },
               .dispatch = [](const std::function<void()>& task) { task(); },
               .verify =
                   [this](std::shared_ptr<const Event> one, std::function<void(std::optional<Refusal>)> done) {
                     ++verified;
                     tasks.push_back([one = std::move(one), done = std::move(done)] { done(judge(*one)); });
                   }},
      PoolHandlers{
          .on_event = [this](Received one) { received.push_back(std::move(one)); },
          .on_control = [this](Received one) { control.push_back(std::move(one)); },
          .on_refused = [this](const std::string&, Refusal reason) { ++refused[reason]; },
          .on_health = [this](const std::string& url, RelayState, const std::string& reason) { reasons[url] = reason; },
          .on_notice = [](auto&&...) {}});
};

// ---- queries --------------------------------------------------------------------------------------------------------

class Query : public RelayHubTest {
 protected:
  static Filter profiles(std::uint64_t limit) { return {.kinds = {0}, .limit = limit}; }
};

TEST_F(Query, IsAnsweredWithWhatIsVerifiedTheNewestFirst) {
  start({kOne});
  ask(kOne, profiles(5));
  EXPECT_THAT(link(kOne).sent, Contains(R"(["REQ","q1",{"kinds":[0],"limit":5}])"));
  link(kOne).send_event("q1", event(0, "old", 100));
  link(kOne).send_event("q1", forged(event(0, "forged")));
  link(kOne).send_event("q1", event(0, "new"));
  link(kOne).say(R"(["EOSE","q1"])");
  EXPECT_THAT(answers, IsEmpty()) << "not before the signatures are checked";
  settle();
  EXPECT_THAT(answers, ElementsAre("found new old"));
  EXPECT_THAT(link(kOne).sent, Contains(R"(["CLOSE","q1"])"));
}

TEST_F(Query, IsNoIntake) {
  start({kOne});
  ask(kOne, {.kinds = {5050}, .limit = 1});
  link(kOne).send_event("q1", request("x"));
  link(kOne).say(R"(["EOSE","q1"])");
  settle();
  EXPECT_THAT(received, IsEmpty());
  EXPECT_THAT(refused, IsEmpty());
  link(kOne).send_event("in", request("x"));
  settle();
  EXPECT_THAT(contents(received), ElementsAre("x")) << "and it is new when it comes in";
}

TEST_F(Query, DialsACustomersRelay) {
  start({});
  ask(kGuest, profiles(1));
  EXPECT_TRUE(link(kGuest).connected);
  link(kGuest).open();
  link(kGuest).send_event("q1", event(0, "theirs"));
  link(kGuest).say(R"(["EOSE","q1"])");
  settle();
  EXPECT_THAT(answers, ElementsAre("found theirs"));
}

TEST_F(Query, TellsWhyARelayGaveNoAnswer) {
  start({kOne});
  ask(kOne, profiles(1));
  ask(kOne, profiles(1));
  link(kOne).say(R"(["CLOSED","q1","blocked: not you"])");
  now = now + kQueryTimeoutMs;
  link(kOne).tick();
  ask("http://no.relay", profiles(1));
  settle();
  EXPECT_THAT(answers, ElementsAre("closed by the relay: blocked: not you", "no answer within 10 s",
                                   "the URL starts with neither wss:// nor ws://"));
}

TEST_F(Query, GivesAnEventThatCameTwiceOnce) {
  start({kOne});
  const Event twice = event(0, "x");
  ask(kOne, profiles(2));
  link(kOne).send_event("q1", twice);
  link(kOne).lose("gone");
  now = now + kMinBackoffMs;
  link(kOne).tick();
  link(kOne).open();
  link(kOne).send_event("q1", twice);
  link(kOne).say(R"(["EOSE","q1"])");
  settle();
  EXPECT_THAT(answers, ElementsAre("found x"));
}

TEST_F(Query, IsForAFewEventsOnly) {
  start({kOne});
  ask(kOne, {.kinds = {0}});
  ask(kOne, profiles(0));
  ask(kOne, profiles(kMaxQueryEvents + 1));
  EXPECT_THAT(answers, IsEmpty()) << "never from inside the call";
  settle();
  EXPECT_THAT(answers, SizeIs(3));
  EXPECT_THAT(answers, Each(StartsWith("not asked: a query is for 1 to 100 events")));
}

TEST_F(Query, IsRefusedWhenManyWait) {
  start({kOne});
  for (std::size_t i = 0; i < kMaxQueries; ++i) ask(kOne, profiles(1));
  ask(kOne, profiles(1));
  settle();
  EXPECT_THAT(answers, ElementsAre("not asked: 16 queries wait already"));
  link(kOne).say(R"(["EOSE","q1"])");
  settle();
  ask(kOne, profiles(1));
  settle();
  EXPECT_THAT(answers, SizeIs(2)) << "the newest waits: there is room again";
}

TEST_F(Query, KeepsNoMoreThanItsBytes) {
  start({kOne});
  ask(kOne, profiles(100));
  const std::string large(100'000, 'x');
  for (int i = 0; i < 40; ++i) link(kOne).send_event("q1", event(0, large + std::to_string(i)));
  EXPECT_LE(verified, 21U);
  link(kOne).say(R"(["EOSE","q1"])");
  settle();
  EXPECT_THAT(answers, ElementsAre("sent more than 2097152 bytes"));
}

TEST_F(Query, IsAnsweredByTheEnd) {
  start({kOne});
  ask(kOne, profiles(1));
  hub->shut_down();
  settle();
  EXPECT_THAT(answers, ElementsAre("shutting down"));
}

// ---- what is watched besides ----------------------------------------------------------------------------------------

class Watch : public RelayHubTest {
 protected:
  Result<void> watch(std::vector<std::uint32_t> kinds) { return hub->watch({{.kinds = std::move(kinds)}}); }
};

TEST_F(Watch, BringsEachEventOnceWithoutAReceipt) {
  start({kOne, kTwo});
  ASSERT_TRUE(watch({5}));
  for (const auto* url : {kOne, kTwo}) {
    EXPECT_THAT(link(url).sent, Contains(R"(["REQ","also",{"kinds":[5],"since":1699395200,"limit":500}])"));
    link(url).send_event("also", event(5, "cancel"));
    settle();
  }
  EXPECT_THAT(contents(control), ElementsAre("cancel"));
  EXPECT_EQ(control[0].receipt, nullptr);
  EXPECT_THAT(received, IsEmpty());
  EXPECT_THAT(refused, IsEmpty());
}

TEST_F(Watch, FindsWhatCameWhileWeWereAway) {
  ASSERT_TRUE(watch({5}));
  start({kOne});
  link(kOne).lose("gone");
  ASSERT_TRUE(watch({5, 7007}));
  now = now + kMinBackoffMs;
  link(kOne).tick();
  link(kOne).open();
  EXPECT_THAT(link(kOne).sent.back(), R"(["REQ","in",{"kinds":[5050],"since":1699999000}])");
  EXPECT_THAT(link(kOne).sent, Contains(StartsWith(R"(["REQ","also",{"kinds":[5,7007])")));
  link(kOne).send_event("also", event(5, "cancel", 60));
  settle();
  EXPECT_THAT(contents(control), ElementsAre("cancel"));
}

TEST_F(Watch, AsksNothingAnewForTheSameFilters) {
  start({kOne});
  ASSERT_TRUE(watch({5}));
  const auto before = link(kOne).sent.size();
  now = now + 10 * kResubscribeMs;
  ASSERT_TRUE(watch({5}));
  EXPECT_EQ(link(kOne).sent.size(), before);
}

TEST_F(Watch, TakesWhatWasAskedForAndVerifiedOnly) {
  start({kOne});
  ASSERT_TRUE(watch({5}));
  link(kOne).send_event("also", request("a request"));
  link(kOne).send_event("also", forged(event(5, "forged")));
  link(kOne).send_event("in", event(5, "as a request"));
  settle();
  EXPECT_THAT(control, IsEmpty());
  EXPECT_THAT(received, IsEmpty());
  EXPECT_EQ(refused[Refusal::not_ours], 2);
  EXPECT_EQ(refused[Refusal::bad_signature], 1);
}

TEST_F(Watch, LeavesTheCursorOfTheIntakeAlone) {
  start({kOne});
  ASSERT_TRUE(watch({5}));
  now = now + 5'000;
  link(kOne).say(R"(["NOTICE","hello"])");
  EXPECT_EQ(hub->cursor(kOne), now) << "live although the relay has not answered for what is watched";
  link(kOne).say(R"(["CLOSED","in","error: no"])");
  now = now + 5'000;
  link(kOne).say(R"(["EOSE","also"])");
  EXPECT_EQ(hub->cursor(kOne), now - 5'000) << "not live, whatever else is caught up";
}

TEST_F(Watch, IsBounded) {
  start({kOne});
  EXPECT_FALSE(hub->watch(std::vector<Filter>(kMaxWatchFilters + 1)));
  Filter many{.kinds = {5}, .tags = {{'e', std::vector<std::string>(kMaxWatchValues, "id")}}};
  EXPECT_EQ(hub->watch({many}).error().code, "relay.watch");
  many.kinds.clear();
  EXPECT_TRUE(hub->watch({many}));
}

// ---- hostile relays -------------------------------------------------------------------------------------------------

TEST_F(RelayHubTest, OnlyWhatPassesTheCheapChecksIsVerified) {
  start({kOne});
  link(kOne).send_event("in", request("x"));
  settle();
  ASSERT_EQ(verified, 1U);
  link(kOne).send_event("in", request("x"));
  link(kOne).send_event("in", event(1, "not ours"));
  link(kOne).send_event("in", event(5050, "skewed", -86'400));
  link(kOne).send_event("in", request(std::string(IntakeLimits{}.max_event_bytes, 'x')));
  link(kOne).send_event("other", request("unasked"));
  settle();
  EXPECT_EQ(verified, 1U);
  EXPECT_EQ(refused[Refusal::duplicate], 1);
  EXPECT_EQ(refused[Refusal::not_ours], 1);
  EXPECT_EQ(refused[Refusal::skewed], 1);
  EXPECT_EQ(refused[Refusal::too_large], 1);
  EXPECT_EQ(refused[Refusal::unasked], 1);
}

TEST_F(RelayHubTest, ARelayThatFloodsUsWithForgeriesIsLeftAndNamed) {
  start({kOne, kTwo});
  const auto forgery = forged(request("x"));
  for (unsigned i = 0; i < 10 * kMaxJunkPerMinute && link(kOne).connected; ++i) {
    link(kOne).send_event("in", forgery);
    settle();
  }
  EXPECT_FALSE(link(kOne).connected);
  EXPECT_EQ(verified, kMaxJunkPerMinute + 1);
  EXPECT_EQ(refused[Refusal::bad_signature], static_cast<int>(verified)) << "each is counted";
  EXPECT_THAT(reasons[kOne], HasSubstr("forged"));
  now = now + kJunkBackoffMs - 1;
  link(kOne).tick();
  EXPECT_FALSE(link(kOne).connected) << "nor is it dialled soon";
  link(kTwo).send_event("in", request("x"));
  settle();
  EXPECT_THAT(contents(received), ElementsAre("x")) << "no other is stopped by it";
}

TEST_F(RelayHubTest, ACustomersRelayThatForgesIsLeftToo) {
  start({});
  Filter all{.limit = kMaxQueryEvents};
  for (unsigned sent = 0, asked = 1; sent <= kMaxJunkPerMinute; ++asked) {
    ask(kGuest, all);
    if (asked == 1) link(kGuest).open();
    for (unsigned i = 0; i < kMaxQueryEvents; ++i, ++sent) {
      link(kGuest).send_event("q" + std::to_string(asked), forged(event(0, std::to_string(i))));
    }
    link(kGuest).say(R"(["EOSE","q)" + std::to_string(asked) + "\"]");
    settle();
  }
  EXPECT_FALSE(link(kGuest).connected);
}

// ---- what a relay asks of us ----------------------------------------------------------------------------------------

TEST_F(RelayHubTest, KnowsTheWorkAndTheLengthThatARelayAsksFor) {
  start({kOne});
  EXPECT_EQ(hub->required_pow(kOne), 0U);
  hub->set_limits("wss://ONE.example/", {.max_message_length = 100, .min_pow_difficulty = 16});
  EXPECT_EQ(hub->required_pow(kOne), 16U);
  const Event ours = event(7000, "an answer");
  std::string said;
  hub->publish(kOne, to_json(ours), ours.id, [&](const ledger::RelayAnswer& answer) { said = answer.message; });
  settle();
  EXPECT_EQ(said, "not sent: this relay takes at most 100 bytes");
  EXPECT_EQ(hub->required_pow("wss://unknown.example"), 0U);
}

TEST_F(RelayHubTest, MessagesThatTheTransportSkippedAreCounted) {
  start({kOne});
  for (unsigned i = 0; i < 2 * kMaxBadFrames; ++i) link(kOne).skip("malformed");
  link(kOne).skip("too_large");
  settle();
  EXPECT_EQ(refused[Refusal::malformed], static_cast<int>(2 * kMaxBadFrames));
  EXPECT_EQ(refused[Refusal::too_large], 1);
  EXPECT_TRUE(link(kOne).connected);
}

// ---- a clock that is wrong ------------------------------------------------------------------------------------------

TEST_F(RelayHubTest, ACursorFromAClockThatWasAheadIsNotBelieved) {
  hub->add_own(*parse_relay_url(kOne));
  hub->start({{kOne, now + 3'600'000}});
  link(kOne).open();
  const std::int64_t oldest_s = (now - IntakeLimits{}.max_age_ms).ms / 1000;
  EXPECT_THAT(link(kOne).sent, Contains(HasSubstr("\"since\":" + std::to_string(oldest_s))));
}

TEST_F(RelayHubTest, AClockThatIsSetBackKeepsNoRelayWaiting) {
  start({kOne});
  link(kOne).lose("gone");
  now = now - 3'600'000;
  link(kOne).tick();
  now = now + kMinBackoffMs;
  link(kOne).tick();
  EXPECT_TRUE(link(kOne).connected);
}

TEST_F(RelayHubTest, ARelayThatCannotBeReadWholeKeepsItsCursor) {
  hub->add_own(*parse_relay_url(kOne));
  hub->start({{kOne, now}});
  link(kOne).open();
  const Event crowded = request("crowd");
  for (const char* page : {"in", "in~1"}) {
    for (std::size_t i = 0; i < kFullPage; ++i) {
      Event one = crowded;
      one.id.bytes[0] = static_cast<std::uint8_t>(i);
      link(kOne).send_event(page, one);
    }
    link(kOne).say(std::string(R"(["EOSE",")") + page + "\"]");
  }
  const auto sent = link(kOne).sent;
  EXPECT_THAT(sent.back(), HasSubstr(key.public_key().hex())) << "what is for us is asked for";
  link(kOne).say(R"(["EOSE","in~2"])");
  link(kOne).say(R"(["EOSE","in~3"])");
  settle();
  now = now + 60'000;
  link(kOne).say(R"(["NOTICE","hello"])");
  EXPECT_EQ(hub->cursor(kOne), TimeMs{crowded.created_at * 1000});
  const auto health = hub->health();
  EXPECT_EQ(health[0].state, RelayState::live);
  EXPECT_THAT(health[0].reason, StartsWith("cannot be read whole"));
  EXPECT_EQ(health[0].last_notice, "hello");
}

}  // namespace
}  // namespace nostr
