#include "pipeline/runtime/make_notice.h"

#include <algorithm>

#include "base/check.h"
#include "base/number_text.h"
#include "pipeline/core/pricing.h"
#include "pipeline/core/rules.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip13.h"
#include "pipeline/nostr/nip90_answer.h"
#include "pipeline/nostr/nip90_notice.h"

namespace runtime {
namespace {

using base::Result;
using base::TextRef;
using base::TimeMs;
using core::Job;
using ledger::NoticePurpose;

// What the customer owes for this job as the notice is written; nothing once it is paid, or when it costs nothing.
std::optional<nostr::Bill> bill_of(const Job& job) {
  const core::Invoice* invoice = core::current_invoice(job);
  if (!invoice || core::paid(job) || core::held(job)) return std::nullopt;
  return nostr::Bill{invoice->issued.amount, invoice->issued.bolt11};
}

// What the end of a job without a result means for the customer's money.
std::string who_owes(const Job& job) {
  if (core::paid(job)) return "; what you paid is owed back to you";
  return core::held(job) ? "; your payment goes back to you" : "; you owe nothing";
}

std::string cancelled_text(const Job& job) {
  const std::string who =
      job.cancelled->by == ledger::CancelledBy::customer ? "cancelled as you asked" : "the provider cancelled the job";
  return who + who_owes(job);
}

// What the failure of the model means to a customer. The backend's own words stay in the ledger: they may name what is
// on the provider's network.
std::string failure_text(const Job& job) {
  const ledger::ModelOffer model = job.quote ? job.quote->terms : ledger::ModelOffer{.name = "the model"};
  switch (job.inference_failed->failure) {
    case ledger::InferenceFailure::unspecified:
      return "the model server failed";
    case ledger::InferenceFailure::unreachable:
      return "the model server could not be reached";
    case ledger::InferenceFailure::timed_out:
      return "the model did not answer in time";
    case ledger::InferenceFailure::unknown_model:
      return "the model server no longer has " + model.name;
    case ledger::InferenceFailure::input_too_long:
      return "the prompt is too long for " + model.name + ", which takes " + std::to_string(model.context_tokens) +
             " tokens for the prompt and its answer together";
    case ledger::InferenceFailure::busy:
      return "the model server was too busy";
    case ledger::InferenceFailure::rejected:
      return "the request cannot be served as it stands";
    case ledger::InferenceFailure::server_error:
      return "the model server failed while it worked on the request";
    case ledger::InferenceFailure::cut_off:
      return "the model server broke off its answer";
    case ledger::InferenceFailure::malformed:
      return "the model server gave an answer that cannot be read";
    case ledger::InferenceFailure::empty:
      return "the model ended without any text; a larger max_tokens or another prompt may help";
  }
  return "the model server failed";  // a failure that only a later version knows
}

std::string error_text(const Job& job) {
  if (job.declined) return job.declined->message;
  if (job.expired) return job.expired->reason + (core::held(job) ? who_owes(job) : "");
  if (core::underpaid(job)) return "the payment was less than the invoice asked for" + who_owes(job);
  if (job.cancelled) return cancelled_text(job);
  if (job.inference_failed && !job.completion) return failure_text(job) + who_owes(job);
  if (core::paid(job)) return "the job could not be served" + who_owes(job);
  return "no invoice could be made for the answer" + who_owes(job);
}

std::string status_text(const Job& job, NoticePurpose purpose) {
  switch (purpose) {
    case NoticePurpose::payment_required:
      return base::sats(core::amount_due(job).rounded_up_to(core::kSat)) + " for up to " +
             base::counted(job.quote->max_output_tokens, "token") + " of " + job.quote->terms.name +
             (core::escrowed(job) ? ", held until the answer is there and else given back" : "");
    case NoticePurpose::processing:
      return job.quote->terms.name + " is working on it";
    case NoticePurpose::success:
      return "the result has been published";
    case NoticePurpose::invoice_renewed:
      return "the invoice of your result has expired unpaid; this one takes its place";
    default:
      return error_text(job);
  }
}

nostr::Status status_of(NoticePurpose purpose) {
  switch (purpose) {
    case NoticePurpose::payment_required:
    case NoticePurpose::invoice_renewed:
      return nostr::Status::payment_required;
    case NoticePurpose::processing:
      return nostr::Status::processing;
    case NoticePurpose::success:
      return nostr::Status::success;
    default:
      return nostr::Status::error;
  }
}

// A 7000. Of an encrypted job the words are encrypted too; the status and the bill are what machines read.
Result<nostr::Unsigned> compose_status(const Job& job, NoticePurpose purpose, const nostr::SecretKey& key,
                                       const Random& random, TimeMs now) {
  const ledger::JobRequested& request = *job.request;
  const bool bills = status_of(purpose) == nostr::Status::payment_required;
  const auto bill = bills ? bill_of(job) : std::nullopt;
  const bool hidden = request.encryption != ledger::Encryption::none;
  std::string text = status_text(job, purpose);
  std::string content;
  if (hidden) {
    auto encrypted = nostr::encrypt(request.encryption, nostr::hidden_status(status_of(purpose), std::move(text)), key,
                                    request.customer, {random().bytes});
    if (!encrypted) return tl::unexpected(encrypted.error());
    content = std::move(*encrypted);
    text = {};
  }
  return nostr::feedback({job.id, request.customer, request.relay, hidden}, status_of(purpose), std::move(text), bill,
                         now.ms / 1000, std::move(content));
}

Result<nostr::Unsigned> compose_result(const Job& job, const TextReader& texts, TimeMs now) {
  auto raw = texts(job.request->request);
  if (!raw) return tl::unexpected(raw.error());
  auto content = texts(job.completion->result);
  if (!content) return tl::unexpected(content.error());
  const auto request = nostr::parse_event(*raw);
  if (!request) return tl::unexpected(request.error());
  return nostr::result(*request, *raw, job.request->relay, std::move(*content), bill_of(job), now.ms / 1000);
}

}  // namespace

Result<core::NoticeReady> make_notice(const Job& job, const core::Work& work, NoticeInputs inputs) {
  const nostr::SecretKey& key = inputs.key;
  auto unsigned_notice = work.purpose == NoticePurpose::result
                             ? compose_result(job, inputs.texts, inputs.now)
                             : compose_status(job, work.purpose, key, inputs.random, inputs.now);
  if (!unsigned_notice) return tl::unexpected(unsigned_notice.error());
  const nostr::Event event = nostr::sign(
      nostr::with_work(std::move(*unsigned_notice), key.public_key(), inputs.pow_bits), key, {inputs.random().bytes});
  CHECK(event.pubkey == key.public_key() && nostr::compute_id(event) == event.id, event.kind);

  core::NoticeReady out{.job = job.id, .work = work};
  out.notice = {.purpose = work.purpose,
                .kind = event.kind,
                .event = event.id,
                .created_at_s = event.created_at,
                .signature = event.sig,
                .targets = std::move(inputs.targets),
                .deadline = inputs.now + inputs.delivery_deadline_ms};
  const auto keep = [&](std::string bytes) {
    out.texts.push_back({.salt = inputs.random(), .bytes = std::move(bytes)});
    return ledger::ref(out.texts.back());
  };
  out.notice.tags = keep(nostr::stored_tags(event.tags));
  if (work.purpose == NoticePurpose::result) {
    out.notice.content = job.completion->result;  // kept already: a text is stored once
  } else if (!event.content.empty()) {
    out.notice.content = keep(event.content);
  }
  return out;
}

}  // namespace runtime
