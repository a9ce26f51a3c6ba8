"""Reads the text that Envoy shows to Prometheus, and the queries of a dashboard; runs a real Prometheus where one is installed."""

import os
import re
import shutil
from collections import defaultdict
from pathlib import Path

import promql_parser
from harness import HTTP, Process, answers, free_port

PROMETHEUS = os.environ.get("PROMETHEUS") or shutil.which("prometheus")
_SAMPLE = re.compile(r"^([a-z_]+)\{(.*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_TYPE = re.compile(r"^# TYPE (\S+) (\S+)$", re.MULTILINE)
OURS = ("crosspoint_", "gen_ai_")
# What our labels are called, as short as in the tests.
SHORT = {
    "gen_ai_request_model": "model", "gen_ai_provider_name": "provider", "gen_ai_operation_name": "operation",
    "gen_ai_token_type": "token_type",
}


def samples(gateway) -> dict:
    """name -> {labels: value}, of what the filter counts."""
    found = defaultdict(dict)
    for name, labels, value in _SAMPLE.findall(gateway.prometheus()):
        if name.startswith(OURS):
            pairs = {SHORT.get(label, label): _plain(text) for label, text in _LABEL.findall(labels)}
            found[name][tuple(sorted(pairs.items()))] = float(value)
    return found


def _plain(text: str) -> str:
    return text.replace('\\"', '"').replace("\\\\", "\\")


def labels(**values):
    return tuple(sorted(values.items()))


def types(gateway) -> dict:
    """name -> counter, gauge or histogram, of what the filter counts."""
    return {name: kind for name, kind in _TYPE.findall(gateway.prometheus()) if name.startswith(OURS)}


def selectors(query: str) -> list:
    """The (metric, labels) that a query speaks of, by a parser that is Prometheus's in Rust: a label that is matched or
    grouped by belongs to every metric under it."""
    found = []

    def walk(node, around):
        match type(node).__name__:
            case "VectorSelector":
                matched = {matcher.name for matcher in node.matchers.matchers}
                found.append((node.name, matched | around))
            case "MatrixSelector":
                walk(node.vector_selector, around)
            case "AggregateExpr":
                by = node.modifier
                named = set(by.labels) if by is not None and "By" in str(by.type) else set()
                walk(node.expr, around | named)
            case "Call":
                for argument in node.args:
                    walk(argument, around)
            case "BinaryExpr":
                walk(node.lhs, around)
                walk(node.rhs, around)
            case "ParenExpr" | "UnaryExpr" | "SubqueryExpr":
                walk(node.expr, around)

    walk(promql_parser.parse(query), set())
    return found


class Prometheus(Process):
    """A real Prometheus that scrapes a gateway every second."""

    def __init__(self, directory: Path, gateway):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        config = directory / "prometheus.yaml"
        config.write_text(
            "scrape_configs:\n- job_name: envoy\n  scrape_interval: 1s\n  metrics_path: /stats/prometheus\n"
            f"  static_configs: [{{ targets: ['127.0.0.1:{gateway.admin_port}'] }}]\n"
        )
        command = [
            PROMETHEUS, f"--config.file={config}", f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        super().__init__("Prometheus", command, directory / "prometheus.log")
        self.require(lambda: answers(f"{self.url}/-/ready"))

    def query(self, query: str) -> list:
        """The series that a query gives now, with their values."""
        reply = HTTP.get(f"{self.url}/api/v1/query", params={"query": query})
        assert reply.status_code == 200, f"{query}: {reply.text}"
        return [(one["metric"], float(one["value"][1])) for one in reply.json()["data"]["result"]]
