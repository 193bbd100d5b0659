"""A check of the language in docstrings, comments and documents.

Usage: ``voice.py [TREE ...]`` in the root of the checkout; without arguments, ``TREES`` are
checked. Each finding is one line: place, words, better words. The exit code is 1 if there are any.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

TREES = (
    *(".ci", "adapters", "application", "domain", "entrypoints"),
    *("testing", "tests"),
    *("docs", "README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"),
)
_SKIPPED = {"inputs", "edges", "__pycache__"}  # material from elsewhere

# A function's docstring opens with a verb in the imperative, so with none of these.
_NO_VERB = re.compile(
    r"(An?|The|Th(is|at|ese|ose)|Its?|There|What\w*|Which|Whether|Who(se|m|ever)?|Where|When|Why|How"
    r"|Is|Are|Was|Does|Has|Can|May|Raises|Returns|Yields|Writes|Reads|Tells|Takes|Gives|Makes|Keeps"
    r"|Sources?|As|If|For|From|With|Without|In|On|At|Of|Nothing|Everything|All|Each|One|Two|No|Not"
    r"|(Return|Yield|Write|Tell|Read|Give|Append|Copy|Make) (what|who|where|how))\b"
)
# That of a class, a module or a property is a noun phrase ("Return" is welcome at a property).
_NO_NOUN = re.compile(
    r"(What\w*|Which|Whether|Who(se|m|ever)?|Where|When|Why|How|Being|Is|Are|Was|Does|Has|Can|May|Do"
    r"|Tells|Reads|Collects|Keeps|Makes|Takes|Gives|Holds|Returns|Raises|Writes|Says"
    r"|Raise|Write|Tell)\b"
)
# The pronoun of persons is not for things. (Checked behind the word: so the search is quicker.)
_PERSONS = ("user", "users", "person", "people", "administrator", "contributor", "reader")
_OF_A_THING = "".join(rf"(?<!\b{person} who)" for person in _PERSONS)
_IDIOMS = {
    rf"who{_OF_A_THING}": "the noun: the process that, the command that",
    "whose|whom|whoever|whosoever": "the noun: the file that, a layer with",
    "(?:some|any|every)(?:body|one)": "the noun: a user, another process, each reader",
    r"nobody(?<![/`:\"'-]nobody)(?![`:/\"'])": "the noun: no process, no user; or the passive",
    "whatever|no matter": "regardless of; any; even if",
    "(?:is|are|be|was|were|been) told": "gets, receives, learns, is notified",
    r"forese\w+|foresight": "predict",
    "at a glance|glanced?": "quick key; check",
    r"condemn\w*": "mark for deletion",
    "nursery": "temporary directory",
    "what a build that": "everything that a running build",
    "be it": "even if it is; or",
    "has a say|the last word|goes? first": "applies; wins; has precedence",
    "bury|buried|buries": "delete",
    "(?:what|that) becomes of|come of it": "result",
    "give sense|gives no sense|means? nothing": "is invalid",
    "stands? in for|stand-?ins?": "replaces; is a placeholder of",
    "and (?:its|their|the) (?:like|neighbou?rs)|its neighbou?rs": "and related ones: name them",
    "by way of": "through; with",
    "so to speak|as it were|in vain|of old|thereof|therein|hitherto": "a plain word",
    "it encodes not|knows? (?:no|none)": "does not support; has no",
    "takes? (?:it|them|that) for (?:granted|good)": "assume",
    "lets? (?:him|it|them) be|is at home|lives? in": "keep; is in",
}
_ANY_IDIOM = re.compile(
    r"\b(?:" + "|".join(rf"({words})" for words in _IDIOMS) + r")\b", re.IGNORECASE
)
# Parsing is slow: it is needed only for modules with one of these.
_SUSPECT = re.compile(
    rf'(?:\A|class [^\n]*:\n +|property\n[^\n]*\n +)r?"""(?:{_NO_NOUN.pattern})'
    rf'|^ *(?:(?:async )?def [^\n]*|\)[^\n]*):\n +r?"""(?:{_NO_VERB.pattern})',
    re.MULTILINE,
)
_CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)

_Finding = tuple[int, str, str]  # the line, the words, the advice


def _docstrings(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
) -> Iterator[tuple[int, str, re.Pattern[str]]]:
    """Yield the line and text of each docstring, and the pattern that it must not match."""
    match node.body[0] if node.body else None:
        case ast.Expr(value=ast.Constant(value=str(text)), lineno=line):
            yield line, text, _NO_NOUN if _is_noun(node) else _NO_VERB
    for child in node.body:
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _docstrings(child)


def _is_noun(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    if isinstance(node, ast.Module | ast.ClassDef):
        return True
    return any("property" in ast.unparse(decorator) for decorator in node.decorator_list)


def _idioms_in(text: str, first_line: int) -> Iterator[_Finding]:
    for found in _ANY_IDIOM.finditer(text):
        better = list(_IDIOMS.values())[(found.lastindex or 1) - 1]
        yield first_line + text.count("\n", 0, found.start()), found.group(), f"say: {better}"


def findings_in_code(source: str) -> Iterator[_Finding]:
    """Yield the findings in the docstrings and comments of a Python module."""
    if not _SUSPECT.search(source) and not _ANY_IDIOM.search(source):
        return
    for line, text, forbidden in _docstrings(ast.parse(source)):
        if found := forbidden.match(text):
            kind = "a verb in the imperative" if forbidden is _NO_VERB else "a noun phrase"
            yield line, found.group(), f"open the docstring with {kind}"
        yield from _idioms_in(text, line)
    # The tokenizer is slow, and seldom needed.
    if any(_ANY_IDIOM.search(line) for line in source.splitlines() if "#" in line):
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                yield from _idioms_in(token.string, token.start[0])


def findings_in_document(text: str) -> Iterator[_Finding]:
    """Yield the findings in the Markdown ``text``, except in its code."""
    yield from _idioms_in(_CODE.sub(lambda code: re.sub(r"[^\n]", " ", code.group()), text), 1)


def main(arguments: list[str]) -> int:
    """Print the findings in the files and trees that are named. Return the exit code."""
    count = 0
    for tree in map(Path, arguments or TREES):
        for path in sorted(tree.rglob("*")) if tree.is_dir() else [tree]:
            if path.suffix not in {".py", ".md"} or not _SKIPPED.isdisjoint(path.parts):
                continue
            check = findings_in_code if path.suffix == ".py" else findings_in_document
            for line, words, advice in sorted(check(path.read_text(encoding="utf-8"))):
                print(f"{path}:{line}: {words!r}: {advice}")
                count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
