#include "ledger/durable_mark.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iomanip>
#include <sstream>

#include "base/check.h"
#include "base/sync_folder.h"
#include "ledger/keys.h"

namespace ledger {
namespace {

using base::sha256;

constexpr std::size_t kCheckBytes = 8;
constexpr std::size_t kMarkBytes = 3 * 8 + kCheckBytes;  // three numbers, and the first bytes of their SHA-256

std::filesystem::path mark_file(const std::filesystem::path& folder) {
  return folder / "DURABLE";
}

std::string mark_bytes(const Durable& durable) {
  std::string out = big_endian(durable.sequence);
  out.append(big_endian(durable.manifest_number)).append(big_endian(durable.manifest_bytes));
  const Hash256 check = sha256(out);
  return out.append(check.view().substr(0, kCheckBytes));
}

std::optional<Durable> parse_mark(std::string_view bytes) {
  if (bytes.size() != kMarkBytes) return std::nullopt;
  const Durable out{.sequence = *from_big_endian(bytes.substr(0, 8)),
                    .manifest_number = *from_big_endian(bytes.substr(8, 8)),
                    .manifest_bytes = *from_big_endian(bytes.substr(16, 8))};
  return mark_bytes(out) == bytes ? std::optional(out) : std::nullopt;
}

tl::unexpected<Error> io_error(std::string what, const std::filesystem::path& file, int error = errno) {
  return fail(ErrorKind::invocation, "ledger.io", std::move(what) + ": " + std::strerror(error), file.string(),
              "check the disk and the folder's permissions");
}

// How /proc/locks names a file.
std::string place_in_locks(const struct stat& file) {
  std::ostringstream out;
  out << std::hex << std::setfill('0') << std::setw(2) << major(file.st_dev) << ':' << std::setw(2)
      << minor(file.st_dev) << ':' << std::dec << file.st_ino;
  return out.str();
}

// "process 1234 (sellcompute)", which holds the lock of this file, as the kernel lists it in /proc/locks; "another
// process" if it does not.
std::string holder_text(int descriptor) {
  struct stat info {};
  if (::fstat(descriptor, &info) != 0) return "another process";
  const std::string file = place_in_locks(info);
  std::ifstream locks("/proc/locks");
  std::string number, kind, advisory, mode, place, begin, end;
  for (int pid = 0; locks >> number >> kind;) {
    if (kind == "->") locks >> kind;  // it only waits
    if (!(locks >> advisory >> mode >> pid >> place >> begin >> end)) break;
    if (kind != "FLOCK" || place != file || pid <= 0) continue;
    std::string name;
    std::ifstream("/proc/" + std::to_string(pid) + "/comm") >> name;
    return "process " + std::to_string(pid) + (name.empty() ? "" : " (" + name + ")");
  }
  return "another process";
}

}  // namespace

// Under another name first: a mark that has its name is whole, whatever fails meanwhile.
Result<void> DurableMark::create(const std::filesystem::path& file) {
  std::string unnamed = file.string() + ".XXXXXX";
  DurableMark mark(::mkostemp(unnamed.data(), O_CLOEXEC), unnamed);  // mode 0600
  if (mark.descriptor_ < 0) return io_error("cannot make the ledger's mark", unnamed);
  auto made = mark.write({});
  if (made && ::fsync(mark.descriptor_) != 0) made = io_error("cannot make the ledger's mark durable", unnamed);
  if (made && ::link(unnamed.c_str(), file.c_str()) != 0 && errno != EEXIST)
    made = io_error("cannot make the ledger's mark", file);
  ::unlink(unnamed.c_str());
  if (!made) return made;
  if (const auto error = base::sync_folder(file.parent_path())) {
    return io_error("cannot make the names in a folder durable", file.parent_path(), error.value());
  }
  return {};
}

Result<DurableMark> DurableMark::lock(const std::filesystem::path& folder) {
  const auto file = mark_file(folder);
  int descriptor = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0 && errno == ENOENT) {
    if (const auto created = create(file); !created) return tl::unexpected(created.error());
    descriptor = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
  }
  if (descriptor < 0) return io_error("cannot open the ledger's mark", file);
  DurableMark mark(descriptor, file);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return mark;
  if (errno != EWOULDBLOCK) return io_error("cannot lock the ledger", file);
  return fail(ErrorKind::invocation, "ledger.locked", holder_text(descriptor) + " writes this ledger", folder.string(),
              "a ledger has one writer, usually `sellcompute serve`: stop it first, or choose another --data-dir");
}

Result<std::optional<Durable>> DurableMark::read(const std::filesystem::path& folder) {
  constexpr int kAttempts = 3;  // the writer may be in the middle of its 32 bytes
  std::string bytes;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::ifstream in(mark_file(folder), std::ios::binary);
    bytes.assign(kMarkBytes + 1, '\0');
    in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    bytes.resize(static_cast<std::size_t>(in.gcount()));
    std::error_code ignored;
    if (in.bad() || (!in.is_open() && std::filesystem::exists(mark_file(folder), ignored)))
      return io_error("cannot read the ledger's mark", mark_file(folder));
    if (bytes.empty()) return std::nullopt;
    if (const auto durable = parse_mark(bytes)) return durable->manifest_number > 0 ? durable : std::nullopt;
  }
  return fail(ErrorKind::invocation, "ledger.damaged", "the mark of how far the ledger was durable is unreadable",
              mark_file(folder).string(), "delete this file, then run `sellcompute audit`: the entries may be whole");
}

DurableMark::DurableMark(DurableMark&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), file_(std::move(other.file_)) {}

DurableMark::~DurableMark() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<void> DurableMark::write(const Durable& durable) {
  const std::string bytes = mark_bytes(durable);
  CHECK(bytes.size() == kMarkBytes, bytes.size());  // each mark overwrites the last one whole
  const ssize_t written = ::pwrite(descriptor_, bytes.data(), bytes.size(), 0);
  if (written != static_cast<ssize_t>(bytes.size())) return io_error("cannot record what is durable", file_);
  return {};
}

}  // namespace ledger
