// Expected failures are values: every fallible function of the project returns a Result.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace base {

// Six kinds of failure, by who has to act on it.
enum class ErrorKind { config, connection, job_request, job_processing, payment, invocation };

// One failure. `code` is stable and machine-readable ("ledger.damaged", "relay.tls"); `message` says what failed and
// why; `context` says where (a file, a URL, a position) and `hint` what to do about it; both may be empty.
struct Error {
  ErrorKind kind = ErrorKind::invocation;
  std::string code;
  std::string message;
  std::string context;
  std::string hint;

  // "what and why (where): what to do", for a person.
  std::string describe() const;
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorKind kind, std::string code, std::string message, std::string context = {},
                                  std::string hint = {}) {
  return tl::unexpected<Error>(Error{kind, std::move(code), std::move(message), std::move(context), std::move(hint)});
}

std::string_view name(ErrorKind kind);

}  // namespace base
