#include "base/result.h"

namespace base {

std::string_view name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::config:
      return "config";
    case ErrorKind::connection:
      return "connection";
    case ErrorKind::job_request:
      return "job_request";
    case ErrorKind::job_processing:
      return "job_processing";
    case ErrorKind::payment:
      return "payment";
    case ErrorKind::invocation:
      return "invocation";
  }
  return "invocation";
}

std::string Error::describe() const {
  std::string out = message;
  if (!context.empty()) out += " (" + context + ")";
  if (!hint.empty()) out += ": " + hint;
  return out;
}

}  // namespace base
