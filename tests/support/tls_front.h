// TLS in front of a server on this machine that speaks without: for tests of what trusts which certificate.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <string>

namespace support {

// Accepts TLS on a free port of 127.0.0.1 and passes the bytes on to `port` there. Lives on one io_context thread;
// connections that are open when it is destroyed go on. Throws boost::system::system_error if the certificate chain and
// its key (PEM files) cannot be read.
class TlsFront {
 public:
  TlsFront(boost::asio::io_context& io, const std::string& certificate_file, const std::string& key_file,
           std::uint16_t port);

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

 private:
  void accept_next();

  boost::asio::ssl::context tls_{boost::asio::ssl::context::tls_server};
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::ip::tcp::endpoint behind_;
};

}  // namespace support
