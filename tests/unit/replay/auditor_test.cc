#include "replay/auditor.h"

#include "ledger/checkpoint.h"
#include "ledger/keys.h"
#include "tests/unit/replay/honest_shop.h"
#include "tests/unit/replay/shop_ledger.h"

namespace replay {
namespace {

using ledger::NoticePurpose;

Audit must_audit(const ShopLedger& shop, const std::optional<std::string>& held = std::nullopt) {
  sim::SimDisk scratch;
  const auto out = audit(shop.disk, scratch, held);
  EXPECT_TRUE(out) << (out ? "" : out.error().describe());
  return out.value_or(Audit{});
}

std::string text_of(const Audit& audit) {
  std::string out;
  for (const auto& one : audit.findings)
    out += std::string(name(one.check)) + ", " + one.position + ": " + one.what + "\n";
  return out;
}

// The audit of one paid sale, after somebody changed what the shop was about to write.
Audit audit_of(HonestShop& shop) {
  ShopLedger ledger;
  ledger.write(shop.entries);
  return must_audit(ledger);
}

// The wrong is found, at this entry, in these words, and nothing comes before it.
void expect_first(const Audit& audit, Check check, base::Seq seq, const std::string& what) {
  ASSERT_FALSE(audit.findings.empty()) << what;
  EXPECT_EQ(audit.findings.front().check, check) << text_of(audit);
  EXPECT_EQ(audit.findings.front().position, ledger::entry_position(seq)) << text_of(audit);
  EXPECT_NE(audit.findings.front().what.find(what), std::string::npos) << text_of(audit);
}

HonestShop paid_sale(ledger::PaymentMode mode = ledger::PaymentMode::result_first) {
  HonestShop shop(mode);
  shop.pay(shop.ask("Why is the sky blue?"));
  return shop;
}

HonestShop sale_with_inputs() {
  HonestShop shop;
  shop.pay(shop.ask("Summarise:", {{.type = ledger::InputType::url, .data = "https://example.com/page"}}));
  return shop;
}

std::string checkpoint(const HonestShop& shop, ledger::TreeHead head) {
  return ledger::sign_checkpoint({.size = head.size, .root = head.root, .time = shop.now}, shop.key.public_key(),
                                 [&](const auto& digest) { return shop.key.sign(digest.view(), {}); })
      .value();
}

TEST(Audit, FindsNothingWrongWithHonestSales) {
  for (const auto mode : {ledger::PaymentMode::result_first, ledger::PaymentMode::payment_first}) {
    HonestShop shop = paid_sale(mode);
    shop.ask("And at dusk red?");
    ShopLedger ledger;
    ledger.write(shop.entries);
    ASSERT_TRUE(ledger.ledger->put_checkpoint(ledger.ledger->size(), checkpoint(shop, ledger.ledger->head())));
    const Audit found = must_audit(ledger);
    EXPECT_EQ(text_of(found), "");
    EXPECT_TRUE(found.whole);
    EXPECT_EQ(found.size, shop.entries.size());
    EXPECT_EQ(found.jobs, 2u);
    EXPECT_EQ(found.invoices, 2u);
    EXPECT_GE(found.notices, 4u);
    EXPECT_EQ(found.pruned_texts, 0u);
    EXPECT_EQ(found.checkpoints, 1u);
    EXPECT_EQ(found.checkpointed, shop.entries.size());
  }
}

// ---- the bytes ------------------------------------------------------------------------------------------------------

TEST(Audit, ADamagedEntryIsNamedAndWhatItMeansIsNotGuessed) {
  const HonestShop shop = paid_sale();
  ShopLedger ledger;
  ledger.write(shop.entries);
  ASSERT_TRUE(ledger.disk.flip_bit(ledger::Family::entries, ledger::entry_key(5), 700));
  const Audit found = must_audit(ledger);
  ASSERT_FALSE(found.findings.empty());
  EXPECT_EQ(found.findings.front().check, Check::bytes);
  EXPECT_EQ(found.findings.front().position, "entry 5");
  EXPECT_FALSE(found.whole);
}

TEST(Audit, AHeldCheckpointShowsThatTheEndWasCutOff) {
  const HonestShop shop = paid_sale();
  ShopLedger whole;
  whole.write(shop.entries);
  const std::string held = checkpoint(shop, whole.ledger->head());
  ShopLedger cut;
  cut.write({shop.entries.begin(), shop.entries.end() - 3});
  EXPECT_EQ(text_of(must_audit(cut)), "") << "the ledger alone cannot show it";
  const Audit found = must_audit(cut, held);
  ASSERT_EQ(found.findings.size(), 1u);
  EXPECT_EQ(found.findings[0].check, Check::held_checkpoint);
  EXPECT_NE(found.findings[0].what.find("cut off"), std::string::npos);
  EXPECT_EQ(text_of(must_audit(whole, held)), "");
}

TEST(Audit, AHeldCheckpointShowsThatHistoryWasRewritten) {
  HonestShop shop = paid_sale();
  ShopLedger first;
  first.write({shop.entries.begin(), shop.entries.begin() + 4});
  const std::string held = checkpoint(shop, first.ledger->head());
  shop.fact<ledger::JobRequested>().reply_relays = {"wss://another.example"};
  ShopLedger rewritten;
  rewritten.write(shop.entries);
  const Audit found = must_audit(rewritten, held);
  ASSERT_EQ(found.findings.size(), 1u) << text_of(found);
  EXPECT_EQ(found.findings[0].check, Check::held_checkpoint);
}

TEST(Audit, SomebodyElsesCheckpointIsAMistakeAndNotAFinding) {
  const HonestShop shop = paid_sale();
  ShopLedger ledger;
  ledger.write(shop.entries);
  sim::SimDisk scratch;
  EXPECT_FALSE(audit(ledger.disk, scratch, "sellcompute/00\n"));
}

// ---- views ----------------------------------------------------------------------------------------------------------

TEST(Audit, AViewRowThatTheEntriesDoNotGiveIsFound) {
  const HonestShop shop = paid_sale();
  for (const std::string view : {"jobs", "earnings"}) {
    ShopLedger ledger;
    ledger.write(shop.entries);
    std::string key, value;
    ASSERT_TRUE(ledger.disk.scan(ledger::Family::views, ledger::view_prefix(view), {}, [&](auto k, auto v) {
      key = k;
      value = v;
      return value.empty();
    }));
    ASSERT_TRUE(ledger.disk.flip_bit(ledger::Family::views, key, 0));
    const Audit altered = must_audit(ledger);
    ASSERT_EQ(altered.findings.size(), 1u) << view << text_of(altered);
    EXPECT_EQ(altered.findings[0].position, "view " + view);

    ledger::Batch batch;
    batch.erase(ledger::Family::views, key);
    ASSERT_TRUE(ledger.disk.commit(batch));
    const Audit missing = must_audit(ledger);
    ASSERT_EQ(missing.findings.size(), 1u) << view << text_of(missing);
    EXPECT_EQ(missing.findings[0].check, Check::views);
  }
}

TEST(Audit, ARollbackIsAcceptedForTheLedgerAsItStoodThen) {
  ShopLedger ledger;
  ledger.write(paid_sale().entries);
  const ledger::TreeHead head = ledger.ledger->head();
  const base::TimeMs now = ledger.ledger->last_time();
  ledger.write(now, {}, ledger::RollbackAccepted{.evidence = "a test", .size = head.size, .root = head.root});
  EXPECT_TRUE(must_audit(ledger).findings.empty());
  ledger.write(now, {}, ledger::RollbackAccepted{.evidence = "a test", .size = head.size, .root = base::sha256("no")});
  ledger.write(now, {}, ledger::RollbackAccepted{.evidence = "a test", .size = head.size + 100, .root = head.root});
  const Audit audit = must_audit(ledger);
  ASSERT_EQ(audit.findings.size(), 2u) << text_of(audit);
  EXPECT_EQ(audit.findings[0].position, "entry " + std::to_string(head.size + 1));
  EXPECT_EQ(audit.findings[1].position, "entry " + std::to_string(head.size + 2));
}

// ---- money ----------------------------------------------------------------------------------------------------------

TEST(AuditOfMoney, AQuoteAboveTheBid) {
  HonestShop shop = paid_sale();
  shop.fact<ledger::JobRequested>().bid = shop.fact<ledger::JobQuoted>().price - base::Msat{1};
  expect_first(audit_of(shop), Check::money, shop.position_of<ledger::JobQuoted>(), "above the bid");
}

TEST(AuditOfMoney, AQuoteForAnotherPromptThanTheOneThatWasGathered) {
  HonestShop shop = sale_with_inputs();
  shop.fact<ledger::InputsGathered>().input_tokens -= 1;
  expect_first(audit_of(shop), Check::money, shop.position_of<ledger::JobQuoted>(), "another number of tokens");
}

TEST(AuditOfMoney, AnInputThatWasNotGathered) {
  HonestShop shop = sale_with_inputs();
  shop.fact<ledger::JobRequested>().sources.push_back({.type = ledger::InputType::url});
  expect_first(audit_of(shop), Check::money, shop.position_of<ledger::InputsGathered>(), "not as many inputs");
}

TEST(AuditOfMoney, AnInvoiceAboveTheQuote) {
  HonestShop shop = paid_sale();
  shop.fact<ledger::JobQuoted>().price = shop.fact<ledger::InvoiceIssued>().amount - base::Msat{1};
  expect_first(audit_of(shop), Check::money, shop.position_of<ledger::InvoiceIssued>(), "above the quote");
}

TEST(AuditOfMoney, AnInvoiceWhoseTextSaysSomethingElse) {
  HonestShop amount = paid_sale();
  amount.fact<ledger::InvoiceIssued>().amount -= base::Msat{1};
  expect_first(audit_of(amount), Check::money, amount.position_of<ledger::InvoiceIssued>(), "another amount");

  HonestShop hash = paid_sale();
  hash.fact<ledger::InvoiceIssued>().payment_hash.bytes[0] ^= 1;
  expect_first(audit_of(hash), Check::money, hash.position_of<ledger::InvoiceIssued>(), "another payment hash");

  HonestShop text = paid_sale();
  text.fact<ledger::InvoiceIssued>().bolt11.back() ^= 1;
  expect_first(audit_of(text), Check::money, text.position_of<ledger::InvoiceIssued>(), "cannot be read");
}

TEST(AuditOfMoney, ASettlementOfWhatWasNeverInvoiced) {
  HonestShop shop = paid_sale();
  shop.fact<ledger::InvoiceSettled>().payment_hash.bytes[0] ^= 1;
  expect_first(audit_of(shop), Check::money, shop.position_of<ledger::InvoiceSettled>(), "never invoiced");
}

TEST(AuditOfMoney, TheSameSettlementTwice) {
  HonestShop shop = paid_sale();
  shop.entries.push_back(shop.entries[shop.position_of<ledger::InvoiceSettled>()]);
  shop.entries.back().time = shop.now;
  expect_first(audit_of(shop), Check::money, shop.entries.size() - 1, "settled before");
}

TEST(AuditOfMoney, APreimageOfSomethingElse) {
  HonestShop shop = paid_sale();
  shop.fact<ledger::InvoiceSettled>().preimage.bytes[0] ^= 1;
  expect_first(audit_of(shop), Check::money, shop.position_of<ledger::InvoiceSettled>(), "preimage");
}

TEST(AuditOfMoney, WorkBeforeThePaymentThatComesFirst) {
  HonestShop shop;
  shop.ask("Why is the sky blue?");
  shop.fact<ledger::JobQuoted>().payment_mode = ledger::PaymentMode::payment_first;
  expect_first(audit_of(shop), Check::money, shop.position_of<ledger::InferenceStarted>(), "had settled");
}

TEST(AuditOfMoney, ASecondInvoiceOfOneAttemptRevealed) {
  HonestShop shop(ledger::PaymentMode::payment_first);
  shop.ask("Why is the sky blue?");
  const auto job = shop.entries.back().job;
  ledger::InvoiceIssued second = shop.fact<ledger::InvoiceIssued>();
  second.payment_hash.bytes[0] ^= 1;
  shop.entries.push_back({.time = shop.now, .job = job, .fact = second, .texts = {}});
  shop.entries.push_back(
      {.time = shop.now, .job = job, .fact = ledger::NoticeSigned{.purpose = NoticePurpose::result}, .texts = {}});
  EXPECT_NE(text_of(audit_of(shop)).find("a second invoice of the same attempt was revealed"), std::string::npos);
}

TEST(AuditOfMoney, ASecondResult) {
  HonestShop shop = paid_sale();
  shop.entries.push_back(shop.entries[shop.position_of_notice(NoticePurpose::result)]);
  shop.entries.back().time = shop.now;
  expect_first(audit_of(shop), Check::money, shop.entries.size() - 1, "second result");
}

TEST(AuditOfMoney, WorkForAJobThatARollbackClosed) {
  HonestShop shop = paid_sale();
  const std::size_t at = shop.position_of<ledger::InferenceStarted>();
  const auto& started = shop.entries[at];
  shop.entries.insert(shop.entries.begin() + static_cast<std::ptrdiff_t>(at),
                      {.time = started.time, .job = started.job, .fact = ledger::JobClosed{.reason = "a test"}});
  expect_first(audit_of(shop), Check::money, at + 1, "a rollback had closed");
}

TEST(AuditOfMoney, ARefundOfWhatNeverArrived) {
  HonestShop shop;
  const auto id = shop.ask("Why is the sky blue?");
  const auto hash = shop.fact<ledger::InvoiceIssued>().payment_hash;
  shop.entries.push_back({.time = shop.now, .job = id, .fact = ledger::RefundOwed{.payment_hash = hash}, .texts = {}});
  expect_first(audit_of(shop), Check::money, shop.entries.size() - 1, "never settled");
}

TEST(AuditOfMoney, ARefundThatIsPaidAgainBeforeItIsKnownWhatBecameOfIt) {
  HonestShop shop = paid_sale();
  const auto job = shop.entries.back().job;
  const auto hash = shop.fact<ledger::InvoiceIssued>().payment_hash;
  const auto add = [&](ledger::Fact event) {
    shop.entries.push_back({.time = shop.now, .job = job, .fact = std::move(event), .texts = {}});
  };
  const auto& invoice = shop.fact<ledger::InvoiceIssued>();
  const ledger::RefundStarted started{.payment_hash = hash,
                                      .attempt = 1,
                                      .bolt11 = invoice.bolt11,
                                      .to = invoice.payment_hash,
                                      .amount = invoice.amount};
  add(ledger::RefundOwed{.payment_hash = hash, .amount = invoice.amount});
  add(started);
  EXPECT_EQ(audit_of(shop).findings.size(), 0u);
  add(started);
  expect_first(audit_of(shop), Check::money, shop.entries.size() - 1, "before it was known what became");
  shop.entries.pop_back();
  add(ledger::RefundPaid{.payment_hash = hash, .attempt = 1, .amount = invoice.amount});
  EXPECT_EQ(audit_of(shop).findings.size(), 0u);
  add(started);
  expect_first(audit_of(shop), Check::money, shop.entries.size() - 1, "paid back a second time");
  shop.entries.pop_back();
  add(ledger::RefundFailed{.payment_hash = hash, .attempt = 1});
  expect_first(audit_of(shop), Check::money, shop.entries.size() - 1, "not begun");
}

TEST(AuditOfMoney, OnePaymentHashForTwoJobs) {
  HonestShop shop;
  shop.ask("Why is the sky blue?");
  const auto first = shop.fact<ledger::InvoiceIssued>();
  const auto first_at = shop.position_of<ledger::InvoiceIssued>();
  shop.ask("And at dusk red?");
  for (auto& entry : shop.entries) {
    if (auto* e = std::get_if<ledger::InvoiceIssued>(&entry.fact)) *e = first;
  }
  expect_first(audit_of(shop), Check::money, first_at, "was used for job");
}

TEST(AuditOfMoney, TheFirstWrongByPositionComesFirst) {
  HonestShop shop = paid_sale();
  shop.pay(shop.ask("And at dusk red?"));
  for (auto& entry : shop.entries) {
    if (auto* e = std::get_if<ledger::InvoiceSettled>(&entry.fact)) e->preimage.bytes[0] ^= 1;
  }
  const Audit found = audit_of(shop);
  EXPECT_EQ(found.findings.size(), 2u);
  expect_first(found, Check::money, shop.position_of<ledger::InvoiceSettled>(), "preimage");
}

// ---- signatures -----------------------------------------------------------------------------------------------------

TEST(AuditOfSignatures, ANoticeThatTheProviderDidNotSign) {
  HonestShop shop = paid_sale();
  shop.fact<ledger::NoticeSigned>().signature.bytes[40] ^= 1;
  expect_first(audit_of(shop), Check::signatures, shop.position_of<ledger::NoticeSigned>(), "not the provider's");
}

TEST(AuditOfSignatures, ANoticeWhoseTextsGiveAnotherId) {
  HonestShop shop = paid_sale();
  shop.fact<ledger::NoticeSigned>().created_at_s += 1;
  expect_first(audit_of(shop), Check::signatures, shop.position_of<ledger::NoticeSigned>(), "do not give the answer");
}

TEST(AuditOfSignatures, ARequestThatIsNotTheOneTheJobIsNamedBy) {
  HonestShop shop = paid_sale();
  shop.fact<ledger::JobRequested>().customer.bytes[0] ^= 1;
  expect_first(audit_of(shop), Check::signatures, shop.position_of<ledger::JobRequested>(), "request's text");
}

// Every text of the ledger is gone; `marked` as pruned, or simply missing. Returns how many there were.
std::uint64_t take_texts(ShopLedger& ledger, bool marked) {
  ledger::Batch batch;
  std::uint64_t texts = 0;
  EXPECT_TRUE(ledger.disk.scan(ledger::Family::texts, {}, {}, [&](auto key, auto) {
    ++texts;
    if (marked) batch.put(ledger::Family::texts, std::string(key), {});
    if (!marked) batch.erase(ledger::Family::texts, std::string(key));
    return true;
  }));
  EXPECT_TRUE(ledger.disk.commit(batch));
  return texts;
}

TEST(AuditOfSignatures, PrunedTextsAreCountedAndNothingWrong) {
  const HonestShop shop = paid_sale();
  ShopLedger ledger;
  ledger.write(shop.entries);
  const std::uint64_t texts = take_texts(ledger, true);
  ledger.write(shop.now, {}, ledger::TextsPruned{.before = shop.now + 1, .texts = texts});
  const Audit found = must_audit(ledger);
  EXPECT_EQ(text_of(found), "");
  EXPECT_EQ(found.pruned_texts, texts);
}

TEST(AuditOfSignatures, MoreTextsAreGoneThanWerePruned) {
  const HonestShop shop = paid_sale();
  ShopLedger ledger;
  ledger.write(shop.entries);
  const std::uint64_t texts = take_texts(ledger, true);
  ledger.write(shop.now, {}, ledger::TextsPruned{.before = shop.now + 1, .texts = 1});
  ledger.write(shop.now, {}, ledger::TextsPruned{.before = shop.now + 1, .texts = texts - 2});
  expect_first(must_audit(ledger), Check::signatures, shop.entries.size() + 1, "the others are lost");
}

TEST(AuditOfSignatures, ATextThatIsGoneThoughNoFactSaysThatItWasPruned) {
  const HonestShop shop = paid_sale();
  ShopLedger ledger;
  ledger.write(shop.entries);
  ledger.write(shop.now, {}, ledger::TextsPruned{.before = shop.entries.front().time});
  take_texts(ledger, true);
  expect_first(must_audit(ledger), Check::signatures, shop.position_of<ledger::JobRequested>(),
               "no fact says that it was pruned");
}

TEST(AuditOfSignatures, ATextThatIsLost) {
  const HonestShop shop = paid_sale();
  ShopLedger ledger;
  ledger.write(shop.entries);
  ledger.write(shop.now, {}, ledger::TextsPruned{.before = shop.now + 1});
  take_texts(ledger, false);
  expect_first(must_audit(ledger), Check::signatures, shop.position_of<ledger::JobRequested>(), "a text is missing");
}

TEST(AuditOfSignatures, AnAlteredText) {
  const HonestShop shop = paid_sale();
  ShopLedger ledger;
  ledger.write(shop.entries);
  const auto tags = std::get<ledger::NoticeSigned>(shop.entries[shop.position_of<ledger::NoticeSigned>()].fact).tags;
  ASSERT_TRUE(ledger.disk.flip_bit(ledger::Family::texts, tags.view(), 300));
  const Audit found = must_audit(ledger);
  expect_first(found, Check::signatures, shop.position_of<ledger::NoticeSigned>(), "");
}

TEST(AuditOfSignatures, AnAlteredTextOfAnInput) {
  HonestShop shop = sale_with_inputs();
  ShopLedger ledger;
  ledger.write(shop.entries);
  EXPECT_EQ(text_of(must_audit(ledger)), "");
  const auto page = shop.fact<ledger::InputsGathered>().texts.front();
  ASSERT_TRUE(ledger.disk.flip_bit(ledger::Family::texts, page.view(), 300));
  expect_first(must_audit(ledger), Check::signatures, shop.position_of<ledger::InputsGathered>(), "");
}

TEST(AuditOfSignatures, AnAlteredAnswerThatIsNotSignedYet) {
  HonestShop shop = paid_sale();
  const base::Seq seq = shop.position_of<ledger::InferenceCompleted>();
  shop.entries.resize(seq + 1);
  ShopLedger ledger;
  ledger.write(shop.entries);
  const auto result = std::get<ledger::InferenceCompleted>(shop.entries[seq].fact).result;
  ASSERT_TRUE(ledger.disk.flip_bit(ledger::Family::texts, result.view(), 300));
  const Audit found = must_audit(ledger);
  expect_first(found, Check::signatures, seq, "");
}

}  // namespace
}  // namespace replay
