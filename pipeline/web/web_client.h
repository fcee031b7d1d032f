// The web over sockets: drives a FetchSession per page with Beast and OpenSSL. Asio and Beast stay in web_client.cc.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "pipeline/web/fetch_session.h"
#include "pipeline/web/page_reader.h"

namespace boost::asio {
class io_context;
}

namespace web {

inline constexpr std::size_t kMaxFetchesAtOnce = 4;
inline constexpr std::size_t kMaxFetchesWaiting = 64;
inline constexpr char kAcceptText[] = "text/plain, text/html, application/json, application/xml, text/*;q=0.5";

struct WebOptions {
  bool allow_private = false;           // for tests
  std::string extra_ca_file;            // PEM, trusted besides the system's authorities; empty: none
  std::int64_t limit_ms = kMaxFetchMs;  // for tests: of one fetch, not counting how long it waited for its turn
};

struct WebRequest {
  std::string url;
  std::string accept = kAcceptText;
  bool own = false;  // the operator named the URL (FetchOptions)
};

// A few fetches run at a time; more wait for their turn in order. Lives on one io_context thread, which must outlive
// it; destroying it ends the running fetches without calling their `done`, and waits for look-ups that have begun.
class WebClient final : public web::PageReader {
 public:
  using Done = std::function<void(Answer)>;

  explicit WebClient(boost::asio::io_context& io, WebOptions options = {});
  ~WebClient() override;

  // Besides the errors of FetchSession: "web.busy" when too many wait.
  void get(const std::string& url, Done done) override { fetch({.url = url}, std::move(done)); }
  void fetch(WebRequest request, Done done);

 private:
  class Transfer;
  struct Io;
  struct Waiting {
    WebRequest request;
    Done done;
  };

  void begin(WebRequest request, Done done);

  WebOptions options_;
  std::unique_ptr<Io> io_;
  std::set<std::shared_ptr<Transfer>> running_;
  std::deque<Waiting> waiting_;
};

}  // namespace web
