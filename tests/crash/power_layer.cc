// Preloaded into a program (LD_PRELOAD): every change that it makes to files below $POWER_FOLDER is written down, in
// order, in the file $POWER_LOG, so that a test can work out what a power failure would have left (disk.mjs). The
// program itself works on real files, as ever.
//
// $POWER_FAILS_AT=n: the program is killed (SIGKILL) before its n-th such change.
//
// A record: magic (8 bytes), what (1), two numbers (8 each), two lengths (4 each), two strings. Little-endian.
//   C inode path          a new file                W inode offset data    written
//   T inode size          cut or extended           S inode                synced (fsync, fdatasync)
//   M path                a new folder              F path                 a folder synced
//   R from to             renamed                   L from to              linked
//   U path                a name removed
// sync_file_range promises nothing (its manual page) and is not followed; nor is shared memory (mmap), which RocksDB
// does not write to as we open it.
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <string>
#include <string_view>

namespace {

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}
// The C library's own function of this name.
#define REAL(name) static const auto real = next<decltype(&::name)>(#name)

std::string absolute(const char* path) {
  if (path[0] == '/') return path;
  char here[PATH_MAX];
  return std::string(::getcwd(here, sizeof here) ? here : "") + "/" + path;
}

class Log {
 public:
  static Log& instance() {
    static Log* const log = new Log;  // outlives everything
    return *log;
  }

  // The path below the folder; nothing if it is not there.
  std::string_view inside(const std::string& path) const {
    const bool below = !folder_.empty() && path.starts_with(folder_ + "/");
    return below ? std::string_view(path).substr(folder_.size() + 1) : std::string_view();
  }
  bool is_folder(const std::string& path) const { return path == folder_; }

  // The inode behind a descriptor; 0 if it is no file on the folder's device. A reader ignores inodes that it does not
  // know.
  std::uint64_t inode(int fd) const {
    struct stat status {};
    const bool file = !folder_.empty() && ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    return file && status.st_dev == device_ ? status.st_ino : 0;
  }

  // Does the work and writes it down if it succeeded, both as one step for all threads and processes.
  template <class Work, class Note>
  auto step(Work work, Note note) {
    const std::lock_guard lock(mutex_);
    ::flock(file_, LOCK_EX);
    if (++changes_ == fails_at_) std::raise(SIGKILL);
    const auto result = work();
    const int error = errno;
    if (result >= 0) note(result);
    ::flock(file_, LOCK_UN);
    errno = error;
    return result;
  }

  void write(char what, std::uint64_t a, std::uint64_t b, std::string_view first, std::string_view second = {}) {
    std::string record = "\x89PWRLOG\n";
    const auto number = [&](std::uint64_t value, int bytes) {
      for (int i = 0; i < bytes; ++i) record.push_back(static_cast<char>(value >> (8 * i)));
    };
    record.push_back(what);
    number(a, 8);
    number(b, 8);
    number(first.size(), 4);
    number(second.size(), 4);
    record.append(first).append(second);
    REAL(write);
    if (real(file_, record.data(), record.size()) != static_cast<ssize_t>(record.size())) std::abort();
  }

 private:
  Log() {
    const char* const folder = ::getenv("POWER_FOLDER");
    const char* const file = ::getenv("POWER_LOG");
    const char* const fails_at = ::getenv("POWER_FAILS_AT");
    if (!folder || !file) return;
    REAL(open);
    file_ = real(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    struct stat status {};
    if (file_ < 0 || ::stat(folder, &status) != 0) std::abort();
    folder_ = folder;
    device_ = status.st_dev;
    if (fails_at) fails_at_ = std::strtoull(fails_at, nullptr, 10);
  }

  std::string folder_;
  dev_t device_ = 0;
  int file_ = -1;
  std::mutex mutex_;
  std::uint64_t changes_ = 0;
  std::uint64_t fails_at_ = 0;
};

bool exists(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

template <class Open>
int open_file(const char* path, int flags, Open open) {
  Log& log = Log::instance();
  const std::string whole = absolute(path);
  const std::string_view name = log.inside(whole);
  if (name.empty() || (flags & (O_CREAT | O_TRUNC)) == 0) return open();
  const bool old = exists(whole);
  return log.step(open, [&](int fd) {
    if (!old) log.write('C', log.inode(fd), 0, name);
    if (old && (flags & O_TRUNC) != 0) log.write('T', log.inode(fd), 0, {});
  });
}

template <class Work, class Note>
auto change_file(int fd, Work work, Note note) {
  Log& log = Log::instance();
  const std::uint64_t inode = log.inode(fd);
  if (inode == 0) return work();
  return log.step(work, [&](auto result) { note(log, inode, result); });
}

template <class Work>
int sync_file(int fd, Work work) {
  Log& log = Log::instance();
  if (log.inode(fd) != 0) return change_file(fd, work, [](Log& l, auto inode, int) { l.write('S', inode, 0, {}); });
  char path[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t size = ::readlink(link.c_str(), path, sizeof path);
  const std::string whole(path, size < 0 ? 0 : static_cast<std::size_t>(size));
  if (!log.is_folder(whole) && log.inside(whole).empty()) return work();
  return log.step(work, [&](int) { log.write('F', 0, 0, log.inside(whole)); });
}

template <class Work>
int change_names(char what, const char* first, const char* second, Work work) {
  Log& log = Log::instance();
  const std::string from = absolute(first);
  const std::string to = second ? absolute(second) : std::string();
  if (log.inside(from).empty()) return work();
  return log.step(work, [&](int) { log.write(what, 0, 0, log.inside(from), log.inside(to)); });
}

void note_written(Log& log, std::uint64_t inode, off_t offset, const void* data, ssize_t size) {
  log.write('W', inode, static_cast<std::uint64_t>(offset),
            {static_cast<const char*>(data), static_cast<std::size_t>(size)});
}

// Where a write without an offset begins: at the end, if it appends.
off_t position(int fd) {
  struct stat status {};
  const bool appends = (::fcntl(fd, F_GETFL) & O_APPEND) != 0 && ::fstat(fd, &status) == 0;
  return appends ? status.st_size : ::lseek(fd, 0, SEEK_CUR);
}

void note_size(Log& log, std::uint64_t inode, int fd) {
  struct stat status {};
  if (::fstat(fd, &status) == 0) log.write('T', inode, static_cast<std::uint64_t>(status.st_size), {});
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  REAL(open);
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  return open_file(path, flags, [&] { return real(path, flags, mode); });
}

int open64(const char* path, int flags, ...) {
  REAL(open64);
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  return open_file(path, flags, [&] { return real(path, flags, mode); });
}

int mkostemp(char* path, int flags) {
  REAL(mkostemp);
  Log& log = Log::instance();
  if (log.inside(absolute(path)).empty()) return real(path, flags);
  return log.step([&] { return real(path, flags); },
                  [&](int fd) { log.write('C', log.inode(fd), 0, log.inside(absolute(path))); });
}

ssize_t write(int fd, const void* data, size_t size) {
  REAL(write);
  const off_t at = Log::instance().inode(fd) != 0 ? position(fd) : 0;
  return change_file(
      fd, [&] { return real(fd, data, size); },
      [&](Log& log, auto inode, ssize_t done) { note_written(log, inode, at, data, done); });
}

ssize_t writev(int fd, const iovec* parts, int count) {
  REAL(writev);
  if (Log::instance().inode(fd) == 0) return real(fd, parts, count);
  std::string all;
  for (int i = 0; i < count; ++i) all.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
  return ::write(fd, all.data(), all.size());
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  REAL(pwrite);
  return change_file(
      fd, [&] { return real(fd, data, size, offset); },
      [&](Log& log, auto inode, ssize_t done) { note_written(log, inode, offset, data, done); });
}

ssize_t pwrite64(int fd, const void* data, size_t size, off64_t offset) {
  return ::pwrite(fd, data, size, offset);
}

int ftruncate(int fd, off_t size) {
  REAL(ftruncate);
  return change_file(
      fd, [&] { return real(fd, size); }, [&](Log& log, auto inode, int) { note_size(log, inode, fd); });
}

int ftruncate64(int fd, off64_t size) {
  return ::ftruncate(fd, size);
}

int fallocate(int fd, int mode, off_t offset, off_t size) {
  REAL(fallocate);
  return change_file(
      fd, [&] { return real(fd, mode, offset, size); }, [&](Log& log, auto inode, int) { note_size(log, inode, fd); });
}

int fallocate64(int fd, int mode, off64_t offset, off64_t size) {
  return ::fallocate(fd, mode, offset, size);
}

int fsync(int fd) {
  REAL(fsync);
  return sync_file(fd, [&] { return real(fd); });
}

int fdatasync(int fd) {
  REAL(fdatasync);
  return sync_file(fd, [&] { return real(fd); });
}

int rename(const char* from, const char* to) noexcept {
  REAL(rename);
  return change_names('R', from, to, [&] { return real(from, to); });
}

int link(const char* from, const char* to) noexcept {
  REAL(link);
  return change_names('L', from, to, [&] { return real(from, to); });
}

int unlink(const char* path) noexcept {
  REAL(unlink);
  return change_names('U', path, nullptr, [&] { return real(path); });
}

int rmdir(const char* path) noexcept {
  REAL(rmdir);
  return change_names('U', path, nullptr, [&] { return real(path); });
}

int remove(const char* path) noexcept {
  REAL(remove);
  return change_names('U', path, nullptr, [&] { return real(path); });
}

int mkdir(const char* path, mode_t mode) noexcept {
  REAL(mkdir);
  return change_names('M', path, nullptr, [&] { return real(path, mode); });
}

}  // extern "C"
