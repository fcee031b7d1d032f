"""script/links, run over documents with planted offences."""

import pathlib
import subprocess
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "script" / "links"


class Links(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        (self.root / "docs").mkdir()
        self.write("docs/other.md", "# Other\n\n## A `code` word, and more\n\n## Twice\n\n## Twice\n\n```\n# no heading\n```\n")

    def write(self, name, text):
        (self.root / name).write_text(text)

    def findings(self, text):
        self.write("docs/page.md", text)
        done = subprocess.run([SCRIPT, self.root / "docs/page.md"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1 if done.stdout else 0, done.stderr)
        return [line.removeprefix(f"{self.root}/docs/page.md:").split(": ")[0:2] for line in done.stdout.splitlines()]

    def test_good_links_are_no_findings(self):
        good = ("# Page\n[a](other.md) [b](other.md#twice-1) [c](#page) [d](../docs/) [`e`](other.md#a-code-word-and-more)\n"
                "[f](https://example.org/nothing#there) [g][ref]\n\n[ref]: other.md\n")
        self.assertEqual(self.findings(good), [])

    def test_what_is_not_there_is_a_finding(self):
        self.assertEqual(self.findings("\n[a](gone.md)\n"), [["2", "gone.md"]])
        self.assertEqual(self.findings("[a](other.md#gone)\n"), [["1", "other.md#gone"]])
        self.assertEqual(self.findings("[a](other.md#no-heading)\n"), [["1", "other.md#no-heading"]])
        self.assertEqual(self.findings("[a](#gone)\n\n[ref]: gone.md\n"), [["1", "#gone"], ["3", "gone.md"]])

    def test_code_has_no_links(self):
        self.assertEqual(self.findings("`[a](gone.md)`\n\n```\n[a](gone.md)\n```\n"), [])


if __name__ == "__main__":
    unittest.main()
