#include "pipeline/wallet/sandbox.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/temporary_folder.h"

namespace fs = std::filesystem;
using namespace wallet;
using ledger::InvoiceSettled;
using nlohmann::json;

namespace {

constexpr TimeMs kNow{1'763'800'000'500};
constexpr TimeMs kExpiry{1'763'800'600'000};  // ten minutes after the second in which it was made

class Sandbox : public ::testing::Test {
 protected:
  Sandbox() {
    secret = *base::Secret::from_hex("5ec3e7" + std::string(58, '0'));
    restart();
  }

  void restart() {
    wallet.reset();
    wallet = SandboxWallet::open(io, folder, secret, [this] { return now; }).value();
  }

  // What the callback was given; it must come once, from the io_context and not from within the call.
  template <class Answer, class Call>
  Result<Answer> answer(Call call) {
    std::optional<Result<Answer>> out;
    int calls = 0;
    call([&](Result<Answer> given) { out = std::move(given), ++calls; });
    EXPECT_EQ(calls, 0) << "called back inside the call";
    io.restart();
    io.run();
    EXPECT_EQ(calls, 1);
    return *out;
  }
  Result<std::string> create(const InvoiceOrder& order) {
    return answer<MadeInvoice>([&](auto done) { wallet->create_invoice(order, done); })
        .map([](const MadeInvoice& made) { return made.bolt11; });
  }
  Result<LookupAnswer> look_up(const Hash256& payment_hash) {
    ledger::InvoiceIssued invoice;
    invoice.payment_hash = payment_hash;
    return answer<LookupAnswer>([&](auto done) { wallet->look_up(invoice, done); });
  }
  Result<WalletStatus> status() {
    return answer<WalletStatus>([&](auto done) { wallet->status(done); });
  }
  Result<Preimage> pay(const std::string& text) { return SandboxWallet::pay(folder, text, now); }
  std::string refusal(const std::string& text) {
    const auto paid = pay(text);
    return paid ? "paid" : paid.error().code;
  }

  static InvoiceOrder order() {
    return {.job = *base::JobId::from_hex(std::string(64, 'a')),
            .purpose = ledger::InvoicePurpose::job,
            .attempt = 1,
            .amount = Msat{9'000},
            .description = "one answer",
            .expiry_ms = 600'000};
  }
  fs::path file(const Hash256& hash, const char* extension) const { return folder / (hash.hex() + extension); }
  static mode_t mode_of(const fs::path& path) {
    struct stat status {};
    ::stat(path.c_str(), &status);
    return status.st_mode & 07777;
  }
  static std::string content(const fs::path& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void overwrite(const fs::path& path, std::string_view bytes) { std::ofstream(path) << bytes; }

  boost::asio::io_context io;
  const base::TemporaryFolder temporary = base::TemporaryFolder::make("test").value();
  const fs::path home = temporary.path();
  const fs::path folder = home / "sandbox";
  base::Secret secret;
  TimeMs now = kNow;
  std::unique_ptr<SandboxWallet> wallet;
};

TEST_F(Sandbox, MakesGenuineInvoices) {
  const auto text = create(order());
  ASSERT_TRUE(text) << text.error().describe();
  EXPECT_TRUE(text->starts_with("lnbcrt90n1"));
  const auto invoice = check_invoice(*text, Msat{9'000}, {Network::regtest}, now);
  ASSERT_TRUE(invoice) << invoice.error().describe();
  EXPECT_EQ(invoice->description, "one answer");
  EXPECT_EQ(invoice->expires_at(), kExpiry);
  EXPECT_EQ(invoice->payment_hash, base::sha256(derive_preimage(secret.view(), "sandbox", order()).view()));
  EXPECT_TRUE(std::holds_alternative<Open>(look_up(invoice->payment_hash).value()));
}

TEST_F(Sandbox, AnOrderIsOneInvoiceForEver) {
  const auto first = create(order()).value();
  now = now + 5'000;
  EXPECT_EQ(create(order()).value(), first);
  restart();
  auto reworded = order();
  reworded.description = "in other words";
  reworded.expiry_ms = 1;
  EXPECT_EQ(create(reworded).value(), first) << "what counts is job, purpose, attempt and amount";
}

TEST_F(Sandbox, AnotherOrderIsAnotherInvoice) {
  std::set<std::string> texts = {create(order()).value()};
  const auto add = [&](auto change) {
    auto changed = order();
    change(changed);
    return texts.insert(create(changed).value()).second;
  };
  EXPECT_TRUE(add([](InvoiceOrder& o) { o.attempt = 2; }));
  EXPECT_TRUE(add([](InvoiceOrder& o) { o.amount = Msat{10'000}; }));
  EXPECT_TRUE(add([](InvoiceOrder& o) { o.job.bytes[0] = 1; }));
  EXPECT_TRUE(add([](InvoiceOrder& o) { o.purpose = ledger::InvoicePurpose::unspecified; }));
  const Hash256 ours = decode_bolt11(*texts.begin())->payment_hash;
  secret.bytes[0] ^= 1;
  restart();
  EXPECT_NE(decode_bolt11(create(order()).value())->payment_hash, ours) << "another secret";
}

TEST_F(Sandbox, RefusesOrdersThatNoInvoiceCanMeet) {
  const auto code = [&](auto change) {
    auto changed = order();
    change(changed);
    const auto text = create(changed);
    return text ? "made" : text.error().code;
  };
  EXPECT_EQ(code([](InvoiceOrder& o) { o.amount = Msat{0}; }), "sandbox.amount");
  EXPECT_EQ(code([](InvoiceOrder& o) { o.amount = Msat{-1'000}; }), "sandbox.amount");
  EXPECT_EQ(code([](InvoiceOrder& o) { o.amount = Msat{1'001}; }), "sandbox.amount");
  EXPECT_EQ(code([](InvoiceOrder& o) { o.expiry_ms = 0; }), "sandbox.expiry");
  EXPECT_EQ(code([](InvoiceOrder& o) { o.description = "caf\xe9"; }), "bolt11.description");
  EXPECT_EQ(code([](InvoiceOrder& o) { o.description = std::string(5'000, 'x'); }), "made") << "cut to what fits";
}

TEST_F(Sandbox, IsPaidOnceByTheOneWhoHasTheText) {
  const auto text = create(order()).value();
  now = now + 1'234;
  const auto preimage = pay(text);
  ASSERT_TRUE(preimage) << preimage.error().describe();
  const Hash256 hash = decode_bolt11(text)->payment_hash;
  EXPECT_EQ(base::sha256(preimage->view()), hash);

  const auto answer = look_up(hash).value();
  ASSERT_TRUE(std::holds_alternative<InvoiceSettled>(answer));
  const auto& settled = std::get<InvoiceSettled>(answer);
  EXPECT_EQ(settled.payment_hash, hash);
  EXPECT_EQ(settled.received, Msat{9'000});
  EXPECT_EQ(settled.fee, Msat{0});
  EXPECT_EQ(settled.settled_at, now);
  EXPECT_EQ(settled.index, 1u);
  EXPECT_EQ(settled.preimage, *preimage);
  EXPECT_EQ(settled.evidence, content(file(hash, ".paid"))) << "the wallet's own statement, verbatim";

  EXPECT_EQ(refusal(text), "sandbox.already_paid");
  now = kExpiry + 1;
  EXPECT_EQ(refusal(text), "sandbox.already_paid");
  EXPECT_TRUE(std::holds_alternative<InvoiceSettled>(look_up(hash).value())) << "settled wins over expired";
}

TEST_F(Sandbox, UpperCaseTextsPayToo) {
  std::string text = create(order()).value();
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  EXPECT_EQ(refusal(text), "paid");
}

TEST_F(Sandbox, CountsPaymentsAndAddsThemUp) {
  EXPECT_EQ(status()->balance, Msat{0});
  for (std::uint32_t attempt = 1; attempt <= 3; ++attempt) {
    auto next = order();
    next.attempt = attempt;
    const auto text = create(next).value();
    ASSERT_TRUE(pay(text));
    EXPECT_EQ(std::get<InvoiceSettled>(look_up(decode_bolt11(text)->payment_hash).value()).index, attempt);
  }
  EXPECT_EQ(status()->balance, Msat{27'000});
  EXPECT_TRUE(wallet->play_money());
}

TEST_F(Sandbox, SaysExpiredOnlyAfterExpiryAndThenForEver) {
  const auto text = create(order()).value();
  const Hash256 hash = decode_bolt11(text)->payment_hash;
  now = kExpiry - 1;
  EXPECT_TRUE(std::holds_alternative<Open>(look_up(hash).value()));
  now = kExpiry;
  EXPECT_EQ(refusal(text), "sandbox.expired");
  const auto evidence = std::get<Expired>(look_up(hash).value()).evidence;
  EXPECT_EQ(evidence, content(file(hash, ".expired")));
  EXPECT_EQ(json::parse(evidence).at("payment_hash"), hash.hex());

  now = kExpiry - 60'000;  // a clock that was set back
  EXPECT_EQ(std::get<Expired>(look_up(hash).value()).evidence, evidence);
  EXPECT_EQ(refusal(text), "sandbox.expired");
}

TEST_F(Sandbox, RefusesWhatItDidNotMake) {
  const auto text = create(order()).value();
  const auto ours = decode_bolt11(text).value();
  const auto forged = [&](auto change) {
    Invoice invoice = ours;
    change(invoice);
    return encode_bolt11(invoice, NodeKey{base::sha256("somebody else's node").bytes}).value();
  };
  EXPECT_EQ(refusal(forged([](Invoice& i) { i.network = Network::bitcoin; })), "sandbox.wrong_network");
  EXPECT_EQ(refusal(forged([](Invoice& i) { i.payment_hash.bytes[0] ^= 1; })), "sandbox.unknown_invoice");
  EXPECT_EQ(refusal(forged([](Invoice& i) { i.amount = Msat{1'000}; })), "sandbox.wrong_amount");
  EXPECT_EQ(refusal(forged([](Invoice& i) { i.amount.reset(); })), "sandbox.wrong_amount");
  EXPECT_EQ(refusal(forged([](Invoice&) {})), "sandbox.another_invoice");
  EXPECT_EQ(refusal("lnbcrt1"), "bolt11.separator");
  EXPECT_EQ(SandboxWallet::pay(home / "nowhere", text, now).error().code, "sandbox.unknown_invoice");
  EXPECT_TRUE(std::holds_alternative<Unknown>(look_up(base::sha256("never heard of")).value()));
  EXPECT_EQ(refusal(text), "paid");
}

TEST_F(Sandbox, OfManyPayersOnePays) {
  const auto text = create(order()).value();
  std::atomic<int> paid = 0;
  {
    std::vector<std::jthread> payers;
    for (int i = 0; i < 8; ++i) payers.emplace_back([&] { paid += pay(text).has_value(); });
  }
  EXPECT_EQ(paid, 1);
  EXPECT_EQ(status()->balance, Msat{9'000});
}

TEST_F(Sandbox, AnotherProcessPaysWhileNobodyServes) {
  const auto text = create(order()).value();
  wallet.reset();
  const pid_t payer = ::fork();
  if (payer == 0) ::_exit(SandboxWallet::pay(folder, text, kNow) ? 0 : 1);
  int result = 1;
  ::waitpid(payer, &result, 0);
  EXPECT_EQ(result, 0);
  restart();
  EXPECT_TRUE(std::holds_alternative<InvoiceSettled>(look_up(decode_bolt11(text)->payment_hash).value()));
}

TEST_F(Sandbox, ACrashLeavesNothingHalfDone) {
  const auto text = create(order()).value();
  const Hash256 hash = decode_bolt11(text)->payment_hash;
  // A process that died while writing leaves a temporary name and nothing under the real one.
  overwrite(folder / (hash.hex() + ".paid.tmp.Ab12Cd"), "{\"payment_h");
  restart();
  EXPECT_TRUE(std::holds_alternative<Open>(look_up(hash).value()));
  EXPECT_EQ(create(order()).value(), text);
  EXPECT_EQ(refusal(text), "paid");
  EXPECT_EQ(std::get<InvoiceSettled>(look_up(hash).value()).index, 1u);

  // One that died before the invoice was written makes the same one again: same preimage, same hash.
  fs::remove(file(hash, ".json"));
  fs::remove(file(hash, ".paid"));
  EXPECT_EQ(create(order()).value(), text);
}

TEST_F(Sandbox, AWalletThatGoesAwayStillAnswers) {
  std::optional<Result<std::string>> out;
  wallet->create_invoice(order(), [&](const Result<MadeInvoice>& made) { out = made->bolt11; });
  wallet.reset();
  io.run();
  ASSERT_TRUE(out);
  EXPECT_TRUE(out->has_value());
}

TEST_F(Sandbox, NeverBelievesADamagedFile) {
  const auto text = create(order()).value();
  const Hash256 hash = decode_bolt11(text)->payment_hash;
  ASSERT_TRUE(pay(text));
  const std::string paid = content(file(hash, ".paid"));
  json other_amount = json::parse(paid);
  other_amount["amount_msat"] = 1'000'000;
  json other_preimage = json::parse(paid);
  other_preimage["preimage"] = std::string(64, '0');
  for (const std::string& garbage : {std::string(), std::string("garbage"), std::string("{}"), paid.substr(0, 40),
                                     other_amount.dump(), other_preimage.dump()}) {
    overwrite(file(hash, ".paid"), garbage);
    const auto answer = look_up(hash);
    ASSERT_FALSE(answer) << garbage;
    EXPECT_EQ(answer.error().code, "sandbox.damaged");
    EXPECT_EQ(answer.error().describe().find(json::parse(paid).at("preimage").get<std::string>()), std::string::npos);
  }
  overwrite(file(hash, ".paid"), paid);
  overwrite(file(hash, ".json"), "{\"bolt11\":1}");
  EXPECT_EQ(look_up(hash).error().code, "sandbox.damaged");
  EXPECT_EQ(create(order()).error().code, "sandbox.damaged");
  EXPECT_EQ(refusal(text), "sandbox.damaged");
}

TEST_F(Sandbox, ItsBooksAreForItsOwnerAlone) {
  const auto text = create(order()).value();
  const Hash256 hash = decode_bolt11(text)->payment_hash;
  ASSERT_TRUE(pay(text));
  EXPECT_EQ(mode_of(folder), 0700u);
  for (const auto& entry : fs::directory_iterator(folder)) EXPECT_EQ(mode_of(entry.path()), 0600u) << entry.path();

  ::chmod(file(hash, ".paid").c_str(), 0644);
  EXPECT_EQ(look_up(hash).error().code, "secret_file.permissions");
  ::chmod(folder.c_str(), 0755);
  const auto refused = SandboxWallet::open(io, folder, secret, [] { return kNow; });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "secret_file.permissions");
}

// ---- payments that are held -----------------------------------------------------------------------------------------

class SandboxHold : public Sandbox {
 protected:
  static InvoiceOrder hold_order() {
    auto out = order();
    out.hold = true;
    return out;
  }
  std::string resolve(void (SandboxWallet::*how)(const InvoiceOrder&, std::function<void(Result<void>)>)) {
    const auto done = answer<void>([&](auto told) { ((*wallet).*how)(hold_order(), told); });
    return done ? "done" : done.error().code;
  }
  std::string state() {
    const auto invoice = decode_bolt11(text).value();
    const auto said = look_up(invoice.payment_hash).value();
    constexpr const char* kNames[] = {"open", "settled", "expired", "unknown", "held", "given back"};
    return kNames[said.index()];
  }
  std::string text = create(hold_order()).value();
};

TEST_F(SandboxHold, APaymentWaitsAndItsPreimageIsNotRevealed) {
  EXPECT_EQ(state(), "open");
  EXPECT_TRUE(pay(text).value().is_zero());
  EXPECT_EQ(state(), "held");
  EXPECT_EQ(refusal(text), "sandbox.already_paid");
  now = kExpiry + 1'000;
  EXPECT_EQ(state(), "held") << "its expiry is over, the payment is not";
  EXPECT_EQ(status().value().balance, Msat{});
}

TEST_F(SandboxHold, WhatIsTakenHasSettled) {
  EXPECT_EQ(resolve(&SandboxWallet::take), "sandbox.not_held");
  pay(text);
  EXPECT_EQ(resolve(&SandboxWallet::take), "done");
  EXPECT_EQ(resolve(&SandboxWallet::take), "done") << "twice is once";
  EXPECT_EQ(state(), "settled");
  EXPECT_EQ(resolve(&SandboxWallet::give_back), "sandbox.not_held");
  EXPECT_EQ(status().value().balance, Msat{9'000});
}

TEST_F(SandboxHold, WhatIsGivenBackCanBePaidNoMore) {
  pay(text);
  EXPECT_EQ(resolve(&SandboxWallet::give_back), "done");
  EXPECT_EQ(resolve(&SandboxWallet::give_back), "done");
  EXPECT_EQ(state(), "given back");
  EXPECT_EQ(resolve(&SandboxWallet::take), "sandbox.not_held");
  EXPECT_EQ(refusal(text), "sandbox.expired");
}

}  // namespace
