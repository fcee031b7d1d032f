#include "replay/earnings_view.h"

#include <algorithm>
#include <map>

#include "ledger/keys.h"

namespace replay {
namespace {

using base::Hash256;
using base::Result;
using base::TimeMs;
using ledger::field;

// The wallet in force.
struct Shop {
  std::string wallet;
  bool play_money = false;
  static constexpr auto fields() {
    return std::tuple{field(1, "wallet", &Shop::wallet), field(2, "play_money", &Shop::play_money)};
  }
};

struct SaleInvoice {
  Hash256 payment_hash;
  Msat amount;
  TimeMs issued_at;
  bool settled = false;
  TimeMs settled_at;
  Msat received;
  Msat fee;
  bool expired = false;
  static constexpr auto fields() {
    using T = SaleInvoice;
    return std::tuple{field(1, "payment_hash", &T::payment_hash),
                      field(2, "amount_msat", &T::amount),
                      field(3, "issued_at_ms", &T::issued_at),
                      field(4, "settled", &T::settled),
                      field(5, "settled_at_ms", &T::settled_at),
                      field(6, "received_msat", &T::received),
                      field(7, "fee_msat", &T::fee),
                      field(8, "expired", &T::expired)};
  }
};

struct SaleRefund {
  Hash256 payment_hash;
  Msat amount;
  bool paid = false;
  TimeMs paid_at;
  Msat fee;
  Msat amount_paid;
  static constexpr auto fields() {
    using T = SaleRefund;
    return std::tuple{field(1, "payment_hash", &T::payment_hash),
                      field(2, "amount_msat", &T::amount),
                      field(3, "paid", &T::paid),
                      field(4, "paid_at_ms", &T::paid_at),
                      field(5, "fee_msat", &T::fee),
                      field(6, "amount_paid_msat", &T::amount_paid)};
  }
};

// What of a job its money depends on: far less than the whole job, which the jobs view has.
struct Sale {
  bool requested = false;
  TimeMs requested_at;
  base::PublicKey customer;
  std::string model;
  Shop shop;
  bool declined = false;
  bool quoted = false;
  Msat price;
  std::vector<SaleInvoice> invoices;
  bool delivered = false;
  std::vector<SaleRefund> refunds;
  static constexpr auto fields() {
    using T = Sale;
    return std::tuple{field(1, "requested", &T::requested), field(2, "requested_at_ms", &T::requested_at),
                      field(3, "customer", &T::customer),   field(4, "model", &T::model),
                      field(5, "shop", &T::shop),           field(6, "declined", &T::declined),
                      field(7, "quoted", &T::quoted),       field(8, "price_msat", &T::price),
                      field(9, "invoices", &T::invoices),   field(10, "delivered", &T::delivered),
                      field(11, "refunds", &T::refunds)};
  }
};

SaleInvoice* find_invoice(Sale& sale, const Hash256& payment_hash) {
  const auto it = std::ranges::find(sale.invoices, payment_hash, &SaleInvoice::payment_hash);
  return it == sale.invoices.end() ? nullptr : &*it;
}

// ---- the sale after one more fact; the same facts count as in core::evolve ------------------------------------------

void on(Sale& sale, TimeMs time, const ledger::JobRequested& e) {
  if (sale.requested) return;
  sale.requested = true;
  sale.requested_at = time;
  sale.customer = e.customer;
}
void on(Sale& sale, TimeMs, const ledger::JobDeclined&) {
  sale.declined = sale.declined || !sale.quoted;
}
void on(Sale& sale, TimeMs, const ledger::JobQuoted& e) {
  if (sale.declined || sale.quoted) return;
  sale.quoted = true;
  sale.model = e.terms.name;
  sale.price = e.price;
}
void on(Sale& sale, TimeMs time, const ledger::InvoiceIssued& e) {
  if (find_invoice(sale, e.payment_hash)) return;
  sale.invoices.push_back({.payment_hash = e.payment_hash, .amount = e.amount, .issued_at = time});
}
void on(Sale& sale, TimeMs time, const ledger::InvoiceSettled& e) {
  SaleInvoice* invoice = find_invoice(sale, e.payment_hash);
  if (!invoice || invoice->settled) return;
  invoice->settled = true;
  invoice->settled_at = time;
  invoice->received = e.received;
  invoice->fee = e.fee;
}
void on(Sale& sale, TimeMs, const ledger::InvoiceExpired& e) {
  if (SaleInvoice* invoice = find_invoice(sale, e.payment_hash)) invoice->expired = true;
}
void on(Sale& sale, TimeMs, const ledger::NoticePublished& e) {
  if (e.purpose != ledger::NoticePurpose::result) return;
  sale.delivered = sale.delivered || std::ranges::any_of(e.answers, &ledger::RelayAnswer::accepted);
}
void on(Sale& sale, TimeMs, const ledger::RefundOwed& e) {
  if (std::ranges::find(sale.refunds, e.payment_hash, &SaleRefund::payment_hash) != sale.refunds.end()) return;
  sale.refunds.push_back({.payment_hash = e.payment_hash, .amount = e.amount});
}
void on(Sale& sale, TimeMs time, const ledger::RefundPaid& e) {
  const auto refund = std::ranges::find(sale.refunds, e.payment_hash, &SaleRefund::payment_hash);
  if (refund == sale.refunds.end() || refund->paid) return;
  refund->paid = true;
  refund->paid_at = time;
  refund->amount_paid = e.amount;
  refund->fee = e.fee;
}

template <class E>
concept MovesMoney = requires(Sale& sale, const E& e) {
  on(sale, TimeMs{}, e);
};

// ---- what a sale contributes ----------------------------------------------------------------------------------------

struct Place {
  Money money;
  TimeMs bucket;
  auto operator<=>(const Place&) const = default;
};
using Booking = std::map<Place, Figures>;

TimeMs bucket_of(TimeMs time) {
  return {time.ms - time.ms % kBucketMs};
}

// What is open on this job, or was asked of it as a whole.
Figures standing(const Sale& sale) {
  Figures out{.jobs = 1, .declined = sale.declined ? 1u : 0u, .quoted = sale.price};
  Msat received;
  for (const auto& invoice : sale.invoices) received += invoice.received;
  Msat owed;
  for (const auto& refund : sale.refunds) {
    owed += refund.amount;
    if (!refund.paid) out.owed_back += refund.amount;
  }
  const bool paid = std::ranges::any_of(sale.invoices, &SaleInvoice::settled);
  if (paid && !sale.delivered) out.paid_undelivered = std::max(Msat{}, received - owed);
  if (!paid && sale.delivered && !sale.invoices.empty()) {
    const SaleInvoice& current = sale.invoices.back();
    (current.expired ? out.unpaid : out.delivered_unpaid) = current.amount;
  }
  return out;
}

Booking booking_of(const Sale& sale) {
  Booking out;
  if (!sale.requested) return out;
  const Money money = sale.shop.play_money ? Money::play : Money::real;
  out[{money, bucket_of(sale.requested_at)}] += standing(sale);
  for (const auto& invoice : sale.invoices) {
    // Those that take the place of another ask for the same money.
    if (&invoice == &sale.invoices.front()) out[{money, bucket_of(invoice.issued_at)}].invoiced += invoice.amount;
    if (!invoice.settled) continue;
    Figures& settlement = out[{money, bucket_of(invoice.settled_at)}];
    ++settlement.sales;
    settlement.settled += invoice.received;
    settlement.fees += invoice.fee;
  }
  for (const auto& refund : sale.refunds) {
    if (!refund.paid) continue;
    Figures& payment = out[{money, bucket_of(refund.paid_at)}];
    payment.refunded += refund.amount_paid;
    payment.fees += refund.fee;
  }
  return out;
}

void visit_payments(const Sale& sale, const base::JobId& job, const PaymentVisitor& visit) {
  Payment payment{.job = job, .wallet = sale.shop.wallet, .money = sale.shop.play_money ? Money::play : Money::real};
  for (const auto& invoice : sale.invoices) {
    if (!invoice.settled) continue;
    payment.time = invoice.settled_at;
    payment.amount = invoice.received;
    payment.fee = invoice.fee;
    visit(payment);
  }
  payment.refund = true;
  for (const auto& refund : sale.refunds) {
    if (!refund.paid) continue;
    payment.time = refund.paid_at;
    payment.amount = refund.amount_paid;
    payment.fee = refund.fee;
    visit(payment);
  }
}

std::string value_of(const Sale& sale, Dimension dimension) {
  switch (dimension) {
    case Dimension::model:
      return sale.model;
    case Dimension::customer:
      return std::string(sale.customer.view());
    case Dimension::wallet:
      return sale.shop.wallet;
    case Dimension::total:
      break;
  }
  return {};
}

// ---- rows -----------------------------------------------------------------------------------------------------------

std::string prefix_of(Dimension dimension, Money money) {
  return {'b', static_cast<char>(dimension), static_cast<char>(money)};
}

std::string bucket_key(Dimension dimension, Money money, TimeMs bucket) {
  return prefix_of(dimension, money) + ledger::big_endian(static_cast<std::uint64_t>(bucket.ms));
}

template <class T>
Result<T> read(ledger::Rows& rows, const std::string& key) {
  const auto row = rows.get(key);
  if (!row) return tl::unexpected(row.error());
  return *row ? ledger::decode<T>(**row) : Result<T>(T{});
}

// A bucket in which nothing is left has no row, as if nothing had ever been in it.
Result<void> book(ledger::Rows& rows, const std::string& key, const auto& change) {
  auto figures = read<Figures>(rows, key);
  if (!figures) return tl::unexpected(figures.error());
  change(*figures);
  *figures == Figures{} ? rows.erase(key) : rows.put(key, ledger::encode(*figures));
  return {};
}

Result<void> book_all(ledger::Rows& rows, const Sale& sale, const auto& change) {
  for (const auto& [place, figures] : booking_of(sale)) {
    for (const auto dimension : {Dimension::total, Dimension::model, Dimension::customer, Dimension::wallet}) {
      const std::string key = bucket_key(dimension, place.money, place.bucket) + value_of(sale, dimension);
      const auto done = book(rows, key, [&, &more = figures](Figures& out) { change(out, more); });
      if (!done) return done;
    }
  }
  return {};
}

}  // namespace

Figures& Figures::operator+=(const Figures& other) {
  jobs += other.jobs;
  declined += other.declined;
  sales += other.sales;
  quoted += other.quoted;
  invoiced += other.invoiced;
  settled += other.settled;
  fees += other.fees;
  delivered_unpaid += other.delivered_unpaid;
  paid_undelivered += other.paid_undelivered;
  unpaid += other.unpaid;
  owed_back += other.owed_back;
  refunded += other.refunded;
  return *this;
}

Figures& Figures::operator-=(const Figures& other) {
  jobs -= other.jobs;
  declined -= other.declined;
  sales -= other.sales;
  quoted -= other.quoted;
  invoiced -= other.invoiced;
  settled -= other.settled;
  fees -= other.fees;
  delivered_unpaid -= other.delivered_unpaid;
  paid_undelivered -= other.paid_undelivered;
  unpaid -= other.unpaid;
  owed_back -= other.owed_back;
  refunded -= other.refunded;
  return *this;
}

Result<void> EarningsView::apply(const ledger::Entry& entry, ledger::Rows& rows) {
  if (const auto* policy = std::get_if<ledger::ProviderConfigured>(&entry.fact)) {
    rows.put("P", ledger::encode(Shop{policy->wallet, policy->play_money}));
    return {};
  }
  return std::visit(
      [&]<class E>(const E& event) -> Result<void> {
        if constexpr (MovesMoney<E>) {
          const std::string key = "j" + std::string(entry.header.job.view());
          auto sale = read<Sale>(rows, key);
          if (!sale) return tl::unexpected(sale.error());
          if (auto done = book_all(rows, *sale, [](Figures& all, const Figures& one) { all -= one; }); !done)
            return done;
          // The wallet is the one in force when the invoice was made; until then, the one that would make it. Of
          // several invoices it is the last one's: those before were never paid.
          if (sale->invoices.empty() || std::is_same_v<E, ledger::InvoiceIssued>) {
            auto shop = read<Shop>(rows, "P");
            if (!shop) return tl::unexpected(shop.error());
            sale->shop = std::move(*shop);
          }
          on(*sale, entry.header.time, event);
          rows.put(key, ledger::encode(*sale));
          return book_all(rows, *sale, [](Figures& all, const Figures& one) { all += one; });
        } else {
          return {};
        }
      },
      entry.fact);
}

Result<void> for_each_bucket(const ledger::Reader& reader, Dimension dimension, Money money, TimeMs since, TimeMs until,
                             const FiguresVisitor& visit) {
  const std::size_t value_at = prefix_of(dimension, money).size() + sizeof(std::uint64_t);
  Result<void> ok;
  const auto scanned = reader.rows(
      EarningsView::kName, bucket_key(dimension, money, since), bucket_key(dimension, money, until),
      [&](std::string_view key, std::string_view value) {
        const auto start = ledger::from_big_endian(key.substr(value_at - sizeof(std::uint64_t), sizeof(std::uint64_t)));
        const auto figures = ledger::decode<Figures>(value);
        if (!figures) ok = tl::unexpected(figures.error());
        if (figures && start) visit({static_cast<std::int64_t>(*start)}, key.substr(value_at), *figures);
        return ok.has_value();
      });
  return scanned ? ok : scanned;
}

Result<void> for_each_payment(const ledger::Reader& reader, const PaymentVisitor& visit) {
  Result<void> ok;
  const auto scanned = reader.rows(EarningsView::kName, "j", "k", [&](std::string_view key, std::string_view value) {
    const auto job = base::JobId::from_bytes(key.substr(1));
    const auto sale = ledger::decode<Sale>(value);
    if (!sale) ok = tl::unexpected(sale.error());
    if (sale && job && sale->requested) visit_payments(*sale, *job, visit);
    return ok.has_value();
  });
  return scanned ? ok : scanned;
}

Result<Money> money_in_force(const ledger::Reader& reader) {
  const auto row = reader.row(EarningsView::kName, "P");
  if (!row) return tl::unexpected(row.error());
  if (!*row) return Money::real;
  const auto shop = ledger::decode<Shop>(**row);
  if (!shop) return tl::unexpected(shop.error());
  return shop->play_money ? Money::play : Money::real;
}

}  // namespace replay
