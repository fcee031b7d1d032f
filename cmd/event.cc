// sellcompute event: Nostr events in pipes, one a line.
#include <algorithm>
#include <future>
#include <ostream>
#include <span>
#include <thread>

#include "cmd/cli/passphrase.h"
#include "cmd/commands.h"
#include "cmd/text/humanize.h"
#include "cmd/text/lines.h"
#include "pipeline/nostr/key_file.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip19.h"

namespace cmd {
namespace {

using base::Result;

constexpr std::size_t kBatchLines = 2'048;

Result<nostr::Event> parse(const Line& line) {
  // A cut line is longer than an event may be, and is refused as such.
  return nostr::parse_event(line.text);
}

std::string at(const Line& line) {
  return "line " + std::to_string(line.number);
}

// ---- verify ---------------------------------------------------------------------------------------------------------

// What is wrong with an event; nothing if it is good.
std::optional<std::string> fault_of(const Line& line) {
  const auto event = parse(line);
  if (!event) return event.error().describe();
  const auto verified = nostr::verify(*event);
  return verified ? std::nullopt : std::optional(verified.error().describe());
}

std::vector<std::optional<std::string>> faults_of(std::span<const Line> lines) {
  std::vector<std::optional<std::string>> faults;
  faults.reserve(lines.size());
  for (const Line& line : lines) faults.push_back(fault_of(line));
  return faults;
}

// Signatures take most of the time: each core gets its share of the batch.
std::vector<std::optional<std::string>> faults_of_batch(std::span<const Line> lines) {
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  const std::size_t share = std::max<std::size_t>(64, (lines.size() + cores - 1) / cores);
  std::vector<std::future<std::vector<std::optional<std::string>>>> parts;
  for (std::size_t from = 0; from < lines.size(); from += share) {
    const auto part = lines.subspan(from, std::min(share, lines.size() - from));
    parts.push_back(std::async(std::launch::async, [part] { return faults_of(part); }));
  }
  std::vector<std::optional<std::string>> faults;
  for (auto& part : parts) std::ranges::move(part.get(), std::back_inserter(faults));
  return faults;
}

struct Tally {
  std::int64_t good = 0;
  std::int64_t bad = 0;
};

void report_batch(std::span<const Line> lines, Tally& tally, Context& context) {
  const auto faults = faults_of_batch(lines);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!faults[i]) {
      ++tally.good;
      continue;
    }
    ++tally.bad;
    context.err << at(lines[i]) << ": " << printable(*faults[i]) << '\n';
    context.out << context.terminal.strangers(lines[i].text) << '\n';
  }
}

Result<ExitCode> run_verify(const Arguments&, Context& context) {
  LineReader lines(context.in, nostr::kMaxEventBytes + 1);
  Tally tally;
  std::vector<Line> batch;
  while (auto line = context.out.good() ? lines.next() : std::nullopt) {
    batch.push_back(std::move(*line));
    if (batch.size() < kBatchLines) continue;
    report_batch(batch, tally, context);
    batch.clear();
  }
  report_batch(batch, tally, context);
  if (const auto whole = lines.read_to_the_end(); !whole) return tl::unexpected(whole.error());
  if (context.verbosity != Verbosity::quiet) {
    context.err << grouped(tally.good) << " good, " << grouped(tally.bad) << " bad\n";
  }
  return tally.bad == 0 ? ExitCode::done : ExitCode::failed;
}

// ---- decode ---------------------------------------------------------------------------------------------------------

void print_for_people(const nostr::Event& event, const std::optional<std::string>& fault, Context& context) {
  Table table({{"", "what"}, {"", "value"}});
  table.add({"id", event.id.hex()});
  table.add({"", nostr::encode_note(event.id)});
  table.add({"author", event.pubkey.hex()});
  table.add({"", nostr::encode_npub(event.pubkey)});
  table.add({"kind", std::to_string(event.kind)});
  table.add({"created", utc_time({event.created_at * 1'000})});
  for (const nostr::Tag& tag : event.tags) {
    table.add({&tag == event.tags.data() ? "tags" : "", json_line(nlohmann::ordered_json(tag))});
  }
  table.add({"content", event.content});
  table.add({"check", fault ? Cell(*fault, *fault, Colour::red) : Cell("good", "good", Colour::green)});
  table.print(context.out, Format::people, context.terminal);
  context.out << '\n';
}

void print_for_programs(const nostr::Event& event, const std::optional<std::string>& fault, Context& context) {
  nlohmann::ordered_json object = nlohmann::ordered_json::parse(nostr::to_json(event));
  object["note"] = nostr::encode_note(event.id);
  object["npub"] = nostr::encode_npub(event.pubkey);
  object["time"] = utc_time({event.created_at * 1'000});
  object["good"] = !fault;
  object["fault"] = fault ? nlohmann::ordered_json(*fault) : nlohmann::ordered_json(nullptr);
  context.out << json_line(object) << '\n';
}

// One event a line goes through `each`; lines that fail are named on stderr and the rest goes on.
template <class Each>
Result<ExitCode> for_each_line(Context& context, const Each& each) {
  LineReader lines(context.in, nostr::kMaxEventBytes + 1);
  ExitCode code = ExitCode::done;
  while (const auto line = context.out.good() ? lines.next() : std::nullopt) {
    const Result<void> done = each(*line);
    if (done) continue;
    context.err << at(*line) << ": " << printable(done.error().describe()) << '\n';
    code = ExitCode::failed;
  }
  if (const auto whole = lines.read_to_the_end(); !whole) return tl::unexpected(whole.error());
  return code;
}

Result<ExitCode> run_decode(const Arguments& arguments, Context& context) {
  const bool for_people = arguments.format() == Format::people;
  return for_each_line(context, [&](const Line& line) -> Result<void> {
    const auto event = parse(line);
    if (!event) return tl::unexpected(event.error());
    const auto verified = nostr::verify(*event);
    const auto fault = verified ? std::nullopt : std::optional(verified.error().describe());
    if (for_people) {
      print_for_people(*event, fault, context);
    } else {
      print_for_programs(*event, fault, context);
    }
    return {};
  });
}

// ---- sign -----------------------------------------------------------------------------------------------------------

tl::unexpected<base::Error> bad_draft(std::string why) {
  return base::fail(base::ErrorKind::job_request, "event.draft", std::move(why), {},
                    R"(write at least {"kind":1,"content":"…"}; tags and created_at may be added)");
}

// An event that is yet to be signed: kind, and if need be content, tags and created_at.
Result<nostr::Event> parse_draft(const Line& line, const nostr::PublicKey& author, std::int64_t now_s) {
  if (line.text.size() > nostr::kMaxEventBytes) return bad_draft("the event is too large");
  const auto draft = nlohmann::json::parse(line.text, nullptr, false);
  if (!draft.is_object()) return bad_draft("this is no JSON object");
  if (!draft.contains("kind") || !draft["kind"].is_number_unsigned() || draft["kind"] > nostr::kMaxKind) {
    return bad_draft("`kind` is not a number from 0 to 65535");
  }
  if (draft.value("pubkey", nlohmann::json(author.hex())) != author.hex()) {
    return bad_draft("`pubkey` is not the key that signs");
  }
  const auto content = draft.value("content", nlohmann::json(""));
  if (!content.is_string()) return bad_draft("`content` is no string");
  const auto created_at = draft.value("created_at", nlohmann::json(now_s));
  if (!created_at.is_number_unsigned() && !(created_at.is_number_integer() && created_at >= 0))
    return bad_draft("`created_at` is no time in seconds");
  auto tags = nostr::tags_from_json(draft.value("tags", nlohmann::json::array()).dump());
  if (!tags) return tl::unexpected(tags.error());
  return nostr::Event{.pubkey = author,
                      .created_at = created_at.get<std::int64_t>(),
                      .kind = draft["kind"].get<std::uint32_t>(),
                      .tags = std::move(*tags),
                      .content = content.get<std::string>()};
}

Result<nostr::SecretKey> signing_key(const Arguments& arguments, const Context& context) {
  if (arguments.has("key")) return nostr::read_key_file(arguments.text("key"), ask_passphrase);
  const auto config = context.config();
  if (!config) return tl::unexpected(config.error());
  return nostr::read_key_file(config->identity.key_file, passphrase_source(config->identity));
}

Result<ExitCode> run_sign(const Arguments& arguments, Context& context) {
  const auto key = signing_key(arguments, context);
  if (!key) return tl::unexpected(key.error());
  return for_each_line(context, [&](const Line& line) -> Result<void> {
    auto event = parse_draft(line, key->public_key(), wall_clock().ms / 1'000);
    if (!event) return tl::unexpected(event.error());
    const auto aux = nostr::generate_aux();
    if (!aux) return tl::unexpected(aux.error());
    event->id = nostr::compute_id(*event);
    event->sig = key->sign(event->id.view(), *aux);
    context.out << nostr::to_json(*event) << '\n';
    return {};
  });
}

}  // namespace

Command event_command() {
  return {.name = "event",
          .summary = "Verifies, decodes and signs Nostr events, one a line on stdin.",
          .examples =
              "  sellcompute event verify < events.jsonl\n"
              "  sellcompute event decode --json < events.jsonl | jq .npub\n"
              "  echo '{\"kind\":1,\"content\":\"hello\"}' | sellcompute event sign\n",
          .subcommands = {
              {.name = "verify",
               .summary = "Prints the events whose id or signature is wrong; the reasons go to stderr.",
               .examples = "  sellcompute event verify < events.jsonl && echo all good\n"
                           "  sellcompute event verify < events.jsonl 2> reasons.txt > bad.jsonl\n",
               .notes = "Exit code 1 if any event is bad. Uses all cores.\n",
               .run = run_verify},
              {.name = "decode",
               .summary = "Prints events for people, each with the result of the check of its id and signature.",
               .examples = "  sellcompute event decode < events.jsonl\n"
                           "  sellcompute event decode --json < events.jsonl | jq 'select(.good | not) | .id'\n",
               .options = add_json_option,
               .run = run_decode},
              {.name = "sign",
               .summary = "Signs events with your key and prints them.",
               .examples = "  echo '{\"kind\":1,\"content\":\"hello\"}' | sellcompute event sign\n"
                           "  sellcompute event sign --key other.nsec < drafts.jsonl > signed.jsonl\n",
               .notes = "A draft has a kind; content, tags and created_at are optional. Its id and sig are replaced, "
                        "if it has any.\n",
               .uses_settings = false,
               .options =
                   [](cxxopts::OptionAdder& add) {
                     add("key", "a file with the key, instead of the configured one", cxxopts::value<std::string>(),
                         "FILE");
                   },
               .run = run_sign},
          }};
}

}  // namespace cmd
