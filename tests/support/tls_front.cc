#include "tests/support/tls_front.h"

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/write.hpp>
#include <memory>

namespace support {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

class Passage : public std::enable_shared_from_this<Passage> {
 public:
  Passage(tcp::socket client, asio::ssl::context& tls)
      : outside_(std::move(client), tls), inside_(outside_.get_executor()) {}

  void start(const tcp::endpoint& behind) {
    outside_.async_handshake(asio::ssl::stream_base::server, [self = shared_from_this(), behind](const error_code& ec) {
      if (ec) return;
      self->inside_.async_connect(behind, [self](const error_code& failure) {
        if (failure) return;
        self->pass(self->outside_, self->inside_, self->inwards_);
        self->pass(self->inside_, self->outside_, self->outwards_);
      });
    });
  }

 private:
  using Bytes = std::array<char, 16 * 1024>;

  // Until either side ends; then both do.
  template <class From, class To>
  void pass(From& from, To& to, Bytes& bytes) {
    from.async_read_some(asio::buffer(bytes),
                         [self = shared_from_this(), &from, &to, &bytes](const error_code& ec, std::size_t size) {
                           if (ec) return self->close();
                           asio::async_write(to, asio::buffer(bytes, size),
                                             [self, &from, &to, &bytes](const error_code& failure, std::size_t) {
                                               if (failure) return self->close();
                                               self->pass(from, to, bytes);
                                             });
                         });
  }

  void close() {
    error_code ignored;
    inside_.close(ignored);
    outside_.next_layer().close(ignored);
  }

  asio::ssl::stream<tcp::socket> outside_;
  tcp::socket inside_;
  Bytes inwards_{};
  Bytes outwards_{};
};

}  // namespace

TlsFront::TlsFront(asio::io_context& io, const std::string& certificate_file, const std::string& key_file,
                   std::uint16_t port)
    : acceptor_(io, {asio::ip::address_v4::loopback(), 0}), behind_(asio::ip::address_v4::loopback(), port) {
  tls_.use_certificate_chain_file(certificate_file);
  tls_.use_private_key_file(key_file, asio::ssl::context::pem);
  accept_next();
}

void TlsFront::accept_next() {
  acceptor_.async_accept([this](const error_code& ec, tcp::socket client) {
    if (ec) return;  // it was destroyed
    std::make_shared<Passage>(std::move(client), tls_)->start(behind_);
    accept_next();
  });
}

}  // namespace support
