#include "pipeline/wallet/sandbox_books.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/ascii.h"
#include "base/check.h"
#include "base/secret_file.h"
#include "base/utf8.h"
#include "pipeline/nostr/json.h"

namespace wallet {
namespace {

using base::ErrorKind;
using nlohmann::json;
using std::filesystem::path;

auto refuse(const char* code, std::string message, std::string context = {}, std::string hint = {}) {
  return base::fail(ErrorKind::payment, code, std::move(message), std::move(context), std::move(hint));
}

auto damaged(const path& where) {
  return refuse("sandbox.damaged", "this file of the sandbox's books is damaged", where.string(),
                "look at it, or move the folder away: it holds play money only");
}

auto no_lock(const path& folder) {
  return refuse("sandbox.lock", "could not lock the sandbox's books", folder.string());
}

// Held as long as it lives; the kernel lets go of it when the process dies.
class FolderLock {
 public:
  explicit FolderLock(const path& folder) : fd_(::open((folder / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    while (fd_ >= 0 && !held_ && ((held_ = ::flock(fd_, LOCK_EX) == 0) || errno == EINTR)) {
    }
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock() {
    if (fd_ >= 0) ::close(fd_);
  }
  bool held() const { return held_; }

 private:
  int fd_;
  bool held_ = false;
};

// Nothing if the file is missing.
Result<std::optional<std::string>> read_if_there(const path& file) {
  auto bytes = base::read_private_file(file);
  if (bytes) return std::move(*bytes);
  if (bytes.error().code == "secret_file.missing") return std::nullopt;
  return tl::unexpected(bytes.error());
}

NodeKey sandbox_node_key(const base::Secret& secret) {
  return NodeKey{base::hmac_sha256(secret.view(), "sellcompute sandbox node key 1\n").bytes};
}

Hash256 payment_secret(const base::Secret& secret, const Hash256& payment_hash) {
  return base::hmac_sha256(secret.view(), "sellcompute sandbox payment secret 1\n" + payment_hash.hex() + "\n");
}

Result<void> check_order(const InvoiceOrder& order) {
  if (order.amount.value <= 0 || order.amount.value % SandboxBooks::kUnit.value != 0) {
    return refuse("sandbox.amount", "the sandbox makes invoices for whole satoshi only");
  }
  if (order.expiry_ms <= 0) return refuse("sandbox.expiry", "an invoice's expiry must be positive");
  return {};
}

Invoice invoice_for(const InvoiceOrder& order, const base::Secret& secret, const Preimage& preimage, TimeMs now) {
  Invoice invoice;
  invoice.network = Network::regtest;
  invoice.amount = order.amount;
  invoice.timestamp_s = now.ms / 1000;
  invoice.payment_hash = base::sha256(preimage.view());
  invoice.payment_secret = payment_secret(secret, invoice.payment_hash);
  invoice.description = base::utf8_prefix(order.description, kMaxBolt11DescriptionBytes);
  invoice.expiry_s = order.expiry_ms / 1000 + (order.expiry_ms % 1000 != 0);
  invoice.min_final_cltv_expiry = kDefaultMinFinalCltvExpiry;
  invoice.features = {8, 14};  // var_onion_optin and payment_secret, as every invoice of today
  return invoice;
}

path file_of(const path& folder, const Hash256& payment_hash, const char* extension) {
  return folder / (payment_hash.hex() + extension);
}

// ---- <payment hash>.json --------------------------------------------------------------------------------------------

struct Record {
  std::string bolt11;
  Preimage preimage;
  DecodedInvoice invoice;
  bool hold = false;
};

std::string write_record(const InvoiceOrder& order, const std::string& bolt11, const Preimage& preimage) {
  const auto invoice = decode_bolt11(bolt11);
  CHECK(invoice && invoice->payment_hash == base::sha256(preimage.view()) && invoice->amount == order.amount);
  return json{{"bolt11", bolt11},         {"preimage", preimage.hex()},
              {"job", order.job.hex()},   {"purpose", ledger::name(order.purpose)},
              {"attempt", order.attempt}, {"hold", order.hold}}
             .dump(2) +
         "\n";
}

// Nothing if there is no such invoice.
Result<std::optional<Record>> read_record(const path& folder, const Hash256& payment_hash) {
  const path file = file_of(folder, payment_hash, ".json");
  const auto bytes = read_if_there(file);
  if (!bytes) return tl::unexpected(bytes.error());
  if (!*bytes) return std::nullopt;
  try {
    const json fields = json::parse(**bytes);
    const auto bolt11 = fields.at("bolt11").get<std::string>();
    const auto preimage = Preimage::from_hex(fields.at("preimage").get<std::string>());
    const auto invoice = decode_bolt11(bolt11);
    if (!preimage || base::sha256(preimage->view()) != payment_hash) return damaged(file);
    if (!invoice || invoice->payment_hash != payment_hash || !invoice->amount) return damaged(file);
    return Record{bolt11, *preimage, *invoice, fields.value("hold", false)};
  } catch (const json::exception&) {
    return damaged(file);
  }
}

// ---- <payment hash>.paid --------------------------------------------------------------------------------------------

std::string write_payment(const Record& record, TimeMs paid_at, std::uint64_t index) {
  return json{{"payment_hash", record.invoice.payment_hash.hex()},
              {"preimage", record.preimage.hex()},
              {"amount_msat", record.invoice.amount->value},
              {"paid_at_ms", paid_at.ms},
              {"index", index}}
             .dump(2) +
         "\n";
}

Result<ledger::InvoiceSettled> parse_payment(const path& file, const std::string& bytes) {
  try {
    const json fields = json::parse(bytes);
    const auto payment_hash = Hash256::from_hex(fields.at("payment_hash").get<std::string>());
    const auto preimage = Preimage::from_hex(fields.at("preimage").get<std::string>());
    const auto amount = Msat::from_digits(std::to_string(fields.at("amount_msat").get<std::int64_t>()));
    if (!payment_hash || !preimage || !amount || base::sha256(preimage->view()) != *payment_hash) return damaged(file);
    return ledger::InvoiceSettled{.payment_hash = *payment_hash,
                                  .received = *amount,
                                  .settled_at = {fields.at("paid_at_ms").get<std::int64_t>()},
                                  .index = fields.at("index").get<std::uint64_t>(),
                                  .preimage = *preimage,
                                  .evidence = bytes};
  } catch (const json::exception&) {
    return damaged(file);
  }
}

Result<std::vector<path>> payments(const path& folder) {
  std::vector<path> out;
  std::error_code error;
  for (std::filesystem::directory_iterator i(folder, error); !error && i != end(i); i.increment(error)) {
    if (i->path().extension() == ".paid") out.push_back(i->path());
  }
  // Without a folder nothing was paid.
  if (!error || error == std::errc::no_such_file_or_directory) return out;
  return base::fail(base::ErrorKind::config, "sandbox.unreadable",
                    "the sandbox's books cannot be read: " + error.message(), folder.string(),
                    "run this as the user whose folder it is");
}

// ---- what became of an invoice --------------------------------------------------------------------------------------

// What a file of this invoice says, if it is there.
Result<std::optional<std::string>> read_word(const path& folder, const Record& record, const char* extension) {
  return read_if_there(file_of(folder, record.invoice.payment_hash, extension));
}

// InvoiceSettled, GivenBack or Expired, which never change, Held, which will, or nothing yet.
Result<std::optional<LookupAnswer>> read_outcome(const path& folder, const Record& record) {
  const path paid_file = file_of(folder, record.invoice.payment_hash, ".paid");
  const auto paid = read_if_there(paid_file);
  if (!paid) return tl::unexpected(paid.error());
  if (*paid) {
    const auto settled = parse_payment(paid_file, **paid);
    if (!settled) return tl::unexpected(settled.error());
    const bool ours =
        settled->payment_hash == record.invoice.payment_hash && settled->received == record.invoice.amount;
    if (!ours) return damaged(paid_file);
    return *settled;
  }
  const auto given_back = read_word(folder, record, ".given_back");
  if (!given_back) return tl::unexpected(given_back.error());
  if (*given_back) return GivenBack{**given_back};
  const auto held = read_word(folder, record, ".held");
  if (!held) return tl::unexpected(held.error());
  if (*held) return Held{*record.invoice.amount, **held};
  const auto expired = read_word(folder, record, ".expired");
  if (!expired) return tl::unexpected(expired.error());
  if (*expired) return Expired{**expired};
  return std::nullopt;
}

Result<void> write_word(const path& folder, const Record& record, const char* extension, const char* what, TimeMs now) {
  return base::create_private_file(
      file_of(folder, record.invoice.payment_hash, extension),
      json{{"payment_hash", record.invoice.payment_hash.hex()}, {what, now.ms}}.dump(2) + "\n");
}

Result<void> write_paid(const path& folder, const Record& record, TimeMs now) {
  const auto before = payments(folder);
  if (!before) return tl::unexpected(before.error());
  return base::create_private_file(file_of(folder, record.invoice.payment_hash, ".paid"),
                                   write_payment(record, now, before->size() + 1));
}

// Once it is told that an invoice expired, it stays expired: the answer is written down before it is given.
Result<LookupAnswer> expire(const path& folder, const Record& record, TimeMs now) {
  const FolderLock lock(folder);
  if (!lock.held()) return no_lock(folder);
  const auto outcome = read_outcome(folder, record);
  if (!outcome) return tl::unexpected(outcome.error());
  if (*outcome) return **outcome;
  const std::string evidence = json{{"payment_hash", record.invoice.payment_hash.hex()},
                                    {"expired_at_ms", record.invoice.expires_at().ms},
                                    {"asked_at_ms", now.ms}}
                                   .dump(2) +
                               "\n";
  const auto written = base::create_private_file(file_of(folder, record.invoice.payment_hash, ".expired"), evidence);
  if (!written) return tl::unexpected(written.error());
  return Expired{evidence};
}

Result<void> settle(const path& folder, const Record& record, TimeMs now) {
  const FolderLock lock(folder);
  if (!lock.held()) return no_lock(folder);
  const auto outcome = read_outcome(folder, record);
  if (!outcome) return tl::unexpected(outcome.error());
  const bool paid = *outcome && (std::holds_alternative<ledger::InvoiceSettled>(**outcome) ||
                                 std::holds_alternative<Held>(**outcome));
  if (paid) return refuse("sandbox.already_paid", "this invoice is paid already", {}, "nothing is left to pay");
  if (*outcome || now >= record.invoice.expires_at())
    return refuse("sandbox.expired", "this invoice has expired", {}, "ask the seller for a new one");
  return record.hold ? write_word(folder, record, ".held", "held_at_ms", now) : write_paid(folder, record, now);
}

// What becomes of a payment that waits. Done before: nothing to do.
Result<void> resolve_hold(const path& folder, const Hash256& payment_hash, bool take, TimeMs now) {
  const auto record = read_record(folder, payment_hash);
  if (!record) return tl::unexpected(record.error());
  const FolderLock lock(folder);
  if (!lock.held()) return no_lock(folder);
  if (!*record) return refuse("sandbox.not_held", "the sandbox never made this invoice");
  const auto outcome = read_outcome(folder, **record);
  if (!outcome) return tl::unexpected(outcome.error());
  const bool held = *outcome && std::holds_alternative<Held>(**outcome);
  const bool taken = *outcome && std::holds_alternative<ledger::InvoiceSettled>(**outcome);
  if (take) {
    if (taken) return {};
    return held ? write_paid(folder, **record, now) : refuse("sandbox.not_held", "no payment waits in this invoice");
  }
  if (taken) return refuse("sandbox.not_held", "this payment was taken");
  if (*outcome && !held) return {};  // it can be paid no more
  return write_word(folder, **record, ".given_back", "given_back_at_ms", now);
}

// The invoice of this folder that the text stands for.
Result<Record> find(const path& folder, std::string_view bolt11) {
  const auto asked = decode_bolt11(bolt11);
  if (!asked) return tl::unexpected(asked.error());
  if (asked->network != Network::regtest) {
    return refuse(
        "sandbox.wrong_network",
        "the sandbox settles its own regtest invoices only; this one is for " + std::string(name(asked->network)), {},
        "pay it with a real wallet");
  }
  auto record = read_record(folder, asked->payment_hash);
  if (!record) return tl::unexpected(record.error());
  if (!*record) {
    return refuse("sandbox.unknown_invoice", "the sandbox never made this invoice", folder.string(),
                  "check that this is the folder of the seller who made it");
  }
  if (asked->amount != (*record)->invoice.amount) {
    return refuse("sandbox.wrong_amount", "this text asks for another amount than the sandbox's invoice");
  }
  if (base::lower(bolt11) != (*record)->bolt11) {
    return refuse("sandbox.another_invoice",
                  "this text has the payment hash of an invoice of the sandbox, but is another");
  }
  return std::move(**record);
}

}  // namespace

Result<void> SandboxBooks::prepare() const {
  return base::create_private_folder(folder_);
}

Result<std::string> SandboxBooks::create(const InvoiceOrder& order, const base::Secret& secret, TimeMs now) const {
  if (const auto good = check_order(order); !good) return tl::unexpected(good.error());
  const Preimage preimage = derive_preimage(secret.view(), kKind, order);
  const Invoice invoice = invoice_for(order, secret, preimage, now);

  const auto made_before = read_record(folder_, invoice.payment_hash);
  if (!made_before) return tl::unexpected(made_before.error());
  if (*made_before) return (*made_before)->bolt11;

  const auto bolt11 = encode_bolt11(invoice, sandbox_node_key(secret));
  if (!bolt11) return bolt11;
  const auto written = base::create_private_file(file_of(folder_, invoice.payment_hash, ".json"),
                                                 write_record(order, *bolt11, preimage));
  if (!written && written.error().code != "secret_file.exists") return tl::unexpected(written.error());
  if (!written) return create(order, secret, now);  // another process was faster: its text counts
  return bolt11;
}

Result<LookupAnswer> SandboxBooks::look_up(const Hash256& payment_hash, TimeMs now) const {
  const auto record = read_record(folder_, payment_hash);
  if (!record) return tl::unexpected(record.error());
  if (!*record) return Unknown{};
  const auto outcome = read_outcome(folder_, **record);
  if (!outcome) return tl::unexpected(outcome.error());
  if (*outcome) return **outcome;
  if (now < (*record)->invoice.expires_at()) return Open{};
  return expire(folder_, **record, now);
}

Result<Preimage> SandboxBooks::pay(std::string_view bolt11, TimeMs now) const {
  const auto record = find(folder_, bolt11);
  if (!record) return tl::unexpected(record.error());
  return settle(folder_, *record, now).map([&] { return record->hold ? Preimage{} : record->preimage; });
}

Result<void> SandboxBooks::take(const InvoiceOrder& order, const base::Secret& secret, TimeMs now) const {
  const Preimage preimage = derive_preimage(secret.view(), kKind, order);
  return resolve_hold(folder_, base::sha256(preimage.view()), true, now);
}

Result<void> SandboxBooks::give_back(const InvoiceOrder& order, const base::Secret& secret, TimeMs now) const {
  const Preimage preimage = derive_preimage(secret.view(), kKind, order);
  return resolve_hold(folder_, base::sha256(preimage.view()), false, now);
}

Result<Preimage> SandboxBooks::pay_out(std::string_view bolt11, TimeMs now) const {
  const auto record = find(folder_, bolt11);
  if (!record) return tl::unexpected(record.error());
  const auto outcome = read_outcome(folder_, *record);
  if (!outcome) return tl::unexpected(outcome.error());
  if (*outcome) return refuse("sandbox.already_paid", "this invoice is paid already, or has expired");
  const path note = file_of(folder_, record->invoice.payment_hash, ".sent");
  const auto noted = base::create_private_file(note, json{{"sent_at_ms", now.ms}}.dump() + "\n");
  if (!noted && noted.error().code != "secret_file.exists") return tl::unexpected(noted.error());
  return pay(bolt11, now);
}

Result<std::vector<PaidInvoice>> SandboxBooks::list_paid(TimeMs since) const {
  std::vector<PaidInvoice> out;
  const auto files = payments(folder_);
  if (!files) return tl::unexpected(files.error());
  for (const path& file : *files) {
    const auto bytes = base::read_private_file(file);
    if (!bytes) return tl::unexpected(bytes.error());
    const auto settled = parse_payment(file, *bytes);
    if (!settled) return tl::unexpected(settled.error());
    const auto record = read_record(folder_, settled->payment_hash);
    if (!record) return tl::unexpected(record.error());
    if (!*record) return damaged(file);
    if (settled->settled_at < since || out.size() >= kMaxListed) continue;
    out.push_back(
        {settled->payment_hash, settled->received, settled->settled_at, (*record)->invoice.description.value_or("")});
  }
  return out;
}

Result<Msat> SandboxBooks::balance() const {
  Msat sum;
  const auto files = payments(folder_);
  if (!files) return tl::unexpected(files.error());
  for (const path& file : *files) {
    const auto bytes = base::read_private_file(file);
    if (!bytes) return tl::unexpected(bytes.error());
    const auto settled = parse_payment(file, *bytes);
    if (!settled) return tl::unexpected(settled.error());
    if (settled->received.value > Msat::kMax - sum.value) return damaged(file);
    const bool sent = !base::is_absent(path(file).replace_extension(".sent"));
    sent ? sum -= settled->received : sum += settled->received;
  }
  return sum;
}

}  // namespace wallet
