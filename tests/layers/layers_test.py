"""Plants offences, and expects that layers.py reports exactly them. PLANTED names the libraries in planted/."""

import os
import pathlib
import tempfile
import unittest

import layers
import sizes


def planted_libraries():
    return layers.Libraries(pathlib.Path(os.environ["PLANTED"]).read_text())


class Planted(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def plant(self, file, text=""):
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


class Includes(Planted):
    """In a small tree with the layers of LAYERS."""

    LAYERS = "base\npipeline/core pipeline/net\ncmd/text\ncmd\n"

    def setUp(self):
        super().setUp()
        self.plant("base/a.h")
        self.plant("pipeline/core/a.h", '#include "base/a.h"\n')
        self.plant("pipeline/core/stages/a.h", '#include "pipeline/core/a.h"\n')
        self.plant("pipeline/net/a.h", "#include <vector>\n// #include \"cmd/a.h\"\n")
        self.plant("cmd/text/a.h")
        self.plant("cmd/a.h", '#include "cmd/text/a.h"\n')

    def expect(self, *offences):
        self.assertEqual(list(layers.check_includes(self.root, layers.Layers(self.LAYERS))), list(offences))

    def test_no_offence(self):
        self.expect()

    def test_a_higher_layer(self):
        self.plant("base/b.cc", '#include "base/a.h"\n#include "pipeline/core/a.h"\n')
        self.expect("base/b.cc: includes pipeline/core/a.h, but pipeline/core is not below base in layers.txt")

    def test_a_folder_beside(self):
        self.plant("pipeline/core/stages/b.h", '#include "pipeline/net/a.h"\n')
        self.expect("pipeline/core/stages/b.h: includes pipeline/net/a.h, "
                    "but pipeline/net is not below pipeline/core in layers.txt")

    def test_in_angle_brackets(self):
        self.plant("base/b.h", "#  include <cmd/a.h>\n")
        self.expect("base/b.h: includes cmd/a.h, but cmd is not below base in layers.txt")

    def test_a_missing_file(self):
        self.plant("cmd/b.cc", '#include "base/none.h"\n')
        self.expect("cmd/b.cc: includes base/none.h, which does not exist (name it from the root of the project)")

    def test_a_name_from_the_own_folder(self):
        self.plant("cmd/b.cc", '#include "a.h"\n')
        self.expect("cmd/b.cc: includes a.h, which does not exist (name it from the root of the project)")

    def test_tests(self):
        self.plant("tests/a.h")
        self.plant("cmd/b.cc", '#include "tests/a.h"\n')
        self.expect("cmd/b.cc: includes tests/a.h, but the product must not include tests")

    def test_folders_without_a_line(self):
        self.plant("cmd/other/a.h")
        self.plant("replay/a.h")
        self.expect("replay/a.h: its folder is not in layers.txt", "cmd/other/a.h: its folder is not in layers.txt")

    def test_a_line_without_a_folder(self):
        (self.root / "cmd/text/a.h").unlink()
        (self.root / "cmd/text").rmdir()
        self.plant("cmd/a.h")
        self.expect("layers.txt: cmd/text does not exist")

    def test_a_folder_listed_twice(self):
        with self.assertRaisesRegex(SystemExit, "base is listed twice"):
            layers.Layers("base\nbase\n")


class Sizes(Planted):
    def expect(self, text, *offences):
        self.assertEqual([offence for _, offence in sizes.offences_of("f.cc", text)], list(offences))

    def test_a_long_file(self):
        self.expect("\n" * 500)
        self.expect("\n" * 501, "f.cc: 501 lines, at most 500 are allowed")

    def test_long_functions(self):
        body = "  f();\n" * 68
        for head in ("void g() {", "Result<int> N::g(int a = {}) const {", "auto g() -> std::vector<int> {",
                     "template <class T = int>\nstruct S {\n  bool g(const T& t) {", "S::g(int a) : a_{a}, b_(a) {",
                     "bool S::operator==(const S& other) const {",
                     "namespace n {\nnamespace {\nstatic int g(char c = '{') {"):
            start = head.count("\n") + 1
            ends = "\n};" if "struct" in head else "\n}\n}" if "namespace" in head else ""
            self.expect(f"{head}\n{body}}}{ends}\n")
            found = [o for _, o in sizes.offences_of("f.cc", f"{head}\n{body}  f();\n}}{ends}\n")]
            self.assertEqual(len(found), 1, head)
            self.assertRegex(found[0], rf"^f\.cc:{start}: [\w:]+ has 71 lines, at most 70 are allowed$")

    def test_a_long_signature_counts(self):
        self.expect("void g(int a,\n       int b) {\n" + "f();\n" * 68 + "}\n",
                    "f.cc:1: g has 71 lines, at most 70 are allowed")

    def test_tables_are_no_functions(self):
        self.expect("constexpr int kTable[] = {\n" + "  f(1),\n" * 100 + "};\n")

    def test_quotes_hide_braces(self):
        self.expect('void f() { g("}{{", R"x({ " )x", \'{\', 1\'000); }  // {\n')

    def test_many_methods(self):
        for kind in ("class", "struct"):
            methods = [f"  int f{i}(std::function<void(int)> done = [](int) {{}}) const;" for i in range(25)]
            same = ["  S() = default;", "  S(const S&) = delete;", "  int f1();", "  void g() override;",
                    "  std::function<void(int)> h;", "  int i{1};", "  friend void j();", "  using K = void();"]
            text = "\n".join([kind + " S final : public B<int> {", " public:", *methods, *same])
            self.expect(text + "\n};\n")
            self.expect(text + "\n  void more() { g(); }\n};\n", "f.cc: class S has 26 methods, at most 25 are allowed")

    def test_a_brace_that_cannot_be_told(self):
        self.expect("; {\n}\n", "f.cc:1: sizes.py cannot tell what this brace opens or closes")
        self.expect("void f() {\n", "f.cc:2: sizes.py cannot tell what this brace opens or closes")

    def test_an_exception_that_is_not_needed(self):
        found = list(sizes.check(self.root, []))
        self.assertEqual(found, [f"{what}: an exception in sizes.py that is not needed" for what in sizes.EXCEPTIONS])


class Pure(Planted):
    KINDS = {
        "clock": ("a clock", "std::chrono::_V2::steady_clock::now()"),
        "file": ("a file", "fopen"),
        "folder": ("a file", "std::filesystem::status("),
        "randomness": ("randomness", "std::random_device::_M_"),
        "thread": ("a thread", "std::thread::"),
        "socket": ("a socket", "socket"),
        "environment": ("the environment", "getenv"),
    }

    def test_symbols(self):
        libraries = planted_libraries()
        for name, (kind, symbol) in self.KINDS.items():
            found = list(layers.offences_of_symbols(libraries, f"planted_{name}"))
            start = f"planted_{name}: pure, but reaches {kind}: "
            self.assertTrue(found and all(offence.startswith(start) for offence in found), found)
            self.assertTrue(any(symbol in offence for offence in found), found)

    def test_what_is_allowed(self):
        self.assertEqual(list(layers.offences_of_symbols(planted_libraries(), "planted_leaning")), [])
        for name in ("memcpy", "SHA256_Update", "std::filesystem::__cxx11::path::_M_split_cmpts()", "fprintf",
                     "ledger::read(std::chrono::time_point<std::chrono::_V2::system_clock, long>)"):
            self.assertIsNone(layers.forbidden_kind(name), name)

    def test_variants_of_functions(self):
        for name, kind in {"open64": "a file", "__open64_2": "a file", "__read_chk": "a file", "time": "a clock",
                           "RAND_bytes": "randomness", "pthread_cond_wait": "a thread",
                           "boost::asio::io_context::run()": "a library of adapters"}.items():
            self.assertEqual(layers.forbidden_kind(name), kind, name)

    def test_an_adapter_library(self):
        found = [o for o in layers.check_pure(layers.ROOT, planted_libraries()) if "planted_leaning" in o]
        self.assertEqual(found, ["planted_leaning: pure, but needs the adapter library base_files"])

    def test_headers(self):
        for header in ("boost/asio/io_context.hpp", "boost/beast.hpp", "rocksdb/db.h", "websocketpp/client.hpp",
                       "sys/socket.h", "thread", "fstream"):
            self.plant("base/a.h", f"#include <string>\n#include <{header}>\n")
            self.plant("base/a.cc", '#include "base/a.h"\n')
            libraries = layers.Libraries(f"pure p\nsource p {self.root}/base/a.cc\n")
            self.assertEqual(list(layers.offences_of_headers(self.root, libraries, "p")),
                             [f"p: pure, but base/a.h includes <{header}>"])


class LinksAlone(Planted):
    def test_a_library_that_lacks_another(self):
        found = list(layers.check_links_alone(planted_libraries()))
        self.assertEqual(len(found), 1, found)
        self.assertRegex(found[0], r"^planted_lacking: cannot be linked alone, nothing that it needs defines "
                                   r"base::is_utf8\(")

    def test_a_need_that_is_unknown(self):
        libraries = layers.Libraries("pure p\narchive p /p.a\nneeds p other\n")
        with self.assertRaisesRegex(SystemExit, "p needs other: neither a target nor a file nor a flag"):
            list(libraries.files_needed("p"))


if __name__ == "__main__":
    unittest.main()
