#include "base/check.h"

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace base {
namespace {

// The path as the source tree knows it: compilers are given longer ones.
std::string_view in_tree(std::string_view path) {
  constexpr std::string_view kThisFile = __FILE__;
  constexpr std::string_view kTree = kThisFile.substr(0, kThisFile.rfind("base/"));
  return path.starts_with(kTree) ? path.substr(kTree.size()) : path;
}

}  // namespace

void check_failed(const char* file, int line, const char* condition, const char* names, const std::string& values) {
  std::string message = "a bug in sellcompute, please report it: ";
  message.append(in_tree(file)).append(":").append(std::to_string(line));
  message.append(": CHECK(").append(condition).append(") failed");
  if (!values.empty()) message.append(", with ").append(names).append(" = ").append(values);
  message.append("\n");
  std::fputs(message.c_str(), stderr);
  std::abort();
}

}  // namespace base
