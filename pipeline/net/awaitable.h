// How the adapters' coroutines wait. For their .cc files: it includes Asio.
#pragma once

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace net {

// To be awaited; a failure goes into `error` instead of being thrown.
inline auto into(boost::system::error_code& error) {
  return boost::asio::redirect_error(boost::asio::use_awaitable, error);
}

}  // namespace net
