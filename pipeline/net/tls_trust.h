// Whom a TLS connection to a server that the operator named trusts. For the adapters' .cc files: it includes Asio.
#pragma once

#include <boost/asio/ssl.hpp>
#include <memory>

#include "pipeline/net/http_call.h"

namespace net {

// The origin's own certificates where it names some, else the system's authorities. The error says that those named
// cannot be read.
std::shared_ptr<boost::asio::ssl::context> trust_of(const HttpOrigin& origin, boost::system::error_code& error);

// The certificate must be for this host, and the server is told which one is meant.
template <class Stream>
void prepare_tls(Stream& stream, std::string host) {
  stream.set_verify_callback(boost::asio::ssl::host_name_verification(host));
  // What the macro SSL_set_tlsext_host_name says, without its casts.
  SSL_ctrl(stream.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, host.data());
}

}  // namespace net
