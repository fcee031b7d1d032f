#include "pipeline/wallet/sandbox.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/thread_pool.hpp>

namespace wallet {

class SandboxDisk {
 public:
  explicit SandboxDisk(boost::asio::io_context& io) : io_(io) {}
  ~SandboxDisk() { thread_.join(); }

  template <class Answer, class Work>
  void run(Work work, std::function<void(Result<Answer>)> done) {
    auto answers = boost::asio::prefer(io_.get_executor(), boost::asio::execution::outstanding_work.tracked);
    boost::asio::post(thread_, [answers, work = std::move(work), done = std::move(done)]() mutable {
      boost::asio::post(answers, [answer = Result<Answer>(work()), done = std::move(done)] { done(answer); });
    });
  }

 private:
  boost::asio::io_context& io_;
  boost::asio::thread_pool thread_{1};
};

Result<std::unique_ptr<SandboxWallet>> SandboxWallet::open(boost::asio::io_context& io, std::filesystem::path folder,
                                                           const base::Secret& secret, Clock clock) {
  SandboxBooks books(std::move(folder));
  if (const auto prepared = books.prepare(); !prepared) return tl::unexpected(prepared.error());
  return std::unique_ptr<SandboxWallet>(new SandboxWallet(io, std::move(books), secret, std::move(clock)));
}

SandboxWallet::SandboxWallet(boost::asio::io_context& io, SandboxBooks books, const base::Secret& secret, Clock clock)
    : books_(std::move(books)), secret_(secret), clock_(std::move(clock)), disk_(std::make_unique<SandboxDisk>(io)) {}

SandboxWallet::~SandboxWallet() = default;

void SandboxWallet::create_invoice(const InvoiceOrder& order, std::function<void(Result<MadeInvoice>)> done) {
  disk_->run<MadeInvoice>(
      [this, order, now = clock_()] {
        return books_.create(order, secret_, now).map([](const std::string& bolt11) {
          return MadeInvoice{.bolt11 = bolt11};
        });
      },
      std::move(done));
}

void SandboxWallet::look_up(const ledger::InvoiceIssued& invoice, std::function<void(Result<LookupAnswer>)> done) {
  disk_->run<LookupAnswer>(
      [this, payment_hash = invoice.payment_hash, now = clock_()] { return books_.look_up(payment_hash, now); },
      std::move(done));
}

void SandboxWallet::status(std::function<void(Result<WalletStatus>)> done) {
  disk_->run<WalletStatus>(
      [this] { return books_.balance().map([](Msat balance) {
                 return WalletStatus{"sandbox", balance};
               }); },
      std::move(done));
}

void SandboxWallet::list_paid(const ListOrder& order, std::function<void(Result<std::vector<PaidInvoice>>)> done) {
  disk_->run<std::vector<PaidInvoice>>([this, since = order.since] { return books_.list_paid(since); },
                                       std::move(done));
}

void SandboxWallet::take(const InvoiceOrder& order, std::function<void(Result<void>)> done) {
  disk_->run<void>([this, order, now = clock_()] { return books_.take(order, secret_, now); }, std::move(done));
}

void SandboxWallet::give_back(const InvoiceOrder& order, std::function<void(Result<void>)> done) {
  disk_->run<void>([this, order, now = clock_()] { return books_.give_back(order, secret_, now); }, std::move(done));
}

Result<Preimage> SandboxWallet::pay(const std::filesystem::path& folder, std::string_view bolt11, TimeMs now) {
  return SandboxBooks(folder).pay(bolt11, now);
}

// ---- paying back ----------------------------------------------------------------------------------------------------

SandboxPayer::SandboxPayer(boost::asio::io_context& io, std::filesystem::path folder, SandboxWallet::Clock clock)
    : books_(std::move(folder)), clock_(std::move(clock)), disk_(std::make_unique<SandboxDisk>(io)) {}

SandboxPayer::~SandboxPayer() = default;

namespace {

// Who paid it is not in the books: an invoice that is paid is paid.
Result<PaymentAnswer> what_became(const SandboxBooks& books, const PaymentOrder& order, TimeMs now) {
  return books.look_up(order.payment_hash, now).map([](const LookupAnswer& answer) -> PaymentAnswer {
    if (std::holds_alternative<Expired>(answer)) return PaymentFailed{"the invoice has expired"};
    const auto* settled = std::get_if<ledger::InvoiceSettled>(&answer);
    if (!settled) return Unknown{};
    return PaymentMade{.paid_at = settled->settled_at, .preimage = settled->preimage, .evidence = settled->evidence};
  });
}

}  // namespace

void SandboxPayer::pay(const PaymentOrder& order, std::function<void(Result<PaymentAnswer>)> done) {
  disk_->run<PaymentAnswer>(
      [this, order, now = clock_()]() -> Result<PaymentAnswer> {
        const auto paid = books_.pay_out(order.bolt11, now);
        if (!paid) {
          auto error = paid.error();
          error.code = "wallet.refused";
          return tl::unexpected(std::move(error));
        }
        return what_became(books_, order, now);
      },
      std::move(done));
}

void SandboxPayer::look_up(const PaymentOrder& order, std::function<void(Result<PaymentAnswer>)> done) {
  disk_->run<PaymentAnswer>([this, order, now = clock_()] { return what_became(books_, order, now); }, std::move(done));
}

}  // namespace wallet
