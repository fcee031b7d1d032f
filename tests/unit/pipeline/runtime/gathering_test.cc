// The texts behind a job's inputs: where they are looked for, what is taken, and what a customer is told of one that is
// not there.
#include "pipeline/runtime/gathering.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "pipeline/nostr/nip90_answer.h"
#include "tests/sim/virtual_time.h"

namespace runtime {
namespace {

using base::Result;
using base::TimeMs;
using ledger::InputSource;
using ledger::InputType;
using nostr::Event;
using nostr::required_pow;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::int64_t kAnswerMs = 10;

// Relays that have what they were given, matched by kind alone: what they send is not to be believed.
class StockedRelays final : public Relays {
 public:
  explicit StockedRelays(sim::ProcessTime& time) : time_(time) {}
  void publish_watched(const std::string& relay, const std::string& json, const base::EventId& id,
                       std::function<void(ledger::RelayAnswer)> done, std::function<void()>) override {
    publish(relay, json, id, std::move(done));
  }
  void publish(const std::string&, const std::string&, const base::EventId&,
               std::function<void(ledger::RelayAnswer)>) override {}
  void query(const std::string& relay, nostr::Filter filter,
             std::function<void(Result<std::vector<Event>>)> done) override {
    asked.push_back(relay);
    filters.push_back(filter);
    if (down.contains(relay)) {
      return time_.after(kAnswerMs, [relay, done] {
        done(base::fail(base::ErrorKind::connection, "relay.query", "it refuses connections", relay));
      });
    }
    time_.after(kAnswerMs, [done, events = stock[relay]] { done(events); });
  }

  Result<void> watch(std::vector<nostr::Filter>) override { return {}; }
  unsigned required_pow(const std::string&) const override { return 0; }

  std::map<std::string, std::vector<Event>> stock;
  std::map<std::string, bool> down;
  std::vector<std::string> asked;
  std::vector<nostr::Filter> filters;

 private:
  sim::ProcessTime& time_;
};

class StockedWeb final : public PageReader {
 public:
  explicit StockedWeb(sim::ProcessTime& time) : time_(time) {}
  void get(const std::string& url, std::function<void(Result<std::string>)> done) override {
    ++running;
    most_at_once = std::max(most_at_once, running);
    if (silent) return;
    time_.after(kAnswerMs, [this, url, done] {
      --running;
      const auto page = pages.find(url);
      if (page != pages.end()) return done(page->second);
      if (!unseen.empty()) return done(base::fail(base::ErrorKind::job_request, unseen, "10.1.2.3 refused it", url));
      done(base::fail(base::ErrorKind::job_request, "web.status", "the server answered with status 404", url,
                      "see whether the page opens"));
    });
  }
  std::map<std::string, std::string> pages;
  bool silent = false;
  std::string unseen;  // the code of a failure that tells of this machine's network
  std::size_t running = 0;
  std::size_t most_at_once = 0;

 private:
  sim::ProcessTime& time_;
};

InputSource url(const std::string& address) {
  return {.type = InputType::url, .data = address};
}
InputSource event_at(const Event& event, const std::string& relay = {}) {
  return {.type = InputType::event, .data = event.id.hex(), .relay = relay};
}
InputSource result_of(const Event& request, const std::string& relay = {}) {
  return {.type = InputType::job, .data = request.id.hex(), .relay = relay};
}

Event numbered(std::uint8_t number, std::string content) {
  Event event{.kind = 1, .content = std::move(content)};
  event.id.bytes.fill(number);
  return event;
}
Event result_for(const Event& request, const std::string& content, std::uint8_t number = 99) {
  Event event = numbered(number, content);
  event.kind = nostr::kTextResultKind;
  event.tags = {{"e", request.id.hex()}};
  return event;
}

class Gather : public testing::Test {
 protected:
  Result<std::vector<std::string>> gather(std::vector<InputSource> sources, std::size_t max_bytes = kMaxGatheredBytes) {
    std::optional<Result<std::vector<std::string>>> out;
    gatherer.start({.sources = std::move(sources), .max_bytes = max_bytes, .done = [&](auto outcome) {
                      EXPECT_FALSE(out) << "answered twice";
                      out = std::move(outcome);
                    }});
    EXPECT_FALSE(out) << "answered inside the call";
    pass(2 * kMaxGatheringMs);
    EXPECT_TRUE(out) << "never answered";
    return *out;
  }
  std::string refusal(std::vector<InputSource> sources, std::size_t max_bytes = kMaxGatheredBytes) {
    const auto out = gather(std::move(sources), max_bytes);
    EXPECT_FALSE(out);
    return out ? "" : out.error().message;
  }
  void pass(std::int64_t ms) {
    const TimeMs until = world.now() + ms;
    while (world.step(until)) {
    }
  }

  sim::VirtualTime world{TimeMs{0}};
  sim::ProcessTime time{world};
  StockedRelays relays{time};
  StockedWeb web{time};
  Gatherer gatherer{relays, web, time, {"wss://own-1.example", "wss://own-2.example"}};
  const Event note = numbered(1, "What the note says.");
  const Event job = numbered(2, "a request");
};

TEST_F(Gather, GivesTheTextsInTheOrderOfTheSources) {
  web.pages = {{"https://a.example/", "page a"}, {"https://b.example/", "page b"}};
  relays.stock["wss://own-1.example"] = {note};
  EXPECT_EQ(gather({url("https://b.example/"), event_at(note), url("https://a.example/")}),
            (std::vector<std::string>{"page b", "What the note says.", "page a"}));
  EXPECT_EQ(web.most_at_once, 1u) << "one source after the other";
}

TEST_F(Gather, AnEventIsLookedForWhereTheCustomerSaysThenOnOurRelays) {
  relays.stock["wss://own-2.example"] = {note};
  EXPECT_TRUE(gather({event_at(note, "wss://hint.example")}));
  EXPECT_THAT(relays.asked, ElementsAre("wss://hint.example", "wss://own-1.example", "wss://own-2.example"));
  EXPECT_EQ(relays.filters[0].ids, std::vector<base::EventId>{note.id});
  EXPECT_EQ(relays.filters[0].limit, 1u);
  relays.asked.clear();
  EXPECT_TRUE(gather({event_at(note, "wss://own-2.example")}));
  EXPECT_THAT(relays.asked, ElementsAre("wss://own-2.example")) << "no relay is asked after it was found";
}

TEST_F(Gather, AnotherEventThanTheOneAskedForIsNotTaken) {
  relays.stock["wss://own-1.example"] = {numbered(7, "something else")};
  EXPECT_THAT(refusal({event_at(note)}), HasSubstr("no relay that we asked has it"));
}

TEST_F(Gather, AnInputThatIsNowhereIsNamedAndWhatWouldWorkIsSaid) {
  relays.down["wss://hint.example"] = true;
  EXPECT_THAT(refusal({event_at(note, "wss://hint.example")}),
              AllOf(HasSubstr("the event input " + note.id.hex() + " cannot be used"),
                    HasSubstr("no relay that we asked has it (wss://hint.example could not be asked)"),
                    HasSubstr("name one that does, [\"i\",\"…\",\"event\",\"wss://…\"]")));
  EXPECT_THAT(refusal({url("https://gone.example/" + std::string(200, 'x'))}),
              AllOf(HasSubstr("the url input https://gone.example/x"), HasSubstr("x… cannot be used"),
                    HasSubstr("status 404; see whether the page opens")));
}

TEST_F(Gather, StrangersLearnNothingOfNamesAndAddressesAsThisMachineSeesThem) {
  std::set<std::string> told;
  for (const char* code : {"web.private_address", "web.unreachable", "web.tls", "web.timeout", "web.new"}) {
    web.unseen = code;
    told.insert(refusal({url("https://intranet.example/")}));
  }
  EXPECT_THAT(told, ElementsAre("the url input https://intranet.example/ cannot be used: it could not be fetched; see "
                                "whether it opens elsewhere, or send its text itself as the input"));
}

TEST_F(Gather, AJobsResultIsTheNewestThatAnswersIt) {
  relays.stock["wss://own-1.example"] = {result_for(note, "of another job", 11), result_for(job, "the newest", 12),
                                         result_for(job, "an older one", 13)};
  EXPECT_EQ(gather({result_of(job)}), std::vector<std::string>{"the newest"});
  EXPECT_EQ(relays.filters[0].kinds, (std::vector<std::uint32_t>{6000, 6001, 6002, 6003, 6050}));
  EXPECT_EQ(relays.filters[0].tags[0].second, std::vector<std::string>{job.id.hex()});
  EXPECT_THAT(refusal({result_of(note, "wss://hint.example"), result_of(numbered(9, ""))}),
              HasSubstr("no relay that we asked has its result"));
}

TEST_F(Gather, AnEncryptedResultIsHiddenFromUsToo) {
  Event hidden = result_for(job, "AgAAAA==");
  hidden.tags.push_back({"encrypted"});
  relays.stock["wss://own-1.example"] = {hidden};
  EXPECT_THAT(refusal({result_of(job)}), HasSubstr("it is encrypted, so that only its customer can read it"));
}

TEST_F(Gather, TextsAreCleanedAndNoneIsBlank) {
  web.pages = {{"https://a.example/", "bell\x07 and\nline"}, {"https://b.example/", " \n\t"}};
  EXPECT_EQ(gather({url("https://a.example/")}), std::vector<std::string>{"bell\xef\xbf\xbd and\nline"});
  EXPECT_THAT(refusal({url("https://b.example/")}), HasSubstr("it has no text"));
}

TEST_F(Gather, TextsAreBoundedTogether) {
  web.pages["https://a.example/"] = std::string(6'000, 'x');
  EXPECT_TRUE(gather({url("https://a.example/"), url("https://a.example/")}, 12'000));
  EXPECT_THAT(refusal({url("https://a.example/"), url("https://a.example/")}, 11'999),
              HasSubstr("more than 11 KiB together"));
}

TEST_F(Gather, TakesAMinuteAtMost) {
  web.silent = true;
  EXPECT_THAT(refusal({url("https://a.example/")}), HasSubstr("longer than 60 s"));
}

TEST_F(Gather, EightAtATimeOthersWaitAndTheRestIsToldToComeBack) {
  web.pages["https://a.example/"] = "page";
  std::vector<std::string> outcomes;
  const auto start = [&] {
    gatherer.start({.sources = {url("https://a.example/")},
                    .done = [&](const auto& outcome) { outcomes.push_back(outcome ? "good" : outcome.error().code); }});
  };
  for (std::size_t i = 0; i < kMaxGatheringsAtOnce + kMaxGatheringsWaiting + 1; ++i) start();
  EXPECT_TRUE(outcomes.empty());
  pass(kMaxGatheringMs);
  EXPECT_EQ(web.most_at_once, kMaxGatheringsAtOnce);
  ASSERT_EQ(outcomes.size(), kMaxGatheringsAtOnce + kMaxGatheringsWaiting + 1);
  EXPECT_EQ(outcomes.front(), "gathering.busy");
  EXPECT_EQ(std::ranges::count(outcomes, "good"), 72);
  start();
  pass(kMaxGatheringMs);
  EXPECT_EQ(outcomes.back(), "good");
}

}  // namespace
}  // namespace runtime
