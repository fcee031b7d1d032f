#include "ledger/entry_bytes.h"

#include "ledger/keys.h"

namespace ledger {

EncodedEntry encode_entry(const NewEntry& entry) {
  const std::string facts = encode_facts(entry.event);
  EncodedEntry out;
  out.header = Header{.format_version = kFormatVersion,
                      .type = type_of(entry.event),
                      .time = entry.time,
                      .job = entry.job,
                      .facts_sha256 = sha256(facts)};
  out.header_bytes = encode(out.header);
  out.value.reserve(2 + out.header_bytes.size() + facts.size());
  wire::put_varint(out.value, out.header_bytes.size());
  out.value.append(out.header_bytes).append(facts);
  return out;
}

Result<RawEntry> split_entry(Seq seq, std::string_view value) {
  std::string_view header;
  if (!wire::get_bytes(value, header)) return damaged("the entry's bytes are cut off", entry_position(seq));
  return RawEntry{seq, header, value};
}

Result<Header> decode_header(const RawEntry& raw) {
  Result<Header> header;
  if (!wire::decode_into(raw.header, *header) || header->format_version == 0) {
    return damaged("the entry's header is unreadable", entry_position(raw.seq));
  }
  if (header->format_version > kFormatVersion) {
    return fail(ErrorKind::invocation, "ledger.newer_format",
                "the entry has format " + std::to_string(header->format_version) + ", this program knows up to " +
                    std::to_string(kFormatVersion),
                entry_position(raw.seq), "update sellcompute");
  }
  return header;
}

Result<void> decode_entry_to(Entry& out, const RawEntry& raw) {
  auto header = decode_header(raw);
  if (!header) return tl::unexpected(std::move(header.error()));
  out.seq = raw.seq;
  out.header = std::move(*header);
  auto decoded = decode_facts_to(out.event, out.header.type, raw.facts);
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
