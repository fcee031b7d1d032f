// The pool's TLS: which certificates of a relay are trusted, and what a person is told of the others.
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstdlib>
#include <filesystem>

#include "pipeline/nostr/relay/pool.h"
#include "tests/unit/pipeline/nostr/relay/relay_pool_fixture.h"

namespace nostr {
namespace {

using loopback::LoopbackRelay;
using loopback::LoopbackRelayOptions;
using testing::HasSubstr;

class RelayTls : public RelayPoolTest {
 protected:
  void SetUp() override {
    folder = std::filesystem::temp_directory_path() / ("relay_tls_" + key.public_key().hex().substr(0, 8) + "_" +
                                                       std::to_string(began.time_since_epoch().count()));
    std::filesystem::create_directory(folder);
  }
  ~RelayTls() override { std::filesystem::remove_all(folder); }

  // A relay with a certificate of its own making; its file is what has to be trusted.
  LoopbackRelay& secure_relay(const std::string& host) {
    LoopbackRelayOptions secure;
    secure.certificate_file = (folder / (host + ".crt")).string();
    secure.key_file = (folder / (host + ".key")).string();
    const auto command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=" + host +
                         " -addext subjectAltName=DNS:" + host + " -keyout " + secure.key_file + " -out " +
                         secure.certificate_file + " 2>/dev/null";
    EXPECT_EQ(std::system(command.c_str()), 0);
    return relay(secure);
  }

  std::filesystem::path folder;
};

TEST_F(RelayTls, ATrustedCertificateForTheHostIsAccepted) {
  auto& one = secure_relay("localhost");
  options.extra_ca_file = (folder / "localhost.crt").string();
  one.inject(request("over TLS"));
  open_live_pool({one.url()});
  EXPECT_TRUE(run_until([&] { return received.size() == 1; }));
  EXPECT_THAT(one.url(), testing::StartsWith("wss://"));
}

TEST_F(RelayTls, ACertificateForAnotherHostIsRefused) {
  auto& one = secure_relay("other.example");
  options.extra_ca_file = (folder / "other.example.crt").string();
  open_pool({one.url()});
  ASSERT_TRUE(run_until([&] { return states[one.url()] == RelayState::offline; }));
  EXPECT_THAT(reasons, testing::Contains("TLS: certificate is not for localhost"));
}

TEST_F(RelayTls, ACertificateThatNobodyVouchesForIsRefused) {
  auto& one = secure_relay("localhost");
  open_pool({one.url()});
  ASSERT_TRUE(run_until([&] { return states[one.url()] == RelayState::offline; }));
  EXPECT_THAT(reasons, testing::Contains(HasSubstr("TLS: self-signed certificate")));
}

TEST_F(RelayTls, ATrustFileThatCannotBeReadFailsTheConnection) {
  auto& one = secure_relay("localhost");
  options.extra_ca_file = "/nonexistent/ca.pem";
  open_pool({one.url()});
  ASSERT_TRUE(run_until([&] { return states[one.url()] == RelayState::offline; }));
  EXPECT_THAT(reasons, testing::Contains(HasSubstr("/nonexistent/ca.pem")));
}

// The certificate in this file, signed again by its own key so that it ended `days` days ago.
void expire(const std::string& certificate_file, const std::string& key_file, int days) {
  const auto open = [](const std::string& file, const char* mode) {
    return std::unique_ptr<BIO, int (*)(BIO*)>(BIO_new_file(file.c_str(), mode), BIO_free);
  };
  const std::unique_ptr<X509, void (*)(X509*)> certificate(
      PEM_read_bio_X509(open(certificate_file, "r").get(), nullptr, nullptr, nullptr), X509_free);
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> private_key(
      PEM_read_bio_PrivateKey(open(key_file, "r").get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  constexpr long kDay = 86'400;
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -(days + 1) * kDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), -days * kDay);
  ASSERT_GT(X509_sign(certificate.get(), private_key.get(), EVP_sha256()), 0);
  ASSERT_EQ(PEM_write_bio_X509(open(certificate_file, "w").get(), certificate.get()), 1);
}

TEST_F(RelayTls, AnExpiredCertificateIsRefusedWithItsAge) {
  const auto files = (folder / "localhost").string();
  secure_relay("localhost");
  relays.clear();
  expire(files + ".crt", files + ".key", 3);
  LoopbackRelayOptions expired;
  expired.certificate_file = files + ".crt";
  expired.key_file = files + ".key";
  auto& one = relay(expired);
  options.extra_ca_file = files + ".crt";
  open_pool({one.url()});
  ASSERT_TRUE(run_until([&] { return states[one.url()] == RelayState::offline; }));
  EXPECT_THAT(reasons, testing::Contains("TLS: certificate expired 3 days ago"));
}

TEST_F(RelayTls, APlainRelayBehindAWssUrlIsRefused) {
  auto& plain = relay();
  open_pool({"wss://127.0.0.1:" + std::to_string(plain.port())});
  ASSERT_TRUE(run_until([&] { return !reasons.empty(); }));
  EXPECT_THAT(reasons[0], testing::StartsWith("TLS: "));
}

}  // namespace
}  // namespace nostr
