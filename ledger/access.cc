#include "ledger/access.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace ledger {
namespace {

namespace fs = std::filesystem;

std::string user_name(uid_t user) {
  const passwd* entry = ::getpwuid(user);
  return entry ? entry->pw_name : "user " + std::to_string(user);
}

// Why this user may not; 0: it may, or there is no such file.
int refusal(const fs::path& path, int rights) {
  if (::faccessat(AT_FDCWD, path.c_str(), rights, AT_EACCESS) == 0) return 0;
  return errno == ENOENT || errno == ENOTDIR ? 0 : errno;
}

tl::unexpected<base::Error> not_permitted(const fs::path& path, Access access, int error) {
  std::string message = user_name(::geteuid()) + " may not " + (access == Access::read ? "read" : "write") +
                        " this ledger: " + std::strerror(error);
  std::string hint = "name your own ledger with --data-dir";
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && status.st_uid != ::geteuid()) {
    hint = "run this as its owner, " + user_name(status.st_uid) + ", or " + hint;
  } else {
    hint = "look at the rights of this path, or " + hint;
  }
  return base::fail(base::ErrorKind::invocation, "ledger.not_permitted", std::move(message), path.string(),
                    std::move(hint));
}

}  // namespace

Result<void> check_access(const fs::path& folder, Access access) {
  fs::path above;
  for (const fs::path& part : fs::path(folder).parent_path()) {
    above /= part;
    if (const int error = refusal(above, X_OK)) return not_permitted(above, access, error);
  }
  const bool writes = access == Access::write;
  if (const int error = refusal(folder, R_OK | X_OK | (writes ? W_OK : 0))) return not_permitted(folder, access, error);
  std::error_code ignored;
  for (const auto& file : fs::directory_iterator(folder, ignored)) {
    const std::string name = file.path().filename().string();
    const bool changes = writes && (name == "LOCK" || name == "DURABLE");
    if (const int error = refusal(file.path(), R_OK | (changes ? W_OK : 0))) {
      return not_permitted(file.path(), access, error);
    }
  }
  return {};
}

}  // namespace ledger
