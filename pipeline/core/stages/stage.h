// A stage says what is due for a job, and where it decides, decides. Stages are pure and know nothing of each other;
// the engine asks each of them after every fact. One file a stage, in the order of a job's life:
//   inputs     gather the texts that are not in the request  stages/inputs.cc
//   admission  quote or decline               stages/admission.cc
//   inference  run the model                  stages/inference.cc
//   invoicing  ask the wallet for an invoice  stages/invoicing.cc
//   feedback   the 7000s to sign              stages/feedback.cc
//   delivery   the 6050 to sign, and bringing every signed notice to the relays  stages/delivery.cc
//   settlement watch invoices; what is in escrow, owed and paid back  stages/settlement.cc
//   expiry     jobs that nobody waits for any more  stages/expiry.cc
#pragma once

#include <span>
#include <string>
#include <vector>

#include "pipeline/core/shop.h"

namespace core {

// What an adapter is asked to do, or `decide`: then the stage's own decide() has the answer.
enum class Action { decide, gather, infer, create_invoice, sign, publish, watch, take, give_back, pay_back };
std::string_view name(Action action);

// One piece of work. With the job's id it is its own key: the same work is never started twice while it is in flight.
struct Work {
  Action action = Action::decide;
  NoticePurpose purpose = NoticePurpose::unspecified;  // sign, publish
  // infer, create_invoice: from 1; of the others the place of the invoice or the refund, from 0
  std::uint32_t attempt = 0;
  auto operator<=>(const Work&) const = default;
};

struct Due {
  std::vector<Work> work;
  std::optional<TimeMs> wake_at;  // ask again then
};

struct Stage {
  std::string_view name;
  Due (*due)(const Job& job, TimeMs now);
  // The events that the stage's `decide` work comes to; null for stages that decide nothing.
  std::vector<Fact> (*decide)(const Job& job, const Shop& shop, const Policy& policy, TimeMs now);
};

std::span<const Stage> stages();

// Everything that is due, over all stages, and the earliest wake-up.
Due due(const Job& job, TimeMs now);
// Something is due now or later. A job that is not open needs no memory and no recovery.
bool is_open(const Job& job);

// For people: "sign processing", "infer #1".
std::string describe(const Work& work);

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
