#include "tests/support/sample_ledger.h"

namespace sim {

using namespace base;
using namespace ledger;

namespace {

constexpr Seq kEntriesPerSale = 11;
constexpr TimeMs kStart{1'700'000'000'000};

// 32 bytes that depend on what they are for and on the sale's number.
template <class Bytes>
Bytes bytes_for(std::string_view use, Seq sale) {
  return {sha256(std::string(use) + std::to_string(sale)).bytes};
}

Text text_for(std::string_view use, Seq sale) {
  std::string bytes = std::string(use) + " of sale " + std::to_string(sale) + ": ";
  for (Seq i = 0; i <= sale % 8; ++i) bytes += "why is the sky blue, and why at dusk red? ";
  return {.salt = bytes_for<Salt>(use, sale), .bytes = std::move(bytes)};
}

NoticeSigned notice(NoticePurpose purpose, std::uint32_t kind, Seq sale, TimeMs at) {
  const std::string use = "notice" + std::to_string(kind);
  NoticeSigned out{.purpose = purpose,
                   .kind = kind,
                   .event = bytes_for<EventId>(use, sale),
                   .created_at_s = at.ms / 1000,
                   .content = ref(text_for("result", sale)),
                   .tags = ref(text_for("tags", sale)),
                   .targets = {"wss://relay.one", "wss://relay.two"},
                   .deadline = at + 600'000};
  out.signature.bytes.fill(static_cast<std::uint8_t>(sale + 1));
  return out;
}

NoticePublished published(NoticePurpose purpose, std::uint32_t kind, Seq sale, TimeMs at) {
  return {.purpose = purpose,
          .event = bytes_for<EventId>("notice" + std::to_string(kind), sale),
          .answers = {{.relay = "wss://relay.one", .accepted = true, .at = at},
                      {.relay = "wss://relay.two", .message = "rate-limited: slow down", .at = at}}};
}

JobRequested requested(Seq sale, TimeMs at) {
  return {.request = ref(text_for("request", sale)),
          .customer = bytes_for<PublicKey>("customer", sale % 5),
          .kind = 5050,
          .created_at_s = at.ms / 1000 - 1,
          .relay = "wss://relay.one",
          .reply_relays = {"wss://relay.one", "wss://relay.two"},
          .addressed = true,
          .prompt_bytes = 400,
          .input_tokens = 100,
          .model = "llama3.2:1b",
          .params = {.max_tokens = 128, .temperature = 0.5},
          .bid = Msat{50'000},
          .request_bytes = 900};
}

Fact fact(Seq step, Seq sale, TimeMs at) {
  const auto payment_hash = bytes_for<Hash256>("payment", sale);
  switch (step) {
    case 0:
      return requested(sale, at);
    case 1:
      return JobQuoted{.terms = {.name = "llama3.2:1b", .base = Msat{1'000}}, .price = Msat{21'000}};
    case 2:
      return InferenceStarted{.attempt = 1, .model = "llama3.2:1b"};
    case 3:
      return notice(NoticePurpose::processing, 7000, sale, at);
    case 4:
      return published(NoticePurpose::processing, 7000, sale, at);
    case 5:
      return InferenceCompleted{.attempt = 1, .result = ref(text_for("result", sale))};
    case 6:
      return InvoiceIssued{.purpose = InvoicePurpose::job,
                           .attempt = 1,
                           .wallet = "sandbox",
                           .bolt11 = "lnbc210n1" + bytes_for<Hash256>("bolt11", sale).hex(),
                           .payment_hash = payment_hash,
                           .amount = Msat{21'000},
                           .expires_at = at + 3'600'000};
    case 7:
      return notice(NoticePurpose::result, 6050, sale, at);
    case 8:
      return published(NoticePurpose::result, 6050, sale, at);
    case 9:
      return InvoiceSettled{.payment_hash = payment_hash,
                            .received = Msat{21'000},
                            .settled_at = at,
                            .index = sale + 1,
                            .evidence = R"({"type":"incoming","state":"settled"})"};
    default:
      return notice(NoticePurpose::success, 7000, sale, at);
  }
}

Result<void> add_one(Rows& rows, std::string_view key) {
  auto row = rows.get(key);
  if (!row) return tl::unexpected(row.error());
  const std::uint64_t count = *row ? std::stoull(**row) : 0;
  rows.put(key, std::to_string(count + 1));
  return {};
}

}  // namespace

NewEntry sample_entry(Seq seq) {
  const Seq sale = seq / kEntriesPerSale;
  const Seq step = seq % kEntriesPerSale;
  const TimeMs at = kStart + static_cast<std::int64_t>(seq) * 250;
  NewEntry out{.time = at, .job = bytes_for<JobId>("job", sale), .fact = fact(step, sale, at), .texts = {}};
  if (step == 0) out.texts = {text_for("request", sale)};
  if (step == 3) out.texts = {text_for("tags", sale)};
  if (step == 5) out.texts = {text_for("result", sale)};
  return out;
}

Group sample_group(Seq first, std::size_t count) {
  Group out;
  for (Seq seq = first; seq < first + count; ++seq) out.entries.push_back(sample_entry(seq));
  if (count > 0) out.cursors = {{"wss://relay.one", out.entries.back().time}};
  return out;
}

Result<void> SampleView::apply(const Entry& entry, Rows& rows) {
  if (auto done = add_one(rows, "job/" + entry.header.job.hex()); !done) return done;
  return add_one(rows, "type/" + std::to_string(entry.header.type));
}

}  // namespace sim
