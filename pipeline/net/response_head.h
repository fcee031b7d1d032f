// How the adapters read the head of an HTTP answer. Include it in .cc files only, because it includes Beast.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cstdint>

#include "pipeline/net/awaitable.h"
#include "pipeline/net/upgrade_answer.h"

namespace net {

// Makes a new parser, skips interim answers (1xx; RFC 9110, section 15.2) and reads the head of the final answer into
// the parser. Each head has at most `max_head_bytes`. Status 101 counts as final, because no request here asks for
// another protocol. Fails with http::error::bad_status when more than kMaxInterimAnswers come. `Parser` is a
// std::optional<response_parser>. The size of the body is not limited.
template <class Stream, class Parser>
boost::asio::awaitable<void> read_head(Stream& stream, boost::beast::flat_buffer& buffer, Parser& parser,
                                       std::uint32_t max_head_bytes, boost::beast::error_code& error) {
  for (unsigned heads = 0; heads <= kMaxInterimAnswers; ++heads) {
    parser.emplace();
    parser->header_limit(max_head_bytes);
    parser->body_limit(boost::none);
    co_await boost::beast::http::async_read_header(stream, buffer, *parser, into(error));
    const unsigned status = parser->get().result_int();
    if (error || status < 100 || status >= 200 || status == 101) co_return;
  }
  error = boost::beast::http::error::bad_status;
}

}  // namespace net
