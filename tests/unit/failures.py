"""Every failure that the addons' code gives: its code word and its sentence."""

from __future__ import annotations

import ast
import functools
import pathlib
import re
from collections.abc import Iterator

ADDONS = pathlib.Path(__file__).resolve().parents[2] / "addons"
ERRORS = {"EngineError", "RefusedError", "RetryableError"}
NO_WORD = ""  # of what is refused before there is an operation
REFUSALS = {"AccessError", "UserError"}
ASKED_FOR = re.compile(r"^saas(_backup)?/models/saas_(tenant|domain|operation|backup)")

Pairs = Iterator[tuple[str, str]]


@functools.cache
def find_failures() -> list[tuple[str, str, str]]:
    """The word, the sentence with … for what varies (empty: another's), the file."""
    found = set()
    for path in ADDONS.rglob("*.py"):
        # The driver of tests says nothing that the real ones do not.
        if "tests" in path.parts or path.name == "fake.py":
            continue
        file = path.relative_to(ADDONS).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        pairs = [*_find_failures(tree)]
        if ASKED_FOR.search(file) and "_portal" not in file:
            pairs += [(NO_WORD, sentence) for sentence in _find_refusals(tree)]
        found |= {(word, sentence, file) for word, sentence in pairs}
    return sorted(found)


def get_core(sentence: str) -> str:
    """The longest part that does not vary, by which the sentence can be found."""
    return max(sentence.split("…"), key=len).strip(" .")


def _find_failures(tree: ast.Module) -> Pairs:
    texts = _find_texts(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            known = texts | _find_texts(node)
            for inner in ast.walk(node):
                if isinstance(inner, ast.Call):
                    yield from _find_raised(inner, known)
        elif isinstance(node, ast.Assign):
            yield from _find_in_table(node)
        if isinstance(node, ast.Call | ast.Tuple):
            values = node.args if isinstance(node, ast.Call) else node.elts
            yield from _find_in_row(values)


def _find_raised(call: ast.Call, texts: dict[str, str]) -> Pairs:
    name, arguments = ast.unparse(call.func), call.args
    if name in ERRORS and arguments:
        for keyword in call.keywords:
            if keyword.arg == "reason":
                for word in _find_words(keyword.value):
                    yield word, _read(arguments[0], texts)
    elif name == "self._run_own_task":
        yield f"{_read(arguments[0], texts)}_failed", _read(arguments[3], texts)
    # What the program says that tries a restored Odoo.
    elif name in ("Fault", "super().__init__") and len(arguments) == 2:
        for word in _find_words(arguments[0]):
            yield word, _read(arguments[1], texts)
    elif name == "get" and len(arguments) == 3:
        for word in _find_words(arguments[2]):
            yield word, ""


def _find_words(value: ast.expr) -> list[str]:
    if isinstance(value, ast.IfExp):
        return _find_words(value.body) + _find_words(value.orelse)
    text = value.value if isinstance(value, ast.Constant) else ""
    return [text] if re.fullmatch("[a-z_]+", str(text)) else []


def _find_in_row(values: list[ast.expr]) -> Pairs:
    """``…, RefusedError, word, sentence``: how tables of answers are written."""
    for error, word, sentence in zip(values, values[1:], values[2:], strict=False):
        if isinstance(error, ast.Name) and error.id in ERRORS:
            yield _read(word, {}), _read(sentence, {})


def _find_in_table(assign: ast.Assign) -> Pairs:
    """Tables like ``_RETRIES``, whose rows end with the word and the sentence."""
    if not re.search("_RETR|_REFUSALS", ast.unparse(assign.targets[0])):
        return
    for node in ast.walk(assign.value):
        if isinstance(node, ast.Tuple):
            texts = [value for value in node.elts if isinstance(value, ast.Constant)]
            if len(texts) == len(node.elts):
                yield _read(texts[-2], {}), _read(texts[-1], {})


def _find_refusals(tree: ast.Module) -> Iterator[str]:
    """What people read at once where they may not ask for something."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in REFUSALS:
            yield _read(node.args[0], {})
        elif isinstance(node, ast.FunctionDef) and node.name.startswith("_explain_"):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return) and inner.value:
                    yield _read(inner.value, {})


def _find_texts(scope: ast.Module | ast.FunctionDef) -> dict[str, str]:
    """The texts that names stand for: of a file, or within a function."""
    nodes = scope.body if isinstance(scope, ast.Module) else ast.walk(scope)
    return {
        ast.unparse(node.targets[0]): _read(node.value, {})
        for node in nodes
        if isinstance(node, ast.Assign)
    }


def _read(value: ast.expr, texts: dict[str, str]) -> str:
    """A text with … for what varies."""
    if isinstance(value, ast.Call) and ast.unparse(value.func).endswith("._"):
        value = value.args[0]
    if isinstance(value, ast.Name):
        return texts.get(value.id, "")
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return re.sub(r"%\(\w+\)s|%s|\{\w+\}", "…", value.value)
    if isinstance(value, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "…"
            for part in value.values
        )
    return ""
