#include "tests/sim/referee.h"

#include <algorithm>

#include "ledger/checkpoint.h"
#include "ledger/reader.h"
#include "pipeline/core/stages/stage.h"
#include "pipeline/inference/supervised_backend.h"
#include "pipeline/nostr/nip78.h"
#include "pipeline/wallet/supervised_wallet.h"
#include "replay/auditor.h"
#include "replay/earnings_report.h"
#include "replay/jobs_view.h"

namespace sim {

using base::Msat;
using core::Job;

namespace {

constexpr std::int64_t kLongestDeafMs = 900'000;
// The shop closes when enough invoices failed: a probe fails, and the next look at the wallet's health shows it.
constexpr std::int64_t kClosesWithinMs = 120'000;
// It opens again when nothing fails any more: after the longest pause between two probes.
constexpr std::int64_t kModelReturnsWithinMs = 2 * inference::kLongestProbePauseMs + inference::kProbeLimitMs;
constexpr std::int64_t kReopensWithinMs = 660'000;

void demand(bool holds, const std::string& what) {
  if (!holds) throw Violation(what);
}

template <class T>
T must(base::Result<T> result) {
  if (!result) throw Violation(result.error().describe());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// What came for it, or waited, was all that was asked.
bool was_covered(const core::Invoice& invoice) {
  const Msat asked = invoice.issued.amount;
  return (invoice.settled && invoice.settled->received >= asked) || (invoice.held && invoice.held->amount >= asked);
}

std::string about(const base::JobId& id) {
  return " (job " + id.hex() + ")";
}

}  // namespace

void Referee::begin_life() {
  chats_.clear();
  last_change_.clear();
  orders_.clear();
  life_began_ = world_.time.now();
  pause_until_ = {};
  orders_refused_ = 0;
  // Not payments_: an attempt is never paid twice, in no life.
}

void Referee::on_rollback() {
  const std::map<base::JobId, Job> before = std::exchange(jobs_, {});
  unready_.clear();
  leaves_ = 0;
  tree_ = {};
  exposure_ = settled_msat_ = refunded_msat_ = {};
  unfinished_ = 0;
  policy_ = {};
  stranger_quotes_.clear();
  settled_.clear();
  refund_invoices_.clear();
  payments_.clear();
  rereads_ = true;
  catch_up(nullptr);
  rereads_ = false;
  rolled_back_ = true;
  // A ledger without entries has no end that it could have lost: another machine begins anew with the same key.
  unseen_ = unseen_ || leaves_ == 0;
  checked_since_rollback_ = false;
  const auto differs = [](const std::map<base::JobId, Job>& jobs, const Job& one) {
    const auto found = jobs.find(one.id);
    return found == jobs.end() || ledger::encode(found->second) != ledger::encode(one);
  };
  for (const auto& [id, job] : before) {
    if (differs(jobs_, job)) jobs_lost_.insert(id);
    if (core::find_notice(job, ledger::NoticePurpose::invoice_renewed)) renewed_before_.insert(id);
  }
  for (const auto& [id, job] : jobs_) {
    if (differs(before, job)) jobs_lost_.insert(id);
  }
}

void Referee::on_release(bool heard_all) {
  unseen_ = unseen_ || (!checked_since_rollback_ && !heard_all);
  checked_since_rollback_ = true;
}

// What of it was given up, nobody could tell.
bool Referee::may_repeat(const base::JobId& id) const {
  return unseen_ && jobs_lost_.contains(id);
}

bool Referee::is_left_out(const base::JobId& id, const CustomerJob& seen) const {
  return rolled_back_ && !jobs_.contains(id) && TimeMs{seen.request.created_at * 1000 + 999} < accepted_at_;
}

std::size_t Referee::left_out() const {
  return static_cast<std::size_t>(std::ranges::count_if(world_.jobs, [&](const auto& one) {
    const bool is_hidden = one.second.hidden && !jobs_.contains(one.first);
    return is_hidden || is_left_out(one.first, one.second);
  }));
}

Msat Referee::lost() const {
  Msat sum;
  for (const base::JobId& id : jobs_lost_) {
    const auto seen = world_.jobs.find(id);
    const auto job = jobs_.find(id);
    if (seen == world_.jobs.end()) continue;
    sum += world_.paid_by(seen->second) - (job == jobs_.end() ? Msat{} : core::settled_amount(job->second));
  }
  return sum;
}

// ---- the ledger, entry by entry -------------------------------------------------------------------------------------

void Referee::catch_up(const core::Engine* engine) {
  const ledger::Reader reader(world_.disk);
  const auto state = must(reader.state());
  demand(state.size >= leaves_, "the ledger has become shorter");
  std::set<base::JobId> touched;
  std::vector<ledger::Tile> full;
  bool pruned = false;
  must(reader.for_each_raw(leaves_, state.size, [&](const ledger::RawEntry& raw) {
    tree_.append(ledger::leaf_hash(raw.header), full);
    const auto entry = must(ledger::decode_entry(raw));
    see(entry);
    pruned = pruned || std::holds_alternative<ledger::TextsPruned>(entry.fact);
    touched.insert(entry.header.job);
    return true;
  }));
  leaves_ = state.size;
  demand(state.size == 0 || state.root == tree_.root(), "the Merkle root has forked");
  demand(state.views_size == state.size, "the views are behind the entries");
  touched.erase(base::JobId{});
  for (const auto& id : touched) {
    const auto row = must(replay::find_job(reader, id));
    demand(row && ledger::encode(*row) == ledger::encode(jobs_.at(id)), "the view is not the fold" + about(id));
  }
  if (pruned) check_open_texts();
  if (engine) check_live(*engine, touched);
}

void Referee::see(const ledger::Entry& entry) {
  if (const auto* policy = std::get_if<core::Policy>(&entry.fact)) policy_ = *policy;
  if (const auto* accepted = std::get_if<ledger::RollbackAccepted>(&entry.fact)) accepted_at_ = accepted->at;
  if (const auto* change = std::get_if<ledger::ReadinessChanged>(&entry.fact)) check_change(*change, entry.header.time);
  if (std::holds_alternative<ledger::WentOnline>(entry.fact)) unready_.clear();
  if (entry.header.job.is_zero()) return;
  Job& job = jobs_[entry.header.job];
  const Job before = job;
  core::evolve(job, entry.header.job, entry.header.time, entry.fact);
  check_revealed(job);
  check_money(before, job, entry);
  if (const auto* retried = std::get_if<ledger::NoticeRetried>(&entry.fact)) check_retried(before, *retried);
  if (rereads_) return;  // the rest is about the world at that time
  if (std::holds_alternative<ledger::JobQuoted>(entry.fact)) {
    check_credit(job);
    check_ability(job);
  }
  if (const auto* declined = std::get_if<ledger::JobDeclined>(&entry.fact)) {
    check_age(job, *declined, entry.header.time);
    check_reopened(job, *declined);
  }
}

// Credit counts what the customer settled and what they never paid, and ends for who does not pay. What is older than
// the window is older than this world.
void Referee::check_credit(const Job& job) const {
  Msat settled, settled_first, unpaid;
  int defaults = 0;
  for (const auto& [id, one] : jobs_) {
    if (!one.request || one.request->customer != job.request->customer) continue;
    settled += core::earned(one);
    if (core::payment_first(one)) settled_first += core::earned(one);
    unpaid += core::unpaid_by_default(one);
    if (core::unpaid_by_default(one) > Msat{}) ++defaults;
  }
  const ledger::Basis& basis = job.quote->basis;
  demand(basis.customer_settled == settled, "the quote counts another amount as settled" + about(job.id));
  demand(basis.customer_unpaid == unpaid, "the quote counts another amount as never paid" + about(job.id));
  const bool ended = defaults >= 2 && unpaid.value > settled.value / 100 + 1 && settled_first < unpaid;
  demand(!ended || job.quote->price == Msat{} || core::payment_first(job),
         "credit for a customer who does not pay" + about(job.id));
}

void Referee::check_ability(const Job& job) const {
  const bool unable = world_.time.now() < world_.wallet_able_at;
  const bool known = orders_refused_ >= wallet::kFailuresBeforeProbe && world_.time.now() > closes_by_;
  demand(!unable || !known || world_.clock_set_at >= life_began_,
         "a job was taken although the wallet makes no invoices" + about(job.id));
}

// At most one per minute and part, by one process; and each one changes something.
void Referee::check_change(const ledger::ReadinessChanged& change, TimeMs time) {
  demand(change.ready == change.code.empty(), "a part is ready and has a reason why not");
  demand(unready_[change.part] != change.code, "readiness is recorded, and has not changed");
  unready_[change.part] = change.code;
  if (rereads_) return;
  const auto [last, first] = last_change_.emplace(change.part, time);
  demand(first || time - last->second >= core::kReadinessFactIntervalMs, "two changes of readiness within a minute");
  last->second = time;
}

void Referee::check_reopened(const Job& job, const ledger::JobDeclined& declined) const {
  const TimeMs works_since = std::max({life_began_, world_.backend_failed_at, world_.clock_set_at});
  demand(declined.reason != ledger::DeclineReason::inference_unavailable || world_.clock_error_ms != 0 ||
             world_.time.now() - works_since < kModelReturnsWithinMs,
         "a job was declined for want of a model that has long worked" + about(job.id));
  const bool excused = world_.wallet_calls_per_minute > 0 || world_.clock_error_ms != 0;
  if (declined.reason != ledger::DeclineReason::wallet_unavailable || excused) return;
  const TimeMs well_since = std::max({life_began_, world_.wallet_failed_at, world_.clock_set_at});
  demand(world_.time.now() - well_since < kReopensWithinMs,
         "a job was declined for want of a wallet that has long been well" + about(job.id));
}

// ---- the wallet's wishes --------------------------------------------------------------------------------------------

void Referee::on_wallet_call() const {
  const TimeMs now = world_.time.now();
  const bool told = pause_from_ < now && now < pause_until_ && world_.clock_set_at < pause_from_;
  demand(!told, "the wallet was asked although it wants to be left alone");
}

void Referee::on_pause_asked(TimeMs from, TimeMs until) {
  if (world_.time.now() >= pause_until_) pause_from_ = from;
  pause_until_ = std::max(pause_until_, until);
}

void Referee::on_order_refused() {
  if (++orders_refused_ == wallet::kFailuresBeforeProbe) closes_by_ = world_.time.now() + kClosesWithinMs;
}

// How old a request is, the machine's clock says, wherever the ledger's time is. Of one that had arrived before the
// ledger's time ran ahead, the facts do not tell.
void Referee::check_age(const Job& job, const ledger::JobDeclined& declined, TimeMs ledger_time) const {
  const bool clock_was_right = world_.clock_error_ms == 0 && world_.time.now() - world_.clock_set_at > base::kMinuteMs;
  const TimeMs now = world_.time.now();
  const bool ran_ahead_since = ledger_time > now && job.requested_at <= now;
  if (declined.reason != ledger::DeclineReason::too_old || !clock_was_right || ran_ahead_since) return;
  const std::int64_t age_ms = now.ms - job.request->created_at_s * 1000;
  demand(age_ms >= policy_.request_age_limit_ms, "a request was called too old that is not" + about(job.id));
}

// What still has something due keeps its texts.
void Referee::check_open_texts() const {
  for (const auto& [id, job] : jobs_) {
    // One that was at rest, and was pruned then, may be opened again by a late payment: it is owed back.
    if (!core::is_open(job) || job.declined || core::paid(job)) continue;
    const auto text = must(world_.disk.get(ledger::Family::texts, job.request->request.view()));
    demand(text && !text->empty(), "the text of an open job was pruned" + about(id));
  }
}

// One invoice at a time can be paid: a second is shown when the wallet says that the first never was, if the quote says
// so.
void Referee::check_revealed(const Job& job) {
  const core::Invoice* shown = nullptr;
  for (const auto& invoice : job.invoices) {
    if (!invoice.revealed) continue;
    demand(!shown || (shown->expired && job.quote->renew_invoice), "a second invoice was revealed" + about(job.id));
    shown = &invoice;
  }
  const auto revealed = std::ranges::count_if(job.invoices, &core::Invoice::revealed);
  demand(revealed <= 2, "a third invoice was revealed" + about(job.id));
}

// What is published again are the bytes that were signed, which nobody took and nobody was paid back for.
void Referee::check_retried(const Job& before, const ledger::NoticeRetried& retried) {
  const core::Notice* result = core::find_notice(before, ledger::NoticePurpose::result);
  demand(result && result->notice.event == retried.event,
         "another event than the signed result is retried" + about(before.id));
  demand(!result->delivered && result->closed, "a result was retried that was not given up" + about(before.id));
  for (const core::Refund& refund : before.refunds) {
    demand(!refund.paid && !core::under_way(refund),
           "a result was retried after its payment went back" + about(before.id));
  }
}

void Referee::check_money(const Job& before, const Job& after, const ledger::Entry& entry) {
  if (before.request && core::is_unfinished(core::state(before))) --unfinished_;
  if (core::is_unfinished(core::state(after))) ++unfinished_;
  exposure_ += core::exposure(after) - core::exposure(before);
  demand(exposure_ <= policy_.exposure_limit, "more is owed than the limit allows" + about(after.id));
  if (const auto* settled = std::get_if<ledger::InvoiceSettled>(&entry.fact)) {
    demand(settled_.emplace(settled->payment_hash, after.id).second, "a payment was counted twice" + about(after.id));
    demand(core::find_invoice(after, settled->payment_hash), "a payment for no invoice of the job" + about(after.id));
    settled_msat_ += settled->received;
  }
  if (const auto* started = std::get_if<ledger::RefundStarted>(&entry.fact)) {
    const auto [known, fresh] = refund_invoices_.emplace(started->to, after.id);
    demand(fresh || known->second == after.id, "one invoice for two refunds" + about(after.id));
    demand(!core::result_on_its_way(before), "paid back while its result is published again" + about(after.id));
  }
  if (const auto* failed = std::get_if<ledger::RefundFailed>(&entry.fact)) {
    refund_invoices_.erase(core::find_refund(before, failed->payment_hash)->started->to);
  }
  if (const auto* paid = std::get_if<ledger::RefundPaid>(&entry.fact)) refunded_msat_ += paid->amount;
  const Msat stranger = core::accounts_of(after).stranger_quote;
  if (stranger == Msat{} || core::accounts_of(before).stranger_quote == stranger) return;
  stranger_quotes_.emplace_back(entry.header.time, stranger);
  Msat sum;
  for (const auto& [time, quote] : stranger_quotes_) {
    if (entry.header.time - time < policy_.stranger_window_ms) sum += quote;
  }
  demand(sum <= policy_.stranger_pool, "strangers owe more than their pool" + about(after.id));
}

void Referee::check_live(const core::Engine& engine, const std::set<base::JobId>& touched) const {
  demand(engine.shop().total_exposure == exposure_, "the engine's exposure is not the ledger's");
  demand(engine.unfinished_jobs() == unfinished_, "the engine's count of unfinished jobs is not the ledger's");
  for (const auto& id : touched) {
    const Job* live = engine.find(id);
    const Job& folded = jobs_.at(id);
    if (live) {
      demand(ledger::encode(*live) == ledger::encode(folded), "the live job is not the fold" + about(id));
    } else {
      demand(!core::is_open(folded), "the engine forgot an open job" + about(id));
    }
  }
}

// ---- what leaves the process ----------------------------------------------------------------------------------------

const Job& Referee::durable(const base::JobId& id, const char* effect) {
  catch_up(nullptr);
  const auto found = jobs_.find(id);
  demand(found != jobs_.end(), std::string(effect) + " for a request that is not durable" + about(id));
  return found->second;
}

// That what was asked is the customer's prompt, and then the texts of their inputs as anybody could read them.
bool Referee::is_asked_by(const CustomerJob& job, std::string_view asked) const {
  if (!asked.starts_with(job.prompt)) return false;
  asked.remove_prefix(job.prompt.size());
  for (const nostr::Tag& source : job.sources) {
    const auto texts = world_.public_texts(source);
    const auto text = std::ranges::find_if(texts, [&](const auto& one) { return asked.starts_with("\n\n" + one); });
    if (text == texts.end()) return false;
    asked.remove_prefix(2 + text->size());
  }
  return asked.empty();
}

void Referee::on_chat(const std::string& prompt) {
  const auto asked =
      std::ranges::find_if(world_.jobs, [&](const auto& one) { return is_asked_by(one.second, prompt); });
  demand(asked != world_.jobs.end(), "the backend was asked what no customer asked: " + prompt);
  const Job& job = durable(asked->first, "an inference");
  demand(job.quote.has_value(), "an inference before its quote is durable" + about(job.id));
  demand(job.inference_started > job.inference_failures, "an inference before its start is durable" + about(job.id));
  demand(asked->second.sources.empty() || job.inputs, "an inference before its inputs are durable" + about(job.id));
  demand(core::may_run(job), "an inference before its payment is durable" + about(job.id));
  demand(!job.completion, "an inference for a job that has its answer" + about(job.id));
  demand(chats_.emplace(job.id, job.inference_failures).second, "an inference was started twice" + about(job.id));
}

void Referee::on_order(const wallet::InvoiceOrder& order) {
  const Job& job = durable(order.job, "an invoice");
  demand(job.quote.has_value(), "an invoice before its quote is durable" + about(job.id));
  demand(core::payment_first(job) || job.completion, "an invoice before its answer is durable" + about(job.id));
  demand(order.amount == core::amount_due(job) && order.amount <= job.quote->price,
         "an invoice for another amount than is due" + about(job.id));
  demand(orders_.emplace(job.id, job.invoices.size(), job.invoice_failures).second,
         "an invoice was ordered twice" + about(job.id));
}

void Referee::on_publication(const nostr::Event& event) {
  if (event.kind == nostr::kApplicationDataKind) {
    catch_up(nullptr);
    const auto published = ledger::verify_checkpoint(event.content, world_.provider_key.public_key());
    return demand(published && published->size <= leaves_, "a checkpoint of what is not durable");
  }
  const auto answer = nostr::read_answer(event);
  demand(answer.has_value(), "a publication that is no answer");
  if (answer->known == nostr::Status::pong) return demand(world_.pinged(answer->request), "a pong without a ping");
  const Job& job = durable(answer->request, "an answer");
  if (answer->known == nostr::Status::partial) {
    // One that waited for its relay may leave after the payment that was held went back.
    partials_left_.insert(job.id);
    const bool was_held = std::ranges::any_of(job.invoices, [](const auto& one) { return one.held.has_value(); });
    return demand((core::may_run(job) || was_held) && core::may_stream(job),
                  "a part of the answer for who may not see it" + about(job.id));
  }
  const bool is_durable =
      std::ranges::any_of(job.notices, [&](const core::Notice& one) { return one.notice.event == event.id; });
  demand(is_durable, "an event left before its fact is durable" + about(job.id));
  if (!answer->bolt11.empty()) {
    const bool known =
        std::ranges::any_of(job.invoices, [&](const auto& one) { return one.issued.bolt11 == answer->bolt11; });
    demand(known, "an invoice left before its fact is durable" + about(job.id));
  }
  if (answer->is_result && core::payment_first(job) && job.quote->price > Msat{}) {
    demand(core::paid(job), "a result before its payment" + about(job.id));
  }
}

void Referee::on_take(const wallet::InvoiceOrder& order) {
  const Job& job = durable(order.job, "a payment taken");
  demand(core::find_notice(job, ledger::NoticePurpose::result),
         "a payment was taken before the answer was durable" + about(job.id));
}

void Referee::on_give_back(const wallet::InvoiceOrder& order) {
  const Job& job = durable(order.job, "a payment given back");
  const auto wanted = [&](const core::Invoice& one) { return one.issued.attempt == order.attempt && one.issued.hold; };
  demand(core::ended_without_result(job) || std::ranges::none_of(job.invoices, wanted),
         "a payment was given back although the job goes on" + about(job.id));
}

void Referee::on_payment(const wallet::PaymentOrder& order) {
  catch_up(nullptr);
  const auto meant = refund_invoices_.find(order.payment_hash);
  demand(meant != refund_invoices_.end(), "a payment before its start is durable");
  const Job& job = jobs_.at(meant->second);
  const auto refund = std::ranges::find_if(job.refunds, [&](const core::Refund& one) {
    return core::under_way(one) && one.started->to == order.payment_hash;
  });
  demand(refund != job.refunds.end(), "a payment for what is not being paid back" + about(job.id));
  demand(order.amount == refund->owed.amount, "another amount is paid back than is owed" + about(job.id));
  demand(payments_.emplace(refund->owed.payment_hash, refund->started->attempt).second,
         "an attempt to pay back was paid twice" + about(job.id));
}

// ---- damage ---------------------------------------------------------------------------------------------------------

void Referee::check_bit_flip(Dice& dice) const {
  constexpr ledger::Family kFamilies[] = {ledger::Family::entries, ledger::Family::texts, ledger::Family::tiles,
                                          ledger::Family::views};
  const ledger::Family family = dice.pick(kFamilies);
  std::vector<std::string> keys;
  must(world_.disk.scan(family, {}, {}, [&](auto key, auto value) {
    if (!value.empty()) keys.emplace_back(key);
    return true;
  }));
  if (keys.empty()) return;
  SimDisk copy = world_.disk;
  copy.on_commit({});
  const std::string& key = keys[dice.below(keys.size())];
  copy.flip_bit(family, key, dice.below(must(copy.get(family, key))->size() * 8));
  SimDisk scratch;
  const auto audit = replay::audit(copy, scratch);
  demand(!audit || !audit->findings.empty(),
         "a flipped bit was not noticed: " + std::string(ledger::name(family)) + " " + base::to_hex(key));
}

// ---- the end --------------------------------------------------------------------------------------------------------

void Referee::check_end(bool clock_was_wrong) const {
  check_customers(clock_was_wrong);
  check_books();
  SimDisk scratch;
  const auto audit = must(replay::audit(world_.disk, scratch));
  for (const auto& finding : audit.findings) {
    if (unseen_ && finding.check == replay::Check::money) continue;
    throw Violation("audit, " + std::string(replay::name(finding.check)) + ": " + finding.position + ": " +
                    finding.what);
  }
}

void Referee::check_customers(bool clock_was_wrong) const {
  for (const auto& [id, seen] : world_.jobs) {
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) {
      // A request may be refused as skewed by a clock that was wrong; of a crowded second only those for us can be
      // read.
      const bool crowded_out = !seen.addressed && world_.crowded_seconds.contains(seen.request.created_at);
      // One that was old when it was sent is too old to be asked for soon: a relay that is deaf for a while hides it.
      const std::int64_t age_ms = seen.asked_at.ms - seen.request.created_at * 1000;
      const bool was_old = age_ms + kLongestDeafMs > policy_.request_age_limit_ms;
      demand(clock_was_wrong || crowded_out || seen.hidden || was_old || is_left_out(id, seen),
             "a request was lost" + about(id));
      continue;
    }
    const Job& job = found->second;
    demand(!core::is_open(job), "a job never ended: " + std::string(core::name(core::state(job))) + about(id));
    if (may_repeat(id)) continue;
    demand(seen.results.size() <= 1, "two different results were published" + about(id));
    const bool renewed = core::find_notice(job, ledger::NoticePurpose::invoice_renewed) || renewed_before_.contains(id);
    demand(seen.invoices.size() <= (renewed ? 2 : 1), "more invoices were revealed than the ledger knows" + about(id));
    demand(jobs_lost_.contains(id) || core::settled_amount(job) == world_.paid_by(seen),
           "the customer paid another amount than was settled" + about(id));
    const core::Notice* result = core::find_notice(job, ledger::NoticePurpose::result);
    demand(!result || !result->delivered || seen.results.contains(result->notice.event),
           "a result that counts as delivered was never seen" + about(id));
    const bool served = result && result->delivered;
    demand(!job.cancelled || seen.cancelled, "cancelled, although its customer did not" + about(id));
    demand(!job.cancelled || !served || core::cut_short(job), "cancelled, and served all the same" + about(id));
    demand(!core::cut_short(job) || partials_left_.contains(id), "billed for parts that never left us" + about(id));
    demand(core::settled_amount(job) == Msat{} || served || !job.refunds.empty(),
           "paid, not served, and nothing is owed" + about(id));
    demand(!core::held(job), "a payment is held for ever" + about(id));
    if (core::payment_first(job) && job.quote->price > Msat{}) {
      demand(!seen.result_before_payment, "a result before its payment" + about(id));
      demand(!result || std::ranges::any_of(job.invoices, was_covered),
             "a result for less than was asked before it" + about(id));
    }
  }
}

void Referee::check_books() const {
  demand(settled_msat_ + lost() == world_.wallet.received(), "the ledger and the wallet's books disagree");
  const replay::ReportQuery query{.money = replay::Money::play, .utc_offset = [](TimeMs) { return 0; }};
  const auto earned = must(replay::report(ledger::Reader(world_.disk), query));
  demand(earned.total.settled == settled_msat_, "the earnings report and the ledger disagree");
  demand(rolled_back_ ? refunded_msat_ <= world_.purse.paid() : refunded_msat_ == world_.purse.paid(),
         "the ledger and the books of what was paid back disagree");
  demand(earned.total.refunded == refunded_msat_, "the earnings report and the ledger disagree about refunds");
}

}  // namespace sim
