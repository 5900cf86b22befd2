"""One style of error sentence in all of oddlens: lower case at the start, no full stop at the end."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import oddlens

SOURCE = Path(oddlens.__file__).parent


def sentences() -> Iterator[tuple[str, str, str]]:
    """Where an error, a failure or a problem of a data set is made, and the fixed start and end of its sentence."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if not name.endswith(("Error", "Failure", "Problem")):
                continue
            sentence = node.args[0] if name.endswith("Error") else node.args[-1]
            parts = sentence.values if isinstance(sentence, ast.JoinedStr) else [sentence]
            first, last = (part.value if isinstance(part, ast.Constant) else "" for part in (parts[0], parts[-1]))
            if isinstance(first, str) and isinstance(last, str):
                yield f"{path.relative_to(SOURCE)}:{node.lineno}", first, last


def test_no_error_begins_with_a_capital_or_ends_with_a_full_stop() -> None:
    found = list(sentences())
    assert len(found) > 300
    capital, stop = re.compile(r"[A-Z][a-z]* "), re.compile(r"[^.]\.$")  # a name such as SigLIP has capitals within
    assert [where for where, first, last in found if capital.match(first) or stop.search(last)] == []
