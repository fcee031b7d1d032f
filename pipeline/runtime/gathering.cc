#include "pipeline/runtime/gathering.h"

#include <algorithm>

#include "base/check.h"
#include "base/utf8.h"
#include "pipeline/nostr/json.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip90_answer.h"
#include "pipeline/nostr/nip90_request.h"

namespace runtime {

using base::Result;
using ledger::InputSource;
using ledger::InputType;
using nostr::Event;

namespace {

constexpr std::size_t kMaxResults = 8;       // of one job that are looked at
constexpr std::size_t kMaxQuotedBytes = 80;  // of a web address in a message to its customer
// Results that are text: extraction, summary, translation and their like, and generation.
constexpr std::uint32_t kTextResultKinds[] = {6000, 6001, 6002, 6003, nostr::kTextResultKind};

constexpr char kSendTheText[] = "or send its text itself as the input";

// Failures that speak of a page which anybody can see. All others speak of names and addresses as this machine sees
// them, and its customers are strangers.
constexpr std::string_view kTold[] = {"web.url",       "web.status",    "web.type", "web.not_text",
                                      "web.too_large", "web.redirects", "web.busy"};
constexpr char kNotFetched[] = "it could not be fetched; see whether it opens elsewhere, ";

tl::unexpected<base::Error> refuse(std::string code, std::string why) {
  return base::fail(base::ErrorKind::job_request, std::move(code), std::move(why));
}

nostr::Filter filter_of(const InputSource& source) {
  const auto id = base::EventId::from_hex(source.data).value_or(base::EventId{});
  if (source.type == InputType::event) return {.ids = {id}, .limit = 1};
  nostr::Filter filter{.tags = {{'e', {source.data}}}, .limit = kMaxResults};
  filter.kinds.assign(std::begin(kTextResultKinds), std::end(kTextResultKinds));
  return filter;
}

// The newest of these that is what the source names; null when none is. A relay says what it likes, and an e tag may
// stand for anything: a result is of the job that it answers.
const Event* find(const InputSource& source, const std::vector<Event>& newest_first) {
  const auto it = std::ranges::find_if(newest_first, [&](const Event& event) {
    if (source.type == InputType::event) return event.id.hex() == source.data;
    const auto answer = nostr::read_answer(event);
    return answer && answer->is_result && answer->request.hex() == source.data;
  });
  return it == newest_first.end() ? nullptr : &*it;
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

}  // namespace

// One gathering under way; lives as long as somebody may call it back.
class Gatherer::Search : public std::enable_shared_from_this<Search> {
 public:
  Search(Gatherer& gatherer, Gathering gathering) : gatherer_(gatherer), gathering_(std::move(gathering)) {}

  void start() {
    gatherer_.scheduler_.after(kMaxGatheringMs, [self = shared_from_this()] {
      self->fail("it took longer than " + std::to_string(kMaxGatheringMs / 1'000) + " s; try again later, " +
                 kSendTheText);
    });
    next();
  }

 private:
  const InputSource& source() const { return gathering_.sources[texts_.size()]; }

  void next() {
    if (texts_.size() == gathering_.sources.size()) return end(std::move(texts_));
    if (source().type == InputType::url) return fetch();
    relays_left_.clear();
    named_relay_failed_ = false;
    if (!source().relay.empty()) relays_left_.push_back(source().relay);
    std::ranges::remove_copy(gatherer_.own_relays_, std::back_inserter(relays_left_), source().relay);
    ask_next_relay();
  }

  void fetch() {
    gatherer_.web_.get(source().data, [self = shared_from_this()](Result<std::string> text) {
      if (self->ended_) return;
      if (text) return self->take(std::move(*text));
      const base::Error& error = text.error();
      const bool told = std::ranges::find(kTold, error.code) != std::end(kTold);
      if (!told) return self->fail(std::string(kNotFetched) + kSendTheText);
      self->fail(error.message + (error.hint.empty() ? "" : "; " + error.hint));
    });
  }

  void ask_next_relay() {
    if (relays_left_.empty()) return fail(not_found());
    const std::string relay = relays_left_.front();
    relays_left_.pop_front();
    gatherer_.relays_.query(relay, filter_of(source()),
                            [self = shared_from_this(), relay](const Result<std::vector<Event>>& found) {
                              if (!self->ended_) self->on_found(relay, found);
                            });
  }

  void on_found(const std::string& relay, const Result<std::vector<Event>>& found) {
    if (!found && relay == source().relay) named_relay_failed_ = true;
    const Event* event = found ? find(source(), *found) : nullptr;
    if (!event) return ask_next_relay();
    if (!nostr::is_encrypted(*event)) return take(event->content);
    fail("it is encrypted, so that only its customer can read it; send its text itself as the input");
  }

  std::string not_found() const {
    const std::string what = source().type == InputType::job ? "its result" : "it";
    std::string why = "no relay that we asked has " + what;
    if (named_relay_failed_) why += " (" + source().relay + " could not be asked)";
    return why + "; name one that does, [\"i\",\"…\",\"" + std::string(ledger::name(source().type)) +
           "\",\"wss://…\"], " + kSendTheText;
  }

  void take(std::string text) {
    if (is_blank(text)) return fail("it has no text; name another, " + std::string(kSendTheText));
    text = nostr::without_disputed_controls(std::move(text));
    bytes_ += text.size();
    if (bytes_ > gathering_.max_bytes) {
      return fail("with it the inputs have more than " + std::to_string(gathering_.max_bytes / 1024) +
                  " KiB together; name shorter ones, or send the part that matters as the input");
    }
    texts_.push_back(std::move(text));
    next();
  }

  void fail(const std::string& why) {
    if (ended_) return;
    const std::string_view start = base::utf8_prefix(source().data, kMaxQuotedBytes);
    const std::string cut = start.size() < source().data.size() ? "…" : "";
    end(refuse("gathering.failed", "the " + std::string(ledger::name(source().type)) + " input " + std::string(start) +
                                       cut + " cannot be used: " + why));
  }

  void end(Result<std::vector<std::string>> outcome) {
    CHECK(!ended_ && gatherer_.running_ > 0, gatherer_.running_);
    ended_ = true;
    Gatherer& gatherer = gatherer_;
    const auto done = std::move(gathering_.done);
    --gatherer.running_;
    if (!gatherer.waiting_.empty()) {
      Gathering waiting = std::move(gatherer.waiting_.front());
      gatherer.waiting_.pop_front();
      gatherer.run(std::move(waiting));
    }
    done(std::move(outcome));
  }

  Gatherer& gatherer_;
  Gathering gathering_;
  std::vector<std::string> texts_;
  std::size_t bytes_ = 0;
  std::deque<std::string> relays_left_;
  bool named_relay_failed_ = false;  // the one that the customer named; why is not for strangers
  bool ended_ = false;
};

void Gatherer::start(Gathering gathering) {
  if (running_ < kMaxGatheringsAtOnce) return run(std::move(gathering));
  if (waiting_.size() < kMaxGatheringsWaiting) return waiting_.push_back(std::move(gathering));
  scheduler_.after(0, [done = std::move(gathering.done)] {
    done(refuse("gathering.busy",
                "too many jobs wait for their inputs; try again later, or send their texts themselves"));
  });
}

void Gatherer::run(Gathering gathering) {
  CHECK(running_ < kMaxGatheringsAtOnce, running_);
  ++running_;
  std::make_shared<Search>(*this, std::move(gathering))->start();
}

}  // namespace runtime
