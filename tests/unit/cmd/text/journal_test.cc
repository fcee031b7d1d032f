// The journal for hledger.
#include "cmd/text/journal.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <sstream>

namespace cmd {
namespace {

using base::Msat;
using base::TimeMs;

constexpr TimeMs kNight{1'795'733'999'999};  // 2026-11-26T22:59:59.999Z

replay::Payment payment(std::uint8_t job, TimeMs time, Msat amount, Msat fee = {}, bool refund = false) {
  replay::Payment out{.time = time, .wallet = "phoenixd", .refund = refund, .amount = amount, .fee = fee};
  out.job.bytes.fill(job);
  return out;
}

std::string journal(const std::vector<replay::Payment>& payments, replay::Money money = replay::Money::real) {
  setenv("TZ", "Europe/Berlin", 1);
  tzset();
  std::ostringstream out;
  print_journal(out, payments, money);
  return out.str();
}

TEST(Journal, HasATransactionPerPaymentThatAddsUpToNothing) {
  EXPECT_EQ(journal({payment(0xA5, kNight, Msat{1'234'000}, Msat{4'936}), payment(0x77, kNight + 1, Msat{9'500}),
                     payment(0xA5, kNight + 2, Msat{1'234'000}, Msat{1'021}, true)}),
            "; what sellcompute sold: 2 payments and 1 refund of real money\n"
            "commodity 1000.000 sat\n"
            "\n"
            "2026-11-26 * job a5a5a5a5  ; job:a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5\n"
            "    income:compute                         -1234 sat\n"
            "    expenses:fees                          4.936 sat\n"
            "    assets:lightning:phoenixd           1229.064 sat\n"
            "\n"
            "2026-11-27 * job 77777777  ; job:7777777777777777777777777777777777777777777777777777777777777777\n"
            "    income:compute                          -9.5 sat\n"
            "    assets:lightning:phoenixd                9.5 sat\n"
            "\n"
            "2026-11-27 * refund of job a5a5a5a5  ; "
            "job:a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5\n"
            "    income:refunds                          1234 sat\n"
            "    expenses:fees                          1.021 sat\n"
            "    assets:lightning:phoenixd          -1235.021 sat\n");
}

TEST(Journal, SaysThatNothingMovedAndThatMoneyIsPlayMoney) {
  EXPECT_EQ(journal({}, replay::Money::play),
            "; what sellcompute sold: 0 payments and 0 refunds of play money\n"
            "commodity 1000.000 sat\n");
}

}  // namespace
}  // namespace cmd
