#include "cmd/provider/control.h"

#include "cmd/text/humanize.h"

namespace cmd {
namespace {

using base::Msat;
using base::Result;
using nlohmann::json;

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
          {"text", "the payment is under way; `sellcompute jobs show` says what becomes of it"}};
}

}  // namespace

void answer_refund(runtime::Runtime& runtime, const json& request, const ControlSocket::Answer& answer) {
  const auto id = base::JobId::from_hex(request.value("job", ""));
  if (!id) return answer({{"ok", false}, {"error", "no job was named"}});
  if (const auto word = request.value("not_paid", ""); !word.empty()) {
    return runtime.give_up_refund(*id, word, [answer](const Result<void>& given_up) {
      if (!given_up)
        return answer({{"ok", false}, {"error", given_up.error().message}, {"hint", given_up.error().hint}});
      answer({{"ok", true}, {"text", "it is owed as before; pay it back to another invoice of the customer's"}});
    });
  }
  runtime::RefundOrder order{.bolt11 = request.value("bolt11", ""), .event_json = request.value("event", "")};
  if (const auto limit = request.value("fee_limit_msat", std::int64_t{-1}); limit >= 0) order.fee_limit = Msat{limit};
  runtime.refund(*id, order, [answer](const Result<runtime::RefundOutcome>& outcome) {
    if (!outcome) {
      return answer({{"ok", false}, {"error", outcome.error().message}, {"hint", outcome.error().hint}});
    }
    answer(std::visit([](const auto& facts) { return told(facts); }, *outcome));
  });
}

}  // namespace cmd
