#include "replay/jobs_view.h"

#include <algorithm>

#include "ledger/keys.h"

namespace replay {
namespace {

using base::JobId;
using base::Result;
using core::Job;

std::string newest(base::TimeMs time) {
  return ledger::big_endian(~static_cast<std::uint64_t>(time.ms));
}

std::string key(char room, std::string_view a, std::string_view b = {}, std::string_view c = {}) {
  std::string out(1, room);
  out += a;
  out += b;
  out += c;
  return out;
}

std::string state_prefix(core::State state) {
  return key('s', std::string(1, static_cast<char>(state)));
}
std::string customer_prefix(const base::PublicKey& customer) {
  return key('c', customer.view());
}
std::string model_prefix(std::string_view model) {
  return key('m', model, std::string_view("\0", 1));
}

// The first key after all keys that begin with `prefix`; empty: to the end.
std::string after(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  if (!prefix.empty()) ++prefix.back();
  return prefix;
}

// The index rows that a job has, as it stands.
std::vector<std::string> index_keys(const Job& job) {
  const std::string place = newest(job.requested_at) + std::string(job.id.view());
  std::vector<std::string> out{key('t', place), state_prefix(core::state(job)) + place};
  if (job.request) out.push_back(customer_prefix(job.request->customer) + place);
  if (job.quote) out.push_back(model_prefix(job.quote->terms.name) + place);
  if (core::is_open(job)) out.push_back(key('o', job.id.view()));
  return out;
}

void replace_index(const std::vector<std::string>& before, const std::vector<std::string>& now, ledger::Rows& rows) {
  const auto missing_in = [](const std::vector<std::string>& keys, const std::string& one) {
    return std::ranges::find(keys, one) == keys.end();
  };
  for (const auto& one : before) {
    if (missing_in(now, one)) rows.erase(one);
  }
  for (const auto& one : now) {
    if (missing_in(before, one)) rows.put(one, {});
  }
}

// Books what one more fact changed in what this customer's jobs add up to, as core::Shop does.
Result<void> book_customer(const Job& before, const Job& after, const ledger::Entry& entry, ledger::Rows& rows) {
  if (!after.request) return {};
  const bool requested = std::holds_alternative<ledger::JobRequested>(entry.fact);
  const bool declined = std::holds_alternative<ledger::JobDeclined>(entry.fact);
  const auto credit = core::credit_change(core::accounts_of(before), core::accounts_of(after), entry.header.time);
  if (!requested && !declined && !credit) return {};
  const std::string row_key = key('u', after.request->customer.view());
  CustomerRow row{.first_seen = entry.header.time};
  const auto stored = rows.get(row_key);
  if (!stored) return tl::unexpected(stored.error());
  if (*stored) {
    auto known = ledger::decode<CustomerRow>(**stored);
    if (!known) return tl::unexpected(known.error());
    row = std::move(*known);
  }
  row.last_seen = entry.header.time;
  if (requested) ++row.jobs;
  if (declined) ++row.declined;
  if (credit) core::book(row.days, *credit);
  rows.put(row_key, ledger::encode(row));
  return {};
}

Result<Job> read_job(const ledger::Reader& reader, std::string_view id) {
  const auto row = reader.row(JobsView::kName, key('j', id));
  if (!row) return tl::unexpected(row.error());
  if (!*row) {
    return base::fail(base::ErrorKind::invocation, "ledger.views_stale",
                      "the jobs view lacks a job that its index names", base::to_hex(id),
                      "run `sellcompute replay --rebuild-views`");
  }
  return ledger::decode<Job>(**row);
}

// The rows of an index that serve a filter.
struct IndexRange {
  std::string from;
  std::string until;
};

IndexRange range_of(const JobFilter& filter) {
  std::string prefix = "t";
  if (filter.model) prefix = model_prefix(*filter.model);
  if (filter.state) prefix = state_prefix(*filter.state);
  if (filter.customer) prefix = customer_prefix(*filter.customer);
  // The index is newest first: what was requested at `since` or later comes before the moment before it.
  const std::string until = filter.since ? prefix + newest(*filter.since - 1) : after(prefix);
  return {prefix, until};
}

// The jobs whose ids end the keys in the range, until the visitor returns false.
Result<void> visit_jobs(const ledger::Reader& reader, const IndexRange& range, const JobVisitor& visit) {
  Result<void> ok;
  const auto scanned = reader.rows(JobsView::kName, range.from, range.until, [&](std::string_view row, auto) {
    if (row.size() < JobId::kSize) return true;
    const auto job = read_job(reader, row.substr(row.size() - JobId::kSize));
    if (!job) ok = tl::unexpected(job.error());
    return job && visit(*job);
  });
  return scanned ? ok : scanned;
}

// The one fact of its kind that is in force.
template <class T>
Result<std::optional<T>> read_fact(const ledger::Reader& reader, std::string_view row_key) {
  const auto row = reader.row(JobsView::kName, row_key);
  if (!row) return tl::unexpected(row.error());
  if (!*row) return std::optional<T>();
  return ledger::decode<T>(**row).map([](T fact) { return std::optional<T>(std::move(fact)); });
}

}  // namespace

Result<void> JobsView::apply(const ledger::Entry& entry, ledger::Rows& rows) {
  if (const auto* policy = std::get_if<ledger::ProviderConfigured>(&entry.fact)) rows.put("P", ledger::encode(*policy));
  if (const auto* rollback = std::get_if<ledger::RollbackAccepted>(&entry.fact))
    rows.put("R", ledger::encode(*rollback));
  const JobId& id = entry.header.job;
  if (id.is_zero()) return {};

  Job job;
  std::vector<std::string> index_before;
  const std::string job_key = key('j', id.view());
  auto row = rows.get(job_key);
  if (!row) return tl::unexpected(row.error());
  if (*row) {
    auto known = ledger::decode<Job>(**row);
    if (!known) return tl::unexpected(known.error());
    job = std::move(*known);
    index_before = index_keys(job);
  }
  const Job before = job;
  core::evolve(job, id, entry.header.time, entry.fact);
  replace_index(index_before, index_keys(job), rows);
  rows.put(job_key, ledger::encode(job));
  rows.put(key('e', id.view(), ledger::big_endian(entry.seq)), {});
  if (const auto* invoice = std::get_if<ledger::InvoiceIssued>(&entry.fact)) {
    rows.put(key('h', invoice->payment_hash.view()), std::string(id.view()));
  }
  return book_customer(before, job, entry, rows);
}

Result<void> for_each_job(const ledger::Reader& reader, const JobFilter& filter, const JobVisitor& visit) {
  std::size_t left = filter.limit;
  if (left == 0) return {};
  return visit_jobs(reader, range_of(filter), [&](const Job& job) {
    const bool wanted = (!filter.state || core::state(job) == *filter.state) &&
                        (!filter.customer || (job.request && job.request->customer == *filter.customer)) &&
                        (!filter.model || (job.quote && job.quote->terms.name == *filter.model));
    return !wanted || (visit(job) && --left > 0);
  });
}

Result<std::vector<Job>> list_jobs(const ledger::Reader& reader, const JobFilter& filter) {
  std::vector<Job> out;
  const auto read = for_each_job(reader, filter, [&](const Job& job) {
    out.push_back(job);
    return true;
  });
  if (!read) return tl::unexpected(read.error());
  return out;
}

Result<std::optional<std::size_t>> count_jobs(const ledger::Reader& reader, const JobFilter& filter, std::size_t most) {
  const int conditions = filter.state.has_value() + filter.customer.has_value() + filter.model.has_value();
  if (conditions > 1) return std::optional<std::size_t>();
  std::size_t count = 0;
  const auto [from, until] = range_of(filter);
  const auto scanned = reader.rows(JobsView::kName, from, until, [&](auto, auto) { return ++count < most; });
  if (!scanned) return tl::unexpected(scanned.error());
  return std::optional(count);
}

Result<std::optional<Job>> find_job(const ledger::Reader& reader, const JobId& id) {
  const auto row = reader.row(JobsView::kName, key('j', id.view()));
  if (!row) return tl::unexpected(row.error());
  if (!*row) return std::optional<Job>();
  auto job = ledger::decode<Job>(**row);
  if (!job) return tl::unexpected(job.error());
  return std::optional<Job>(std::move(*job));
}

Result<std::vector<JobId>> jobs_with_prefix(const ledger::Reader& reader, std::string_view hex_prefix,
                                            std::size_t limit) {
  const std::string even(hex_prefix.substr(0, hex_prefix.size() / 2 * 2));
  const auto bytes = base::from_hex(even);
  if (!bytes) return std::vector<JobId>();
  std::vector<JobId> out;
  const std::string prefix = key('j', *bytes);
  const auto scanned = reader.rows(JobsView::kName, prefix, after(prefix), [&](std::string_view row, std::string_view) {
    const auto id = JobId::from_bytes(row.substr(1));
    if (id && id->hex().starts_with(hex_prefix)) out.push_back(*id);
    return out.size() < limit;
  });
  if (!scanned) return tl::unexpected(scanned.error());
  return out;
}

Result<std::vector<base::Seq>> positions_of(const ledger::Reader& reader, const JobId& id) {
  std::vector<base::Seq> out;
  const std::string prefix = key('e', id.view());
  const auto scanned = reader.rows(JobsView::kName, prefix, after(prefix), [&](std::string_view row, std::string_view) {
    base::Seq seq = 0;
    for (const char c : row.substr(prefix.size())) seq = seq << 8 | static_cast<std::uint8_t>(c);
    out.push_back(seq);
    return true;
  });
  if (!scanned) return tl::unexpected(scanned.error());
  return out;
}

Result<void> for_each_job(const ledger::Reader& reader, const JobVisitor& visit) {
  Result<void> ok;
  const auto scanned = reader.rows(JobsView::kName, "j", "k", [&](std::string_view, std::string_view value) {
    const auto job = ledger::decode<Job>(value);
    if (!job) ok = tl::unexpected(job.error());
    return job && visit(*job);
  });
  return scanned ? ok : scanned;
}

Result<void> for_each_customer(const ledger::Reader& reader, const CustomerVisitor& visit) {
  Result<void> ok;
  const auto scanned = reader.rows(JobsView::kName, "u", "v", [&](std::string_view row_key, std::string_view value) {
    const auto customer = base::PublicKey::from_bytes(row_key.substr(1));
    const auto row = ledger::decode<CustomerRow>(value);
    if (!row) ok = tl::unexpected(row.error());
    if (row && customer) visit(*customer, *row);
    return ok.has_value();
  });
  return scanned ? ok : scanned;
}

Result<std::optional<JobId>> job_of_payment(const ledger::Reader& reader, const base::Hash256& payment_hash) {
  const auto row = reader.row(JobsView::kName, key('h', payment_hash.view()));
  if (!row) return tl::unexpected(row.error());
  return *row ? JobId::from_bytes(**row) : std::nullopt;
}

Result<std::optional<core::Policy>> policy_in_force(const ledger::Reader& reader) {
  return read_fact<core::Policy>(reader, "P");
}

Result<std::optional<ledger::RollbackAccepted>> accepted_rollback(const ledger::Reader& reader) {
  return read_fact<ledger::RollbackAccepted>(reader, "R");
}

Result<std::vector<Job>> open_jobs(const ledger::Reader& reader) {
  std::vector<Job> out;
  const auto read = visit_jobs(reader, {"o", after("o")}, [&](const Job& job) {
    out.push_back(job);
    return true;
  });
  if (!read) return tl::unexpected(read.error());
  return out;
}

}  // namespace replay
