// Reading what wallets say: JSON of which nothing is believed before it was looked at. For the wallets' own .cc files.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "pipeline/wallet/links/http.h"
#include "pipeline/wallet/payer.h"

namespace wallet {

using Json = nlohmann::json;

inline constexpr std::size_t kMaxSaidBytes = 300;  // of a wallet's own words in one of our messages
inline constexpr std::size_t kMaxEvidenceBytes = 16 * 1024;

// The errors of all wallets; `said` is the wallet's word, cut and cleaned.
tl::unexpected<base::Error> unreachable(const std::string& why, std::string hint = {});
tl::unexpected<base::Error> refused(const std::string& said, std::string hint = {});
tl::unexpected<base::Error> malformed(const std::string& what);

// A JSON value; fails with "wallet.malformed".
base::Result<Json> parse(std::string_view text);
// The body of a reply with a status of 200 to 299; else "wallet.unauthorized" for 401 and 403, "wallet.unreachable" for
// 502 to 504 (whoever says that does not know what became of the call), "wallet.refused" for the others, in the words
// of the reply.
base::Result<Json> parse(const HttpReply& reply);
// The words of an error in whatever form wallets give them.
std::string said_in(std::string_view body);

// Members that may be missing, or of another type: then empty, false or nothing.
std::string text(const Json& from, const char* name);
bool flag(const Json& from, const char* name);
std::optional<std::int64_t> integer(const Json& from, const char* name);  // written as a number or as digits
std::optional<base::Hash256> hash(const Json& from, const char* name);    // 64 hexadecimal digits
const Json& member(const Json& from, const char* name);                   // null when it is missing

// What the wallet said, as evidence: the text itself, or a note of its size when it is too long to keep.
std::string evidence(std::string_view said);

// Settled as the wallet says, once its preimage, where it gives one, is the one of the hash: else "wallet.preimage".
base::Result<LookupAnswer> settled(ledger::InvoiceSettled settlement);
// Paid as the wallet says, under the same condition.
base::Result<PaymentAnswer> made(const PaymentOrder& order, PaymentMade payment);

// What list_paid() gathers, page by page.
struct Listing {
  base::TimeMs since;
  std::function<void(base::Result<std::vector<PaidInvoice>>)> done;
  std::size_t seen = 0;  // entries of all pages
  bool cut = false;      // the wallet itself shows no more
  std::vector<PaidInvoice> paid = {};

  // Keeps what was paid since then; without a hash it is nothing that we can compare.
  void keep(const std::optional<base::Hash256>& payment_hash, base::Msat received, base::TimeMs settled_at,
            std::string description);
  // More than can be compared: no need to ask on.
  bool full() const { return cut || paid.size() > kMaxListed; }
  // Fails with "wallet.refused" when it is full.
  void end();
};

// For wallets that do not tell an open invoice from one whose time is over.
LookupAnswer unpaid(const ledger::InvoiceIssued& invoice, base::TimeMs now, std::string_view said);

std::string form_encoded(const std::vector<std::pair<std::string, std::string>>& fields);
std::string url_encoded(std::string_view text);

}  // namespace wallet
