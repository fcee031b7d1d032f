#include "pipeline/wallet/lightning_address.h"

#include <algorithm>

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

// LNURL says no with a status of 200.
Result<Json> parse_lnurl(const Result<std::string>& body) {
  if (!body) return unreachable(body.error().message);
  const auto said = parse(std::string_view(*body));
  if (said && text(*said, "status") == "ERROR") return refused(text(*said, "reason"));
  return said;
}

Result<std::string> callback_url(const Json& offer, base::Msat amount) {
  const std::string callback = text(offer, "callback");
  if (text(offer, "tag") != "payRequest" || callback.empty() || callback.size() > kMaxUrlBytes) {
    return malformed("no offer of a Lightning address");
  }
  const auto least = integer(offer, "minSendable");
  const auto most = integer(offer, "maxSendable");
  if (!least || !most || amount.value < *least || amount.value > *most) {
    return refused("it takes payments of " + std::to_string(least.value_or(0)) + " to " +
                   std::to_string(most.value_or(0)) + " msat, and this one is of " + std::to_string(amount.value));
  }
  return callback + (callback.find('?') == std::string::npos ? "?" : "&") + "amount=" + std::to_string(amount.value);
}

// The invoice must be for the offer that was made (LUD-06): its description hash is that of the metadata.
Result<MadeInvoice> read_address_invoice(const Json& said, const std::string& metadata) {
  const std::string bolt11 = text(said, "pr");
  const std::string verify = text(said, "verify");
  if (verify.empty() || verify.size() > kMaxUrlBytes) {
    return fail(ErrorKind::payment, "wallet.no_verify", "this Lightning address does not tell what was paid (LUD-21)",
                {}, "take one that does, or another wallet");
  }
  const auto invoice = decode_bolt11(bolt11);
  if (!invoice) return tl::unexpected(invoice.error());
  if (invoice->description_hash != base::sha256(metadata)) return malformed("an invoice for another offer");
  return MadeInvoice{.bolt11 = bolt11, .reference = verify};
}

Result<LookupAnswer> read_verify(const ledger::InvoiceIssued& asked, const std::string& body, base::TimeMs now) {
  const auto said = parse(std::string_view(body));
  if (!said) return tl::unexpected(said.error());
  if (text(*said, "status") == "ERROR") return Unknown{};
  const std::string invoice = text(*said, "pr");
  if (!invoice.empty() && invoice != asked.bolt11) return malformed("another invoice than was asked for");
  if (!flag(*said, "settled")) return unpaid(asked, now, body);
  return settled({.payment_hash = asked.payment_hash,
                  .received = asked.amount,  // it tells no sum: an invoice is paid whole or not at all
                  .settled_at = now,
                  .preimage = hash(*said, "preimage").value_or(base::Hash256{}),
                  .evidence = evidence(body)});
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
    const auto offer = parse_lnurl(body);
    const auto url = offer.and_then([&](const Json& said) { return callback_url(said, order.amount); });
    if (!url) return done(tl::unexpected(url.error()));
    web_.get(*url, [metadata = text(*offer, "metadata"), done](const Result<std::string>& answer) {
      done(parse_lnurl(answer).and_then([&](const Json& said) { return read_address_invoice(said, metadata); }));
    });
  });
}

void LightningAddressWallet::look_up(const ledger::InvoiceIssued& invoice,
                                     std::function<void(Result<LookupAnswer>)> done) {
  web_.get(invoice.reference, [this, invoice, done = std::move(done)](const Result<std::string>& body) {
    if (!body) return done(unreachable(body.error().message));
    done(read_verify(invoice, *body, ports_.clock()));
  });
}

void LightningAddressWallet::status(std::function<void(Result<WalletStatus>)> done) {
  web_.get(address_.url(), [this, done = std::move(done)](const Result<std::string>& body) {
    done(parse_lnurl(body).map([&](const Json&) { return WalletStatus{.name = address_.user + "@" + address_.host}; }));
  });
}

}  // namespace wallet
