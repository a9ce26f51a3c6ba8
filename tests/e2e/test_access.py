"""Who may come in, what goes out: client keys, headers in both directions, paths and malformed requests."""

import hashlib
import json

import judges
import openai
import pytest
from clients import CLIENT_KEY, RawClient, chat_body, endpoint, sdk
from harness import HTTP, KEYS, SIMULATED

KEYED = {"authorization": f"Bearer {CLIENT_KEY}"}
# Where a provider wants its key, if not in `authorization`.
CREDENTIALS = {"anthropic": "x-api-key", "azure": "api-key", "gemini": "x-goog-api-key"}
# What a provider may see.
SENT = {
    "host", "content-type", "content-length", "accept", "accept-encoding", "user-agent", "authorization", *CREDENTIALS.values(),
    "anthropic-version", "anthropic-beta", "traceparent", "tracestate",
    # Envoy's own.
    "x-envoy-attempt-count", "x-envoy-expected-rq-timeout-ms", "x-request-id", "x-forwarded-proto",
}


@pytest.fixture(scope="module")
def gateway(module_gateway, simulator):
    models = {name: [endpoint(name, model)] for name, model in SIMULATED.items()}
    models["failing/over"] = [
        endpoint("openai", "gpt-4o!status=500"), endpoint("anthropic", "claude-sonnet-4-5!error_at=0"),
        endpoint("bedrock", SIMULATED["bedrock"]),
    ]
    return module_gateway({
        "providers": simulator.providers(),
        "models": {f"sim/{name}": {"endpoints": endpoints} for name, endpoints in models.items()},
        "keys": [
            {"name": "tester", "sha256": hashlib.sha256(CLIENT_KEY.encode()).hexdigest()},
            {"name": "other", "sha256": hashlib.sha256(b"cp-other").hexdigest()},
        ],
    })


def test_the_key_opens_and_its_name_stands_in_the_receipt(gateway):
    for key, name in ((CLIENT_KEY, "tester"), ("cp-other", "other")):
        response = gateway.chat("sim/anthropic", headers={"authorization": f"Bearer {key}"})
        assert response.status_code == 200
        assert gateway.receipt(response.headers["x-generation-id"])["key"] == name
    assert CLIENT_KEY not in gateway.access_log.read_text()


@pytest.mark.parametrize("scheme", ["bearer ", "BEARER ", "Bearer  "])
def test_the_scheme_may_be_written_as_rfc_9110_allows(gateway, scheme):
    response = gateway.chat("sim/anthropic", headers={"authorization": f"{scheme}{CLIENT_KEY}"})
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("header", [
    None, "", "Bearer", "Bearer wrong", f"Basic {CLIENT_KEY}", CLIENT_KEY, f"Bearer {CLIENT_KEY},", f"Bearer {CLIENT_KEY}x",
    f"Bearer {CLIENT_KEY[:-1]}", "Bearer \xff\xfe",
])
def test_no_key_or_a_wrong_one(gateway, simulator, header):
    simulator.reset()
    headers = {} if header is None else {"authorization": header.encode("latin-1")}
    for response in (gateway.chat("sim/anthropic", headers=headers), HTTP.get(f"{gateway.url}/v1/models", headers=headers)):
        assert response.status_code == 401, response.text
        assert judges.error(response.json())["metadata"]["error_type"] == "authentication"
        assert simulator.requests("anthropic") == []


def test_the_sdk_raises_what_it_should(gateway):
    with pytest.raises(openai.AuthenticationError):
        sdk(gateway, api_key="wrong").models.list()
    with pytest.raises(openai.NotFoundError):
        sdk(gateway).chat.completions.create(model="no/such", messages=[{"role": "user", "content": "x"}])
    with pytest.raises(openai.BadRequestError):
        sdk(gateway).chat.completions.create(model="sim/openai", messages="x")


def test_the_models_are_listed(gateway):
    listed = {model.id: model for model in sdk(gateway).models.list()}
    assert set(listed) == {*(f"sim/{name}" for name in SIMULATED), "sim/failing/over"}
    pricing = listed["sim/openai"].to_dict()["pricing"]
    assert {name: float(price) for name, price in pricing.items()} == {"prompt": 3e-6, "completion": 15e-6}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", [*(f"sim/{name}" for name in SIMULATED), "sim/failing/over"])
def test_headers_go_by_allow_list(gateway, simulator, model, streamed):
    simulator.reset()
    headers = {
        **KEYED,
        "cookie": "session=client-key-cookie", "x-api-key": "client-key-elsewhere", "api-key": "client-key-azure",
        "openai-organization": "org", "x-forwarded-for": "1.2.3.4", "forwarded": "for=1.2.3.4", "proxy-authorization": "x",
        "x-crosspoint-retry": "1", "x-crosspoint-exchange": "x", "x-crosspoint-provider": "evil", "x-crosspoint-cluster": "bedrock",
        "x-envoy-max-retries": "0", "x-envoy-upstream-rq-per-try-timeout-ms": "1", "x-envoy-retry-on": "5xx",
        "x-envoy-upstream-alt-stat-name": "x", "x-envoy-force-trace": "true", "x-envoy-original-path": "/x",
        "x-generation-id": "gen-forged", "x-request-id": "client-key-request", "anthropic-version": "1999-01-01",
        "user-agent": "client-key-agent", "accept-encoding": "gzip, br", "te": "trailers", "referer": "client-key-referer",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "transfer-encoding-x": "y",
        "x-b3-traceid": "client-key-b3", "baggage": "client-key-baggage", "x-anything": "client-key-any",
    }
    response = gateway.chat(model, stream=streamed, headers=headers, provider={"order": list(SIMULATED)})
    assert response.status_code == 200, response.text
    assert response.headers["x-generation-id"] != "gen-forged"
    assert not {"set-cookie", "alt-svc", "x-crosspoint-retry", "x-request-id", "openai-version"} & set(response.headers)
    received = [one for name in SIMULATED for one in simulator.requests(name)]
    assert len(received) == (3 if model == "sim/failing/over" else 1)
    for one in received:
        names = [name for name, _ in one["headers"]]
        assert not set(names) - SENT, set(names) - SENT
        assert len(names) == len(set(names)), names
        values = json.dumps(one["headers"])
        assert "client-key" not in values and "1.2.3.4" not in values and "1999" not in values
        # Which credential, and only that.
        assert [name for name, value in one["headers"] if "sim-" in value] == [
            CREDENTIALS.get(one["provider"], "authorization")
        ]
        assert dict(one["headers"])["content-length"] == str(len(one["body_text"].encode()))
    # The leak counters are read by `reset`.
    simulator.reset()


def test_two_headers_of_a_kind_do_not_confuse(gateway, simulator):
    simulator.reset()
    body = chat_body("sim/openai")
    for headers in (
        [f"authorization: Bearer {CLIENT_KEY}", "authorization: Bearer wrong"],
        ["authorization: Bearer wrong", f"authorization: Bearer {CLIENT_KEY}"],
    ):
        with RawClient(gateway) as client:
            client.request(body, "connection: close", *headers)
            status = client.read_all().split(b" ", 2)[1]
        assert status in (b"401", b"400")
    assert simulator.requests("openai") == []


@pytest.mark.parametrize(("method", "path"), [
    ("GET", "/"), ("POST", "/v1/models"), ("GET", "/v1/chat/completions"), ("POST", "/v1/chat/completions/"),
    ("POST", "/v1/completions"), ("POST", "/v1/embeddings"), ("DELETE", "/v1/models"), ("PUT", "/v1/chat/completions"),
    ("OPTIONS", "/v1/chat/completions"), ("PATCH", "/v1/models/x"), ("POST", "/v1/chat/completions%00"),
    ("POST", "/%2e%2e/v1/messages"), ("GET", "/v1/models/../../admin"), ("GET", "/stats"), ("POST", "/quitquitquit"),
])
def test_other_paths_and_methods_are_not_found(gateway, method, path):
    body = b"{}" if method in ("POST", "PUT", "PATCH") else b""
    with RawClient(gateway) as client:
        client.request(body, "connection: close", f"authorization: Bearer {CLIENT_KEY}", method=method, path=path)
        head, _, text = client.read_all().partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    if status == 400:
        # Envoy itself refuses a path that is none.
        return
    assert status == 404, head
    assert judges.error(json.loads(text))["metadata"]["error_type"] == "not_found"


def test_head_and_queries(gateway):
    head = HTTP.head(f"{gateway.url}/v1/models", headers=KEYED)
    assert head.status_code in (200, 404) and head.content == b""
    refused = HTTP.get(f"{gateway.url}/v1/models?x=y", headers=KEYED)
    assert refused.status_code == 400 and '"x" is unknown' in judges.error(refused.json())["message"]
    body = chat_body("sim/bedrock")
    assert HTTP.post(f"{gateway.url}/v1/chat/completions?api-version=1", content=body, headers=KEYED).status_code == 200


MALFORMED = {
    "nothing": b"",
    "blank": b"  \n",
    "no JSON": b"hello",
    "half": b'{"model":"sim/openai","messages":[{"role":"user"',
    "trailing": chat_body("sim/openai") + b"}",
    "trailing garbage": chat_body("sim/openai") + b" xyz",
    "two objects": chat_body("sim/openai") * 2,
    "a list": b"[]",
    "a string": b'"sim/openai"',
    "null": b"null",
    "no model": b'{"messages":[{"role":"user","content":"x"}]}',
    "a model of a wrong type": b'{"model":5,"messages":[]}',
    "stream of a wrong type": chat_body("sim/openai", stream="yes"),
    "not UTF-8": b'{"model":"sim/openai","messages":[{"role":"user","content":"\xff\xfe"}]}',
    "lone surrogate": b'{"model":"sim/anthropic","messages":[{"role":"user","content":"\\ud800"}]}',
    "zero bytes": b"\x00" * 100,
    "messages of a wrong type": b'{"model":"sim/anthropic","messages":{"role":"user"}}',
    "no messages": b'{"model":"sim/anthropic"}',
    "an unknown role": b'{"model":"sim/anthropic","messages":[{"role":"alien","content":"x"}]}',
    "deep": b'{"model":"sim/anthropic","messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"model":"sim/anthropic","messages":[],"x":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
    "a wrong preference": chat_body("sim/openai", provider={"order": "openai"}),
    "an unknown preference": chat_body("sim/openai", provider={"enforce_distillable_text": True}),
    "a tool call with broken arguments": json.dumps({"model": "sim/anthropic", "messages": [
        {"role": "user", "content": "x"},
        {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{"}}]},
        {"role": "tool", "tool_call_id": "a", "content": "y"},
    ]}).encode(),
    "a broken data URL": chat_body("sim/bedrock", messages=[
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,%%%"}}]},
    ]),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_request_is_refused_with_a_reason(gateway, name):
    response = HTTP.post(f"{gateway.url}/v1/chat/completions", content=MALFORMED[name], headers=KEYED)
    assert response.status_code == 400, response.text
    error = judges.error(response.json())
    assert error["type"] == "invalid_request_error" and error["message"]
    receipt = gateway.receipt(response.headers["x-generation-id"])
    assert receipt["outcome"] in ("refused", "error") and receipt["cost_pico_usd"] == 0


def test_nothing_of_a_prompt_or_key_stands_in_any_log(gateway):
    secret = "a-very-secret-prompt"
    for model in (*(f"sim/{name}" for name in SIMULATED), "no/such", "sim/failing/over"):
        gateway.chat(model, secret, headers=KEYED)
        gateway.chat(model, headers=KEYED, messages=[{"role": "user", "content": [{"type": secret}]}])
    assert serves_with_key(gateway)
    logs = gateway.access_log.read_text() + gateway.log.read_text() + gateway.prometheus()
    for word in (secret, CLIENT_KEY, *KEYS.values()):
        assert word not in logs


def serves_with_key(gateway):
    return all(gateway.chat("sim/openai", headers=KEYED).status_code == 200 for _ in range(4))
