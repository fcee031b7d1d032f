#include "pipeline/runtime/notice_sender.h"

#include <algorithm>

#include "pipeline/nostr/nip90_notice.h"
#include "pipeline/runtime/delivery.h"
#include "pipeline/runtime/make_notice.h"

namespace runtime {

using core::Job;
using core::Work;

void NoticeSender::sign(const Job& job, const Work& work) {
  const Ports& ports = context_.ports;
  auto targets = customer_relays_.targets_of(job);
  const unsigned pow_bits = nostr::required_pow(ports.relays, targets);
  auto notice = make_notice(
      job, work, context_.engine.policy(), std::move(targets),
      [this](const base::TextRef& ref) { return texts_.read(ref); }, context_.key, ports.random, ports.scheduler.now(),
      pow_bits);
  if (!notice) return report(job, notice.error());
  // Relays refuse what is dated in the future; the engine counts deadlines in the ledger's time, which may be ahead.
  notice->notice.deadline =
      std::max(notice->notice.deadline, context_.engine.now() + context_.engine.policy().delivery_deadline_ms);
  context_.post(std::move(*notice));
}

void NoticeSender::publish(const Job& job, const Work& work) {
  const core::Notice* notice = core::find_notice(job, work.purpose);
  auto json = nostr::notice_json(job, notice->notice, context_.key.public_key(),
                                 [this](const base::TextRef& ref) { return texts_.read(ref); });
  if (!json) return report(job, json.error());
  const base::JobId id = job.id;
  const Key key{id, work.purpose};
  waiting_.insert(key);
  deliver(context_.ports.relays, context_.ports.scheduler,
          {.event_json = std::move(*json),
           .event = notice->notice.event,
           .targets = notice->notice.targets,
           .deadline = core::deadline_of(job, *notice),
           .answered =
               [this, id, work, key](ledger::RelayAnswer answer) {
                 const bool accepted = answer.accepted;
                 context_.post(core::RelayAnswered{id, work, std::move(answer)});
                 if (accepted) stop_waiting(key);
               },
           .ended =
               [this, id, work, key] {
                 context_.post(core::PublishEnded{id, work});
                 stop_waiting(key);
               },
           .tried =
               [this, key] {
                 if (key.second != ledger::NoticePurpose::result) stop_waiting(key);
               }});
}

void NoticeSender::stop_waiting(const Key& notice) {
  if (waiting_.erase(notice) > 0) progressed_();
}

NoticeSender::Waiting NoticeSender::waiting() const {
  const auto is_result = [](const Key& notice) { return notice.second == ledger::NoticePurpose::result; };
  const auto results = static_cast<std::size_t>(std::ranges::count_if(waiting_, is_result));
  return {.results = results, .others = waiting_.size() - results};
}

void NoticeSender::report(const Job& job, const base::Error& error) const {
  if (!is_pruned(error) && !error.code.starts_with("notice.")) return context_.fail(error);
  context_.problem("job " + job.id.hex() + " is stuck: " + error.describe());
}

}  // namespace runtime
