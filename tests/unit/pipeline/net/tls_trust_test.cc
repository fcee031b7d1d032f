// HTTP over TLS: which certificates of a server that the operator named are trusted, and what is told of the others.
#include "pipeline/net/tls_trust.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>

#include "base/temporary_folder.h"
#include "pipeline/loopback/loopback_ollama.h"
#include "pipeline/net/http_call.h"
#include "tests/support/tls_front.h"

namespace net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::HasSubstr;
using testing::StartsWith;

class TlsTrust : public testing::Test {
 protected:
  std::string file(const std::string& name) const { return folder.path() / name; }
  std::string read(const std::string& name) const {
    std::stringstream text;
    text << std::ifstream(file(name)).rdbuf();
    return text.str();
  }
  void openssl(const std::string& arguments) const {
    const std::string command = "cd " + folder.path().string() + " && openssl " + arguments + " 2>/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }
  // <name>.key and <name>.pem with these extensions, signed by the issuer's key; without an issuer by its own.
  void make(const std::string& name, const std::string& extensions, const std::string& issuer = {}) const {
    std::ofstream(file("extensions")) << extensions << '\n';
    const std::string signer = issuer.empty() ? " -signkey " + name + ".key"
                                              : " -CA " + issuer + ".pem -CAkey " + issuer + ".key -CAcreateserial";
    openssl("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=" + name + " -keyout " + name +
            ".key -out " + name + ".csr");
    openssl("x509 -req -in " + name + ".csr" + signer + " -days 2 -extfile extensions -out " + name + ".pem");
  }
  // As certbot writes it: root signs intermediate, intermediate signs leaf; chain.pem is leaf and intermediate.
  void make_chain() const {
    make("root", "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign");
    make("intermediate", "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign", "root");
    make("leaf", "subjectAltName=DNS:localhost,IP:127.0.0.1", "intermediate");
    std::ofstream(file("chain.pem")) << read("leaf.pem") << read("intermediate.pem");
  }

  void serve(const std::string& chain, const std::string& key) {
    auto origin = parse_origin(behind->url()).value();
    front = std::make_unique<support::TlsFront>(io, file(chain), file(key),
                                                static_cast<std::uint16_t>(std::stoi(origin.port)));
    port = front->port();
  }
  // What becomes of a call: "200", or why it failed.
  std::string call(const std::string& trusted_pem, const std::string& host = "localhost") {
    HttpOrigin origin = parse_origin("https://" + host + ":" + std::to_string(port)).value();
    origin.trusted_pem = trusted_pem;
    std::string out;
    untrusted = false;
    const HttpCall exchange(io, origin, {.path = "/api/version"},
                            {.connect_ms = 5'000, .first_byte_ms = 5'000, .stall_ms = 5'000},
                            {.head = [&](unsigned status) { out = std::to_string(status); },
                             .body = [](std::string_view) {},
                             .end = [] {},
                             .failed =
                                 [&](const HttpFailure& failure) {
                                   out = failure.message;
                                   untrusted = failure.untrusted;
                                 }});
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (out.empty() && std::chrono::steady_clock::now() < deadline) {
      io.restart();
      io.run_one_for(std::chrono::milliseconds(20));
    }
    return out;
  }

  const base::TemporaryFolder folder = base::TemporaryFolder::make("test").value();
  asio::io_context io;
  std::unique_ptr<loopback::LoopbackOllama> behind = loopback::LoopbackOllama::start(io).value();
  std::unique_ptr<support::TlsFront> front;
  std::uint16_t port = 0;
  bool untrusted = false;
};

TEST_F(TlsTrust, EveryCertificateThatIsNamedIsTrustedByItself) {
  make_chain();
  serve("chain.pem", "leaf.key");
  for (const char* trusted : {"leaf.pem", "chain.pem", "intermediate.pem", "root.pem"})
    EXPECT_EQ(call(read(trusted)), "200") << trusted;
  EXPECT_EQ(call(read("leaf.pem"), "127.0.0.1"), "200") << "by its address too";
}

TEST_F(TlsTrust, ASelfSignedCertificateNeedNotBeAnAuthoritys) {
  make("server", "subjectAltName=DNS:localhost\nbasicConstraints=critical,CA:FALSE");
  serve("server.pem", "server.key");
  EXPECT_EQ(call(read("server.pem")), "200");
  EXPECT_EQ(call({}), "self-signed certificate, which is not trusted here");
  EXPECT_TRUE(untrusted);
}

TEST_F(TlsTrust, ACertificateOfAnotherServersIsRefused) {
  make_chain();
  make("other", "subjectAltName=DNS:localhost");
  serve("chain.pem", "leaf.key");
  EXPECT_EQ(call(read("other.pem")), "certificate is signed by \"root\", which is not trusted here");
  serve("leaf.pem", "leaf.key");
  EXPECT_EQ(call(read("other.pem")), "certificate is signed by \"intermediate\", which is not trusted here");
  serve("other.pem", "other.key");
  EXPECT_EQ(call(read("chain.pem")), "self-signed certificate, which is not trusted here");
}

TEST_F(TlsTrust, ACertificateForAnotherHostTellsForWhich) {
  make("server", "subjectAltName=DNS:other.example,IP:10.0.0.5,IP:fd00::1");
  serve("server.pem", "server.key");
  for (const char* host : {"localhost", "127.0.0.1"}) {
    EXPECT_EQ(call(read("server.pem"), host),
              "certificate is not for " + std::string(host) + "; it is for other.example, 10.0.0.5, fd00::1");
  }
  make("crowded", "subjectAltName=DNS:a.example,DNS:b.example,DNS:c.example,DNS:d.example,DNS:e.example,DNS:f.example");
  serve("crowded.pem", "crowded.key");
  EXPECT_THAT(call(read("crowded.pem")), HasSubstr("c.example, d.example and 2 more"));
}

TEST_F(TlsTrust, AServerWithoutTlsIsTold) {
  tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
  port = acceptor.local_endpoint().port();
  tcp::socket socket(io);
  const std::string refusal = "HTTP/1.1 400 Bad Request\r\n\r\n";
  acceptor.async_accept(socket, [&](const auto& error) {
    if (!error) asio::write(socket, asio::buffer(refusal));
  });
  EXPECT_EQ(call({}, "127.0.0.1"), "the server does not speak TLS there");
  EXPECT_FALSE(untrusted);
}

TEST_F(TlsTrust, AFileWithoutCertificatesIsFoundBeforeItIsUsed) {
  make_chain();
  openssl("x509 -in leaf.pem -outform der -out leaf.der");
  for (const std::string& wrong : {std::string(), std::string("none"), read("leaf.key"), read("leaf.der")})
    EXPECT_THAT(certificates_fault(wrong), StartsWith("holds no certificate in PEM form"));
  EXPECT_EQ(certificates_fault(read("chain.pem")), "");
  EXPECT_EQ(certificates_fault(read("leaf.key") + read("leaf.pem") + "\n# a remark\n"), "");
  const std::string broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  EXPECT_EQ(certificates_fault(read("leaf.pem") + broken), "holds a certificate that cannot be read, behind 1");
  serve("chain.pem", "leaf.key");
  EXPECT_THAT(call("none"), HasSubstr("holds no certificate in PEM form"));
  EXPECT_TRUE(untrusted);
}

}  // namespace
}  // namespace net
