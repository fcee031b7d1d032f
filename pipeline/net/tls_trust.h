// Which server certificates a TLS client trusts, and what a person reads about a certificate that it refuses. C++17,
// because websocket.cc is.
#pragma once

#include <openssl/ssl.h>

#include <string>

namespace net {

// Makes `context` trust each certificate in the text of a PEM file. It may be an authority's certificate, a server's
// own, or part of a server's chain without the root. Returns what is wrong with the text, or "".
std::string trust_certificates(SSL_CTX* context, const std::string& pem);
// The same for certificates that were loaded into `context` in another way.
void trust_each_certificate(SSL_CTX* context);
// What trust_certificates() would find wrong with the text.
std::string certificates_fault(const std::string& pem);

// Makes one connection require a certificate for this host (a name or an address). A name is also sent to the server
// (SNI, RFC 6066); an address is not.
void expect_host(SSL* connection, const std::string& host);

// Why OpenSSL refuses the certificate at hand, in one line: "certificate expired 3 days ago". Its names are told if it
// is for another host than `host`.
std::string certificate_fault(X509_STORE_CTX* store, const std::string& host);
// Why a handshake failed for another reason than the certificate; `error` is OpenSSL's.
std::string handshake_fault(unsigned long error);

}  // namespace net
