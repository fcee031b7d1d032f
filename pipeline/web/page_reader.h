// Reading web pages as the program needs it, a port. web_client.h is the real one.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"

namespace web {

// The text behind a web address that a customer named. Exactly one answer; an error says to the customer what to do
// instead.
class PageReader {
 public:
  virtual ~PageReader() = default;
  virtual void get(const std::string& url, std::function<void(base::Result<std::string>)> done) = 0;
};

}  // namespace web
