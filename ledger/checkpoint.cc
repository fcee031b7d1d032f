#include "ledger/checkpoint.h"

#include <secp256k1_extrakeys.h>
#include <secp256k1_schnorrsig.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/base64.h"
#include "base/check.h"

namespace ledger {
namespace {

using base::Error;
using base::ErrorKind;
using base::fail;
using base::from_base64;
using base::sha256;
using base::to_base64;

constexpr std::size_t kKeyIdSize = 4;
constexpr std::string_view kSignatureMark = "\xe2\x80\x94 ";  // em dash, space
constexpr std::string_view kTimeMark = "time ";

tl::unexpected<Error> wrong(std::string_view code, std::string message) {
  return fail(ErrorKind::invocation, "checkpoint." + std::string(code), std::move(message));
}

// ---- what is signed, and by whom ----

Hash256 signing_digest(std::string_view body) {
  const Hash256 tag = sha256("sellcompute/checkpoint");
  std::string prefix;
  prefix.append(tag.view()).append(tag.view());
  return sha256(prefix, body);
}

std::string key_id(const PublicKey& provider) {
  std::string described = checkpoint_origin(provider);
  described.append("\n\xffsellcompute-bip340").append(provider.view());
  return std::string(sha256(described).view().substr(0, kKeyIdSize));
}

bool is_signed_by(const PublicKey& provider, std::string_view body, std::string_view signature) {
  if (signature.size() != Signature::kSize) return false;
  secp256k1_xonly_pubkey key;
  if (secp256k1_xonly_pubkey_parse(secp256k1_context_static, &key, provider.bytes.data()) == 0) return false;
  const Hash256 digest = signing_digest(body);
  return secp256k1_schnorrsig_verify(secp256k1_context_static, reinterpret_cast<const unsigned char*>(signature.data()),
                                     digest.bytes.data(), digest.bytes.size(), &key) == 1;
}

// ---- lines ----

// The lines of a text that is empty or ends with a line feed.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    CHECK(end != std::string_view::npos, text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return lines;
}

// Decimal digits without sign or leading zero.
template <class Integer>
std::optional<Integer> parse_decimal(std::string_view digits) {
  if (digits.empty() || digits.front() == '-' || (digits.front() == '0' && digits.size() > 1)) return std::nullopt;
  Integer value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

Result<Checkpoint> parse_body(std::string_view body, const PublicKey& provider) {
  const std::vector<std::string_view> lines = lines_of(body);
  if (lines.size() < 4) return wrong("malformed", "a checkpoint needs the lines origin, size, root and time");
  if (lines[0] != checkpoint_origin(provider)) {
    return wrong("origin", "the checkpoint is not by " + checkpoint_origin(provider));
  }
  const auto size = parse_decimal<Seq>(lines[1]);
  if (!size) return wrong("malformed", "the checkpoint's second line is no tree size");
  const auto root_bytes = from_base64(lines[2]);
  const auto root = root_bytes ? Hash256::from_bytes(*root_bytes) : std::nullopt;
  if (!root) return wrong("malformed", "the checkpoint's third line is not the base64 of a 32-byte root");
  const auto time =
      lines[3].starts_with(kTimeMark) ? parse_decimal<std::int64_t>(lines[3].substr(kTimeMark.size())) : std::nullopt;
  if (!time) return wrong("malformed", "the checkpoint's fourth line is not \"time\" and milliseconds");
  return Checkpoint{*size, *root, {*time}};
}

struct SignatureLine {
  std::string_view name;
  std::string key_id;
  std::string signature;
};

std::optional<SignatureLine> parse_signature_line(std::string_view line) {
  if (!line.starts_with(kSignatureMark)) return std::nullopt;
  line.remove_prefix(kSignatureMark.size());
  const std::size_t space = line.find(' ');
  if (space == 0 || space == std::string_view::npos) return std::nullopt;
  const auto bytes = from_base64(line.substr(space + 1));
  if (!bytes || bytes->size() <= kKeyIdSize) return std::nullopt;
  return SignatureLine{line.substr(0, space), bytes->substr(0, kKeyIdSize), bytes->substr(kKeyIdSize)};
}

Result<void> check_signatures(std::string_view body, std::string_view signatures, const PublicKey& provider) {
  bool found = false;
  for (const std::string_view line : lines_of(signatures)) {
    const auto parsed = parse_signature_line(line);
    if (!parsed) return wrong("malformed", "the checkpoint has a line after its text that is no signature");
    if (parsed->name != checkpoint_origin(provider) || parsed->key_id != key_id(provider)) continue;
    if (!is_signed_by(provider, body, parsed->signature)) {
      return wrong("signature", "the checkpoint's signature is not that of its text: one of them was altered");
    }
    found = true;
  }
  if (!found) return wrong("unsigned", "the checkpoint carries no signature by " + checkpoint_origin(provider));
  return {};
}

}  // namespace

std::string checkpoint_origin(const PublicKey& provider) {
  return "sellcompute/" + provider.hex();
}

Result<std::string> sign_checkpoint(const Checkpoint& checkpoint, const PublicKey& provider, const DigestSigner& sign) {
  const std::string origin = checkpoint_origin(provider);
  std::string note = origin + '\n' + std::to_string(checkpoint.size) + '\n' + to_base64(checkpoint.root.view()) + '\n' +
                     std::string(kTimeMark) + std::to_string(checkpoint.time.ms) + '\n';
  const auto signature = sign(signing_digest(note));
  if (!signature) return tl::unexpected(signature.error());
  note.append("\n").append(kSignatureMark).append(origin).append(" ");
  note.append(to_base64(key_id(provider).append(signature->view()))).append("\n");
  return note;
}

Result<Checkpoint> verify_checkpoint(std::string_view note, const PublicKey& provider) {
  if (note.size() > kMaxCheckpointBytes) {
    return wrong("too_long", "the checkpoint is longer than " + std::to_string(kMaxCheckpointBytes) + " bytes");
  }
  const auto is_control = [](char c) { return (c >= '\0' && c < ' ' && c != '\n') || c == '\x7f'; };
  if (std::any_of(note.begin(), note.end(), is_control)) {
    return wrong("malformed", "the checkpoint contains control characters");
  }
  const std::size_t gap = note.find("\n\n");
  if (gap == std::string_view::npos || !note.ends_with('\n')) {
    return wrong("malformed", "a checkpoint is lines of text, an empty line and lines of signatures");
  }
  const std::string_view body = note.substr(0, gap + 1);
  auto checkpoint = parse_body(body, provider);
  if (!checkpoint) return checkpoint;
  return check_signatures(body, note.substr(gap + 2), provider).map([&] { return *checkpoint; });
}

}  // namespace ledger
