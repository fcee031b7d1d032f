#include "pipeline/net/name_lookups.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <mutex>
#include <thread>
#include <utility>

namespace net {

namespace asio = boost::asio;

// The way back to the io_context's thread, open as long as the NameLookups live.
class NameLookups::Mailbox {
 public:
  explicit Mailbox(asio::io_context& io) : io_(&io) {}

  void post(std::function<void()> task) {
    const std::lock_guard lock(mutex_);
    if (io_) asio::post(*io_, std::move(task));
  }
  void close() {
    const std::lock_guard lock(mutex_);
    io_ = nullptr;
  }

 private:
  std::mutex mutex_;
  asio::io_context* io_;
};

NameLookups::NameLookups(asio::io_context& io, Resolve resolve)
    : io_(io), resolve_(std::move(resolve)), mailbox_(std::make_shared<Mailbox>(io)) {}

NameLookups::~NameLookups() {
  mailbox_->close();
}

void NameLookups::look_up(std::string host, std::weak_ptr<void> wanted, Done done) {
  if (running_ + waiting_.size() >= kMaxLookups) {
    return asio::post(io_, [wanted = std::move(wanted), done = std::move(done)] {
      if (!wanted.expired()) done(tl::unexpected<std::string>("too many names are being looked up"));
    });
  }
  waiting_.push_back({std::move(host), std::move(wanted), std::move(done)});
  start_waiting();
}

void NameLookups::start_waiting() {
  while (running_ < kMaxLookupsAtOnce && !waiting_.empty()) {
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    if (!next.wanted.expired()) start(std::move(next));
  }
}

void NameLookups::start(Waiting next) {
  ++running_;
  const auto answer = std::make_shared<std::function<void(Found)>>(
      [this, alive = std::weak_ptr(alive_), wanted = next.wanted, done = std::move(next.done)](Found found) {
        if (alive.expired()) return;
        --running_;
        start_waiting();
        if (!wanted.expired()) done(std::move(found));
      });
  try {
    std::thread([mailbox = mailbox_, resolve = resolve_, host = std::move(next.host), answer] {
      mailbox->post([answer, found = resolve(host)] { (*answer)(found); });
    }).detach();
  } catch (const std::system_error& error) {  // strangers cause these look-ups: no more threads is no end of ours
    mailbox_->post([answer, why = std::string(error.what())] { (*answer)(tl::unexpected(why)); });
  }
}

NameLookups::Found NameLookups::system_resolve(const std::string& host) {
  asio::io_context here;
  asio::ip::tcp::resolver resolver(here);
  boost::system::error_code error;
  std::vector<asio::ip::address> found;
  for (const auto& entry : resolver.resolve(host, "", error)) found.push_back(entry.endpoint().address());
  if (error) return tl::unexpected(error.message());
  return found;
}

}  // namespace net
