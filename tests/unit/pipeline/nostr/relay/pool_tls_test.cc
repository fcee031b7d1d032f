// The pool's TLS: which certificates of a relay are trusted, and what a person is told of the others.
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstdlib>

#include "base/temporary_folder.h"
#include "pipeline/nostr/relay/pool.h"
#include "tests/support/tls_front.h"
#include "tests/unit/pipeline/nostr/relay/relay_pool_fixture.h"

namespace nostr {
namespace {

using loopback::LoopbackRelay;
using testing::HasSubstr;

class RelayTls : public RelayPoolTest {
 protected:
  // Makes a certificate for this host that nobody but its own key vouches for.
  void make_certificate(const std::string& host) {
    const std::string name = "subjectAltName=DNS:" + host;
    const auto command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=" + host + " -addext " + name +
                         " -keyout " + key_file + " -out " + certificate_file + " 2>/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);
  }

  // The URL of `behind`, reached over TLS.
  std::string secure(const LoopbackRelay& behind) {
    fronts.push_back(std::make_unique<support::TlsFront>(io, certificate_file, key_file, behind.port()));
    return "wss://localhost:" + std::to_string(fronts.back()->port());
  }

  const base::TemporaryFolder temporary = base::TemporaryFolder::make("test").value();
  const std::string certificate_file = temporary.path() / "certificate.pem";
  const std::string key_file = temporary.path() / "key.pem";
  std::vector<std::unique_ptr<support::TlsFront>> fronts;
};

TEST_F(RelayTls, ATrustedCertificateForTheHostIsAccepted) {
  make_certificate("localhost");
  options.extra_ca_file = certificate_file;
  auto& one = relay();
  one.inject(request("over TLS"));
  open_live_pool({secure(one)});
  EXPECT_TRUE(run_until([&] { return received.size() == 1; }));
}

TEST_F(RelayTls, ACertificateForAnotherHostIsRefused) {
  make_certificate("other.example");
  options.extra_ca_file = certificate_file;
  const std::string url = secure(relay());
  open_pool({url});
  ASSERT_TRUE(run_until([&] { return states[url] == RelayState::offline; }));
  EXPECT_THAT(reasons, testing::Contains("TLS: certificate is not for localhost; it is for other.example"));
}

TEST_F(RelayTls, ACertificateThatNobodyVouchesForIsRefused) {
  make_certificate("localhost");
  const std::string url = secure(relay());
  open_pool({url});
  ASSERT_TRUE(run_until([&] { return states[url] == RelayState::offline; }));
  EXPECT_THAT(reasons, testing::Contains(HasSubstr("TLS: self-signed certificate")));
}

TEST_F(RelayTls, ATrustFileThatCannotBeReadFailsTheConnection) {
  make_certificate("localhost");
  options.extra_ca_file = "/nonexistent/ca.pem";
  const std::string url = secure(relay());
  open_pool({url});
  ASSERT_TRUE(run_until([&] { return states[url] == RelayState::offline; }));
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
  make_certificate("localhost");
  expire(certificate_file, key_file, 3);
  options.extra_ca_file = certificate_file;
  const std::string url = secure(relay());
  open_pool({url});
  ASSERT_TRUE(run_until([&] { return states[url] == RelayState::offline; }));
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
