// Checkpoints: what a provider signs can be read back and nothing else can.
#include "ledger/checkpoint.h"

#include <gtest/gtest.h>
#include <secp256k1_schnorrsig.h>

#include "base/base64.h"

namespace ledger {
namespace {

using base::ErrorKind;
using base::fail;
using base::from_base64;
using base::sha256;
using base::to_base64;

// A provider with a key of its own.
class Provider {
 public:
  explicit Provider(std::uint8_t seed) {
    context_ = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    std::array<std::uint8_t, 32> secret{};
    secret.back() = seed;
    EXPECT_EQ(secp256k1_keypair_create(context_, &pair_, secret.data()), 1);
    secp256k1_xonly_pubkey key;
    EXPECT_EQ(secp256k1_keypair_xonly_pub(context_, &key, nullptr, &pair_), 1);
    secp256k1_xonly_pubkey_serialize(context_, public_key.bytes.data(), &key);
  }
  ~Provider() { secp256k1_context_destroy(context_); }
  Provider(const Provider&) = delete;
  Provider& operator=(const Provider&) = delete;

  DigestSigner signer() const {
    return [this](const Hash256& digest) -> Result<Signature> {
      Signature out;
      secp256k1_schnorrsig_sign32(context_, out.bytes.data(), digest.bytes.data(), &pair_, nullptr);
      return out;
    };
  }

  std::string sign(const Checkpoint& checkpoint) const { return *sign_checkpoint(checkpoint, public_key, signer()); }

  PublicKey public_key;

 private:
  secp256k1_context* context_;
  secp256k1_keypair pair_{};
};

const Checkpoint kCheckpoint{41208, sha256("root"), {1'795'000'000'123}};
const std::string kSignatureMark = "\xe2\x80\x94 ";

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string code_of(std::string_view note, const Provider& provider) {
  const auto checkpoint = verify_checkpoint(note, provider.public_key);
  return checkpoint ? "valid" : checkpoint.error().code;
}

TEST(CheckpointNote, IsASignedNoteAsC2spWritesIt) {
  const Provider provider(1);
  const std::string origin = "sellcompute/79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
  const std::string body = origin +
                           "\n41208\n"
                           "SBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I=\n"
                           "time 1795000000123\n";
  const std::string note = provider.sign(kCheckpoint);
  ASSERT_TRUE(note.starts_with(body + "\n" + kSignatureMark + origin + " ")) << note;
  const std::string signature = *from_base64(note.substr(note.rfind(' ') + 1, (4 + 64 + 2) / 3 * 4));
  ASSERT_EQ(signature.size(), 4u + 64u);
  EXPECT_EQ(
      signature.substr(0, 4),
      sha256(origin + "\n\xff" + "sellcompute-bip340" + std::string(provider.public_key.view())).view().substr(0, 4));
}

TEST(CheckpointNote, IsReadBackByWhoKnowsTheProvider) {
  const Provider provider(1);
  EXPECT_EQ(verify_checkpoint(provider.sign(kCheckpoint), provider.public_key), kCheckpoint);
  const Checkpoint beginning{0, sha256(""), {0}};
  EXPECT_EQ(verify_checkpoint(provider.sign(beginning), provider.public_key), beginning);
}

TEST(CheckpointNote, OfAnotherProviderIsRefused) {
  EXPECT_EQ(code_of(Provider(2).sign(kCheckpoint), Provider(1)), "checkpoint.origin");
}

TEST(CheckpointNote, WithoutTheProvidersSignatureIsRefused) {
  const Provider provider(1);
  const std::string note = provider.sign(kCheckpoint);
  const std::string text = note.substr(0, note.find("\n\n") + 2);
  EXPECT_EQ(code_of(text, provider), "checkpoint.unsigned");
  EXPECT_EQ(code_of(text + kSignatureMark + "witness AAAAAAA=\n", provider), "checkpoint.unsigned");
}

TEST(CheckpointNote, AlteredInAnyCharacterIsRefused) {
  const Provider provider(1);
  const std::string note = provider.sign(kCheckpoint);
  EXPECT_EQ(code_of(replaced(note, "41208", "41209"), provider), "checkpoint.signature");
  EXPECT_EQ(code_of(replaced(note, "time 1", "time 2"), provider), "checkpoint.signature");
  for (std::size_t i = 0; i < note.size(); ++i) {
    std::string altered = note;
    altered[i] = altered[i] == 'A' ? 'B' : 'A';
    EXPECT_NE(code_of(altered, provider), "valid") << "at " << i;
    EXPECT_NE(code_of(note.substr(0, i), provider), "valid") << "cut at " << i;
  }
}

TEST(CheckpointNote, MayCarryWitnessesAndFurtherExtensionLines) {
  const Provider provider(1);
  const std::string note = provider.sign(kCheckpoint);
  EXPECT_EQ(code_of(note + kSignatureMark + "witness.example AAAAAAA=\n", provider), "valid");
  const std::string body = note.substr(0, note.find("\n\n") + 1) + "an extension of a later version\n";
  const std::string tag(sha256("sellcompute/checkpoint").view());
  const Signature signature = *provider.signer()(sha256(tag + tag + body));
  const std::string id = from_base64(note.substr(note.rfind(' ') + 1, 92))->substr(0, 4);
  EXPECT_EQ(code_of(body + "\n" + kSignatureMark + checkpoint_origin(provider.public_key) + " " +
                        to_base64(id + std::string(signature.view())) + "\n",
                    provider),
            "valid");
}

TEST(CheckpointNote, IsReadStrictly) {
  const Provider provider(1);
  const std::string note = provider.sign(kCheckpoint);
  EXPECT_EQ(code_of("", provider), "checkpoint.malformed");
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"\n41208\n", "\n041208\n"},
           {"\n41208\n", "\n+41208\n"},
           {"\n41208\n", "\n41208 \n"},
           {"\n41208\n", "\n-1\n"},
           {"\n41208\n", "\n99999999999999999999\n"},
           {"\n41208\n", "\n\n"},
           {"\nSBNJ", "\nBNJ"},
           {"d7I=", "d7J="},
           {"d7I=", "d7I"},
           {"time ", "Time "},
           {"time ", "time -"},
           {"time 1795000000123\n", ""},
           {"time 1795000000123", "time 1795000000123\r"},
           {kSignatureMark, "- "},
       }) {
    EXPECT_EQ(code_of(replaced(note, from, to), provider), "checkpoint.malformed") << from << " -> " << to;
  }
  for (const char* line : {"wit\x7fness AAAAAAA=", " AAAAAAA=", "witness AAAAAA==", "witness", "witness  AAAAAAA="}) {
    EXPECT_EQ(code_of(note + kSignatureMark + line + "\n", provider), "checkpoint.malformed") << line;
  }
  EXPECT_EQ(code_of(note + "\n", provider), "checkpoint.malformed");
  EXPECT_EQ(code_of(note.substr(0, note.size() - 1), provider), "checkpoint.malformed");
  EXPECT_EQ(code_of(std::string(kMaxCheckpointBytes + 1, 'a'), provider), "checkpoint.too_long");
}

TEST(CheckpointNote, IsNotMadeWhenTheKeyDoesNotSign) {
  const auto note = sign_checkpoint(kCheckpoint, Provider(1).public_key, [](const Hash256&) -> Result<Signature> {
    return fail(ErrorKind::config, "key.locked", "the key is locked");
  });
  EXPECT_EQ(note.error().code, "key.locked");
}

}  // namespace
}  // namespace ledger
