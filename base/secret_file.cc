#include "base/secret_file.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/sync_folder.h"

namespace base {
namespace {

using std::filesystem::path;

constexpr mode_t kOthers = S_IRWXG | S_IRWXO;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }

 private:
  int fd_;
};

auto io_failure(const char* what, const path& where, int error = errno) {
  return fail(ErrorKind::config, "secret_file.io", std::string(what) + ": " + std::generic_category().message(error),
              where.string(), error == EACCES ? "run this as the user whose file it is" : "");
}

auto too_open(const path& where, const char* what, const char* mode) {
  return fail(ErrorKind::config, "secret_file.permissions", std::string("others may read this ") + what, where.string(),
              std::string("chmod ") + mode + " " + where.string());
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

path folder_of(const path& file) {
  return file.has_parent_path() ? file.parent_path() : path(".");
}

// A new name is durable only when its folder is.
Result<void> make_durable(const path& folder) {
  if (const auto error = sync_folder(folder))
    return io_failure("could not make the folder durable", folder, error.value());
  return {};
}

// The folders above are made for others too, as `mkdir -p` does.
Result<void> create_parents(const path& folder) {
  std::error_code error;
  const path parent = folder_of(folder);
  if (std::filesystem::exists(parent, error) || parent == folder) return {};
  if (const auto made = create_parents(parent); !made) return made;
  if (!std::filesystem::create_directory(parent, error) && error)
    return io_failure("could not create the folder", parent, error.value());
  return make_durable(folder_of(parent));
}

// Fills the temporary file and gives it its name; link() fails where the name is taken, rename() would overwrite.
Result<void> fill_and_name(int fd, const char* temporary, const path& name, std::string_view bytes) {
  if (!write_all(fd, bytes) || ::fsync(fd) != 0) return io_failure("could not write the file", name);
  if (::link(temporary, name.c_str()) == 0) return {};
  if (errno != EEXIST) return io_failure("could not create the file", name);
  return fail(ErrorKind::config, "secret_file.exists", "the file is there already and is not overwritten",
              name.string());
}

Result<std::string> read_file(const path& path, mode_t refused) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.is_open() && errno == ENOENT) {
    return fail(ErrorKind::config, "secret_file.missing", "there is no such file", path.string());
  }
  struct stat status {};
  if (!fd.is_open() || ::fstat(fd.get(), &status) != 0) return io_failure("could not open the file", path);
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorKind::config, "secret_file.not_a_file", "this is not a regular file", path.string());
  }
  if ((status.st_mode & refused) != 0) return too_open(path, "file", "600");

  std::string bytes(kMaxPrivateFileBytes + 1, '\0');
  std::size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t got = ::read(fd.get(), bytes.data() + size, bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io_failure("could not read the file", path);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kMaxPrivateFileBytes) {
    return fail(ErrorKind::config, "secret_file.too_large", "the file is larger than 64 KiB", path.string());
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace

bool is_absent(const path& path) {
  std::error_code error;
  return std::filesystem::status(path, error).type() == std::filesystem::file_type::not_found;
}

Result<std::string> read_private_file(const path& path) {
  return read_file(path, kOthers);
}

Result<std::string> read_public_file(const path& path) {
  return read_file(path, 0);
}

Result<void> create_private_file(const path& path, std::string_view bytes) {
  std::string temporary = path.string() + ".tmp.XXXXXX";
  const Descriptor fd(::mkostemp(temporary.data(), O_CLOEXEC));  // mode 0600
  if (!fd.is_open()) return io_failure("could not create the file", path);
  const auto named = fill_and_name(fd.get(), temporary.c_str(), path, bytes);
  ::unlink(temporary.c_str());
  if (!named) return named;
  return make_durable(folder_of(path));
}

Result<void> create_private_folder(const path& path) {
  if (const auto made = create_parents(path); !made) return made;
  const bool is_new = ::mkdir(path.c_str(), S_IRWXU) == 0;
  if (!is_new && errno != EEXIST) return io_failure("could not create the folder", path);
  // Also if it was there: who made it may have died before this. But then the folder above may be closed to us.
  if (const auto synced = make_durable(folder_of(path)); !synced && is_new) return synced;
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return io_failure("could not look at the folder", path);
  if (!S_ISDIR(status.st_mode)) return io_failure("could not create the folder", path, ENOTDIR);
  if ((status.st_mode & kOthers) != 0) return too_open(path, "folder", "700");
  return make_durable(path);  // and who made a file in it
}

Result<Secret> read_secret(const path& path) {
  auto text = read_private_file(path);
  if (!text) return tl::unexpected(text.error());
  if (text->ends_with('\n')) text->pop_back();
  if (const auto secret = Secret::from_hex(*text)) return *secret;
  return fail(ErrorKind::config, "secret_file.malformed", "the file must hold 64 hexadecimal digits", path.string(),
              "restore it from a backup; a new secret cannot stand in for it");
}

Result<Secret> read_or_create_secret(const path& path) {
  const auto known = read_secret(path);
  if (known || known.error().code != "secret_file.missing") return known;
  Secret fresh;
  if (::getrandom(fresh.bytes.data(), fresh.bytes.size(), 0) != static_cast<ssize_t>(fresh.bytes.size())) {
    return io_failure("the system gave no randomness", path);
  }
  const auto created = create_private_file(path, fresh.hex() + "\n");
  if (created) return fresh;
  if (created.error().code != "secret_file.exists") return tl::unexpected(created.error());
  return read_secret(path);  // another process was faster: its secret counts
}

}  // namespace base
