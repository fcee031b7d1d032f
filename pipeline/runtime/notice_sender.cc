#include "pipeline/runtime/notice_sender.h"

#include <algorithm>

#include "base/check.h"
#include "pipeline/nostr/nip90_notice.h"
#include "pipeline/runtime/delivery.h"
#include "pipeline/runtime/find_job.h"
#include "pipeline/runtime/make_notice.h"

namespace runtime {

using base::Result;
using core::Job;
using core::Work;

namespace {

auto no_retry(const char* code, std::string message, std::string hint = {}) {
  return base::fail(base::ErrorKind::job_processing, code, std::move(message), {}, std::move(hint));
}

}  // namespace

void NoticeSender::sign(const Job& job, const Work& work) {
  const Ports& ports = context_.ports;
  auto targets = customer_relays_.targets_of(job);
  const unsigned pow_bits = nostr::required_pow(ports.relays, targets);
  auto notice = make_notice(job, work,
                            {.targets = std::move(targets),
                             .texts = [this](const base::TextRef& ref) { return texts_.read(ref); },
                             .key = context_.key,
                             .random = ports.random,
                             .now = ports.scheduler.now(),
                             .delivery_deadline_ms = context_.engine.policy().delivery_deadline_ms,
                             .pow_bits = pow_bits});
  if (!notice) return report(job, notice.error());
  // Relays refuse what is dated in the future; the engine counts deadlines in the ledger's time, which may be ahead.
  notice->notice.deadline =
      std::max(notice->notice.deadline, context_.engine.now() + context_.engine.policy().delivery_deadline_ms);
  context_.post(std::move(*notice));
}

void NoticeSender::publish(const Job& job, const Work& work) {
  const core::Notice* notice = core::find_notice(job, work.purpose);
  CHECK(notice, work.purpose);  // only what is signed and durable is published
  auto json = signed_event(job, *notice);
  if (!json) return report(job, json.error());
  const base::JobId id = job.id;
  const Key key{id, work.purpose};
  waiting_.insert(key);
  deliver(context_.ports.relays, context_.ports.scheduler,
          {.event_json = std::move(*json),
           .event = notice->notice.event,
           .targets = core::targets_of(*notice),
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

// The very bytes that were signed.
Result<std::string> NoticeSender::signed_event(const Job& job, const core::Notice& notice) const {
  return nostr::notice_json(job, notice.notice, context_.key.public_key(),
                            [this](const base::TextRef& ref) { return texts_.read(ref); });
}

Result<void> NoticeSender::check_retry(const Job& job) const {
  const core::Notice* result = core::find_notice(job, ledger::NoticePurpose::result);
  if (!result) {
    return no_retry("retry.no_result", "there is nothing to publish: no result of this job was ever signed",
                    "`sellcompute jobs show` says what became of it");
  }
  if (result->delivered) return no_retry("retry.delivered", "a relay has taken the result already");
  if (job.closed) {
    return no_retry("retry.closed", "the job was closed when the ledger went back in time",
                    "the history that was lost may have published another result");
  }
  if (!result->closed || context_.engine.in_flight(job.id, core::kPublishResult)) {
    return no_retry("retry.not_over", "the result is not given up yet",
                    "it is published until its deadline; in escrow, as soon as its payment is taken");
  }
  if (!core::may_retry_result(job))
    return no_retry("retry.paid_back", "its payment was given back, or is being paid back");
  const auto json = signed_event(job, *result);
  if (json) return {};
  if (!is_pruned(json.error())) return tl::unexpected(json.error());
  return no_retry("retry.pruned", "the texts of this job were pruned: what was signed cannot be restored");
}

void NoticeSender::retry(ResultRetry order) {
  const core::JobId id = order.job;
  find_settled_job(context_, id, [this, id, done = std::move(order.done)](FoundJob job) {
    if (!job) return done(tl::unexpected(job.error()));
    if (!*job || !(*job)->request) return done(no_retry("retry.no_job", "there is no such job"));
    if (const auto may = check_retry(**job); !may) return done(tl::unexpected(may.error()));
    const base::EventId event = core::find_notice(**job, ledger::NoticePurpose::result)->notice.event;
    const auto targets = customer_relays_.targets_of(**job);
    context_.post(core::RetryOrdered{
        .job = id,
        .at_rest = std::move(*job),
        .retry = {.purpose = ledger::NoticePurpose::result, .event = event, .targets = targets, .deadline = {}}});
    done(targets);
  });
}

void NoticeSender::report(const Job& job, const base::Error& error) const {
  if (!is_pruned(error) && !error.code.starts_with("notice.")) return context_.fail(error);
  context_.problem("job " + job.id.hex() + " is stuck: " + error.describe());
}

}  // namespace runtime
