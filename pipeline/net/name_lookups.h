// Looks up the addresses of host names that strangers named. A stranger's name server may be slow, and a look-up can
// neither be cancelled nor bounded in time. So each look-up runs on its own thread, where it delays nothing else, and
// at most kMaxLookupsAtOnce run at the same time.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace boost::asio {
class io_context;
}

namespace net {

inline constexpr std::size_t kMaxLookupsAtOnce = 4;
inline constexpr std::size_t kMaxLookups = 64;  // that run or wait; more are refused

class NameLookups {
 public:
  // At least one address, or why there is none, for a person.
  using Found = tl::expected<std::vector<boost::asio::ip::address>, std::string>;
  using Done = std::function<void(Found)>;
  // Called on a thread of its own, and may block; it may outlive the NameLookups.
  using Resolve = std::function<Found(const std::string& host)>;

  explicit NameLookups(boost::asio::io_context& io, Resolve resolve = system_resolve);
  // Waits for nothing: a look-up that runs ends by itself and is forgotten.
  ~NameLookups();
  NameLookups(const NameLookups&) = delete;
  NameLookups& operator=(const NameLookups&) = delete;

  // Calls `done` once on the io_context's thread, never inside the call. Does not call it once `wanted` has expired: so
  // the caller can stop waiting. A host whose `wanted` has expired when its turn comes is not looked up.
  void look_up(std::string host, std::weak_ptr<void> wanted, Done done);

  static Found system_resolve(const std::string& host);

 private:
  struct Waiting {
    std::string host;
    std::weak_ptr<void> wanted;
    Done done;
  };
  class Mailbox;

  void start_waiting();
  void start(Waiting next);

  boost::asio::io_context& io_;
  Resolve resolve_;
  std::deque<Waiting> waiting_;
  std::size_t running_ = 0;
  std::shared_ptr<Mailbox> mailbox_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace net
