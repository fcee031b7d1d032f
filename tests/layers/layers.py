#!/usr/bin/env python3
"""Checks that the code keeps to its layers. Prints each offence on a line of its own; exits 1 if there is any.

    layers.py includes [--root FOLDER]      every include goes to the same folder or to a lower layer (layers.txt)
    layers.py pure LIBRARIES                pure libraries reach no clock, file, randomness, thread, socket, environment
    layers.py links_alone LIBRARIES         each library links with what CMake says it needs, and nothing else
    layers.py sizes [--root FOLDER]         no file, function or class is too long (sizes.py)
    layers.py table [--root FOLDER]         prints files, lines and includes per layer; checks nothing

CMake writes LIBRARIES (CMakeLists.txt beside this file).
"""

import argparse
import pathlib
import re
import subprocess
import sys
from collections import Counter, defaultdict

import sizes

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PRODUCT = ("base", "ledger", "pipeline", "replay", "cmd")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


# --- includes --------------------------------------------------------------------------------------------------------


class Layers:
    """The list in layers.txt: which folder a file belongs to, and which folders stand below it."""

    def __init__(self, text):
        lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        self.level = {}
        for number, folders in enumerate(lines):
            for folder in folders:
                if folder in self.level:
                    raise SystemExit(f"layers.txt: {folder} is listed twice")
                self.level[folder] = number

    def folder_of(self, file):
        """The listed folder that `file` belongs to, or None."""
        own = str(pathlib.PurePosixPath(file).parent)
        folder = own
        while folder not in self.level and "/" in folder:
            folder = folder.rpartition("/")[0]
        if folder not in self.level or (folder != own and self._has_listed_subfolder(folder)):
            return None
        return folder

    def may_include(self, folder, other):
        return folder == other or self.level[other] < self.level[folder]

    def _has_listed_subfolder(self, folder):
        return any(other.startswith(folder + "/") for other in self.level)


def product_files(root):
    for top in PRODUCT:
        for path in sorted((root / top).rglob("*")):
            if path.suffix in (".h", ".cc") and "node_modules" not in path.parts:
                yield path.relative_to(root).as_posix()


def includes_of(path):
    """Pairs (header, whether it is one of ours)."""
    for bracket, header in INCLUDE.findall(sizes.without_comments(path.read_text())):
        yield header, bracket == '"' or header.split("/")[0] in PRODUCT + ("tests",)


def offence_of_include(root, layers, file, header):
    """What is wrong with `file` including our `header`, or None."""
    folder, other = layers.folder_of(file), layers.folder_of(header)
    if header.split("/")[0] == "tests":
        return f"{file}: includes {header}, but the product must not include tests"
    if not (root / header).is_file():
        return f"{file}: includes {header}, which does not exist (name it from the root of the project)"
    if folder and other and not layers.may_include(folder, other):
        return f"{file}: includes {header}, but {other} is not below {folder} in layers.txt"
    return None


def check_includes(root, layers):
    for folder in layers.level:
        if not (root / folder).is_dir():
            yield f"layers.txt: {folder} does not exist"
    for file in product_files(root):
        if not layers.folder_of(file):
            yield f"{file}: its folder is not in layers.txt"
        for header, ours in includes_of(root / file):
            offence = ours and offence_of_include(root, layers, file, header)
            if offence:
                yield offence


def print_table(root, layers):
    files, lines, includes = Counter(), Counter(), defaultdict(Counter)
    for file in product_files(root):
        folder = layers.folder_of(file) or "(none)"
        files[folder] += 1
        lines[folder] += (root / file).read_text().count("\n")
        for header, ours in includes_of(root / file):
            other = layers.folder_of(header) if ours else None
            if other and other != folder:
                includes[folder][other] += 1
    print(f"{'layer':20} {'files':>5} {'lines':>6}  includes of lower layers")
    for folder in layers.level:
        lower = ", ".join(f"{other} {includes[folder][other]}" for other in layers.level if includes[folder][other])
        print(f"{folder:20} {files[folder]:5} {lines[folder]:6}  {lower or '-'}")
    print(f"{'total':20} {sum(files.values()):5} {sum(lines.values()):6}")


# --- libraries -------------------------------------------------------------------------------------------------------


class Libraries:
    """What CMake knows of the libraries, one statement a line: pure|adapter NAME, archive NAME FILE, source NAME FILE,
    needs NAME OTHER (a target, a file, or a linker flag), file NAME FILE (of any target that has one), system FILE
    (a shared library that the compiler links without being asked)."""

    def __init__(self, text):
        self.kind, self.archive, self.file = {}, {}, {}
        self.sources, self.needs, self.system = defaultdict(list), defaultdict(list), []
        for line in text.splitlines():
            self._read(*line.split(" ", 2))

    def _read(self, what, name, rest=""):
        if what in ("pure", "adapter"):
            self.kind[name] = what
        elif what in ("archive", "file"):
            getattr(self, what)[name] = rest
        elif what in ("source", "needs"):
            {"source": self.sources, "needs": self.needs}[what][name].append(rest)
        elif what == "system":
            self.system.append(name)
        else:
            raise SystemExit(f"unknown statement of CMake: {what} {name} {rest}")

    def all_needs(self, name):
        """Everything that `name` needs, directly or not."""
        found, todo = [], list(self.needs.get(name, []))
        while todo:
            other = todo.pop()
            if other not in found and other != name:
                found.append(other)
                todo += self.needs.get(other, [])
        return found

    def files_needed(self, name):
        """The archives and shared libraries that the program is linked with when it uses `name`."""
        for other in self.all_needs(name):
            if other.startswith("/"):
                yield other
            elif other in self.archive or other in self.file:
                yield self.archive.get(other) or self.file[other]
            elif not (other.startswith("-") or "::" in other or other in self.needs):
                raise SystemExit(f"{name} needs {other}: neither a target nor a file nor a flag")


def run(*command, text=None):
    return subprocess.run(command, input=text, check=True, capture_output=True, text=True).stdout


def symbols(file):
    """The undefined and the defined names in `file`. Names that may stay undefined (weak) are left out."""
    dynamic = ["--dynamic"] if ".so" in pathlib.Path(file).name else []
    undefined, defined = set(), set()
    if not pathlib.Path(file).exists():
        raise SystemExit(f"{file} is not built yet")
    for line in run("nm", "--without-symbol-versions", *dynamic, file).splitlines():
        match = re.match(r"^[0-9a-f ]{16,} ([A-Za-z]) (\S+)$", line)
        if match and match[1] == "U":
            undefined.add(match[2])
        elif match and match[1] not in "wv":
            defined.add(match[2])
    return undefined - defined, defined


def demangled(names):
    names = sorted(names)
    return dict(zip(names, run("c++filt", text="\n".join(names)).splitlines()))


# --- pure ------------------------------------------------------------------------------------------------------------

# C functions, without the variants of the C library: open64, __open_2, __read_chk.
FORBIDDEN_FUNCTIONS = {
    "a clock": "time clock clock_gettime clock_getres gettimeofday timespec_get ftime localtime localtime_r mktime "
               "tzset sleep usleep nanosleep clock_nanosleep alarm setitimer timer_create timerfd_create",
    "a file": "open openat creat read write pread pwrite fopen fdopen freopen fread fgets getline tmpfile mkstemp "
              "mkdtemp rename renameat unlink unlinkat remove mkdir rmdir link symlink stat fstat lstat fstatat access "
              "opendir readdir mmap fsync fdatasync truncate ftruncate flock fcntl ioctl getcwd chdir realpath "
              "BIO_new_file BIO_new_fp BIO_s_file",
    "randomness": "rand srand rand_r random srandom drand48 lrand48 mrand48 getrandom getentropy arc4random "
                  "arc4random_buf arc4random_uniform RAND_bytes RAND_priv_bytes RAND_bytes_ex RAND_seed BN_rand "
                  "BN_rand_range BN_priv_rand EVP_PKEY_keygen EVP_PKEY_generate EVP_PKEY_Q_keygen EC_KEY_generate_key "
                  "randombytes randombytes_buf randombytes_random randombytes_uniform",
    "a thread": "pthread_create pthread_join pthread_cond_wait pthread_cond_timedwait pthread_cond_signal thrd_create "
                "fork vfork clone posix_spawn posix_spawnp system popen execve execv execvp sem_wait sem_post "
                "sched_yield kill raise signal sigaction",
    "a socket": "socket socketpair connect bind listen accept accept4 send sendto sendmsg recv recvfrom recvmsg "
                "getaddrinfo gethostbyname getsockopt setsockopt poll ppoll select pselect epoll_create epoll_create1 "
                "epoll_wait eventfd pipe pipe2 SSL_new SSL_CTX_new SSL_read SSL_write SSL_connect BIO_new_connect "
                "BIO_new_socket",
    "the environment": "getenv secure_getenv setenv putenv unsetenv clearenv environ gethostname uname getpid getuid "
                       "getpwuid getpwnam sysconf",
}
KIND_OF_FUNCTION = {name: kind for kind, names in FORBIDDEN_FUNCTIONS.items() for name in names.split()}

# C++ names, after demangling.
FORBIDDEN_NAMES = [
    ("a clock", re.compile(r"^std::chrono::(_V2::)?\w*_clock::now\(|^std::this_thread::sleep|^std::__sleep_for|"
                           r"^std::chrono::\w*(tzdb|zone)")),
    ("a file", re.compile(r"std::basic_[io]?fstream<|std::basic_filebuf<|^std::(cin|cout|__basic_file)\b|"
                          r"^std::filesystem::(?!(__cxx11::)?(path|filesystem_error|hash_value)\b)")),
    ("randomness", re.compile(r"^std::random_device::")),
    ("a thread", re.compile(r"^(\w+ for )?std::(jthread|thread|condition_variable|condition_variable_any|"
                            r"__condvar|__future_base|promise|packaged_task|latch|barrier)\b|"
                            r"^std::__(atomic_)?wait|^std::this_thread::yield")),
    ("a library of adapters", re.compile(r"\b(rocksdb|boost::asio|boost::beast|boost::process|websocketpp|spdlog)::")),
]

# Headers that lead outside, also if nothing of them is used.
FORBIDDEN_HEADERS = re.compile(
    r"^(boost/(asio|beast|process)\b|websocketpp/|rocksdb/|spdlog/|"
    r"sys/(socket|un|file|stat|ioctl|random|epoll|select|mman|time|wait)\.h|netinet/|arpa/|"
    r"(netdb|poll|unistd|fcntl|pthread|openssl/(rand|ssl))\.h|"
    r"(thread|future|condition_variable|fstream|filesystem|latch|barrier|stop_token|semaphore)$)")


def forbidden_kind(name):
    """What a pure library would reach by the (demangled) `name`, or None."""
    plain = re.sub(r"^__(isoc\d+_)?(\w+?)(_chk|_2)$", r"\2", name)
    plain = re.sub(r"^(\w+?)(64|64_2)$", r"\1", plain)
    kind = KIND_OF_FUNCTION.get(name) or KIND_OF_FUNCTION.get(plain)
    return kind or next((kind for kind, pattern in FORBIDDEN_NAMES if pattern.search(name)), None)


def offences_of_symbols(libraries, name):
    undefined, defined = symbols(libraries.archive[name])
    for symbol in sorted(demangled(undefined | defined).values()):
        kind = forbidden_kind(symbol)
        if kind:
            yield f"{name}: pure, but reaches {kind}: {symbol}"


def reached_headers(root, source):
    """Pairs (file of ours, header that is not ours) that compiling `source` reads through our own files."""
    seen, todo = set(), [pathlib.Path(source)]
    while todo:
        path = todo.pop()
        for header, ours in includes_of(path):
            if not ours:
                yield path, header
            elif header not in seen and (root / header).is_file():
                seen.add(header)
                todo.append(root / header)


def offences_of_headers(root, libraries, name):
    for source in libraries.sources[name]:
        for path, header in reached_headers(root, source):
            if FORBIDDEN_HEADERS.search(header):
                yield f"{name}: pure, but {path.relative_to(root)} includes <{header}>"


def check_pure(root, libraries):
    for name, kind in libraries.kind.items():
        if kind != "pure":
            continue
        for other in sorted(libraries.all_needs(name)):
            if libraries.kind.get(other) == "adapter":
                yield f"{name}: pure, but needs the adapter library {other}"
        yield from offences_of_symbols(libraries, name)
        yield from sorted(set(offences_of_headers(root, libraries, name)))


# --- links_alone -----------------------------------------------------------------------------------------------------

# From the compiler's start files and static runtime, and from the sanitizers' and the fuzzer's.
OF_THE_COMPILER = re.compile(
    r"^(_GLOBAL_OFFSET_TABLE_|__dso_handle|__tls_get_addr|atexit|at_quick_exit|pthread_atfork|__stack_chk_fail_local|"
    r"__(asan|ubsan|tsan|lsan|sanitizer|sancov|start___sancov|stop___sancov)_\w+)$")


def check_links_alone(libraries):
    """A library links alone if the libraries that it needs, directly or not, define what it leaves undefined. What those
    leave undefined is checked with them, against libraries that are all among the ones that this library needs."""
    read = {}

    def cached(file):
        if file not in read:
            read[file] = symbols(file)
        return read[file]

    for name, archive in libraries.archive.items():
        missing = set(cached(archive)[0])
        for file in [*libraries.files_needed(name), *libraries.system]:
            missing -= cached(file)[1]
        missing = {symbol for symbol in missing if not OF_THE_COMPILER.match(symbol)}
        for symbol in sorted(demangled(missing).values()):
            yield f"{name}: cannot be linked alone, nothing that it needs defines {symbol}"


# --- command line ----------------------------------------------------------------------------------------------------


def offences(options):
    root = options.root
    if options.check == "includes":
        return check_includes(root, Layers((HERE / "layers.txt").read_text()))
    if options.check == "sizes":
        return sizes.check(root, product_files(root))
    libraries = Libraries(options.libraries.read_text())
    return check_pure(root, libraries) if options.check == "pure" else check_links_alone(libraries)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("check", choices=["includes", "pure", "links_alone", "sizes", "table"])
    parser.add_argument("libraries", type=pathlib.Path, nargs="?")
    parser.add_argument("--root", type=pathlib.Path, default=ROOT)
    options = parser.parse_args()
    if options.check in ("pure", "links_alone") and not options.libraries:
        parser.error(f"{options.check} needs the file LIBRARIES")
    if options.check == "table":
        return print_table(options.root, Layers((HERE / "layers.txt").read_text()))
    found = list(offences(options))
    print("\n".join(found) if found else f"{options.check}: no offence")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
