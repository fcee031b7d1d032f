// How the adapters' coroutines wait. Include it in .cc files only, because it includes Asio.
#pragma once

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace net {

// The completion token for an operation that a coroutine awaits: a failure is stored in `error`, not thrown.
inline auto into(boost::system::error_code& error) {
  return boost::asio::redirect_error(boost::asio::use_awaitable, error);
}

}  // namespace net
