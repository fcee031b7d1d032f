#include "cmd/text/job_text.h"

#include <algorithm>
#include <ostream>

#include "base/ascii.h"
#include "cmd/text/humanize.h"
#include "cmd/text/when.h"
#include "pipeline/core/model_name.h"
#include "pipeline/core/rules.h"
#include "pipeline/nostr/nip19.h"
#include "replay/phrases.h"

namespace cmd {
namespace {

using core::Job;
using core::State;
using nlohmann::ordered_json;

// What one job is, said once for people and for programs. Money stays three facts: quoted, invoiced, settled.
struct Summary {
  explicit Summary(const Job& job) : state(core::state(job)), settled(core::settled_amount(job)) {
    if (job.request) customer = job.request->customer;
    if (job.quote) model = job.quote->terms.name;
    if (job.quote) quoted = job.quote->price;
    if (const auto* invoice = core::current_invoice(job)) invoiced = invoice->issued.amount;
    if (job.completion) input_tokens = job.completion->input_tokens;
    if (job.completion) output_tokens = job.completion->output_tokens;
  }
  State state;
  base::Msat settled;
  base::PublicKey customer;
  std::string model;
  std::optional<base::Msat> quoted, invoiced;
  std::optional<std::uint64_t> input_tokens, output_tokens;
};

ordered_json number(const std::optional<base::Msat>& amount) {
  return amount ? ordered_json(amount->value) : ordered_json(nullptr);
}
ordered_json number(const std::optional<std::uint64_t>& count) {
  return count ? ordered_json(*count) : ordered_json(nullptr);
}

ordered_json text_or_null(const std::string& text) {
  return text.empty() ? ordered_json(nullptr) : ordered_json(text);
}

std::string tokens_text(const Summary& job) {
  if (!job.output_tokens) return "–";
  return grouped(static_cast<std::int64_t>(*job.input_tokens)) + " → " +
         grouped(static_cast<std::int64_t>(*job.output_tokens));
}

std::string refund_remark(const core::Refund& refund) {
  if (refund.paid) return refund.owed.reason + "; paid back";
  if (core::under_way(refund)) return refund.owed.reason + "; being paid back";
  return refund.owed.reason + (refund.failed ? "; paying back failed: " + refund.failed->message : "");
}

// Why it is as it is, where that is not plain.
std::string remark(const Job& job) {
  if (!job.refunds.empty()) return refund_remark(job.refunds.back());
  if (job.declined) return job.declined->message;
  if (job.cancelled) return replay::phrase(*job.cancelled);
  if (job.expired && !core::paid(job)) return job.expired->reason;
  if (job.inference_failed && !job.completion) return job.inference_failed->message;
  if (job.invoice_failed && job.invoices.empty()) return job.invoice_failed->message;
  return {};
}

std::string money_text(const Job& job) {
  const Summary summary(job);
  std::string out;
  const auto add = [&](const std::string& what) { out += (out.empty() ? "" : ", ") + what; };
  if (job.request && job.request->bid) add("bid " + sats(*job.request->bid));
  if (summary.quoted) add("quoted " + sats(*summary.quoted));
  if (summary.invoiced) add("invoiced " + sats(*summary.invoiced));
  if (core::paid(job)) add("settled " + sats(summary.settled));
  for (const auto& refund : job.refunds) add(sats(refund.owed.amount) + (refund.paid ? " paid back" : " owed back"));
  return out;
}

// An invoice, and what became of it where that is not plain.
std::string invoice_text(const Job& job, const core::Invoice& invoice) {
  std::string out = invoice.issued.bolt11;
  const auto add = [&](const std::string& what) { out += "; " + what; };
  if (!invoice.settled)
    return out + (!invoice.expired ? "" : invoice.held ? "; what was held went back" : "; never paid");
  const core::PaymentRemarks remarks = core::remarks(job, invoice);
  if (remarks.missing > base::Msat{}) add(sats(remarks.missing) + " less than asked");
  if (remarks.beyond > base::Msat{}) add(sats(remarks.beyond) + " more than asked");
  if (remarks.late) add("paid, or seen, after it had expired");
  if (remarks.again) add("the job was paid before");
  return out;
}

ordered_json payments_json(const Job& job) {
  ordered_json out = ordered_json::array();
  for (const auto& invoice : job.invoices) {
    if (!invoice.settled) continue;
    const core::PaymentRemarks remarks = core::remarks(job, invoice);
    out.push_back({{"payment_hash", invoice.issued.payment_hash.hex()},
                   {"asked_msat", invoice.issued.amount.value},
                   {"received_msat", invoice.settled->received.value},
                   {"fee_msat", invoice.settled->fee.value},
                   {"settled_at_ms", invoice.settled->settled_at.ms},
                   {"missing_msat", remarks.missing.value},
                   {"beyond_msat", remarks.beyond.value},
                   {"late", remarks.late},
                   {"again", remarks.again}});
  }
  return out;
}

std::string asked_text(const Job& job) {
  const ledger::JobRequested& request = *job.request;
  return "about " + grouped(static_cast<std::int64_t>(core::input_tokens(job))) + " tokens" +
         (request.model.empty() ? "" : " for " + request.model) + ", through " + request.relay;
}

// Lines with nothing to say are left out.
NamedTexts lines_of(const Job& job) {
  const Summary summary(job);
  NamedTexts out{{"job", job.id.hex()}, {"note", nostr::encode_note(job.id)}};
  if (job.request) {
    out.emplace_back("customer", nostr::encode_npub(job.request->customer));
    out.emplace_back("requested", local_time(job.requested_at));
    out.emplace_back("asked", asked_text(job));
    for (const auto& source : job.request->sources) {
      out.emplace_back("input", std::string(ledger::name(source.type)) + " " + source.data);
    }
  }
  out.emplace_back("state", state_text(summary.state));
  out.emplace_back("why", remark(job));
  out.emplace_back("model", core::short_model_name(summary.model));
  out.emplace_back("money", money_text(job));
  for (const auto& invoice : job.invoices) out.emplace_back("invoice", invoice_text(job, invoice));
  if (job.completion) {
    out.emplace_back("answer", tokens_text(summary) + " tokens, " +
                                   grouped(static_cast<std::int64_t>(job.completion->result_bytes)) + " bytes in " +
                                   took(job.completion->total_ms));
  }
  std::erase_if(out, [](const auto& line) { return line.second.empty(); });
  return out;
}

std::string answers_text(const core::Notice& notice) {
  std::string out = notice.delivered ? "delivered" : notice.closed ? "never delivered" : "not delivered yet";
  for (const auto& answer : notice.answers) {
    out += "; " + answer.relay + (answer.accepted ? " took it" : " refused");
    if (!answer.accepted) out += ": " + answer.message;
  }
  return out;
}

ordered_json notices_json(const Job& job) {
  ordered_json out = ordered_json::array();
  for (const auto& notice : job.notices) {
    ordered_json answers = ordered_json::array();
    for (const auto& answer : notice.answers) {
      answers.push_back({{"relay", answer.relay},
                         {"accepted", answer.accepted},
                         {"message", answer.message},
                         {"at_ms", answer.at.ms}});
    }
    out.push_back({{"purpose", ledger::name(notice.notice.purpose)},
                   {"event", notice.notice.event.hex()},
                   {"kind", notice.notice.kind},
                   {"delivered", notice.delivered},
                   {"relays", std::move(answers)}});
  }
  return out;
}

ordered_json inputs_json(const Job& job) {
  ordered_json out = ordered_json::array();
  if (!job.request) return out;
  for (const auto& source : job.request->sources) {
    out.push_back({{"type", ledger::name(source.type)}, {"data", source.data}, {"relay", text_or_null(source.relay)}});
  }
  return out;
}

// Nothing is to be paid for a job that ended without a sale.
std::string price_text(const Summary& job) {
  switch (job.state) {
    case State::declined:
    case State::failed:
    case State::cancelled:
    case State::expired:
      return "–";
    default:
      break;
  }
  const auto price = job.invoiced ? job.invoiced : job.quoted;
  return price ? sats(*price) : "–";
}

constexpr int kLeastReason = 20;  // columns in which a reason can be recognised

// The reason is worth more than what can be looked up: of a job that failed, it is what people want to know.
const std::vector<Column>& columns() {
  static const std::vector<Column> kColumns = {{"JOB", "job", Align::left, Fit::whole},
                                               {"WHEN", "requested_at_ms", Align::left, Fit::whole},
                                               {"CUSTOMER", "customer", Align::left, Fit::whole, 3},
                                               {"MODEL", "model", Align::left, Fit::cut, 2},
                                               {"STATE", "state", Align::left, Fit::whole},
                                               {"TOKENS", "", Align::right, Fit::whole, 1},
                                               {"PRICE", "invoiced_msat", Align::right},
                                               {"SETTLED", "settled_msat", Align::right},
                                               {"", "remark", Align::left, Fit::cut, 4, kLeastReason},
                                               {"", "quoted_msat"},
                                               {"", "input_tokens"},
                                               {"", "output_tokens"}};
  return kColumns;
}

std::vector<Cell> cells(const Job& job, base::TimeMs now) {
  const Summary summary(job);
  const std::string model(core::short_model_name(summary.model));
  const std::string npub = job.request ? nostr::encode_npub(summary.customer) : std::string();
  return {{short_id(job.id.hex()), job.id.hex(), Colour::bold},
          {age(now - job.requested_at), job.requested_at.ms},
          {short_npub(npub), job.request ? ordered_json(summary.customer.hex()) : ordered_json(nullptr)},
          {model.empty() ? "–" : model, text_or_null(summary.model)},
          {state_text(summary.state), std::string(core::name(summary.state)), state_colour(summary.state)},
          {tokens_text(summary), nullptr},
          {price_text(summary), number(summary.invoiced)},
          {core::paid(job) ? sats(summary.settled) : "–", summary.settled.value},
          {remark(job), text_or_null(remark(job)), Colour::dim},
          {"", number(summary.quoted)},
          {"", number(summary.input_tokens)},
          {"", number(summary.output_tokens)}};
}

}  // namespace

Table job_table() {
  return Table(columns());
}

void add_job(Table& table, const Job& job, base::TimeMs now) {
  table.add(cells(job, now));
}

void print_job(std::ostream& out, const Terminal& terminal, const Job& job, const NamedTexts& more) {
  Table table({{"", ""}, {"", ""}});
  const auto add = [&](const std::string& name, const std::string& text, Colour colour = Colour::plain) {
    table.add({{name, nullptr, Colour::dim}, {text, nullptr, colour}});
  };
  for (const auto& [name, text] : lines_of(job)) {
    add(name, text, name == "state" ? state_colour(core::state(job)) : Colour::plain);
  }
  for (const auto& notice : job.notices) add(std::string(ledger::name(notice.notice.purpose)), answers_text(notice));
  for (const auto& [name, text] : more) add(name, text);
  table.print(out, Format::people, terminal);
}

ordered_json job_json(const Job& job) {
  ordered_json out = ordered_json::object();
  const auto row = cells(job, job.updated_at);
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (!columns()[i].key.empty()) out[columns()[i].key] = row[i].value;
  }
  out["updated_at_ms"] = job.updated_at.ms;
  const auto* invoice = core::current_invoice(job);
  out["bolt11"] = invoice ? ordered_json(invoice->issued.bolt11) : ordered_json(nullptr);
  out["payments"] = payments_json(job);
  out["inputs"] = inputs_json(job);
  out["notices"] = notices_json(job);
  return out;
}

std::string state_text(State state) {
  if (state == State::delivered_unpaid) return "delivered, unpaid";
  if (state == State::delivered_free) return "delivered, free";
  if (state == State::refund_owed) return "OWED BACK";
  if (state == State::unpaid) return "never paid";
  std::string out(core::name(state));
  std::ranges::replace(out, '_', ' ');
  return out;
}

std::optional<State> parse_state(std::string_view text) {
  const auto plain = [](std::string_view name) {
    std::string out = base::lower(name);
    std::erase(out, ',');
    std::ranges::replace_if(
        out, [](char c) { return c == ' ' || c == '-'; }, '_');
    return out;
  };
  for (const State state : core::all_states()) {
    if (plain(text) == core::name(state) || plain(text) == plain(state_text(state))) return state;
  }
  return std::nullopt;
}

Colour state_colour(State state) {
  switch (state) {
    case State::settled:
    case State::delivered_free:
      return Colour::green;
    case State::refund_owed:
    case State::failed:
    case State::undelivered:
      return Colour::red;
    case State::delivered_unpaid:
    case State::awaiting_payment:
    case State::unpaid:
      return Colour::yellow;
    case State::declined:
    case State::expired:
    case State::cancelled:
    case State::refunded:
    case State::closed:
      return Colour::dim;
    default:
      return Colour::plain;
  }
}

}  // namespace cmd
