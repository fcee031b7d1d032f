// What other commands ask of a running `serve` over the control socket (cli/control_socket.h). Pure, but for what the
// actions do.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/types.h"
#include "cmd/cli/control_socket.h"
#include "pipeline/runtime/announcer.h"
#include "pipeline/runtime/runtime.h"

namespace cmd {

// What the methods do to the provider, and what they ask of it. Each `done` is called once, at once or later.
struct ControlActions {
  struct State {
    bool online = false;
    bool draining = false;  // takes no new jobs, and finishes those that it has started
    bool ending = false;    // the process stops after the drain
    std::string left = {};  // what the last drain did not wait for any longer
  };
  std::function<State()> state;
  std::function<nlohmann::json()> summary;  // of Service::summary()
  std::function<void()> go_online;
  std::function<void(std::string reason, std::function<void()> done)> go_offline;
  std::function<bool(const base::JobId&)> cancel;  // false: too late, or no open job
  std::function<void(const base::JobId&, const runtime::RefundOrder&,
                     std::function<void(base::Result<runtime::RefundOutcome>)> done)>
      refund;
  std::function<void(const base::JobId&, const std::string& word, std::function<void(base::Result<void>)> done)>
      give_up_refund;
  std::function<void(const base::JobId&, const std::string& word, std::function<void(base::Result<void>)> done)> close;
  std::function<void(const base::JobId&, std::function<void(base::Result<std::vector<std::string>>)> done)>
      retry;                 // gives the relays that the result is published to
  bool may_announce = true;  // by the settings
  std::function<void()> announce;
  std::function<void(std::function<void(const std::vector<runtime::Visibility>&)> done)> withdraw;
  std::function<void(std::function<void(const base::Result<std::string>& note)> done)> checkpoint;
  std::function<void(std::int64_t older_than_ms, std::function<void(const base::Result<ledger::TextsPruned>&)> done)>
      prune;
};

// Answers requests by their "method". Every answer has "ok"; one that is false has "error", and often "hint".
//   {"method":"status"}                                            -> {"ok":true,"status":{…}}
//   {"method":"online"}                                            -> {"ok":true,"text":…}
//   {"method":"offline","drain":true}                              -> the same, with "drain" after the drain
//   {"method":"cancel","job":"<hex>"}                              -> {"ok":true,"text":…}
//   {"method":"refund","job":…,"bolt11":… or "event":…,"fee_limit_msat":…}
//                                                                  -> {"ok":true,"state":"paid" or "under_way","text":…}
//   {"method":"refund","job":…,"not_paid":"<why>"}                 -> {"ok":true,"text":…}
//   {"method":"close","job":…,"never_paid" or "paid_elsewhere":"<why>"}
//                                                                  -> {"ok":true,"text":…}
//   {"method":"retry","job":"<hex>"}                               -> {"ok":true,"text":…,"relays":[…]}
//   {"method":"announce"}                                          -> {"ok":true,"text":…}
//   {"method":"withdraw"}                                          -> {"ok":true,"relays":[…]}
//   {"method":"checkpoint"}                                        -> {"ok":true,"note":"<the signed note>"}
//   {"method":"prune","older_than_ms":…}                           -> {"ok":true,"jobs":…,"texts":…,"bytes":…}
class Control {
 public:
  explicit Control(ControlActions actions) : actions_(std::move(actions)) {}

  // Calls `answer` once, now or later. Throws nlohmann::json::exception, without an answer, when a field of the request
  // has a wrong type; the control socket answers that.
  void handle(const nlohmann::json& request, const ControlSocket::Answer& answer) const;

 private:
  using Method = void (Control::*)(const nlohmann::json& request, const ControlSocket::Answer& answer) const;
  static Method find(const std::string& name);  // null: there is none

  void status(const nlohmann::json& request, const ControlSocket::Answer& answer) const;
  void online(const nlohmann::json& request, const ControlSocket::Answer& answer) const;
  void offline(const nlohmann::json& request, const ControlSocket::Answer& answer) const;
  void cancel(const nlohmann::json& request, const ControlSocket::Answer& answer) const;
  void refund(const nlohmann::json& request, const ControlSocket::Answer& answer) const;
  void close(const nlohmann::json& request, const ControlSocket::Answer& answer) const;
  void retry(const nlohmann::json& request, const ControlSocket::Answer& answer) const;
  void announce(const nlohmann::json& request, const ControlSocket::Answer& answer) const;
  void withdraw(const nlohmann::json& request, const ControlSocket::Answer& answer) const;
  void checkpoint(const nlohmann::json& request, const ControlSocket::Answer& answer) const;
  void prune(const nlohmann::json& request, const ControlSocket::Answer& answer) const;

  const ControlActions actions_;
};

}  // namespace cmd
