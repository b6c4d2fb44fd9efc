"""No word of a request, an image or a stack file reaches a shell of the host."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2] / "src" / "hivelet"
SHELLS = {"sh", "/bin/sh", "bash", "/bin/bash"}
ALLOWED = {
    "runtime/images/changes.py": "the shell form of CMD: the container's shell",
    "runtime/build/dockerfile.py": "the shell form of RUN: the container's shell",
    "engine/health/policy.py": "CMD-SHELL: the container's shell",
    "runtime/build/commands.py": "a script of ours, a constant; what varies comes as positional parameters",
}
CALLS = {"system", "popen", "create_subprocess_shell", "getoutput", "getstatusoutput"}


def shells(path: Path) -> Iterator[str]:
    """Places where a shell is asked to run something, or a call that does so by itself."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.keyword(arg="shell", value=ast.Constant(value=True)):
                yield f"shell=True in line {node.value.lineno}"
            case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=name)) if (
                name in CALLS and module in {"os", "asyncio", "subprocess"}
            ):
                yield f"{module}.{name} in line {node.lineno}"
            case ast.List(elts=words) | ast.Tuple(elts=words):
                said = [word.value for word in words if isinstance(word, ast.Constant)]
                if SHELLS & {word for word in said if isinstance(word, str)} and "-c" in said:
                    yield f"a shell's command in line {node.lineno}"


def test_no_shell_is_reached() -> None:
    found = {
        str(path.relative_to(ROOT)): places
        for path in sorted(ROOT.rglob("*.py"))
        if (places := list(shells(path)))
    }
    assert {path: places for path, places in found.items() if path not in ALLOWED} == {}
    assert found.keys() == ALLOWED.keys()


def test_the_one_script_is_a_constant() -> None:
    """`sh -c` of a build gets a text without a single inserted word."""
    tree = ast.parse((ROOT / "runtime/build/commands.py").read_text())
    (script,) = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == "_ENTER"
    ]
    assert isinstance(script, ast.Constant)


def test_a_shell_is_found(tmp_path: Path) -> None:
    source = tmp_path / "x.py"
    source.write_text(
        "os.system(a)\nsubprocess.run(a, shell=True)\nrun(['sh', '-c', a])\nasyncio.create_subprocess_shell(a)\n"
    )
    assert len(list(shells(source))) == 4
