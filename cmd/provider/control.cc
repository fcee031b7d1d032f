#include "cmd/provider/control.h"

#include <algorithm>
#include <array>

#include "cmd/provider/announcement.h"
#include "cmd/text/humanize.h"

namespace cmd {
namespace {

using base::Msat;
using base::Result;
using nlohmann::json;
using Answer = ControlSocket::Answer;

json succeeded(const std::string& text) {
  return {{"ok", true}, {"text", text}};
}

json refused(const std::string& error) {
  return {{"ok", false}, {"error", error}};
}

json refused(const base::Error& error) {
  return {{"ok", false}, {"error", error.message}, {"hint", error.hint}};
}

json told(const ledger::RefundPaid& paid) {
  std::string text = "paid back " + sats(paid.amount) + ", for a fee of " + sats(paid.fee);
  if (!paid.preimage.is_zero()) text += "; preimage " + paid.preimage.hex();
  return {{"ok", true}, {"state", "paid"}, {"text", text}, {"fee_msat", paid.fee.value}};
}

json told(const ledger::RefundFailed& failed) {
  return {{"ok", false},
          {"error", "it was not paid: " + failed.message},
          {"hint", "it is owed as before: ask the customer for another invoice"}};
}

json told(const ledger::RefundStarted&) {
  return {{"ok", true},
          {"state", "under_way"},
          {"text", "the payment is under way; `sellcompute jobs show` shows the outcome"}};
}

}  // namespace

Control::Method Control::find(const std::string& name) {
  static constexpr std::array kMethods = {
      std::pair<std::string_view, Method>{"status", &Control::status},
      std::pair<std::string_view, Method>{"online", &Control::online},
      std::pair<std::string_view, Method>{"offline", &Control::offline},
      std::pair<std::string_view, Method>{"cancel", &Control::cancel},
      std::pair<std::string_view, Method>{"refund", &Control::refund},
      std::pair<std::string_view, Method>{"close", &Control::close},
      std::pair<std::string_view, Method>{"retry", &Control::retry},
      std::pair<std::string_view, Method>{"announce", &Control::announce},
      std::pair<std::string_view, Method>{"withdraw", &Control::withdraw},
      std::pair<std::string_view, Method>{"checkpoint", &Control::checkpoint},
      std::pair<std::string_view, Method>{"prune", &Control::prune},
  };
  const auto* const found = std::ranges::find(kMethods, name, &std::pair<std::string_view, Method>::first);
  return found == kMethods.end() ? nullptr : found->second;
}

void Control::handle(const json& request, const Answer& answer) const {
  const std::string name = request.value("method", "");
  const Method method = find(name);
  if (!method) return answer(refused("unknown method \"" + name + "\""));
  (this->*method)(request, answer);
}

void Control::status(const json&, const Answer& answer) const {
  answer({{"ok", true}, {"status", actions_.summary()}});
}

void Control::online(const json&, const Answer& answer) const {
  const auto state = actions_.state();
  if (state.ending) return answer(refused("it is ending"));
  if (state.online && state.draining) return answer(refused("still finishing started jobs; try again"));
  if (state.online) return answer(succeeded("already online"));
  actions_.go_online();
  answer(succeeded("online"));
}

void Control::offline(const json& request, const Answer& answer) const {
  if (!actions_.state().online) return answer(succeeded("already offline"));
  const bool wait = request.value("drain", false);
  actions_.go_offline("told so", [state = actions_.state, answer, wait] {
    const std::string left = state().left;
    if (wait) {
      answer(succeeded(left.empty() ? "offline; every started job is finished"
                                    : "offline; this took too long and goes on when we are online again: " + left));
    }
  });
  if (!wait) answer(succeeded("offline for new jobs; started ones finish"));
}

void Control::cancel(const json& request, const Answer& answer) const {
  const auto id = base::JobId::from_hex(request.value("job", ""));
  if (id && actions_.cancel(*id)) return answer(succeeded("cancelled; the customer is told"));
  answer(refused("it is too late: the job has ended, or its result is signed"));
}

void Control::refund(const json& request, const Answer& answer) const {
  const auto id = base::JobId::from_hex(request.value("job", ""));
  if (!id) return answer(refused("no job was named"));
  if (const auto word = request.value("not_paid", ""); !word.empty()) {
    return actions_.give_up_refund(*id, word, [answer](const Result<void>& given_up) {
      if (!given_up) return answer(refused(given_up.error()));
      answer(succeeded("it is owed as before; pay it back to another invoice of the customer's"));
    });
  }
  runtime::RefundOrder order{.bolt11 = request.value("bolt11", ""), .event_json = request.value("event", "")};
  if (const auto limit = request.value("fee_limit_msat", std::int64_t{-1}); limit >= 0) order.fee_limit = Msat{limit};
  actions_.refund(*id, order, [answer](const Result<runtime::RefundOutcome>& outcome) {
    if (!outcome) return answer(refused(outcome.error()));
    answer(std::visit([](const auto& facts) { return told(facts); }, *outcome));
  });
}

void Control::close(const json& request, const Answer& answer) const {
  const auto id = base::JobId::from_hex(request.value("job", ""));
  if (!id) return answer(refused("no job was named"));
  const auto never_paid = request.value("never_paid", "");
  const auto paid_elsewhere = request.value("paid_elsewhere", "");
  if (never_paid.empty() == paid_elsewhere.empty()) return answer(refused("was it never paid, or paid elsewhere?"));
  const std::string word = never_paid.empty() ? "paid elsewhere: " + paid_elsewhere : "never paid: " + never_paid;
  actions_.close(*id, word, [answer](const Result<void>& closed) {
    answer(closed ? succeeded("closed; should the wallet tell of a payment after all, it counts")
                  : refused(closed.error()));
  });
}

void Control::retry(const json& request, const Answer& answer) const {
  const auto id = base::JobId::from_hex(request.value("job", ""));
  if (!id) return answer(refused("no job was named"));
  const auto state = actions_.state();
  if (!state.online || state.draining) return answer(refused("we are offline: say `sellcompute online` first"));
  actions_.retry(*id, [answer](const Result<std::vector<std::string>>& relays) {
    if (!relays) return answer(refused(relays.error()));
    const std::string text = "the same result is published again, to " + counted(relays->size(), "relay") +
                             "; `sellcompute jobs show` shows the outcome";
    answer({{"ok", true}, {"text", text}, {"relays", *relays}});
  });
}

void Control::announce(const json&, const Answer& answer) const {
  if (!actions_.may_announce) return answer(refused("the settings say not to: set announce.enabled = true"));
  const auto state = actions_.state();
  if (!state.online || state.draining) {
    return answer(refused("we are offline: `sellcompute online` announces too"));
  }
  actions_.announce();
  answer(succeeded("announcing; `sellcompute status` shows where it is seen"));
}

void Control::withdraw(const json&, const Answer& answer) const {
  actions_.withdraw([answer](const std::vector<runtime::Visibility>& report) {
    answer({{"ok", true}, {"relays", to_json(report)}});
  });
}

void Control::checkpoint(const json&, const Answer& answer) const {
  actions_.checkpoint([answer](const Result<std::string>& note) {
    answer(note ? json{{"ok", true}, {"note", *note}} : refused(note.error()));
  });
}

void Control::prune(const json& request, const Answer& answer) const {
  const auto older_than_ms = request.value("older_than_ms", std::int64_t{-1});
  if (older_than_ms < 0) return answer(refused("how old must the texts be?"));
  actions_.prune(older_than_ms, [answer](const Result<ledger::TextsPruned>& pruned) {
    if (!pruned) return answer(refused(pruned.error()));
    answer({{"ok", true}, {"jobs", pruned->jobs}, {"texts", pruned->texts}, {"bytes", pruned->bytes}});
  });
}

}  // namespace cmd
