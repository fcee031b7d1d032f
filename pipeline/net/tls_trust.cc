#include "pipeline/net/tls_trust.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sslerr.h>
#include <openssl/x509v3.h>

#include <array>
#include <memory>
#include <string_view>
#include <vector>

namespace net {
namespace {

constexpr std::size_t kMaxNames = 4;       // of a certificate in one message
constexpr std::size_t kMaxNameBytes = 80;  // each

template <class T, void (*Free)(T*)>
struct Freer {
  void operator()(T* what) const { Free(what); }
};
using Certificate = std::unique_ptr<X509, Freer<X509, X509_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Freer<GENERAL_NAMES, GENERAL_NAMES_free>>;
struct BioFreer {
  void operator()(BIO* what) const { BIO_free(what); }
};

// A stranger's words.
std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kMaxNameBytes)) out += c >= ' ' && c <= '~' && c != '"' ? c : '?';
  return out;
}

std::string text_of(const ASN1_STRING* text) {
  if (!text) return {};
  return printable(
      {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)), static_cast<std::size_t>(ASN1_STRING_length(text))});
}

std::string common_name(const X509_NAME* name) {
  const int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  return at < 0 ? "" : text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
}

std::string address_of(const ASN1_OCTET_STRING* bytes) {
  std::array<char, INET6_ADDRSTRLEN> out{};
  const int family = ASN1_STRING_length(bytes) == 4 ? AF_INET : AF_INET6;
  const bool read = (family == AF_INET || ASN1_STRING_length(bytes) == 16) &&
                    inet_ntop(family, ASN1_STRING_get0_data(bytes), out.data(), out.size());
  return read ? out.data() : "";
}

std::vector<std::string> names_of(const X509* certificate) {
  std::vector<std::string> out;
  const Names names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  const auto* const stack = reinterpret_cast<const OPENSSL_STACK*>(names.get());  // the macros without their casts
  for (int i = 0; i < OPENSSL_sk_num(stack); ++i) {                               // -1: it names none
    const auto* name = static_cast<const GENERAL_NAME*>(OPENSSL_sk_value(stack, i));
    if (name->type == GEN_DNS) out.push_back(text_of(name->d.dNSName));
    if (name->type == GEN_IPADD) out.push_back(address_of(name->d.iPAddress));
  }
  if (out.empty()) out.push_back(common_name(X509_get_subject_name(certificate)));
  return out;
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size() && i < kMaxNames; ++i) out += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > kMaxNames) out += " and " + std::to_string(names.size() - kMaxNames) + " more";
  return out;
}

std::string days(int count) {
  return std::to_string(count) + (count == 1 ? " day" : " days");
}

// "certificate expired 3 days ago" where OpenSSL says "certificate has expired".
std::string expired(const X509* certificate) {
  int count = 0;
  int seconds = 0;
  if (ASN1_TIME_diff(&count, &seconds, X509_get0_notAfter(certificate), nullptr) != 1) return "certificate expired";
  return count > 0 ? "certificate expired " + days(count) + " ago" : "certificate expired today";
}

std::string not_yet_valid(const X509* certificate) {
  int count = 0;
  int seconds = 0;
  if (ASN1_TIME_diff(&count, &seconds, nullptr, X509_get0_notBefore(certificate)) != 1) count = 0;
  return "certificate is valid only in " + (count > 0 ? days(count) : std::string("some hours")) +
         " (is this machine's clock right?)";
}

}  // namespace

std::string trust_certificates(SSL_CTX* context, const std::string& pem) {
  const std::unique_ptr<BIO, BioFreer> text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  std::size_t found = 0;
  while (const Certificate certificate{PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr)}) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate.get());
    ++found;
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  trust_each_certificate(context);
  if (found == 0) return "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)";
  return at_end ? "" : "holds a certificate that cannot be read, behind " + std::to_string(found);
}

// Else OpenSSL trusts only chains that end with an authority's certificate which is signed by itself.
void trust_each_certificate(SSL_CTX* context) {
  X509_STORE_set_flags(SSL_CTX_get_cert_store(context), X509_V_FLAG_PARTIAL_CHAIN);
}

std::string certificates_fault(const std::string& pem) {
  const std::unique_ptr<SSL_CTX, Freer<SSL_CTX, SSL_CTX_free>> context(SSL_CTX_new(TLS_client_method()));
  return trust_certificates(context.get(), pem);
}

constexpr std::string_view kNoHost = "no-host.invalid";  // no certificate is for it (RFC 6761)

void expect_host(SSL* connection, const std::string& host) {
  X509_VERIFY_PARAM* const wanted = SSL_get0_param(connection);
  if (X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) == 1) return;
  ERR_clear_error();
  // A name that OpenSSL refuses would leave any certificate good enough.
  if (host.empty() || X509_VERIFY_PARAM_set1_host(wanted, host.data(), host.size()) != 1) {
    ERR_clear_error();
    X509_VERIFY_PARAM_set1_host(wanted, kNoHost.data(), kNoHost.size());
  }
  // What the macro SSL_set_tlsext_host_name says, without its casts.
  std::string name = host;
  SSL_ctrl(connection, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
}

std::string certificate_fault(X509_STORE_CTX* store, const std::string& host) {
  const int error = X509_STORE_CTX_get_error(store);
  const X509* const certificate = X509_STORE_CTX_get_current_cert(store);
  if (!certificate) return X509_verify_cert_error_string(error);
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return expired(certificate);
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return not_yet_valid(certificate);
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "certificate is not for " + host + "; it is for " + listed(names_of(certificate));
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return "self-signed certificate, which is not trusted here";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return "certificate is signed by \"" + common_name(X509_get_issuer_name(certificate)) +
             "\", which is not trusted here";
    default:
      return X509_verify_cert_error_string(error);
  }
}

std::string handshake_fault(unsigned long error) {
  switch (ERR_GET_REASON(error)) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
      return "the server does not speak TLS there";
    default:
      break;
  }
  const char* const reason = ERR_reason_error_string(error);
  return reason ? reason : "the handshake failed";
}

}  // namespace net
