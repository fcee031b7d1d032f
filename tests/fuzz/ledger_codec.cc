// The input is an entry as it lies on disk, and also the bytes of every other record there is.
#include <nlohmann/json.hpp>

#include "ledger/entry_bytes.h"
#include "ledger/fact_json.h"
#include "ledger/keys.h"
#include "tests/fuzz/fuzz.h"

namespace {

using fuzz::require;
using namespace base;
using namespace ledger;

// Writing is canonical: what is read of written bytes is written as the same bytes.
template <Message T>
void check_record(std::string_view bytes) {
  const auto record = decode<T>(bytes);
  if (!record) {
    require(record.error().code == "ledger.corrupt", "bytes that are no record are refused as such");
    return;
  }
  const std::string written = encode(*record);
  const auto again = decode<T>(written);
  require(again.has_value() && encode(*again) == written, "a record that is written is read as the same");
}

void check_facts(const Entry& entry) {
  const std::string facts = encode_facts(entry.fact);
  const auto again = decode_facts(type_of(entry.fact), facts);
  require(again.has_value() && encode_facts(*again) == facts, "facts that are written are read as the same");

  static const std::string kNewer = *from_hex("c2fa0103616263");  // field 4000 = "abc"
  const auto newer = decode_facts(type_of(entry.fact), facts + kNewer);
  require(newer.has_value() && encode_facts(*newer) == facts + kNewer, "what a newer version wrote is kept");

  // An event that is read over another one holds nothing of it.
  Fact reused = *again;
  require(decode_facts_to(reused, type_of(entry.fact), facts).has_value() && encode_facts(reused) == facts,
          "an event that is used again is as good as a new one");
  require(!type_name(type_of(entry.fact)).empty() && type_name(type_of(entry.fact)) != "Unknown",
          "a type that is known has a name");
}

void check_entry(const Entry& entry) {
  check_facts(entry);
  const auto encoded =
      encode_entry({.time = entry.header.time, .job = entry.header.job, .fact = entry.fact, .texts = {}});
  const auto raw = split_entry(entry.seq, encoded.value);
  require(raw.has_value() && raw->header == encoded.header_bytes, "an entry that is written has its header");
  require(sha256(raw->facts) == encoded.header.facts_sha256, "a header names its facts");
  const auto again = decode_entry(*raw);
  require(again && again->header.time == entry.header.time && again->header.job == entry.header.job &&
              again->header.type == entry.header.type && encode_facts(again->fact) == encode_facts(entry.fact),
          "an entry that is written is read as the same");
  require(nlohmann::json::accept(to_json(entry).dump()), "every entry can be exported");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = fuzz::text_of(data, size);
  check_record<Header>(bytes);
  check_record<State>(bytes);
  check_record<ProviderConfigured>(bytes);
  check_record<JobRequested>(bytes);
  const auto raw = split_entry(0, bytes);
  if (!raw) return 0;
  require(raw->header.size() + raw->facts.size() < size, "an entry is split within its bytes");
  const auto entry = decode_entry(*raw);
  if (entry) {
    check_entry(*entry);
  } else {
    require(entry.error().code.starts_with("ledger.") && !entry.error().context.empty(),
            "every refusal has its code and says where");
  }
  return 0;
}
