from __future__ import annotations

from hivelet.doctor.finding import Finding, Repair
from hivelet.doctor.repair import carry_out, list_repairs

ONE, TWO = Repair(argv=("one",)), Repair(argv=("two",))


def test_only_what_is_wrong_and_each_once():
    findings = [
        Finding(name="a", seen="", repairs=(ONE,)),
        Finding(name="b", seen="", level="note", repairs=(TWO,)),
        Finding(name="c", seen="", level="serious", repairs=(TWO, ONE)),
    ]
    assert list(list_repairs(findings)) == [TWO, ONE]


async def test_a_repair_runs_with_its_script(tmp_path):
    file = tmp_path / "written"
    assert not await carry_out(Repair(argv=("tee", str(file)), script="hello\n"))
    assert file.read_text() == "hello\n"


async def test_a_failure_is_told():
    assert "no such directory" in (
        await carry_out(Repair(argv=("ls", "/no/such"), script=""))
    ).lower().replace("no such file or directory", "no such directory")
