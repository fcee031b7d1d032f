#include "cmd/cli/file_limit.h"

#include <sys/resource.h>

#include <algorithm>

namespace cmd {
namespace {

constexpr rlim_t kFilesWanted = 65'536;

}  // namespace

std::uint64_t raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlimit wanted{.rlim_cur = std::max(limit.rlim_cur, std::min(limit.rlim_max, kFilesWanted)),
                      .rlim_max = limit.rlim_max};
  if (::setrlimit(RLIMIT_NOFILE, &wanted) == 0) limit = wanted;
  return limit.rlim_cur;
}

}  // namespace cmd
