"""Limits on the size of product files, functions and classes (run by layers.py).

The reader is no compiler: it follows braces and knows from the text before each what it opens. Where it cannot tell, it
reports that as an offence instead of guessing.
"""

import re

FILE_LINES, FUNCTION_LINES, CLASS_METHODS = 500, 70, 25

# What may be larger, with the reason. "FILE", "FILE: FUNCTION" or "FILE: CLASS", as offences name them.
EXCEPTIONS = {
    "ledger/fact.h": "the vocabulary of facts: one struct for each, no code",
    "pipeline/core/job.cc: evolve": "one short arm for each kind of fact",
}

TOKENS = re.compile(
    r'(?P<comment>//[^\n]*|/\*.*?\*/)'
    r'|(?P<raw>\b(?:u8|[uUL])?R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)")'
    r'|(?P<string>"(?:\\.|[^"\\\n])*")'
    r"|(?P<word>\b\w+(?:'\w+)*)"  # 1'000 is one word
    r"|(?P<char>'(?:\\.|[^'\\\n])+')"
    r"|(?P<directive>^[ \t]*#(?:\\\n|[^\n])*)",
    re.DOTALL | re.MULTILINE)


def blank(text):
    return re.sub(r"[^\n]", " ", text)


def without_comments(text):
    return TOKENS.sub(lambda match: blank(match[0]) if match["comment"] else match[0], text)


def bare(text):
    """`text` without comments, directives, and what is in quotes; every line keeps its number."""

    def replace(match):
        if match["comment"] or match["directive"]:
            return blank(match[0])
        if match["raw"] or match["string"] or match["char"]:
            return '"' + blank(match[0])[1:-1] + '"'
        return match[0]

    return TOKENS.sub(replace, text)


def without_angles(text):
    """Drops `template <…>` and all other arguments in angle brackets, and the names of operators."""
    text = re.sub(r"\boperator\s*(\(\s*\)|\[\s*\]|[^\s\w(]+)", "operator_", text)
    text = re.sub(r"->|<=|>=|<<", " ", text)
    before = None
    while before != text:
        before, text = text, re.sub(r"<[^<>]*>", "", text)
    return text


def without_parentheses(text):
    before = None
    while before != text:
        before, text = text, re.sub(r"\((?!\))[^()]*\)", "()", text)
    return text


def opened_by(statement):
    """What a brace after `statement` opens outside functions: namespace, class, function, values, or None (unknown)."""
    text = without_parentheses(without_angles(statement)).strip()
    text = re.sub(r"\[\[.*?\]\]|\balignas\(\)", "", text).strip()
    text = re.sub(r"^template\b\s*", "", text)
    if re.match(r"(inline )?namespace\b", text) or re.fullmatch(r'extern "\s*"', text):
        return "namespace"
    if re.match(r"(typedef )?enum\b", text):
        return "values"
    if re.search(r"(?<![=!<>])=(?!=)", text):
        return "values"
    if re.match(r"(class|struct|union)\b[^()]*$", text):
        return "class"
    if "(" in text:
        in_initializers = re.search(r"\)\s*(noexcept\s*(\(\))?)?\s*:(?!:)", text)
        return "values" if in_initializers and re.search(r"\w$", text) else "function"
    return "values" if re.search(r"\w[\w>\]]*$", text) else None


def is_method(statement):
    """Whether `statement` in a class declares or defines a function that counts. Defaulted and deleted ones do not, nor
    overrides: the interface decides how many there are."""
    text = without_angles(statement).strip()
    if re.match(r"(using|friend|static_assert|typedef)\b", text):
        return False
    if re.search(r"(=\s*(default|delete)|\boverride)$", text):
        return False
    return bool(re.match(r"[^=({]*\w\s*\(", text))


def name_of(statement, kind):
    text = re.sub(r"\s+", " ", without_angles(statement)).strip()
    if kind == "class":
        words = re.findall(r"[\w:]+", re.sub(r"\bfinal\b", "", re.split(r"[^:]:[^:]", text)[0]))
        return words[-1] if len(words) > 1 else "(unnamed)"
    match = re.match(r".*?([\w:~]+) ?\(", text)
    return match[1] if match else text[:60]


class Scope:
    def __init__(self, kind, statement="", line=0):
        self.kind, self.statement, self.line = kind, statement, line
        self.methods = set()  # names, so overloads count as one


class Reader:
    """Reads one file once, and collects its functions and classes."""

    def __init__(self, text):
        self.functions = []  # (name, first line, number of lines)
        self.classes = []  # (name, number of methods)
        self.unknown = []  # lines with a brace that opens something unknown
        self.scopes = [Scope("namespace")]
        self.statement, self.start, self.line, self.parentheses = "", 1, 1, 0
        for character in bare(text):
            self._take(character)
        if len(self.scopes) != 1:
            self.unknown.append(self.line)

    def _take(self, character):
        inside = self.scopes[-1].kind in ("function", "values")
        if character == "\n":
            self.line += 1
        if character == "{":
            self._open()
        elif character == "}":
            self._close()
        elif not inside:
            self._take_declaration(character)

    def _take_declaration(self, character):
        self.parentheses += {"(": 1, ")": -1}.get(character, 0)
        if not self.statement.strip():
            self.start = self.line
        if character == ";" and self.parentheses == 0:
            self._end_statement()
        else:
            self.statement += character
            self.statement = re.sub(r"^\s*(public|protected|private)\s*:$", "", self.statement)

    def _end_statement(self):
        if self.scopes[-1].kind == "class" and is_method(self.statement):
            self.scopes[-1].methods.add(name_of(self.statement, "function"))
        self.statement = ""

    def _open(self):
        if self.scopes[-1].kind in ("function", "values") or self.parentheses:
            kind = "values"
        else:
            kind = opened_by(self.statement)
            if kind is None:
                self.unknown.append(self.line)
                kind = "values"
        self.scopes.append(Scope(kind, self.statement, self.start))
        if kind in ("namespace", "class", "function"):
            self.statement = ""

    def _close(self):
        if len(self.scopes) == 1:
            self.unknown.append(self.line)
            return
        scope = self.scopes.pop()
        if scope.kind == "function":
            self._end_function(scope)
        elif scope.kind == "class":
            self.classes.append((name_of(scope.statement, "class"), len(scope.methods)))
        elif self.scopes[-1].kind not in ("function", "values"):
            self.statement += '"values"'  # the statement goes on behind them

    def _end_function(self, scope):
        self.functions.append((name_of(scope.statement, "function"), scope.line, self.line - scope.line + 1))
        if self.scopes[-1].kind == "class" and is_method(scope.statement):
            self.scopes[-1].methods.add(name_of(scope.statement, "function"))


def offences_of(file, text):
    """Pairs (what is too large, as EXCEPTIONS names it; the offence)."""
    lines = text.count("\n")
    if lines > FILE_LINES:
        yield file, f"{file}: {lines} lines, at most {FILE_LINES} are allowed"
    reader = Reader(text)
    for line in reader.unknown:
        yield file + ": unknown", f"{file}:{line}: sizes.py cannot tell what this brace opens or closes"
    for name, line, length in reader.functions:
        if length > FUNCTION_LINES:
            yield f"{file}: {name}", f"{file}:{line}: {name} has {length} lines, at most {FUNCTION_LINES} are allowed"
    for name, methods in reader.classes:
        if methods > CLASS_METHODS:
            yield f"{file}: {name}", f"{file}: class {name} has {methods} methods, at most {CLASS_METHODS} are allowed"


def check(root, files):
    used = set()
    for file in files:
        for what, offence in offences_of(file, (root / file).read_text()):
            if what in EXCEPTIONS:
                used.add(what)
            else:
                yield offence
    for what in EXCEPTIONS:
        if what not in used:
            yield f"{what}: an exception in sizes.py that is not needed"
