#include "cmd/customer/request_screen.h"

#include <algorithm>
#include <ostream>
#include <span>
#include <utility>

#include "cmd/text/humanize.h"
#include "pipeline/nostr/nip19.h"

namespace cmd {
namespace {

constexpr std::size_t kMaxSellersShown = 20;  // to people
constexpr std::size_t kMaxModelsShown = 3;    // of each
constexpr int kRoomForKeys = 140;             // columns of a terminal that has room for keys beside all else
constexpr int kTimeWidth = 9;

template <class T>
std::span<const T> first(const std::vector<T>& all, std::size_t most) {
  return std::span(all).first(std::min(all.size(), most));
}

nlohmann::ordered_json fields(const nostr::Answer& answer, const std::string& relay) {
  nlohmann::ordered_json out{
      {"provider", answer.provider.hex()}, {"relay", relay}, {"status", answer.status}, {"text", answer.text}};
  if (answer.amount) out["amount_msat"] = answer.amount->value;
  if (!answer.bolt11.empty()) out["bolt11"] = answer.bolt11;
  if (answer.is_result || answer.known == nostr::Status::partial) out["content"] = answer.content;
  return out;
}

std::vector<Cell> row(const Seller& seller) {
  std::string models;
  for (const auto& model : first(seller.announcement.models, kMaxModelsShown)) {
    models += (models.empty() ? "" : ", ") + model.name;
  }
  if (seller.announcement.models.size() > kMaxModelsShown) models += ", …";
  return {seller.announcement.profile.name,
          models.empty() ? Cell::nothing() : Cell(models),
          seller.price ? Cell("~" + sats(*seller.price)) : Cell::nothing(),
          seller.alive ? Cell("yes") : Cell::nothing(),
          seller.suits ? Cell("yes") : Cell::nothing(),
          nostr::encode_npub(seller.announcement.provider)};
}

nlohmann::ordered_json fields(const Seller& seller) {
  nlohmann::ordered_json models = nlohmann::ordered_json::array();
  for (const auto& model : seller.announcement.models) models.push_back(model.name);
  nlohmann::ordered_json out{{"provider", seller.announcement.provider.hex()},
                             {"npub", nostr::encode_npub(seller.announcement.provider)},
                             {"name", seller.announcement.profile.name},
                             {"models", std::move(models)},
                             {"alive", seller.alive},
                             {"suits", seller.suits}};
  if (seller.price) out["price_msat"] = seller.price->value;
  return out;
}

}  // namespace

void RequestScreen::asked(const nostr::Event& request) {
  if (json_) return object("request", {{"id", request.id.hex()}, {"customer", request.pubkey.hex()}});
  line("asked as " + short_npub(nostr::encode_npub(request.pubkey)) + ", request " + short_id(request.id.hex()));
}

void RequestScreen::sellers(const std::vector<Seller>& sellers) {
  if (json_) {
    for (const Seller& seller : sellers) object("seller", fields(seller));
    return;
  }
  if (context_.verbosity == Verbosity::quiet) return;
  Table table({{"SELLER", "", Align::left, Fit::cut},
               {"MODELS", "", Align::left, Fit::cut},
               {"PRICE", "", Align::right},
               {"ALIVE", ""},
               {"SUITS", ""},
               {"NPUB", "", Align::left, Fit::whole}});
  Table keys({{"SELLER", "", Align::left, Fit::cut}, {"NPUB", "", Align::left, Fit::whole}});
  const bool keys_apart = context_.error_terminal.width < kRoomForKeys;
  for (const Seller& seller : first(sellers, kMaxSellersShown)) {
    auto cells = row(seller);
    if (keys_apart) keys.add({cells.front(), std::exchange(cells.back(), "")});
    table.add(std::move(cells));
  }
  if (!table.empty()) table.print(context_.err, Format::people, context_.error_terminal);
  if (!keys.empty()) keys.print(context_.err << '\n', Format::people, context_.error_terminal);
  if (sellers.size() > kMaxSellersShown) line("and " + std::to_string(sellers.size() - kMaxSellersShown) + " more");
}

void RequestScreen::published(const ledger::RelayAnswer& answer) {
  relay_said(answer, "published", "it");
}

void RequestScreen::cancelling(const nostr::EventId& request) {
  if (json_) return object("cancelling", {{"id", request.hex()}});
  wait_.clear();
  awaited_ = "the provider's last word";
  show(growing_.interrupt());
  line("taking request " + short_id(request.hex()) + " back");
}

void RequestScreen::cancelled(const ledger::RelayAnswer& answer) {
  relay_said(answer, "cancelled", "the cancellation");
}

void RequestScreen::status(const nostr::Answer& answer, const std::string& relay) {
  if (answer.known == nostr::Status::processing) awaited_ = "the result";
  if (answer.known == nostr::Status::payment_required && !answer.is_result) awaited_ = "the payment, then the result";
  if (json_) return object("status", fields(answer, relay));
  const Colour colour = answer.known == nostr::Status::error ? Colour::red : Colour::bold;
  const std::string status = printable(answer.status);
  line(short_npub(nostr::encode_npub(answer.provider)) + "  " + status +
           (answer.amount ? ", " + sats(*answer.amount) : "") +
           (answer.text.empty() ? "" : ": " + printable(answer.text)),
       status, colour);
}

void RequestScreen::partial(const nostr::Answer& answer, const std::string& relay) {
  if (json_) return object("status", fields(answer, relay));
  show(growing_.part(answer));
}

void RequestScreen::result(const nostr::Answer& answer, const std::string& relay) {
  if (json_) return object("result", fields(answer, relay));
  show(growing_.result(answer));
  status(answer, relay);
}

// A file or a program gets the bytes as they are.
void RequestScreen::show(const std::string& text) {
  wait_.clear();
  context_.out << (context_.terminal.is_terminal ? shown_.add(printable_lines(text)) : text) << std::flush;
}

void RequestScreen::still_waiting() {
  if (!json_ && !growing_.is_open()) wait_.show(awaited_);
}

void RequestScreen::end() {
  show(growing_.interrupt());
}

void RequestScreen::note(const std::string& text) {
  if (!json_) line(text);
}

void RequestScreen::invoice(const nostr::Answer& answer) {
  if (json_ || answer.bolt11.empty()) return;  // programs have it from the answer
  wait_.clear();
  const bool play_money = answer.bolt11.starts_with("lnbcrt");
  context_.err << "\ninvoice" << (answer.amount ? " over " + sats(*answer.amount) : "") << ":\n"
               << printable(answer.bolt11) << '\n'
               << paragraph(play_money ? "pay it with `sellcompute wallet pay INVOICE` (the sandbox's play money), or "
                                         "ask with --pay"
                                       : "pay it with any Lightning wallet",
                            context_.error_terminal.width)
               << std::endl;
}

void RequestScreen::paid(const Payment& payment, const std::string& bolt11) {
  if (json_) {
    return object("payment", {{"amount_msat", payment.amount.value},
                              {"payment_hash", payment.payment_hash.hex()},
                              {"held", payment.preimage.is_zero()},
                              {"preimage", payment.preimage.is_zero() ? "" : payment.preimage.hex()},
                              {"bolt11", bolt11}});
  }
  awaited_ = "the result";
  const std::string paid = "paid " + sats(payment.amount);
  line(paid + ", payment " + short_id(payment.payment_hash.hex()) +
           (payment.preimage.is_zero() ? ", held until the answer is there" : ""),
       paid, Colour::green);
}

void RequestScreen::relay_said(const ledger::RelayAnswer& answer, const char* type, const std::string& what) {
  if (json_) {
    return object(type, {{"relay", answer.relay}, {"accepted", answer.accepted}, {"message", answer.message}});
  }
  line(printable(answer.relay + (answer.accepted ? " took " + what : " did not take " + what + ": " + answer.message)));
}

void RequestScreen::object(const char* type, const nlohmann::ordered_json& fields) {
  nlohmann::ordered_json out{{"type", type}, {"elapsed_ms", clock_() - began_}};
  out.update(fields);
  context_.out << json_line(out) << std::endl;
}

void RequestScreen::line(const std::string& text, const std::string& words, Colour colour) {
  if (context_.verbosity == Verbosity::quiet) return;
  wait_.clear();
  const std::string time = "+" + took(clock_() - began_);
  const Terminal& terminal = context_.error_terminal;
  if (growing_.is_open() && terminal.interactive) {  // out of the answer's line
    context_.err << '\n';
    shown_.interrupted();
  }
  std::string shown = paragraph(text, terminal.width, kTimeWidth);
  const std::size_t at = shown.find(words);  // not there if it is broken
  if (at != std::string::npos) shown.replace(at, words.size(), terminal.paint(colour, words));
  context_.err << terminal.paint(Colour::dim,
                                 time + std::string(kTimeWidth - std::min<std::size_t>(8, time.size()), ' '))
               << shown << std::endl;
}

}  // namespace cmd
