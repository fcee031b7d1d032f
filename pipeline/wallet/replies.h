// Reads the JSON of wallets; every value is checked before it is used. Include it in the wallets' .cc files only.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/wallet/links/http.h"
#include "pipeline/wallet/payer.h"

namespace wallet {

using Json = nlohmann::json;

inline constexpr std::size_t kMaxSaidBytes = 300;  // of a wallet's own words in one of our messages
inline constexpr std::size_t kMaxEvidenceBytes = 16 * 1024;
// Precedes the evidence of a settlement for which the wallet reported no amount.
inline constexpr char kUnprovenAmount[] = "amount unproven (the wallet told none, the invoice's is taken): ";

// A wallet's own words for a message: one line of at most kMaxSaidBytes, without control characters.
std::string clean_words(std::string_view said);

// What a server said, with every occurrence of each of `secrets` replaced by "(credential)". A server may repeat what
// it was sent, and its words reach the log and the ledger. Secrets of fewer than kMinHiddenBytes bytes stay: hiding
// them would change other words.
inline constexpr std::size_t kMinHiddenBytes = 6;
std::string hide_secrets(std::string said, const std::vector<std::string>& secrets);

// The errors of all wallets; `said` is the wallet's words, which are cleaned. A refusal whose words mean that we asked
// too often has the code "wallet.rate_limited".
tl::unexpected<base::Error> unauthorized(const std::string& said, std::string hint = {});
tl::unexpected<base::Error> unreachable(const std::string& why, std::string hint = {});
tl::unexpected<base::Error> refused(const std::string& said, std::string hint = {});
tl::unexpected<base::Error> malformed(const std::string& what);
// "wallet.rate_limited"; `retry_after_s` as the wallet says it, 0 where it does not.
tl::unexpected<base::Error> rate_limited(const std::string& said, std::int64_t retry_after_s = 0);
// For wallets without error codes: whether the text of a refusal means too many calls, an unknown object, or an
// unknown call.
bool means_too_often(std::string_view said);
bool means_not_found(std::string_view said);
bool means_not_implemented(std::string_view said);

// A JSON value; fails with "wallet.malformed".
base::Result<Json> parse(std::string_view text);
// The body of a reply with a status of 200 to 299; else "wallet.unauthorized" for 401 and 403, "wallet.rate_limited" for
// 429, "wallet.unreachable" for the statuses of a proxy (408, 502 to 504, 520 to 530), "wallet.refused" for the others,
// in the words of the reply. A proxy does not know what became of the call. A 520 with a JSON object is LNbits' own
// refusal.
base::Result<Json> parse(const HttpReply& reply);
// The words of an error in whatever form wallets give them, plain text too; empty for a page of HTML.
std::string said_in(std::string_view body);

// Members that may be missing, or of another type: then empty, false or nothing.
std::string text(const Json& from, const char* name);
bool flag(const Json& from, const char* name);
std::optional<std::int64_t> integer(const Json& from, const char* name);  // written as a number or as digits
std::optional<base::Hash256> hash(const Json& from, const char* name);    // 64 hexadecimal digits
const Json& member(const Json& from, const char* name);                   // null when it is missing

// Amounts, written in millisatoshi or in whole satoshi. Nothing where none is told. An amount that cannot be read, or
// that exceeds all bitcoin there will ever be, becomes slightly more than all bitcoin; a negative one becomes slightly
// less than minus all bitcoin. So sums of three amounts stay within range, and the checks that follow (is_amount)
// refuse them.
std::optional<base::Msat> msat(const Json& from, const char* name);
std::optional<base::Msat> sat(const Json& from, const char* name);
// A fee: zero where none is told; of either sign.
base::Msat fee_msat(const Json& from, const char* name);
bool is_amount(base::Msat amount);  // not negative, and not beyond all bitcoin
// A balance as it may be shown: nothing where it is no amount.
std::optional<base::Msat> balance(std::optional<base::Msat> told);

// The name of a network as wallet.network is written; some wallets call the main one "mainnet". Empty where it is none.
std::string network_named(std::string_view told);

// Moments, written in seconds or milliseconds since 1970; `otherwise` where none is told, or one beyond the year 9999.
base::TimeMs time_s(const Json& from, const char* name, base::TimeMs otherwise);
base::TimeMs time_ms(const Json& from, const char* name, base::TimeMs otherwise);

// What the wallet said, as evidence: the text itself, or a note of its size when it is too long to keep.
std::string evidence(std::string_view said);

// What a wallet tells of an invoice that it calls paid.
struct Paid {
  std::optional<base::Msat> received;  // nothing: it tells no amount
  base::Msat fee;
  base::TimeMs settled_at;
  std::uint64_t index = 0;
  base::Hash256 preimage;  // zero: it tells none
  std::string_view said;
};
// Settled as the wallet says. Where it tells no amount, the invoice's is taken, and the evidence says so. Fails with
// "wallet.preimage" when the preimage does not have the payment hash, and with "wallet.amount" when nothing was
// received or an amount is impossible (is_amount).
base::Result<LookupAnswer> settled(const ledger::InvoiceIssued& asked, const Paid& paid);
// The same for a held payment. Before a held payment is taken, some wallets report no amount, or zero: then the
// invoice's amount is used too.
base::Result<LookupAnswer> held(const ledger::InvoiceIssued& asked, std::optional<base::Msat> amount,
                                std::string_view said);
// A payment that we made. Fails with "wallet.preimage" and "wallet.amount" as settled() does.
base::Result<PaymentAnswer> made(const PaymentOrder& order, PaymentMade payment);

// What list_paid() gathers, page by page.
struct Listing {
  ListOrder order;
  std::function<void(base::Result<std::vector<PaidInvoice>>)> done;
  std::size_t seen = 0;  // entries of all pages
  bool cut = false;      // the wallet itself shows no more
  bool absurd = false;   // it lists an impossible amount, or more than all bitcoin together
  base::Msat sum = {};   // of all entries
  std::vector<PaidInvoice> paid = {};

  // Keeps a payment that settled at or after order.since. Drops one without a hash, because it cannot be compared.
  void keep(const std::optional<base::Hash256>& payment_hash, base::Msat received, base::TimeMs settled_at,
            std::string description);
  // Asks for the next page when the wallet may be asked.
  void next_page(std::function<void()> ask) const;
  // More than can be compared: no need to ask on.
  bool full() const { return cut || paid.size() > kMaxListed; }
  // Calls `done`: with "wallet.refused" when the listing is full, with "wallet.amount" when an amount is impossible.
  void end();
};

// For wallets that do not tell an open invoice from one whose time is over.
LookupAnswer unpaid(const ledger::InvoiceIssued& invoice, base::TimeMs now, std::string_view said);

std::string form_encoded(const std::vector<std::pair<std::string, std::string>>& fields);
std::string url_encoded(std::string_view text);

}  // namespace wallet
