#include "replay/auditor.h"

#include <algorithm>
#include <map>

#include "ledger/checkpoint.h"
#include "ledger/reader.h"
#include "ledger/verify.h"
#include "ledger/views.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip90_notice.h"
#include "replay/job_audit.h"
#include "replay/jobs_view.h"
#include "replay/projections.h"
#include "replay/pruning.h"

namespace replay {
namespace {

using base::PublicKey;
using base::Result;
using base::Seq;
using ledger::Family;
using ledger::KeyValue;

constexpr std::string_view kPruned = "audit.pruned";

// The store with views (and state) of its own, made in another one.
class Overlay final : public KeyValue {
 public:
  Overlay(const KeyValue& base, KeyValue& views) : base_(base), views_(views) {}
  Result<void> commit(const ledger::Batch& batch) override { return views_.commit(batch); }
  Result<std::optional<std::string>> get(Family family, std::string_view key) const override {
    return store(family).get(family, key);
  }
  Result<void> scan(Family family, std::string_view from, std::string_view until, const Visitor& visit) const override {
    return store(family).scan(family, from, until, visit);
  }
  Result<void> scan_back(Family family, std::string_view from, std::string_view until,
                         const Visitor& visit) const override {
    return store(family).scan_back(family, from, until, visit);
  }

 private:
  const KeyValue& store(Family family) const {
    return family == Family::views || family == Family::meta ? static_cast<const KeyValue&>(views_) : base_;
  }
  const KeyValue& base_;
  KeyValue& views_;
};

// What the audit needs to know of the shop's own facts: who the provider was, by position (the key may change from one
// start to another), how far texts were pruned, and the rollbacks that were accepted.
class ShopFacts final : public ledger::Projection {
 public:
  std::string_view name() const override { return "shop facts"; }
  std::uint32_t version() const override { return 1; }
  Result<void> apply(const ledger::Entry& entry, ledger::Rows&) override {
    if (const auto* e = std::get_if<ledger::ProviderConfigured>(&entry.fact)) by_seq_[entry.seq] = e->provider;
    if (const auto* e = std::get_if<ledger::TextsPruned>(&entry.fact)) {
      pruned_.before = std::max(pruned_.before, e->before);
      pruned_.texts += e->texts;
      pruned_.last_seq = entry.seq;
    }
    if (const auto* e = std::get_if<ledger::RollbackAccepted>(&entry.fact)) rollbacks_.emplace_back(entry.seq, *e);
    return {};
  }
  const std::vector<std::pair<Seq, ledger::RollbackAccepted>>& rollbacks() const { return rollbacks_; }
  // What all facts about prunings say: that the texts of jobs which ended before then may be gone, and how many are.
  struct Pruned {
    base::TimeMs before;
    std::uint64_t texts = 0;
    Seq last_seq = 0;
  };
  const Pruned& pruned() const { return pruned_; }
  PublicKey at(Seq seq) const {
    const auto next = by_seq_.upper_bound(seq);
    return next == by_seq_.begin() ? PublicKey{} : std::prev(next)->second;
  }

 private:
  std::map<Seq, PublicKey> by_seq_;
  Pruned pruned_;
  std::vector<std::pair<Seq, ledger::RollbackAccepted>> rollbacks_;
};

class Auditor {
 public:
  Auditor(const KeyValue& store, KeyValue& scratch) : store_(store), reader_(store), overlay_(store, scratch) {}

  Result<Audit> run(const std::optional<std::string>& held) {
    const auto state = reader_.state();
    if (!state) return tl::unexpected(state.error());
    if (auto fresh = ledger::check_views(*state, pointers(projections_)); !fresh) return tl::unexpected(fresh.error());
    if (auto done = check_bytes(); !done) return tl::unexpected(done.error());
    out_.whole = out_.findings.empty();
    if (!out_.whole) return std::move(out_);
    if (auto done = make_views(*state); !done) return tl::unexpected(done.error());
    if (auto done = check_rollbacks(); !done) return tl::unexpected(done.error());
    if (held) {
      if (auto done = check_held(*held); !done) return tl::unexpected(done.error());
    }
    if (auto done = check_views(); !done) return tl::unexpected(done.error());
    if (auto done = check_jobs(); !done) return tl::unexpected(done.error());
    check_pruned();
    sort_findings();
    return std::move(out_);
  }

 private:
  void report(Check check, std::string position, std::string what) {
    const auto same = [&](const AuditFinding& one) { return one.check == check; };
    if (static_cast<std::size_t>(std::ranges::count_if(out_.findings, same)) < ledger::kFindingLimit)
      out_.findings.push_back({check, std::move(position), std::move(what)});
  }

  // ---- bytes --------------------------------------------------------------------------------------------------------

  Result<void> check_bytes() {
    auto verified = ledger::verify_ledger(store_);
    if (!verified) return tl::unexpected(verified.error());
    out_.size = verified->size;
    out_.root = verified->root;
    for (auto& one : verified->findings) report(Check::bytes, std::move(one.position), std::move(one.what));
    const auto checkpoints = reader_.checkpoints();
    if (!checkpoints) return tl::unexpected(checkpoints.error());
    out_.checkpoints = checkpoints->size();
    if (!checkpoints->empty()) out_.checkpointed = checkpoints->back().size;
    return {};
  }

  // The first line of a checkpoint says whose it is; the ledger's last provider is who we are.
  Result<void> check_held(const std::string& note) {
    const auto checkpoint = ledger::verify_checkpoint(note, shop_facts_.at(out_.size));
    if (!checkpoint) return tl::unexpected(checkpoint.error());
    const std::string position = "held checkpoint " + std::to_string(checkpoint->size);
    if (checkpoint->size > out_.size) {
      report(Check::held_checkpoint, position,
             "it covers more than the " + std::to_string(out_.size) +
                 " entries that are here: the end was cut off, or an older copy was put back");
      return {};
    }
    const auto same = had_root(checkpoint->size, checkpoint->root);
    if (!same) return tl::unexpected(same.error());
    if (!*same) report(Check::held_checkpoint, position, "the entries before it are not those that it was signed over");
    return {};
  }

  Result<bool> had_root(Seq size, const base::Hash256& root) const {
    const auto tree = reader_.tree();
    if (!tree) return tl::unexpected(tree.error());
    return tree->root_at(size, reader_.tile_reader()).map([&](const base::Hash256& there) { return there == root; });
  }

  // A rollback was accepted for the ledger as it stood then.
  Result<void> check_rollbacks() {
    for (const auto& [seq, rollback] : shop_facts_.rollbacks()) {
      const auto same = rollback.size <= seq ? had_root(rollback.size, rollback.root) : Result<bool>(false);
      if (!same) return tl::unexpected(same.error());
      if (!*same) {
        report(Check::bytes, ledger::entry_position(seq),
               "a rollback was accepted for a ledger that did not have the entries before it");
      }
    }
    return {};
  }

  // ---- views --------------------------------------------------------------------------------------------------------

  Result<void> make_views(const ledger::State& state) {
    ledger::Batch batch;
    ledger::put_state(batch, state);
    if (auto done = overlay_.commit(batch); !done) return done;
    auto with_shop_facts = pointers(projections_);
    with_shop_facts.push_back(&shop_facts_);
    return ledger::rebuild_views(overlay_, with_shop_facts);
  }

  Result<void> check_views() {
    auto done = compare_rows(store_, overlay_, "a row is not what the entries give");
    return done ? compare_rows(overlay_, store_, "a row that the entries give is missing or another") : done;
  }

  // Finds the first row of each projection in `rows` that is not the same in `other`.
  Result<void> compare_rows(const KeyValue& rows, const KeyValue& other, const std::string& what) {
    Result<void> ok;
    const auto scanned = rows.scan(Family::views, {}, {}, [&](std::string_view key, std::string_view value) {
      const auto there = other.get(Family::views, key);
      if (!there) ok = tl::unexpected(there.error());
      if (there && (!*there || **there != value)) find_row(key, what);
      return ok.has_value();
    });
    return scanned ? ok : scanned;
  }

  void find_row(std::string_view key, const std::string& what) {
    const std::size_t end = std::min(key.find('\0'), key.size() - 1);
    const std::string position = "view " + std::string(key.substr(0, end));
    if (std::ranges::find(out_.findings, position, &AuditFinding::position) != out_.findings.end()) return;
    report(Check::views, position, what + ": " + base::to_hex(key.substr(end + 1)));
  }

  // ---- jobs ---------------------------------------------------------------------------------------------------------

  // The views that were just made say which entries are a job's.
  Result<void> check_jobs() {
    const ledger::Reader made(overlay_);
    Result<void> ok;
    const auto read = for_each_job(made, [&](const core::Job& job) {
      ++out_.jobs;
      ok = check_job(made, job);
      return ok.has_value();
    });
    return read ? ok : read;
  }

  Result<void> check_job(const ledger::Reader& made, const core::Job& job) {
    const auto positions = positions_of(made, job.id);
    if (!positions) return tl::unexpected(positions.error());
    std::vector<ledger::Entry> facts;
    for (const Seq seq : *positions) {
      auto entry = reader_.entry(seq);
      if (!entry) return tl::unexpected(entry.error());
      facts.push_back(std::move(*entry));
    }
    for (auto& wrong : audit_job(facts)) wrong_[{Check::money, wrong.seq}].push_back(std::move(wrong.what));
    for (const auto& entry : facts) {
      if (auto done = check_fact(made, job, entry); !done) return done;
    }
    return count_gone(job);
  }

  // What only the whole ledger, or the texts, can show.
  Result<void> check_fact(const ledger::Reader& made, const core::Job& job, const ledger::Entry& entry) {
    fact_time_ = entry.header.time;
    if (const auto* e = std::get_if<ledger::JobRequested>(&entry.fact)) return check_request(job, *e, entry);
    if (const auto* e = std::get_if<ledger::NoticeSigned>(&entry.fact)) return check_notice(job, *e, entry.seq);
    if (const auto* e = std::get_if<ledger::InferenceCompleted>(&entry.fact)) return check_result(job, *e, entry.seq);
    if (const auto* e = std::get_if<ledger::InputsGathered>(&entry.fact)) return check_texts(job, e->texts, entry.seq);
    if (const auto* e = std::get_if<ledger::RefundPaid>(&entry.fact)) check_refund(job, *e, entry.seq);
    const auto* invoice = std::get_if<ledger::InvoiceIssued>(&entry.fact);
    if (!invoice) return {};
    ++out_.invoices;
    const auto owner = job_of_payment(made, invoice->payment_hash);
    if (!owner) return tl::unexpected(owner.error());
    if (*owner != job.id) {
      wrong_[{Check::money, entry.seq}].push_back("the same payment hash was used for job " + (*owner)->hex());
    }
    return {};
  }

  // One payment pays back one thing.
  void check_refund(const core::Job& job, const ledger::RefundPaid& paid, Seq seq) {
    const core::Refund* refund = core::find_refund(job, paid.payment_hash);
    if (!refund || !refund->started) return;  // said already
    const auto [other, first] = refunded_to_.emplace(refund->started->to, paid.payment_hash);
    if (first || other->second == paid.payment_hash) return;
    wrong_[{Check::money, seq}].push_back("the same invoice paid back something else before");
  }

  Result<void> check_request(const core::Job& job, const ledger::JobRequested& request, const ledger::Entry& entry) {
    const auto text = reader_.text(request.request);
    if (!text) return found_text(text.error(), entry.seq);
    if (!*text) {
      found_gone(job, entry.seq);
      return {};
    }
    const auto event = nostr::parse_event(**text);
    const bool right = event && event->id == entry.header.job && event->pubkey == request.customer &&
                       event->kind == request.kind && nostr::verify(*event);
    if (!right)
      wrong_[{Check::signatures, entry.seq}].push_back("the request's text is not the event that the job is named by");
    return {};
  }

  // Once the result is signed, its notice shows the text.
  Result<void> check_result(const core::Job& job, const ledger::InferenceCompleted& completion, Seq seq) {
    if (core::find_notice(job, ledger::NoticePurpose::result)) return {};
    return check_texts(job, {&completion.result, 1}, seq);
  }

  // Those that are there are what the fact names.
  Result<void> check_texts(const core::Job& job, std::span<const base::TextRef> refs, Seq seq) {
    for (const base::TextRef& ref : refs) {
      const auto text = reader_.text(ref);
      if (text && !*text) found_gone(job, seq);
      if (text) continue;
      if (auto done = found_text(text.error(), seq); !done) return done;
    }
    return {};
  }

  Result<void> check_notice(const core::Job& job, const ledger::NoticeSigned& notice, Seq seq) {
    ++out_.notices;
    const PublicKey provider = shop_facts_.at(seq);
    if (!nostr::verify_signature(provider, notice.event.view(), notice.signature))
      wrong_[{Check::signatures, seq}].push_back("the signature of the notice is not the provider's");
    if (!job.request) return {};  // said already
    const auto texts = [this](const base::TextRef& ref) -> Result<std::string> {
      auto text = reader_.text(ref);
      if (!text) return tl::unexpected(text.error());
      if (*text) return std::move(**text);
      return base::fail(base::ErrorKind::invocation, std::string(kPruned), "the text was pruned");
    };
    const auto json = nostr::notice_json(job, notice, provider, texts);
    if (!json && json.error().code == kPruned) found_gone(job, seq);
    return json || json.error().code == kPruned ? Result<void>() : found_text(json.error(), seq);
  }

  // A fact says of which jobs, and until when, texts may be gone.
  void found_gone(const core::Job& job, Seq seq) {
    if ((job.declined && job.declined->text_dropped) || fact_time_ < shop_facts_.pruned().before) return;
    all_gone_are_old_ = false;
    wrong_[{Check::signatures, seq}].push_back("a text is gone, and no fact says that it was pruned");
  }

  Result<void> count_gone(const core::Job& job) {
    if (job.declined && job.declined->text_dropped) return {};
    for (const base::TextRef& ref : core::texts_of(job)) {
      const auto text = store_.get(Family::texts, ref.view());
      if (!text) return tl::unexpected(text.error());
      if (*text && (*text)->empty()) ++out_.pruned_texts;
    }
    return {};
  }

  // No fact names the texts that were pruned, but each says how many they were.
  void check_pruned() {
    const auto& pruned = shop_facts_.pruned();
    if (!all_gone_are_old_ || out_.pruned_texts <= pruned.texts) return;
    wrong_[{Check::signatures, pruned.last_seq}].push_back(
        std::to_string(out_.pruned_texts) + " texts are gone, and by the ledger " + std::to_string(pruned.texts) +
        " were pruned: the others are lost");
  }

  // A text that is lost, or is not what was signed.
  Result<void> found_text(const base::Error& error, Seq seq) {
    if (error.code != "ledger.damaged" && !error.code.starts_with("notice.")) return tl::unexpected(error);
    wrong_[{Check::signatures, seq}].push_back(error.message);
    return {};
  }

  // Jobs were read in the order of their ids; people look for the first position.
  void sort_findings() {
    for (auto& [place, all] : wrong_) {
      for (auto& what : all) report(place.first, ledger::entry_position(place.second), std::move(what));
    }
  }

  const KeyValue& store_;
  ledger::Reader reader_;
  Overlay overlay_;
  std::vector<std::unique_ptr<ledger::Projection>> projections_ = projections();
  ShopFacts shop_facts_;
  bool all_gone_are_old_ = true;                        // no text is gone that is younger than every pruning
  base::TimeMs fact_time_;                              // of the fact that is being checked
  std::map<base::Hash256, base::Hash256> refunded_to_;  // what was paid back to a customer's invoice
  std::map<std::pair<Check, Seq>, std::vector<std::string>> wrong_;
  Audit out_;
};

}  // namespace

std::string_view name(Check check) {
  switch (check) {
    case Check::bytes:
      return "bytes";
    case Check::held_checkpoint:
      return "held checkpoint";
    case Check::views:
      return "views";
    case Check::money:
      return "money";
    case Check::signatures:
      return "signatures";
  }
  return "unknown";
}

std::string_view remedy(Check check) {
  switch (check) {
    case Check::bytes:
      return "stop `serve`, keep a copy of this folder, and put back the last backup; the wallet says what settled "
             "since";
    case Check::held_checkpoint:
      return "this is not the ledger that was checkpointed: find the copy that is, and ask who changed this one";
    case Check::views:
      return "stop `serve` and run `sellcompute replay --rebuild-views`; it loses nothing";
    case Check::money:
      return "look at the job with `sellcompute replay --job`, compare with the wallet, and report it: a bug or a "
             "forgery";
    case Check::signatures:
      return "the text or the key is not what was signed: put back the last backup of the texts, or ask who changed it";
  }
  return {};
}

Result<Audit> audit(const KeyValue& store, KeyValue& scratch, const std::optional<std::string>& held) {
  return Auditor(store, scratch).run(held);
}

}  // namespace replay
