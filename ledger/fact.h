// What can happen: one struct per fact, named in the past tense, written once and never changed.
//
// Time, randomness and the outside world enter the program only as fields of these structs. A fact that records a
// decision carries its Basis, so that the decision can be made again years later. Texts (prompts, results, wire bytes)
// are not here: facts refer to them by TextRef (ledger/text.h). Bytes: ledger/codec.h; on disk: ledger/FORMAT.md.
#pragma once

#include <variant>

#include "ledger/vocabulary.h"

namespace ledger {

// ---- facts about the shop -------------------------------------------------------------------------------------------

// The selling configuration from now on. Only listed settings are recorded: no secret, and no address of the operator's
// network. (Members start at zero, as everywhere in facts: zero is what absent means on disk. Defaults are in
// cmd/config.)
struct ProviderConfigured {
  static constexpr std::uint32_t kType = 1;
  PublicKey provider;
  std::string wallet;       // the kind: sandbox, nwc, ...
  bool play_money = false;  // the wallet's money is not real
  Msat wallet_unit;         // amounts are multiples of it
  Msat wallet_minimum;
  std::vector<ModelOffer> models;  // the first is the default
  PaymentMode payment_mode = PaymentMode::unspecified;
  std::uint32_t slots = 0;           // inferences at a time
  std::uint32_t queue_limit = 0;     // jobs that may wait for a slot
  std::uint32_t credit_percent = 0;  // a customer may owe this share of what they settled in credit_window
  std::int64_t credit_window_ms = 0;
  Msat stranger_pool;  // all strangers together may owe this much, counted over stranger_window
  std::int64_t stranger_window_ms = 0;
  Msat exposure_limit;  // everybody together
  std::int64_t invoice_expiry_ms = 0;
  std::int64_t invoice_grace_ms = 0;
  std::uint32_t inference_attempts = 0;
  std::int64_t inference_retry_ms = 0;  // doubled with each attempt
  std::uint32_t invoice_attempts = 0;
  std::int64_t invoice_retry_ms = 0;  // doubled with each attempt
  std::int64_t delivery_deadline_ms = 0;
  std::int64_t request_age_limit_ms = 0;
  std::uint64_t result_event_limit_bytes = 0;
  bool serve_broadcast = false;                  // jobs with no `p` at all
  std::uint32_t error_notices_per_customer = 0;  // per hour
  std::uint32_t offers_limit = 0;                // payment-first jobs that may wait for their payment
  std::uint32_t error_notices = 0;               // per hour
  std::uint32_t stranger_pow_bits = 0;           // asked of strangers' requests (NIP-13)
  std::vector<PromptTemplate> templates;         // kinds that are served beside text generation
  bool renew_invoices = false;                   // once, where the result was delivered and its invoice expired unpaid
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = ProviderConfigured;
    return std::tuple{field(1, "provider", &T::provider),
                      field(2, "wallet", &T::wallet),
                      field(3, "play_money", &T::play_money),
                      field(4, "wallet_unit_msat", &T::wallet_unit),
                      field(5, "wallet_minimum_msat", &T::wallet_minimum),
                      field(6, "models", &T::models),
                      field(7, "payment_mode", &T::payment_mode),
                      field(8, "slots", &T::slots),
                      field(9, "queue_limit", &T::queue_limit),
                      field(10, "credit_percent", &T::credit_percent),
                      field(11, "credit_window_ms", &T::credit_window_ms),
                      field(12, "stranger_pool_msat", &T::stranger_pool),
                      field(13, "stranger_window_ms", &T::stranger_window_ms),
                      field(14, "exposure_limit_msat", &T::exposure_limit),
                      field(15, "invoice_expiry_ms", &T::invoice_expiry_ms),
                      field(16, "invoice_grace_ms", &T::invoice_grace_ms),
                      field(17, "inference_attempts", &T::inference_attempts),
                      field(18, "inference_retry_ms", &T::inference_retry_ms),
                      field(19, "invoice_attempts", &T::invoice_attempts),
                      field(20, "invoice_retry_ms", &T::invoice_retry_ms),
                      field(21, "delivery_deadline_ms", &T::delivery_deadline_ms),
                      field(22, "request_age_limit_ms", &T::request_age_limit_ms),
                      field(23, "result_event_limit_bytes", &T::result_event_limit_bytes),
                      field(24, "serve_broadcast", &T::serve_broadcast),
                      field(25, "error_notices_per_customer", &T::error_notices_per_customer),
                      field(26, "error_notices", &T::error_notices),
                      field(27, "offers_limit", &T::offers_limit),
                      field(28, "stranger_pow_bits", &T::stranger_pow_bits),
                      field(29, "templates", &T::templates),
                      field(30, "renew_invoices", &T::renew_invoices)};
  }
};

struct WentOnline {
  static constexpr std::uint32_t kType = 2;
  std::string version;
  std::string unknown_fields;
  static constexpr auto fields() { return std::tuple{field(1, "version", &WentOnline::version)}; }
};

struct WentOffline {
  static constexpr std::uint32_t kType = 3;
  std::string reason;
  std::string unknown_fields;
  static constexpr auto fields() { return std::tuple{field(1, "reason", &WentOffline::reason)}; }
};

// Requests that the intake refused in a window of time, counted by reason.
struct RequestsDropped {
  static constexpr std::uint32_t kType = 4;
  TimeMs from;
  TimeMs until;
  std::vector<DropCount> counts;
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = RequestsDropped;
    return std::tuple{field(1, "from_ms", &T::from), field(2, "until_ms", &T::until), field(3, "counts", &T::counts)};
  }
};

// These texts were removed to save space: those of jobs that had ended before a moment. Empty values under the texts'
// keys, written in the same batch, say which; facts, proofs and reports stay whole.
struct TextsPruned {
  static constexpr std::uint32_t kType = 6;
  TimeMs before;
  std::uint64_t jobs = 0;
  std::uint64_t texts = 0;
  std::uint64_t bytes = 0;  // of the texts
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = TextsPruned;
    return std::tuple{field(1, "before_ms", &T::before), field(2, "jobs", &T::jobs), field(3, "texts", &T::texts),
                      field(4, "bytes", &T::bytes)};
  }
};

// The operator accepted that this ledger lost its end (a backup was put back) or that another one signs with the same
// key (a second machine serves). Every job that was open is closed with it.
struct RollbackAccepted {
  static constexpr std::uint32_t kType = 7;
  std::string evidence;    // what showed it, for people
  std::uint64_t size = 0;  // entries of this ledger before this fact, and the root over them
  Hash256 root;
  TimeMs at;      // requests made before are not served; `covers`, but capped near our clock
  TimeMs covers;  // evidence signed up to this time is accepted; ahead of our clock if the signer's clock was
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = RollbackAccepted;
    return std::tuple{field(1, "evidence", &T::evidence), field(2, "size", &T::size), field(3, "root", &T::root),
                      field(4, "at_ms", &T::at), field(5, "covers_ms", &T::covers)};
  }
};

// A part of what selling depends on failed, failed for another reason, or works again. Every part counts as working
// from each WentOnline on until a fact reports otherwise. At most one per minute and part; what changed meanwhile
// follows after the minute.
struct ReadinessChanged {
  static constexpr std::uint32_t kType = 8;
  ReadinessPart part = ReadinessPart::unspecified;
  bool ready = false;
  std::string code;  // of the error ("wallet.unreachable"), which holds no address and no secret; empty if ready
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = ReadinessChanged;
    return std::tuple{field(1, "part", &T::part), field(2, "ready", &T::ready), field(3, "code", &T::code)};
  }
};

// ---- facts of a job -------------------------------------------------------------------------------------------------

struct JobRequested {
  static constexpr std::uint32_t kType = 16;
  TextRef request;  // the request event as it crossed the wire
  PublicKey customer;
  std::uint32_t kind = 0;                 // NIP-90 request kind
  std::int64_t created_at_s = 0;          // the customer's clock
  std::string relay;                      // where we saw it first
  std::vector<std::string> reply_relays;  // where the customer wants answers, checked and capped
  bool addressed = false;                 // it names us; else the customer asked the market
  std::uint64_t prompt_bytes = 0;         // without the sources' texts
  std::uint64_t input_tokens = 0;         // our estimate; also without the sources' texts
  std::string model;                      // as asked; empty: whatever we offer
  GenerationParams params;
  std::string output;  // MIME type asked for; empty: text/plain
  std::optional<Msat> bid;
  std::optional<TimeMs> expires_at;  // NIP-40
  std::optional<RequestFault> fault;
  std::uint64_t request_bytes = 0;  // of the wire text inside a JSON string, as the result quotes it
  Encryption encryption = Encryption::none;
  bool stream = false;               // the customer asks to see the answer grow
  std::uint32_t pow_bits = 0;        // of work that the request was given (NIP-13)
  std::vector<InputSource> sources;  // in the order of the inputs
  std::string instruction;           // for the model, before everything else: its kind's template, filled in
  // This machine's clock when the request came, if the entry's time is ahead of it (the clock had been ahead before).
  std::optional<TimeMs> received_at;
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = JobRequested;
    return std::tuple{field(1, "request", &T::request),
                      field(2, "customer", &T::customer),
                      field(3, "kind", &T::kind),
                      field(4, "created_at_s", &T::created_at_s),
                      field(5, "relay", &T::relay),
                      field(6, "reply_relays", &T::reply_relays),
                      field(7, "addressed", &T::addressed),
                      field(8, "prompt_bytes", &T::prompt_bytes),
                      field(9, "input_tokens", &T::input_tokens),
                      field(10, "model", &T::model),
                      field(11, "params", &T::params),
                      field(12, "output", &T::output),
                      field(13, "bid_msat", &T::bid),
                      field(14, "expires_at_ms", &T::expires_at),
                      field(15, "fault", &T::fault),
                      field(16, "request_bytes", &T::request_bytes),
                      field(17, "encryption", &T::encryption),
                      field(18, "stream", &T::stream),
                      field(19, "sources", &T::sources),
                      field(20, "pow_bits", &T::pow_bits),
                      field(21, "instruction", &T::instruction),
                      field(24, "received_ms", &T::received_at)};
  }
};

struct JobDeclined {
  static constexpr std::uint32_t kType = 17;
  DeclineReason reason = DeclineReason::unspecified;
  std::string message;  // for the customer
  bool told = false;    // an error notice is owed; silent for broadcasts and beyond the limits of notices
  Basis basis;
  bool text_dropped = false;  // the texts of the request and of its inputs were not kept
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = JobDeclined;
    return std::tuple{field(1, "reason", &T::reason), field(2, "message", &T::message), field(3, "told", &T::told),
                      field(4, "basis", &T::basis), field(5, "text_dropped", &T::text_dropped)};
  }
};

// The most that this job will cost, and the terms on which it is billed: never above `price`, whatever the prices are
// later.
struct JobQuoted {
  static constexpr std::uint32_t kType = 18;
  ModelOffer terms;  // of the model that will answer
  Msat unit;         // what the wallet can express
  Msat minimum;
  Msat price;
  std::uint64_t input_tokens = 0;       // the estimate that the price is based on
  std::uint64_t max_output_tokens = 0;  // and the cap sent to the backend
  PaymentMode payment_mode = PaymentMode::unspecified;
  Basis basis;
  bool renew_invoice = false;  // as ProviderConfigured had it
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = JobQuoted;
    return std::tuple{field(1, "terms", &T::terms),
                      field(2, "unit_msat", &T::unit),
                      field(3, "minimum_msat", &T::minimum),
                      field(4, "price_msat", &T::price),
                      field(5, "input_tokens", &T::input_tokens),
                      field(6, "max_output_tokens", &T::max_output_tokens),
                      field(7, "payment_mode", &T::payment_mode),
                      field(8, "basis", &T::basis),
                      field(9, "renew_invoice", &T::renew_invoice)};
  }
};

struct InvoiceIssued {
  static constexpr std::uint32_t kType = 19;
  InvoicePurpose purpose = InvoicePurpose::unspecified;
  std::uint32_t attempt = 0;
  std::string wallet;
  std::string bolt11;
  Hash256 payment_hash;
  Msat amount;
  TimeMs expires_at;
  std::string reference;       // by which its wallet finds it, besides the hash; may be empty
  bool hold = false;           // what is paid waits in the wallet until we take it or give it back
  std::string wallet_account;  // which account of this kind of wallet made it; not a secret; empty: not known
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = InvoiceIssued;
    return std::tuple{field(1, "purpose", &T::purpose),
                      field(2, "attempt", &T::attempt),
                      field(3, "wallet", &T::wallet),
                      field(4, "bolt11", &T::bolt11),
                      field(5, "payment_hash", &T::payment_hash),
                      field(6, "amount_msat", &T::amount),
                      field(7, "expires_at_ms", &T::expires_at),
                      field(8, "reference", &T::reference),
                      field(9, "hold", &T::hold),
                      field(10, "wallet_account", &T::wallet_account)};
  }
};

struct InvoiceFailed {
  static constexpr std::uint32_t kType = 20;
  InvoicePurpose purpose = InvoicePurpose::unspecified;
  std::uint32_t attempt = 0;
  std::string message;
  std::optional<TimeMs> retry_at;  // absent: given up
  bool stale = false;              // the wallet gave an invoice that had expired: the next order is another attempt
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = InvoiceFailed;
    return std::tuple{field(1, "purpose", &T::purpose), field(2, "attempt", &T::attempt),
                      field(3, "message", &T::message), field(4, "retry_at_ms", &T::retry_at),
                      field(5, "stale", &T::stale)};
  }
};

// The wallet said that the money arrived. Earned means this, and only this.
struct InvoiceSettled {
  static constexpr std::uint32_t kType = 21;
  Hash256 payment_hash;
  Msat received;            // what was paid
  Msat fee;                 // and what the wallet kept of it
  TimeMs settled_at;        // by the wallet
  std::uint64_t index = 0;  // the wallet's own, where it has one
  Hash256 preimage;         // zero where the wallet gives none
  std::string evidence;     // the wallet's statement, verbatim
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = InvoiceSettled;
    return std::tuple{field(1, "payment_hash", &T::payment_hash),
                      field(2, "received_msat", &T::received),
                      field(3, "fee_msat", &T::fee),
                      field(4, "settled_at_ms", &T::settled_at),
                      field(5, "index", &T::index),
                      field(6, "preimage", &T::preimage),
                      field(7, "evidence", &T::evidence)};
  }
};

// The wallet holds the customer's payment: it is ours when we take it, and theirs until then.
struct InvoiceHeld {
  static constexpr std::uint32_t kType = 36;
  Hash256 payment_hash;
  Msat amount;
  std::string evidence;  // the wallet's statement, verbatim
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = InvoiceHeld;
    return std::tuple{field(1, "payment_hash", &T::payment_hash), field(2, "amount_msat", &T::amount),
                      field(3, "evidence", &T::evidence)};
  }
};

// The invoice is watched no more: nobody paid it, or a payment that the wallet held went back. Should the wallet still
// report a payment, that is booked all the same.
struct InvoiceExpired {
  static constexpr std::uint32_t kType = 22;
  Hash256 payment_hash;
  std::string evidence;
  ExpiryBasis basis = ExpiryBasis::wallet_said;
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = InvoiceExpired;
    return std::tuple{field(1, "payment_hash", &T::payment_hash), field(2, "evidence", &T::evidence),
                      field(3, "basis", &T::basis)};
  }
};

// The account that made an invoice, asked after expiry plus grace, has answered twice in a row that it does not know
// it. Many wallets delete what expired. The invoice is still watched, but from now on it counts against no limit.
// Recorded again if the account has known the invoice in between. The wait of a day until it is given up then restarts.
struct InvoiceUnknown {
  static constexpr std::uint32_t kType = 38;
  Hash256 payment_hash;
  std::string unknown_fields;
  static constexpr auto fields() { return std::tuple{field(1, "payment_hash", &InvoiceUnknown::payment_hash)}; }
};

struct InferenceStarted {
  static constexpr std::uint32_t kType = 23;
  std::uint32_t attempt = 0;
  std::string model;
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = InferenceStarted;
    return std::tuple{field(1, "attempt", &T::attempt), field(2, "model", &T::model)};
  }
};

struct InferenceCompleted {
  static constexpr std::uint32_t kType = 24;
  std::uint32_t attempt = 0;
  TextRef result;
  std::uint64_t result_bytes = 0;
  std::uint64_t input_tokens = 0;  // as the backend counted them
  std::uint64_t output_tokens = 0;
  FinishReason finish = FinishReason::unspecified;
  std::int64_t first_token_ms = 0;  // measured by us
  std::int64_t total_ms = 0;
  std::uint32_t partials = 0;  // how often the customer was shown the answer so far
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = InferenceCompleted;
    return std::tuple{field(1, "attempt", &T::attempt),
                      field(2, "result", &T::result),
                      field(3, "result_bytes", &T::result_bytes),
                      field(4, "input_tokens", &T::input_tokens),
                      field(5, "output_tokens", &T::output_tokens),
                      field(6, "finish", &T::finish),
                      field(7, "first_token_ms", &T::first_token_ms),
                      field(8, "total_ms", &T::total_ms),
                      field(9, "partials", &T::partials)};
  }
};

struct InferenceFailed {
  static constexpr std::uint32_t kType = 25;
  std::uint32_t attempt = 0;
  InferenceFailure failure = InferenceFailure::unspecified;
  std::string message;
  std::optional<TimeMs> retry_at;  // absent: given up
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = InferenceFailed;
    return std::tuple{field(1, "attempt", &T::attempt), field(2, "failure", &T::failure),
                      field(3, "message", &T::message), field(4, "retry_at_ms", &T::retry_at)};
  }
};

// An answer was signed. With its texts it is the whole Nostr event (pipeline/nostr/nip90_answer.h rebuilds it and
// checks its id), so the same bytes are published again after a crash. `content` is zero where the event's content is
// empty; it may be the result's own text. `tags` is the JSON of the tags, in which a `request` tag without a value
// stands for the request's text.
struct NoticeSigned {
  static constexpr std::uint32_t kType = 26;
  NoticePurpose purpose = NoticePurpose::unspecified;
  std::uint32_t kind = 0;
  EventId event;
  std::int64_t created_at_s = 0;
  Signature signature;
  TextRef content;
  TextRef tags;
  std::vector<std::string> targets;  // relays, at most eight
  TimeMs deadline;                   // tried until then
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = NoticeSigned;
    return std::tuple{field(1, "purpose", &T::purpose),     field(2, "kind", &T::kind),
                      field(3, "event", &T::event),         field(4, "created_at_s", &T::created_at_s),
                      field(5, "signature", &T::signature), field(6, "content", &T::content),
                      field(7, "tags", &T::tags),           field(8, "targets", &T::targets),
                      field(9, "deadline_ms", &T::deadline)};
  }
};

// What the relays answered. Recorded at the first acceptance (delivered), and at the end (`final`) unless all accepted.
struct NoticePublished {
  static constexpr std::uint32_t kType = 27;
  NoticePurpose purpose = NoticePurpose::unspecified;
  EventId event;
  std::vector<RelayAnswer> answers;
  bool final = false;
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = NoticePublished;
    return std::tuple{field(1, "purpose", &T::purpose), field(2, "event", &T::event), field(3, "answers", &T::answers),
                      field(4, "final", &T::final)};
  }
};

// The operator ordered that a result which no relay took is published again: the same signed bytes, to these relays.
struct NoticeRetried {
  static constexpr std::uint32_t kType = 39;
  NoticePurpose purpose = NoticePurpose::unspecified;
  EventId event;
  std::vector<std::string> targets;  // relays, at most eight
  TimeMs deadline;                   // tried until then
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = NoticeRetried;
    return std::tuple{field(1, "purpose", &T::purpose), field(2, "event", &T::event), field(3, "targets", &T::targets),
                      field(4, "deadline_ms", &T::deadline)};
  }
};

// The customer or the provider cancelled the job. If the customer did, the part of the answer shown by then must be
// paid for.
struct JobCancelled {
  static constexpr std::uint32_t kType = 28;
  CancelledBy by = CancelledBy::unspecified;
  EventId event;       // the customer's deletion request (NIP-09)
  std::string reason;  // in their words
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = JobCancelled;
    return std::tuple{field(1, "by", &T::by), field(2, "event", &T::event), field(3, "reason", &T::reason)};
  }
};

// Nothing more will be done for it: its own expiration passed, its invoice was never paid, or a held
// payment went back or was held too long.
struct JobExpired {
  static constexpr std::uint32_t kType = 29;
  std::string reason;
  std::string unknown_fields;
  static constexpr auto fields() { return std::tuple{field(1, "reason", &JobExpired::reason)}; }
};

// The job was open when a rollback was accepted. We run, sign, publish and invoice nothing more for it, because the
// history that this ledger lost may have done so already. A payment for it is still recorded.
struct JobClosed {
  static constexpr std::uint32_t kType = 37;
  std::string reason;
  std::string unknown_fields;
  static constexpr auto fields() { return std::tuple{field(1, "reason", &JobClosed::reason)}; }
};

// Money arrived that we do not deserve: for work that could not be done, or a second time.
struct RefundOwed {
  static constexpr std::uint32_t kType = 30;
  Hash256 payment_hash;
  Msat amount;
  std::string reason;
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = RefundOwed;
    return std::tuple{field(1, "payment_hash", &T::payment_hash), field(2, "amount_msat", &T::amount),
                      field(3, "reason", &T::reason)};
  }
};

// We pay back what is owed, to an invoice of the customer's. Durable before the wallet is asked to pay. After that, no
// other payment is made for this debt until the wallet reports that this one was not paid.
struct RefundStarted {
  static constexpr std::uint32_t kType = 31;
  Hash256 payment_hash;       // of the payment that is owed back
  std::uint32_t attempt = 0;  // from 1
  std::string wallet;         // the account that pays: "lnd 3fa9c1d2"
  std::string bolt11;         // the customer's invoice
  Hash256 to;                 // its payment hash
  Msat amount;
  Msat fee_limit;
  EventId event;  // of the customer's, in which the invoice came; zero: the operator was given it otherwise
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = RefundStarted;
    return std::tuple{field(1, "payment_hash", &T::payment_hash),
                      field(2, "attempt", &T::attempt),
                      field(3, "wallet", &T::wallet),
                      field(4, "bolt11", &T::bolt11),
                      field(5, "to", &T::to),
                      field(6, "amount_msat", &T::amount),
                      field(7, "fee_limit_msat", &T::fee_limit),
                      field(8, "event", &T::event)};
  }
};

// The wallet said that it was paid back.
struct RefundPaid {
  static constexpr std::uint32_t kType = 32;
  Hash256 payment_hash;  // of the payment that was owed back
  std::uint32_t attempt = 0;
  Msat amount;
  Msat fee;  // what it cost us besides
  TimeMs paid_at;
  Hash256 preimage;      // of the customer's invoice: the proof that it was paid; zero where the wallet gives none
  std::string evidence;  // the wallet's statement, verbatim
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = RefundPaid;
    return std::tuple{field(1, "payment_hash", &T::payment_hash), field(2, "attempt", &T::attempt),
                      field(3, "amount_msat", &T::amount),        field(4, "fee_msat", &T::fee),
                      field(5, "paid_at_ms", &T::paid_at),        field(6, "preimage", &T::preimage),
                      field(7, "evidence", &T::evidence)};
  }
};

// The wallet said that this attempt was not paid and will not be. It is owed as before.
struct RefundFailed {
  static constexpr std::uint32_t kType = 33;
  Hash256 payment_hash;
  std::uint32_t attempt = 0;
  std::string message;
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = RefundFailed;
    return std::tuple{field(1, "payment_hash", &T::payment_hash), field(2, "attempt", &T::attempt),
                      field(3, "message", &T::message)};
  }
};

// The texts of all sources, in their order; of an encrypted job they are encrypted in its form.
struct InputsGathered {
  static constexpr std::uint32_t kType = 34;
  std::vector<TextRef> texts;
  std::uint64_t prompt_bytes = 0;  // of the whole prompt, with them
  std::uint64_t input_tokens = 0;  // our estimate for the whole prompt
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = InputsGathered;
    return std::tuple{field(1, "texts", &T::texts), field(2, "prompt_bytes", &T::prompt_bytes),
                      field(3, "input_tokens", &T::input_tokens)};
  }
};

// One of the sources gave no text, and so the job cannot be served.
struct InputsFailed {
  static constexpr std::uint32_t kType = 35;
  std::string message;  // for the customer: which input, why, and what would work
  std::string unknown_fields;
  static constexpr auto fields() { return std::tuple{field(1, "message", &InputsFailed::message)}; }
};

using Fact =
    std::variant<ProviderConfigured, WentOnline, WentOffline, RequestsDropped, JobRequested, JobDeclined, JobQuoted,
                 InvoiceIssued, InvoiceFailed, InvoiceSettled, InvoiceExpired, InferenceStarted, InferenceCompleted,
                 InferenceFailed, NoticeSigned, NoticePublished, JobCancelled, JobExpired, RefundOwed, RefundStarted,
                 RefundPaid, RefundFailed, InputsGathered, InputsFailed, InvoiceHeld, InvoiceUnknown, TextsPruned,
                 RollbackAccepted, JobClosed, ReadinessChanged, NoticeRetried>;

// The stable number and the name ("JobQuoted") of a fact's type.
std::uint32_t type_of(const Fact& event);
std::string_view type_name(std::uint32_t type);

// True if one of the fact's own fields is this reference.
bool refers_to(const Fact& event, const TextRef& text);

std::string encode_facts(const Fact& event);
// Fails with "ledger.unknown_type" for a type that a newer version wrote, and "ledger.corrupt" for bad bytes.
Result<Fact> decode_facts(std::uint32_t type, std::string_view facts);
// The same, but decodes into an existing fact, for callers that read many. After a failure the content of `out` is
// undefined.
Result<void> decode_facts_to(Fact& out, std::uint32_t type, std::string_view facts);

// ---- the entry ------------------------------------------------------------------------------------------------------

inline constexpr std::uint32_t kFormatVersion = 1;

// What the Merkle tree is over. The position of an entry is its place in the tree.
struct Header {
  std::uint32_t format_version = 0;
  std::uint32_t type = 0;
  TimeMs time;  // max(previous entry's time, now)
  JobId job;    // zero for facts about the shop
  Hash256 facts_sha256;
  std::string unknown_fields;
  static constexpr auto fields() {
    using T = Header;
    return std::tuple{field(1, "format_version", &T::format_version), field(2, "type", &T::type),
                      field(3, "time_ms", &T::time), field(4, "job", &T::job),
                      field(5, "facts_sha256", &T::facts_sha256)};
  }
};

}  // namespace ledger
