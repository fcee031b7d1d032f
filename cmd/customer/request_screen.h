// What `request` shows: the same facts for people (the result on stdout, the rest on stderr) or for programs (all on
// stdout).
#pragma once

#include "base/scheduler.h"
#include "cmd/cli/command.h"
#include "cmd/cli/progress.h"
#include "cmd/customer/customer.h"
#include "cmd/customer/growing_answer.h"
#include "cmd/customer/market.h"

namespace cmd {

class RequestScreen {
 public:
  RequestScreen(Context& context, bool json, base::Clock clock)
      : context_(context),
        json_(json),
        clock_(std::move(clock)),
        began_(clock_()),
        shown_(context.terminal.width),
        wait_(context, clock_) {}

  void asked(const nostr::Event& request);
  // The best first.
  void sellers(const std::vector<Seller>& sellers);
  void published(const ledger::RelayAnswer& answer);
  // From now on a result begins on a fresh line.
  void cancelling(const nostr::EventId& request);
  void cancelled(const ledger::RelayAnswer& answer);
  void status(const nostr::Answer& answer, const std::string& relay);
  // What the answer has grown by.
  void partial(const nostr::Answer& answer, const std::string& relay);
  void result(const nostr::Answer& answer, const std::string& relay);
  // Tells a person on a terminal that the wait goes on; call it about once a second.
  void still_waiting();
  // There is no more to come, even of an answer that was growing.
  void end();
  void note(const std::string& text);
  void invoice(const nostr::Answer& answer);
  void paid(const Payment& payment, const std::string& bolt11);
  // Returns whether the output can no longer be written, because its reader closed it.
  bool is_unread() const { return !context_.out; }

 private:
  void relay_said(const ledger::RelayAnswer& answer, const char* type, const std::string& what);
  void object(const char* type, const nlohmann::ordered_json& fields);
  // One of these words may be painted.
  void line(const std::string& text, const std::string& words = {}, Colour colour = Colour::plain);
  void show(const std::string& text);

  Context& context_;
  const bool json_;
  const base::Clock clock_;
  const base::TimeMs began_;
  GrowingAnswer growing_;
  GrowingText shown_;
  WaitLine wait_;
  std::string awaited_ = "a provider";
};

}  // namespace cmd
