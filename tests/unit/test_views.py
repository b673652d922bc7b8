"""What views say to the browser is what its small evaluator of Python understands."""

import ast
import pathlib

import pytest
from lxml import etree

ADDONS = pathlib.Path(__file__).resolve().parents[2] / "addons"
EVALUATED = ("invisible", "readonly", "required", "column_invisible", "decoration-")
# Of odoo/addons/web/static/src/core/py_js/py_interpreter.js, what views have use for.
FUNCTIONS = {"bool", "len", "set", "max", "min", "time", "context_today"}
METHODS = {"get"}  # of a dictionary: it has no methods of texts


def read_expressions():
    for path in sorted(ADDONS.glob("*/**/*.xml")):
        for element in etree.parse(path).iter(etree.Element):
            for name, text in element.attrib.items():
                if name.startswith(EVALUATED) and "%(" not in text:
                    where = f"{path.relative_to(ADDONS)}:{element.sourceline}"
                    yield pytest.param(text, id=f"{where} {name}")


def find_unknown(text):
    """The calls in an expression that no browser can make."""
    calls = [
        node.func
        for node in ast.walk(ast.parse(text.strip(), mode="eval"))
        if isinstance(node, ast.Call)
    ]
    return [
        ast.unparse(call)
        for call in calls
        if not (isinstance(call, ast.Name) and call.id in FUNCTIONS)
        and not (isinstance(call, ast.Attribute) and call.attr in METHODS)
    ]


@pytest.mark.parametrize("text", list(read_expressions()))
def test_a_view_calls_nothing_that_a_browser_does_not_know(text):
    assert find_unknown(text) == []


def test_a_method_of_texts_is_found():
    assert find_unknown("not (url or '').startswith('tcp:')") == [
        "(url or '').startswith"
    ]
