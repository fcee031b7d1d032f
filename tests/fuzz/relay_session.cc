// The input is a story of one relay, a line each: what happened, and what we wanted. After each line the session must
// have kept to what it promises.
#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "pipeline/nostr/json.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/relay/session.h"
#include "tests/fuzz/fuzz.h"

namespace {

using fuzz::require;
using namespace base;
using namespace nostr;

constexpr std::int64_t kLongestWaitMs = 400'000;
constexpr std::size_t kMostLines = 100;
constexpr std::size_t kLongFrame = 4096;  // reading takes its time

EventId id_of(std::size_t number) {
  return EventId{base::sha256(std::to_string(number)).bytes};
}

std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::size_t number_in(std::string_view text, std::size_t below) {
  std::uint64_t number = 0;
  const std::string_view digits = text.substr(std::min(text.find_first_of("0123456789"), text.size()));
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return static_cast<std::size_t>(number % below);
}

// The adapter and the relay of one session, and what must be true of it.
class Driver {
 public:
  explicit Driver(bool persistent) : persistent_(persistent), session_(options()) { take(session_.start(now_)); }

  void line(std::string_view line) {
    const char what = line.empty() ? 't' : line[0];
    const std::string_view rest = line.substr(std::min<std::size_t>(1, line.size()));
    switch (what) {
      case 'o':
        return open();
      case 'x':
      case 'X':
        return lose(what == 'X', rest);
      case 'p':
        return take(session_.on_pong(now_));
      case 'w':
        return wait(now_ + static_cast<std::int64_t>(number_in(rest, kLongestWaitMs)));
      case 's':
        return subscribe(rest);
      case 'u':
        return unsubscribe(rest);
      case 'q':
        return query(rest);
      case 'j':
        return junk(number_in(rest, 2 * kMaxJunkPerMinute));
      case 'l':
        return session_.set_limits({.max_message_length = number_in(rest, 300)});
      case 'e':
        return publish(number_in(rest, 600), rest.size());
      case 'm':  // many, or large
        for (std::size_t i = 0; i < 40; ++i) publish(number_in(rest, 600) + i, rest.size() % 32 * 4096);
        return;
      case 'z':
        shut_down_ = true;
        return take(session_.shut_down());
      case 'k':
      case 'K':
        return frame("[\"OK\",\"" + id_of(number_in(rest, 600)).hex() + (what == 'k' ? "\",true," : "\",false,") +
                     quoted(rest) + "]");
      case 'a':
        return frame("[\"OK\",\"" + auth_.hex() + "\"," + (rest.empty() ? "true" : "false") + ",\"\"]");
      case 'E':
        return frame("[\"EOSE\"," + quoted(rest) + "]");
      case 'c':
        return frame("[\"CLOSED\"," + quoted(rest.substr(0, 1)) + ",\"auth-required: x\"]");
      case 'v':
        for (std::size_t i = 0; i < kFullPage; ++i) frame("[\"EVENT\"," + quoted(rest) + "," + event(i) + "]");
        return;
      case 'f':
        return frame(std::string(rest));
      default:
        return wait(session_.wake_at().value_or(now_));
    }
  }

 private:
  enum class Link { down, dialling, open };

  RelaySessionOptions options() {
    RelaySessionOptions out;
    out.url = "wss://relay.example";
    out.persistent = persistent_;
    out.random = [this] { return static_cast<double>(chance_ = (chance_ * 75 + 74) % 65537) / 65537.0; };
    out.sign_auth = [this](const std::string&, const std::string& challenge, TimeMs now) -> std::optional<Event> {
      require(++auths_ <= kMaxAuths, "a relay is told who we are a few times only");
      auth_ = EventId{base::sha256(challenge + std::to_string(now.ms)).bytes};
      return Event{.id = auth_, .kind = 22242};
    };
    return out;
  }

  static std::string event(std::size_t number) {
    return to_json(
        {.id = id_of(number), .created_at = 1'700'000'000 - static_cast<std::int64_t>(number), .kind = 5050});
  }

  void open() {
    const bool awaited = link_ == Link::dialling;
    if (awaited) link_ = Link::open;
    auths_ = awaited ? 0 : auths_;
    bad_frames_ = awaited ? 0 : bad_frames_;
    const auto actions = session_.on_open(now_);
    require(awaited || actions.empty(), "a connection that nobody asked for is nobody's");
    take(actions);
  }

  void lose(bool forbidden, std::string_view reason) {
    const bool was_down = std::exchange(link_, Link::down) == Link::down;
    const auto actions =
        forbidden ? session_.on_forbidden(std::string(reason), now_) : session_.on_closed(std::string(reason), now_);
    require(!was_down || actions.empty(), "what is down cannot be lost");
    take(actions);
    require(!forbidden || was_down || (waiting_.empty() && queries_.empty()),
            "nothing waits for a relay that may not be dialled");
  }

  void frame(const std::string& text) {
    const bool was_open = link_ == Link::open;
    const auto message = parse_relay_message(text);
    if (!message && message.error().code == "relay.malformed") ++bad_frames_;
    const auto actions = session_.on_frame(text, now_);
    require(was_open || actions.empty(), "nothing is heard from a relay that is not connected");
    take(actions);
    require(link_ != Link::open || bad_frames_ < kMaxBadFrames, "a relay that talks nonsense is left");
  }

  // As the adapter does it: on_tick() no later than wake_at().
  void wait(TimeMs until) {
    while (session_.wake_at().value_or(until) < until) tick(std::max(*session_.wake_at(), now_));
    tick(until);
  }

  void tick(TimeMs at) {
    now_ = std::max(now_, at);
    take(session_.on_tick(now_));
    require(!session_.wake_at() || *session_.wake_at() > now_, "a tick does what was due");
    for (const auto& [id, waiting] : waiting_)
      require(now_ < waiting.deadline, "every publication is answered in time");
    for (const auto& [id, deadline] : queries_) require(now_ < deadline, "every query is answered in time");
  }

  void subscribe(std::string_view id) {
    const std::string name(id.substr(0, 1));
    if (name < "a" || name > "z") return;
    if (!shut_down_) subscriptions_.insert(name);
    const bool stored = id.size() > 1;
    const auto filters = [stored] {
      return std::vector<Filter>{{.kinds = {5050}, .since_s = stored ? std::optional<std::int64_t>(1) : std::nullopt}};
    };
    take(session_.subscribe(name, filters, now_));
  }

  void unsubscribe(std::string_view id) {
    subscriptions_.erase(std::string(id.substr(0, 1)));
    take(session_.unsubscribe(std::string(id.substr(0, 1)), now_));
  }

  // Named by a digit, as subscriptions are by a letter.
  void query(std::string_view name) {
    const std::string id(name.substr(0, 1));
    if (id < "0" || id > "9" || !queries_.try_emplace(id, now_ + kQueryTimeoutMs).second) return;
    take(session_.query(id, {.kinds = {5050}, .limit = name.size()}, now_));
  }

  void junk(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) take(session_.on_useless(Useless::junk, now_));
    require(link_ != Link::open || count <= kMaxJunkPerMinute, "a relay that sends nothing but junk is left");
  }

  void publish(std::size_t number, std::size_t bytes) {
    const EventId id = id_of(number);
    waiting_.try_emplace(id, Waiting{now_ + kPublishTimeoutMs, bytes + 2});
    take(session_.publish(id, "\"" + std::string(bytes, 'x') + "\"", now_));
  }

  void take(const RelayActions& actions) {
    for (const auto& action : actions) std::visit([this](const auto& a) { act(a); }, action);
    check();
  }

  void act(const Dial&) {
    require(link_ == Link::down && !shut_down_, "a relay is dialled when it is down");
    link_ = Link::dialling;
  }
  void act(const SendFrame& a) {
    require(link_ == Link::open, "frames are sent to a relay that is connected");
    JsonReader reader(a.text);
    require(a.text.size() > kLongFrame || (reader.skip() && reader.end()), "a frame is JSON");
  }
  void act(const SendPing&) { require(link_ == Link::open, "pings are sent to a relay that is connected"); }
  void act(const HangUp&) {
    require(link_ != Link::down, "there is a connection to end");
    link_ = Link::down;
  }
  void act(const Deliver& a) {
    require(subscriptions_.contains(a.subscription) || queries_.contains(a.subscription),
            "only what we asked for is delivered");
  }
  void act(const CaughtUp& a) { require(subscriptions_.contains(a.subscription), "only what we asked for catches up"); }
  void act(const PublishAnswer& a) {
    require(waiting_.erase(a.event) == 1, "a publication is answered once");
    require(!shut_down_ || !a.accepted, "nothing is accepted after the end");
  }
  void act(const QueryEnd& a) {
    require(queries_.erase(a.id) == 1, "a query is answered once");
    require(!shut_down_ || !a.error.empty(), "nothing is found after the end");
  }
  void act(const Dropped& a) { require(!a.reason.empty(), "what is dropped has its reason"); }
  void act(const Notice& a) { require(a.text.size() <= kMaxRelayTextBytes, "what a relay says is cut"); }
  void act(const HealthChange& a) {
    require(a.state != state_ || a.reason != reason_, "a change is one");
    state_ = a.state;
    reason_ = a.reason;
  }

  void check() const {
    require(session_.state() == state_ && session_.reason() == reason_, "every change is told");
    if (link_ == Link::down) require(state_ == RelayState::idle || state_ == RelayState::offline, "down is down");
    if (link_ == Link::dialling) require(state_ == RelayState::connecting, "dialling is connecting");
    if (link_ == Link::open) require(state_ == RelayState::catching_up || state_ == RelayState::live, "open is open");
    std::size_t bytes = 0;
    for (const auto& [id, waiting] : waiting_) bytes += waiting.bytes;
    require(waiting_.size() <= kMaxPublications && bytes <= kMaxPublicationBytes, "few publications wait");
    require(session_.has_work() == (!waiting_.empty() || !queries_.empty() || !subscriptions_.empty()) || shut_down_,
            "what waits and what is subscribed is work");
    const bool wanted = !shut_down_ && (persistent_ || session_.has_work());
    require(!wanted || session_.wake_at(), "as long as a relay is wanted there is a next thing to do");
    require(!shut_down_ || (link_ == Link::down && waiting_.empty() && queries_.empty() && !session_.wake_at()),
            "nothing after the end");
  }

  struct Waiting {
    TimeMs deadline;
    std::size_t bytes;
  };

  const bool persistent_;
  bool shut_down_ = false;
  TimeMs now_{1'700'000'000'000};
  Link link_ = Link::down;
  RelayState state_ = RelayState::idle;
  std::string reason_;
  std::map<EventId, Waiting> waiting_;
  std::set<std::string> subscriptions_;
  std::map<std::string, TimeMs> queries_;
  EventId auth_;
  unsigned auths_ = 0;
  unsigned bad_frames_ = 0;
  unsigned chance_ = 1;
  RelaySession session_;  // last: its options use the others
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view story = fuzz::text_of(data, size);
  Driver driver(!story.starts_with('g'));
  for (std::size_t lines = 0; !story.empty() && lines < kMostLines; ++lines) {
    const std::string_view line = story.substr(0, story.find('\n'));
    driver.line(line);
    story.remove_prefix(std::min(line.size() + 1, story.size()));
  }
  return 0;
}
