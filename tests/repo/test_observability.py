"""Alert rules and dashboard against the metrics that there are, and against the page that says what to do."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "packaging" / "prometheus" / "hivelet.rules.yml"
DASHBOARD = ROOT / "packaging" / "grafana" / "hivelet.json"
PROCESS = {
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_cpu_seconds_total",
    "process_open_fds",
}


@cache
def known() -> dict[str, tuple[str, ...]]:
    """Every series' name, with its labels."""
    path = ROOT / "docs" / "generate.py"
    spec = importlib.util.spec_from_file_location("docs_generate_metrics", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = dict.fromkeys(PROCESS, ())
    for name, kind, _, labels in module.metrics():
        ends = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        found |= {name + end: (*labels, "le") if end == "_bucket" else labels for end in ends}
    return found


def strangers(query: str) -> set[str]:
    """The metrics, and labels of metrics, that a query names and nobody tells."""
    found = set(re.findall(r"\b(?:hivelet|process)_\w+", query)) - known().keys()
    for name, matchers in re.findall(r"(\w+)\{([^}]*)\}", query):
        labels = set(re.findall(r"(\w+)\s*(?:=|!)", matchers)) - {"job", "instance"}
        found |= {f"{name}.{label}" for label in labels - set(known().get(name, labels))}
    return found


def alerts() -> list[dict[str, object]]:
    groups = YAML(typ="safe").load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_names_follow_prometheus() -> None:
    """Base units, counters end in _total, nothing else does; one prefix."""
    for name in known().keys() - PROCESS:
        assert re.fullmatch(r"hivelet_[a-z]+(_[a-z]+)*", name), name
        assert not re.search(r"_(ms|milliseconds|kb|mb|percent)\b", name), name
    assert not {label for labels in known().values() for label in labels} & {
        "task",
        "id",
        "container",
    }


def test_rules_name_what_there_is() -> None:
    assert {
        rule["alert"]: found for rule in alerts() if (found := strangers(str(rule["expr"])))
    } == {}
    assert strangers('hivelet_nonsense + hivelet_tasks{stat="x"}') == {
        "hivelet_nonsense",
        "hivelet_tasks.stat",
    }


def test_every_alert_says_what_it_is_and_what_to_do() -> None:
    page = (ROOT / "docs" / "observability.md").read_text()
    chapters = set(re.findall(r"^### (Hivelet\w+)$", page, re.MULTILINE))
    assert chapters == {rule["alert"] for rule in alerts()}
    for rule in alerts():
        notes, labels = rule["annotations"], rule["labels"]
        assert isinstance(notes, dict)
        assert isinstance(labels, dict)
        assert notes["summary"]
        assert notes["runbook_url"] == f"docs/observability.md#{str(rule['alert']).lower()}"
        assert labels["severity"] in ("critical", "warning", "info")


def test_the_dashboard_names_what_there_is() -> None:
    board = json.loads(DASHBOARD.read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert len(queries) > 20
    assert {query: found for query in queries if (found := strangers(query))} == {}
    places = [tuple(panel["gridPos"][key] for key in "xy") for panel in board["panels"]]
    assert len(set(places)) == len(places)


def test_prometheus_takes_the_rules(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    done = subprocess.run(
        [promtool, "check", "rules", str(RULES)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def fires(folder: Path, alert: str, series: str, values: str, at: str) -> bool:
    """Whether an alert fires at a moment, of one series with a sample every 30 s."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    test = {
        "rule_files": [str(RULES)],
        "tests": [
            {
                "interval": "30s",
                "input_series": [{"series": f"hivelet_{series}", "values": values}],
                "alert_rule_test": [{"eval_time": at, "alertname": alert, "exp_alerts": []}],
            }
        ],
    }
    path = folder / "test.yml"
    path.write_text(json.dumps(test))
    done = subprocess.run(
        [promtool, "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        assert f'alertname="{alert}"' in done.stdout + done.stderr, done.stdout + done.stderr
    return done.returncode != 0


@pytest.mark.parametrize(
    ("alert", "series", "values", "silent", "loud"),
    [
        # The first error of a route: no sample before it, one at 1 from then on.
        ("HiveletApiErrors", 'api_requests_total{status="500"}', "_x10 1x60", "4m 20m", "6m"),
        ("HiveletApiErrors", 'api_requests_total{status="500"}', "3x25 4x60", "12m 25m", "14m"),
        ("HiveletApiErrors", 'api_requests_total{status="503"}', "_x10 1x60", "6m 9m", ""),
        ("HiveletStoreFailed", "store_failures_total", "0x10 1x60", "4m 20m", "6m"),
        ("HiveletSwarmLocked", "swarm_locked", "0x10 1x10 0x20", "4m 6m 12m", "9m"),
        (
            "HiveletCrashLoop",
            'service_restarts_total{service="web"}',
            "_x10 1+1x20 21x40",
            "4m 30m",
            "10m",
        ),
    ],
)
def test_alerts_fire_and_end(
    tmp_path: Path, alert: str, series: str, values: str, silent: str, loud: str
) -> None:
    assert [at for at in silent.split() if fires(tmp_path, alert, series, values, at)] == []
    assert [at for at in loud.split() if not fires(tmp_path, alert, series, values, at)] == []
