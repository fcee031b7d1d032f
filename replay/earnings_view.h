// The earnings view: what came of the jobs, in buckets of 15 minutes UTC (so that days, weeks and months of any time
// zone are sums of buckets), for everything together and by model, customer and wallet. Play money and real money never
// share a bucket. Rows of projection "earnings" (`money` is 0 real or 1 play; a bucket is its start in ms, 8 bytes,
// big-endian):
//   b dimension money bucket value -> Figures    value: the model's or wallet's name, the customer's key, or empty
//   j job                          -> Sale
//   P                              -> Shop       the wallet in force
//
// How amounts are booked. What happened once and stays is booked when our ledger learned of it: `invoiced` in the
// bucket of the job's first invoice, `settled`, `fees` and `sales` in the bucket of the settlement, `refunded` and its
// fees in that of the refund; so the settled sum of a past bucket never changes. The figures of a job as a whole
// (`jobs`, `declined`, `quoted`) and the amounts that are still open (`delivered_unpaid`, `paid_undelivered`, `unpaid`,
// `owed_back`) are booked in the bucket of the job's request. When an open amount is settled or paid back, it is taken
// out of that bucket. A job's model is known when it is quoted; until then, and when it is declined, its model is the
// empty one.
#pragma once

#include "ledger/projection.h"
#include "ledger/reader.h"

namespace replay {

using base::Msat;

inline constexpr std::int64_t kBucketMs = 15 * base::kMinuteMs;

enum class Dimension : char { total = 't', model = 'm', customer = 'c', wallet = 'w' };
enum class Money : char { real = 0, play = 1 };

// What came of some jobs, or of what happened in some time.
struct Figures {
  std::uint64_t jobs = 0;      // requests that were ours to answer, declined ones too
  std::uint64_t declined = 0;  // of them
  std::uint64_t sales = 0;     // invoices that settled
  Msat quoted;                 // the most that the quoted jobs could cost
  Msat invoiced;
  Msat settled;           // what arrived in the wallet: the sum of InvoiceSettled.received
  Msat fees;              // what the wallet took for it, and for paying back
  Msat delivered_unpaid;  // a relay has the result, the invoice is open
  Msat paid_undelivered;  // settled, no relay has the result yet, and nothing was declared owed back
  Msat unpaid;            // delivered, and the wallet says that it was never paid
  Msat owed_back;         // settled, not ours to keep, and not paid back yet
  Msat refunded;          // paid back

  static constexpr auto fields() {
    using T = Figures;
    using ledger::field;
    return std::tuple{field(1, "jobs", &T::jobs),
                      field(2, "declined", &T::declined),
                      field(3, "sales", &T::sales),
                      field(4, "quoted_msat", &T::quoted),
                      field(5, "invoiced_msat", &T::invoiced),
                      field(6, "settled_msat", &T::settled),
                      field(7, "fees_msat", &T::fees),
                      field(8, "delivered_unpaid_msat", &T::delivered_unpaid),
                      field(9, "paid_undelivered_msat", &T::paid_undelivered),
                      field(10, "unpaid_msat", &T::unpaid),
                      field(11, "owed_back_msat", &T::owed_back),
                      field(12, "refunded_msat", &T::refunded)};
  }
  Figures& operator+=(const Figures& other);
  Figures& operator-=(const Figures& other);
  bool operator==(const Figures&) const = default;
};

class EarningsView final : public ledger::Projection {
 public:
  static constexpr std::string_view kName = "earnings";
  std::string_view name() const override { return kName; }
  std::uint32_t version() const override { return 3; }
  base::Result<void> apply(const ledger::Entry& entry, ledger::Rows& rows) override;
};

// Visits the buckets of one dimension that start in [since, until), in the order of time.
using FiguresVisitor = std::function<void(base::TimeMs bucket, std::string_view value, const Figures&)>;
base::Result<void> for_each_bucket(const ledger::Reader& reader, Dimension dimension, Money money, base::TimeMs since,
                                   base::TimeMs until, const FiguresVisitor& visit);

// Money that moved: what settled, or what was paid back.
struct Payment {
  base::TimeMs time;  // when our ledger learned of it
  base::JobId job;
  std::string wallet;
  Money money = Money::real;
  bool refund = false;
  Msat amount;  // what the customer paid, or got back
  Msat fee;     // what the wallet kept of a payment, or took on top of a refund
};

// Visits every payment, job by job. The buckets' `settled`, `refunded` and `fees` are the sums of these payments.
using PaymentVisitor = std::function<void(const Payment&)>;
base::Result<void> for_each_payment(const ledger::Reader& reader, const PaymentVisitor& visit);

// The kind of money that the shop sells for now; real before the first start.
base::Result<Money> money_in_force(const ledger::Reader& reader);

}  // namespace replay
