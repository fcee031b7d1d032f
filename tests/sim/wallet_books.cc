#include "tests/sim/wallet_books.h"

#include <stdexcept>

#include "pipeline/wallet/bolt11.h"

namespace sim {

using base::Msat;
using base::TimeMs;

namespace {

std::string label_of(const wallet::InvoiceOrder& order) {
  return order.job.hex() + " " + std::to_string(order.attempt);
}

}  // namespace

base::Hash256 WalletBooks::preimage_of(const wallet::InvoiceOrder& order) {
  return base::sha256(label_of(order));
}

std::string WalletBooks::create(const wallet::InvoiceOrder& order, TimeMs now) {
  const std::string label = label_of(order);
  // What is held is named by our preimage, whatever else the wallet can.
  if (identity == WalletIdentity::none && !order.hold)
    return make(label + " " + std::to_string(++created_), order, now);
  const auto known = by_label_.find(label);
  if (known != by_label_.end()) return invoices_.at(known->second).bolt11;
  const std::string bolt11 = make(label, order, now);
  by_label_[label] = by_bolt11_.at(bolt11);
  return bolt11;
}

std::string WalletBooks::create_wrong(const wallet::InvoiceOrder& order, TimeMs now) {
  wallet::InvoiceOrder wrong = order;
  wrong.amount += Msat{1'000};
  return make("wrong " + std::to_string(++created_), wrong, now);
}

std::string WalletBooks::make(const std::string& secret, const wallet::InvoiceOrder& order, TimeMs now) {
  static const wallet::NodeKey kNodeKey = {base::sha256("the simulated wallet's node").bytes};
  const auto preimage = base::sha256(secret);
  const auto hash = base::sha256(preimage.view());
  const wallet::Invoice invoice{.network = wallet::Network::regtest,
                                .amount = order.amount,
                                .timestamp_s = now.ms / 1000,
                                .payment_hash = hash,
                                .payment_secret = base::sha256(hash.view()),
                                .description = order.description,
                                .expiry_s = order.expiry_ms / 1000,
                                .features = {8, 14}};
  auto text = wallet::encode_bolt11(invoice, kNodeKey);
  if (!text) throw std::logic_error(text.error().describe());
  invoices_[hash] = {.bolt11 = *text,
                     .payment_hash = hash,
                     .amount = order.amount,
                     .expires_at = invoice.expires_at(),
                     .hold = order.hold};
  by_bolt11_[*text] = hash;
  return *text;
}

const WalletBooks::Invoice* WalletBooks::find(const std::string& bolt11) const {
  const auto known = by_bolt11_.find(bolt11);
  return known == by_bolt11_.end() ? nullptr : &invoices_.at(known->second);
}

bool WalletBooks::pay(const std::string& bolt11, Msat amount, TimeMs now, TimeMs settles_at) {
  const auto known = by_bolt11_.find(bolt11);
  if (known == by_bolt11_.end()) return false;
  Invoice& invoice = invoices_.at(known->second);
  if (invoice.settles_at || invoice.given_back || invoice.expires_at <= now) return false;
  invoice.settles_at = settles_at;
  invoice.paid = amount;
  return true;
}

// Whatever identity the wallet has: what is held is named by our preimage.
WalletBooks::Invoice* WalletBooks::find_held(const wallet::InvoiceOrder& order) {
  const auto known = by_label_.find(label_of(order));
  return known == by_label_.end() ? nullptr : &invoices_.at(known->second);
}

void WalletBooks::take(const wallet::InvoiceOrder& order, TimeMs now) {
  Invoice* invoice = find_held(order);
  const bool waits = invoice && invoice->settles_at && *invoice->settles_at <= now && !invoice->given_back;
  if (waits && !invoice->taken_at) invoice->taken_at = now;
}

void WalletBooks::give_back(const wallet::InvoiceOrder& order) {
  Invoice* invoice = find_held(order);
  if (invoice && !invoice->taken_at) invoice->given_back = true;
}

void WalletBooks::give_back(const std::string& bolt11) {
  Invoice& invoice = invoices_.at(by_bolt11_.at(bolt11));
  if (!invoice.taken_at) invoice.given_back = true;
}

wallet::LookupAnswer WalletBooks::look_up(const base::Hash256& payment_hash, TimeMs now) const {
  const auto known = invoices_.find(payment_hash);
  if (known == invoices_.end()) return wallet::Unknown{};
  const Invoice& invoice = known->second;
  if (now < invoice.forgotten_until) return wallet::Unknown{};
  if (invoice.given_back) return wallet::GivenBack{.evidence = "given back"};
  if (invoice.settles_at) {
    if (*invoice.settles_at > now) return wallet::Open{};
    if (invoice.hold && !invoice.taken_at) return wallet::Held{.amount = invoice.paid, .evidence = "held"};
    return ledger::InvoiceSettled{
        .payment_hash = payment_hash, .received = invoice.paid, .settled_at = *invoice.settles_at, .evidence = "paid"};
  }
  if (invoice.expires_at <= now) return wallet::Expired{.evidence = "expired"};
  return wallet::Open{};
}

// What is held, or on its way, no wallet forgets.
bool WalletBooks::may_be_forgotten(const base::Hash256& payment_hash, TimeMs now) const {
  const auto known = invoices_.find(payment_hash);
  if (known == invoices_.end() || known->second.forgotten_until != TimeMs{} || known->second.hold) return false;
  const Invoice& invoice = known->second;
  return invoice.settles_at ? *invoice.settles_at <= now : invoice.expires_at <= now;
}

void WalletBooks::forget(const base::Hash256& payment_hash, TimeMs until) {
  invoices_.at(payment_hash).forgotten_until = until;
}

std::vector<wallet::PaidInvoice> WalletBooks::list_paid(TimeMs now) const {
  std::vector<wallet::PaidInvoice> out;
  for (const auto& [hash, invoice] : invoices_) {
    const std::optional<TimeMs> paid_at = invoice.hold ? invoice.taken_at : invoice.settles_at;
    if (!paid_at || *paid_at > now || now < invoice.forgotten_until) continue;
    out.push_back({.payment_hash = hash, .received = invoice.paid, .settled_at = *paid_at});
  }
  return out;
}

Msat WalletBooks::received() const {
  Msat sum;
  for (const auto& [hash, invoice] : invoices_) {
    if (invoice.hold ? invoice.taken_at : invoice.settles_at) sum += invoice.paid;
  }
  return sum;
}

// ---- paying back ----------------------------------------------------------------------------------------------------

std::string PurseBooks::invoice(Msat amount, TimeMs now, std::int64_t expiry_ms) {
  static const wallet::NodeKey kNodeKey = {base::sha256("the customers' node").bytes};
  const auto preimage = base::sha256("customer " + std::to_string(preimages_.size()));
  const auto hash = base::sha256(preimage.view());
  preimages_[hash] = preimage;
  const wallet::Invoice invoice{.network = wallet::Network::regtest,
                                .amount = amount,
                                .timestamp_s = now.ms / 1000,
                                .payment_hash = hash,
                                .payment_secret = base::sha256(hash.view()),
                                .description = "back to me",
                                .expiry_s = expiry_ms / 1000,
                                .features = {8, 14}};
  return wallet::encode_bolt11(invoice, kNodeKey).value();
}

void PurseBooks::pay(const wallet::PaymentOrder& order, Payment payment, TimeMs now) {
  const auto known = payments_.find(order.payment_hash);
  const bool failed = known != payments_.end() && known->second.end == End::failed && known->second.ends_at <= now;
  if (known == payments_.end() || failed) payments_[order.payment_hash] = payment;
}

wallet::PaymentAnswer PurseBooks::look_up(const base::Hash256& payment_hash, TimeMs now) const {
  const auto known = payments_.find(payment_hash);
  if (known == payments_.end()) return wallet::Unknown{};
  const Payment& payment = known->second;
  if (payment.ends_at > now) return wallet::PaymentUnderWay{};
  if (payment.end == End::failed) return wallet::PaymentFailed{"no route"};
  return wallet::PaymentMade{.paid_at = payment.ends_at, .preimage = preimages_.at(payment_hash), .evidence = "paid"};
}

Msat PurseBooks::paid() const {
  Msat sum;
  for (const auto& [hash, payment] : payments_) {
    if (payment.end == End::paid) sum += payment.amount;
  }
  return sum;
}

}  // namespace sim
