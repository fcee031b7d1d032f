#include "ledger/entry_bytes.h"

#include "base/check.h"
#include "ledger/keys.h"

namespace ledger {

using base::sha256;

EncodedEntry encode_entry(const NewEntry& entry) {
  const std::string facts = encode_facts(entry.fact);
  EncodedEntry out;
  out.header = Header{.format_version = kFormatVersion,
                      .type = type_of(entry.fact),
                      .time = entry.time,
                      .job = entry.job,
                      .facts_sha256 = sha256(facts)};
  out.header_bytes = encode(out.header);
  out.value.reserve(2 + out.header_bytes.size() + facts.size());
  wire::put_varint(out.value, out.header_bytes.size());
  out.value.append(out.header_bytes).append(facts);
  std::string_view rest = out.value;
  std::string_view header;
  CHECK(wire::get_bytes(rest, header) && header == out.header_bytes && rest == facts, out.header.type, facts.size());
  return out;
}

Result<RawEntry> split_entry(Seq seq, std::string_view value) {
  std::string_view header;
  if (!wire::get_bytes(value, header)) return damaged("the entry's bytes are cut off", entry_position(seq));
  return RawEntry{seq, header, value};
}

namespace {

Result<void> decode_header_to(Header& out, const RawEntry& raw) {
  out = Header{};
  if (!wire::decode_into(raw.header, out) || out.format_version == 0) {
    return damaged("the entry's header is unreadable", entry_position(raw.seq));
  }
  if (out.format_version > kFormatVersion) {
    return fail(ErrorKind::invocation, "ledger.newer_format",
                "the entry has format " + std::to_string(out.format_version) + ", this program knows up to " +
                    std::to_string(kFormatVersion),
                entry_position(raw.seq), "update sellcompute");
  }
  return {};
}

}  // namespace

Result<void> decode_entry_to(Entry& out, const RawEntry& raw) {
  out.seq = raw.seq;
  if (auto header = decode_header_to(out.header, raw); !header) return header;
  auto decoded = decode_facts_to(out.fact, out.header.type, raw.facts);
  if (decoded) return decoded;
  if (decoded.error().code == "ledger.corrupt") return damaged("the facts are unreadable", entry_position(raw.seq));
  decoded.error().context = entry_position(raw.seq);
  return decoded;
}

Result<Entry> decode_entry(const RawEntry& raw) {
  Result<Entry> out;
  if (auto decoded = decode_entry_to(*out, raw); !decoded) return tl::unexpected(std::move(decoded.error()));
  return out;
}

}  // namespace ledger
