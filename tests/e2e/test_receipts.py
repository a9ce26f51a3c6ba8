"""Receipts beyond the file: the examples of gRPC and OpenTelemetry access logs, and `crosspoint ledger` on what Envoy wrote."""

import json
import queue
import subprocess
from concurrent import futures

import grpc
import pytest
import yaml
from clients import chat_body, endpoint
from envoy.service.accesslog.v3 import als_pb2, als_pb2_grpc
from harness import ENVOY, HTTP, KEYS, PATIENCE, RECEIPT, ROOT, run_tool, wait_until
from google.protobuf import wrappers_pb2
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2

EXAMPLES = ["receipts-grpc", "receipts-opentelemetry"]


def config(simulator) -> dict:
    return {
        "providers": simulator.providers(),
        "models": {
            "a/b": {"endpoints": [endpoint("openai", "gpt-4o")]},
            "over/one": {"endpoints": [
                endpoint("anthropic", "claude-sonnet-4-5!status=500"), endpoint("openai", "gpt-4o-mini"),
            ]},
            "sim/endless": {"endpoints": [endpoint("anthropic", "claude-sonnet-4-5!tokens=999;token_delay=10")]},
        },
    }


def put_in(tree: dict, example: str, port=None) -> dict:
    """The rendered bootstrap with an example in it, whose collector may be here."""
    added = yaml.safe_load((ROOT / f"envoy/{example}.yaml").read_text())
    (manager,) = tree["static_resources"]["listeners"][0]["filter_chains"][0]["filters"]
    manager["typed_config"]["access_log"] += added["access_log"]
    if port:
        address = added["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]
        address["socket_address"] = {"address": "127.0.0.1", "port_value": port}
    tree["static_resources"]["clusters"] += added["clusters"]
    return tree


class Collector(als_pb2_grpc.AccessLogServiceServicer):
    """Takes both kinds of logs, and keeps the receipts in them."""

    def __init__(self):
        self.texts = queue.SimpleQueue()

    def StreamAccessLogs(self, requests, context):
        for message in requests:
            for entry in message.http_logs.log_entry:
                packed = entry.common_properties.filter_state_objects["wasm.crosspoint_generation"]
                self.texts.put(text_of(packed))
        return als_pb2.StreamAccessLogsResponse()

    def export(self, request, context):
        # xds-protos has OpenTelemetry's messages by their names of before version 0.15; on the wire they are the same.
        for resource in request.resource_logs:
            for record in (record for scope in resource.instrumentation_library_logs for record in scope.logs):
                names = {one.key: one.value.string_value for one in record.attributes}
                assert names["event.name"] == "crosspoint.receipt"
                self.texts.put(record.body.string_value)
        return logs_service_pb2.ExportLogsServiceResponse()


def text_of(packed) -> str:
    """The text in an `Any`."""
    for kind in (wrappers_pb2.StringValue, wrappers_pb2.BytesValue):
        if packed.Is(kind.DESCRIPTOR):
            value = kind()
            packed.Unpack(value)
            return value.value if isinstance(value.value, str) else value.value.decode()
    raise AssertionError(packed.type_url)


@pytest.fixture
def collector():
    collector = Collector()
    server = grpc.server(futures.ThreadPoolExecutor(4))
    als_pb2_grpc.add_AccessLogServiceServicer_to_server(collector, server)
    export = grpc.unary_unary_rpc_method_handler(
        collector.export, logs_service_pb2.ExportLogsServiceRequest.FromString,
        logs_service_pb2.ExportLogsServiceResponse.SerializeToString,
    )
    service = "opentelemetry.proto.collector.logs.v1.LogsService"
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {"Export": export})])
    collector.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield collector
    server.stop(0).wait()


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_receipt_arrives(start_gateway, simulator, collector, example):
    gateway = start_gateway(config(simulator), patch=lambda tree: put_in(tree, example, collector.port))
    ids = {gateway.chat("a/b", stream=stream).headers["x-generation-id"] for stream in (False, True)}
    assert HTTP.get(f"{gateway.url}/v1/models").status_code == 200
    arrived = [json.loads(collector.texts.get(timeout=PATIENCE)) for _ in ids]
    for receipt in arrived:
        RECEIPT.validate(receipt)
    assert {receipt["id"] for receipt in arrived} == ids
    assert sorted(arrived, key=str) == sorted(gateway.receipts(), key=str)
    assert collector.texts.empty()


@pytest.mark.parametrize("example", EXAMPLES)
def test_envoy_accepts_an_example_as_it_stands(tmp_path, example):
    tree = put_in(yaml.safe_load((ROOT / "envoy/bootstrap.yaml").read_text()), example)
    # Reading the filter is not what is tried here.
    (manager,) = tree["static_resources"]["listeners"][0]["filter_chains"][0]["filters"]
    router = {"name": "envoy.filters.http.router", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}
    manager["typed_config"]["http_filters"] = [router]
    path = tmp_path / "envoy.yaml"
    path.write_text(json.dumps(tree))
    done = subprocess.run([ENVOY, "--mode", "validate", "-c", path], capture_output=True, text=True, env=KEYS, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_ledger_agrees_with_the_receipts(start_gateway, simulator, tmp_path):
    gateway = start_gateway(config(simulator))
    for stream in (False, True):
        gateway.chat("a/b", stream=stream)
        gateway.chat("over/one", stream=stream, provider={"order": ["anthropic", "openai"]})
    assert gateway.chat("no/such").status_code == 404
    with HTTP.stream("POST", f"{gateway.url}/v1/chat/completions", content=chat_body("sim/endless", stream=True)) as response:
        next(response.iter_bytes())
    receipts = wait_until(lambda: len(gateway.receipts()) == 6 and gateway.receipts())
    arguments = ("ledger", gateway.access_log, gateway.access_log, "--by", "model,outcome", "--format", "json")
    done = run_tool(*arguments)
    assert done.returncode == 0 and done.stderr == "counted once: 6 lines of an exchange that was there already\n"
    told = json.loads(done.stdout)
    assert told["total"]["exchanges"] == 6
    assert told["total"]["cost_pico_usd"] == sum(one["cost_pico_usd"] for one in receipts) > 0
    for member in ("prompt", "completion"):
        assert told["total"][member] == sum(one.get("tokens", {}).get(member, 0) for one in receipts)
    assert {(row["model"], row["outcome"], row["exchanges"]) for row in told["rows"]} == {
        ("a/b", "success", 2), ("over/one", "success", 2), ("no/such", "refused", 1), ("sim/endless", "cancelled", 1),
    }
    # What the simulated provider would write on an invoice.
    invoice = tmp_path / "invoice.csv"
    served = [one for one in receipts if one.get("provider") == "openai"]
    rows = [[one["attempts"][-1]["model"], *(one["tokens"][name] for name in ("prompt", "completion")), one["cost_usd"]]
            for one in served]
    invoice.write_text("\n".join(",".join(map(str, row)) for row in [["model", "in", "out", "usd"], *rows]) + "\n")
    arguments = ("ledger", "reconcile", gateway.access_log, "--provider", "openai", "--invoice", invoice)
    done = run_tool(*arguments, "--input", "in", "--output", "out", "--cost", "usd")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[:2] for line in done.stdout.splitlines()[1:]] == [["gpt-4o", "same"], ["gpt-4o-mini", "same"]]
