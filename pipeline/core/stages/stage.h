// A stage reports what is due for a job. Some stages also decide: they return the facts that follow. Stages are pure
// and do not use each other. The engine asks each stage after every fact. One file per stage:
//   inputs      gather the texts that are not in the request     stages/inputs.cc
//   admission   quote or decline                                 stages/admission.cc
//   expiry      close a job that nobody waits for any more       stages/expiry.cc
//   inference   run the model                                    stages/inference.cc
//   invoicing   ask the wallet for an invoice                    stages/invoicing.cc
//   feedback    sign the status notices (kind 7000)              stages/feedback.cc
//   delivery    sign the result (kind 6050), bring every signed notice to the relays  stages/delivery.cc
//   settlement  watch invoices; take or give back what is in escrow; what is owed and paid back  stages/settlement.cc
#pragma once

#include <span>
#include <string>
#include <vector>

#include "pipeline/core/rules.h"
#include "pipeline/core/shop.h"

namespace core {

// What an adapter is asked to do.
enum class Action { gather, infer, create_invoice, sign, publish, watch, take, give_back, pay_back };
inline constexpr std::size_t kActions = static_cast<std::size_t>(Action::pay_back) + 1;
std::string_view name(Action action);

// One piece of work. Together with the job's id it is a unique key: the same work is never started twice while it is in
// flight.
struct Work {
  Action action = Action::gather;
  NoticePurpose purpose = NoticePurpose::unspecified;  // sign, publish
  std::uint32_t attempt = 0;                           // infer, create_invoice: from 1
  std::uint32_t index = 0;  // watch, take, give_back: into the job's invoices; pay_back: into its refunds
  auto operator<=>(const Work&) const = default;
};

inline constexpr Work kPublishResult{.action = Action::publish, .purpose = NoticePurpose::result};

struct Due {
  std::vector<Work> work;         // for adapters
  bool decide = false;            // the stage's own decide() has something to decide
  std::optional<TimeMs> wake_at;  // ask again then
};

struct Stage {
  std::string_view name;
  Due (*due)(const Job& job, TimeMs now);
  // The facts that follow from the job and the shop; null for stages that never set Due::decide.
  std::vector<Fact> (*decide)(const Job& job, const Shop& shop, const Policy& policy, TimeMs now);
};

// In the order in which they are asked; the reason is at the array.
std::span<const Stage> stages();

// Everything that is due, over all stages, and the earliest wake-up.
Due due(const Job& job, TimeMs now);
// Something is due now or later. A job that is not open needs no memory and no recovery.
bool is_open(const Job& job);

// For people: "sign processing", "infer #1", "decide".
std::vector<std::string> describe(const Due& due);

namespace stage {
Stage inputs();
Stage admission();
Stage inference();
Stage invoicing();
Stage feedback();
Stage delivery();
Stage settlement();
Stage expiry();
}  // namespace stage

}  // namespace core
