#include "pipeline/wallet/lightning_address.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "pipeline/net/url_guard.h"
#include "pipeline/wallet/bolt11.h"
#include "pipeline/wallet/replies.h"

namespace wallet {

using base::ErrorKind;
using base::fail;
using base::Result;

namespace {

constexpr std::size_t kMaxUrlBytes = 2 * 1024;

bool is_loopback_host(std::string_view host) {
  return host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]");
}

// An answer that has the member `awaited`. LNURL says no with a status of 200, or with another and the same words; any
// other JSON is of somebody else, and says nothing about an invoice.
Result<Json> parse_lnurl(const Result<std::string>& body, const char* awaited) {
  if (!body && body.error().code == "web.too_many_requests") {
    auto limited = rate_limited(body.error().message);
    limited.value().context = body.error().context;
    return limited;
  }
  if (!body) return unreachable(body.error().message);
  const auto said = parse(std::string_view(*body));
  if (!said) return said;
  if (base::lower(text(*said, "status")) == "error") return refused(text(*said, "reason"));
  if (!member(*said, awaited).is_null()) return said;
  const std::string words = said_in(*body);
  return malformed(words.empty() ? std::string("no \"") + awaited + "\" in it" : "it says: " + words);
}

std::string in_msat(const std::optional<base::Msat>& amount) {
  return amount ? std::to_string(amount->value) : "?";
}

Result<std::string> callback_url(const Json& offer, base::Msat amount) {
  const std::string callback = text(offer, "callback");
  if (text(offer, "tag") != "payRequest" || callback.empty() || callback.size() > kMaxUrlBytes) {
    return malformed("no offer of a Lightning address");
  }
  const auto least = msat(offer, "minSendable");  // some write decimals
  const auto most = msat(offer, "maxSendable");
  if (!least || !most || amount < *least || amount > *most) {
    return refused("it takes payments of " + in_msat(least) + " to " + in_msat(most) + " msat, and this one is of " +
                   std::to_string(amount.value));
  }
  return callback + (callback.find('?') == std::string::npos ? "?" : "&") + "amount=" + std::to_string(amount.value);
}

Result<MadeInvoice> read_address_invoice(const Json& said) {
  const std::string bolt11 = text(said, "pr");
  const std::string verify = text(said, "verify");
  if (verify.empty() || verify.size() > kMaxUrlBytes) {
    return fail(ErrorKind::payment, "wallet.no_verify", "this Lightning address does not tell what was paid (LUD-21)",
                {}, "take one that does, or another wallet");
  }
  return MadeInvoice{.bolt11 = bolt11, .reference = verify};
}

// Whether the invoice is for the offer that was made (LUD-06). That check is for strangers who pay.
bool is_for(const std::string& metadata, const std::string& bolt11) {
  const auto invoice = decode_bolt11(bolt11);
  return !invoice || invoice->description_hash == base::sha256(metadata);
}

// Texts of one invoice may differ in their case.
bool names_another(const std::string& bolt11, const base::Hash256& payment_hash) {
  const auto invoice = decode_bolt11(bolt11);
  return invoice && invoice->payment_hash != payment_hash;
}

Result<LookupAnswer> read_verify(const ledger::InvoiceIssued& asked, const Result<std::string>& body,
                                 base::TimeMs now) {
  const auto said = parse_lnurl(body, "settled");
  if (!said && said.error().code == "wallet.refused" && means_not_found(said.error().message)) return Unknown{};
  if (!said) return tl::unexpected(said.error());
  if (names_another(text(*said, "pr"), asked.payment_hash)) return malformed("another invoice than was asked for");
  if (!member(*said, "settled").is_boolean()) return malformed("\"settled\" is neither true nor false");
  if (!flag(*said, "settled")) return unpaid(asked, now, *body);
  return settled(asked, {.received = {},  // it tells no sum: an invoice is paid whole or not at all
                         .settled_at = now,
                         .preimage = hash(*said, "preimage").value_or(base::Hash256{}),
                         .said = *body});
}

}  // namespace

Result<LightningAddress> LightningAddress::parse(std::string_view text) {
  const auto at = text.find('@');
  LightningAddress out{std::string(text.substr(0, at)),
                       at == std::string_view::npos ? "" : std::string(text.substr(at + 1))};
  const bool named = !out.user.empty() && std::ranges::all_of(out.user, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '+';
  });
  const bool hosted = out.host.find_first_of("/?#") == std::string::npos && net::parse_url(out.url(), "http");
  if (named && hosted) return out;
  return fail(ErrorKind::config, "wallet.address",
              "\"" + std::string(text.substr(0, 200)) + "\" is no Lightning address", {},
              "it looks like satoshi@example.com");
}

std::string LightningAddress::url() const {
  return (is_loopback_host(host) ? "http://" : "https://") + host + "/.well-known/lnurlp/" + user;
}

void LightningAddressWallet::create_invoice(const InvoiceOrder& order, std::function<void(Result<MadeInvoice>)> done) {
  web_.get(address_.url(), [this, order, done = std::move(done)](const Result<std::string>& body) {
    const auto offer = parse_lnurl(body, "callback");
    const auto url = offer.and_then([&](const Json& said) { return callback_url(said, order.amount); });
    if (!url) return done(tl::unexpected(url.error()));
    web_.get(*url, [this, metadata = text(*offer, "metadata"), done](const Result<std::string>& answer) {
      const auto made = parse_lnurl(answer, "pr").and_then(read_address_invoice);
      if (made && !is_for(metadata, made->bolt11)) warn_of_description();
      done(made);
    });
  });
}

void LightningAddressWallet::look_up(const ledger::InvoiceIssued& invoice,
                                     std::function<void(Result<LookupAnswer>)> done) {
  web_.get(invoice.reference, [this, invoice, done = std::move(done)](const Result<std::string>& body) {
    done(read_verify(invoice, body, ports_.clock()));
  });
}

void LightningAddressWallet::warn_of_description() {
  if (std::exchange(warned_, true)) return;
  ports_.warn("invoices of " + account() +
              " do not carry the hash of the address's metadata (LUD-06): some customers' wallets may refuse to pay "
              "them; the address's provider can mend that");
}

void LightningAddressWallet::status(std::function<void(Result<WalletStatus>)> done) {
  web_.get(address_.url(), [this, done = std::move(done)](const Result<std::string>& body) {
    done(parse_lnurl(body, "callback").map([this](const Json& offer) {
      const auto least = balance(msat(offer, "minSendable"));
      if (least) minimum_ = std::max(unit(), least->rounded_up_to(unit()));
      return WalletStatus{.name = account()};
    }));
  });
}

}  // namespace wallet
