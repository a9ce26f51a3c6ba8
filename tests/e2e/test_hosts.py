"""Gemini and Claude as Vertex and Bedrock serve them, with the credentials that these want."""

import json
import time

import judges
import pytest
from clients import endpoint, sdk, talk
from harness import Simulator
from hosts import ACCOUNT, BEDROCK_KEY, METADATA, PROJECT, Hosts

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather",
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["place", "days"],
        },
    },
}
# Who serves a model in truth.
SERVED = {"gemini": "gemini", "claude": "anthropic", "machine": "gemini", "bedrock": "anthropic"}

ways = pytest.mark.parametrize("stream", [False, True], ids=["buffered", "streamed"])
models = pytest.mark.parametrize("model", SERVED)


@pytest.fixture(scope="module")
def hosts(simulator):
    hosts = Hosts(simulator)
    yield hosts
    hosts.close()


def vertex(hosts, **key):
    return {"base_url": f"{hosts.url}{PROJECT}", "key": {"google": key}}


def account(hosts):
    return vertex(hosts, service_account={"env": "GOOGLE_ACCOUNT"}, token_url=f"{hosts.url}/token")


@pytest.fixture(scope="module")
def gateway(module_gateway, hosts):
    config = {
        "providers": {
            "google-vertex": account(hosts),
            "machine": {"dialect": "gemini-vertex", **vertex(hosts, metadata=True, token_url=hosts.url + METADATA)},
            "amazon-bedrock": {"base_url": hosts.url, "key": {"env": "BEDROCK_KEY"}},
        },
        "models": {
            "sim/gemini": {"endpoints": [endpoint("google-vertex", "gemini-2.0-flash")]},
            "sim/claude": {"endpoints": [endpoint("google-vertex", "claude-sonnet-4-5@20250929")]},
            "sim/machine": {"endpoints": [endpoint("machine", "gemini-2.0-flash")]},
            "sim/bedrock": {
                "endpoints": [
                    endpoint("amazon-bedrock", "anthropic.claude-sonnet-4-5-v1:0", dialect="anthropic-bedrock")
                ]
            },
        },
    }
    return module_gateway(config, env={"GOOGLE_ACCOUNT": ACCOUNT, "BEDROCK_KEY": BEDROCK_KEY})


@pytest.fixture
def ask(gateway, simulator, hosts):
    """Asks; judges what came to the provider; compares with what the provider says it answered."""
    client = sdk(gateway)

    def ask(model, stream, messages, **request):
        simulator.reset()
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        reply = talk(client, stream, model=f"sim/{model}", messages=messages, **request)
        (recorded,) = simulator.requests(SERVED[model])
        judges.provider_request(recorded)
        said = simulator.predict(recorded)
        assert reply.text == said["text"]
        names = [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in reply.calls]
        assert names == [(call["name"], json.loads(call["arguments"] or "{}")) for call in said["calls"]]
        receipt = gateway.receipt(reply.id)
        assert receipt["outcome"] == "success"
        assert receipt["tokens"]["prompt"] == said["usage"]["prompt_tokens"] == reply.usage["prompt_tokens"]
        assert receipt["tokens"]["completion_source"] == "provider"
        assert not hosts.problems
        return reply

    return ask


@models
@ways
def test_text(ask, model, stream):
    assert ask(model, stream, "Say hi.").text


@models
@ways
def test_tools_over_two_turns(ask, model, stream):
    question = {"role": "user", "content": "What is the weather in Paris?"}
    first = ask(model, stream, [question], tools=[WEATHER], tool_choice="required")
    assert first.finish == "tool_calls"
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "sunny"} for call in first.calls]
    assert ask(model, stream, [question, first.message(), *results], tools=[WEATHER]).finish


def test_tokens_are_fetched_once_for_all_workers(gateway, hosts, ask):
    for _ in range(8):
        ask("gemini", False, "hello")
        ask("machine", True, "hello")
    assert sorted(hosts.fetches) == ["account", "machine"]
    shown = gateway.log.read_text() + gateway.access_log.read_text()
    assert "ya29" not in shown and "PRIVATE KEY" not in shown


def test_without_a_token_the_next_endpoint_is_asked_until_there_is_one(start_gateway, simulator):
    hosts = Hosts(simulator)
    hosts.refusing = True
    gateway = start_gateway(
        {
            "providers": {"google-vertex": account(hosts), "openai": simulator.providers()["openai"]},
            "models": {
                "sim/any": {"endpoints": [endpoint("google-vertex", "gemini-2.0-flash"), endpoint("openai", "gpt-4o")]},
                "sim/only": {"endpoints": [endpoint("google-vertex", "gemini-2.0-flash")]},
            },
        },
        env={"GOOGLE_ACCOUNT": ACCOUNT},
    )
    # These wait, and are answered from the call that ends their waiting; later ones do not wait.
    for _ in range(3):
        refused = gateway.chat("sim/only")
        assert refused.status_code == 502 and "token" in refused.json()["error"]["message"], refused.text
        assert gateway.receipt(refused.headers["x-generation-id"])["outcome"] == "refused"
    order = {"provider": {"order": ["google-vertex", "openai"]}}
    reply = gateway.chat("sim/any", **order)
    assert reply.status_code == 200 and reply.headers["x-crosspoint-provider"] == "openai"
    attempts = gateway.receipt(reply.headers["x-generation-id"])["attempts"]
    assert [(one["provider"], one["outcome"]) for one in attempts] == [("google-vertex", "error"), ("openai", "success")]
    assert "invalid_grant" in gateway.log.read_text() and hosts.fetches
    hosts.refusing = False
    deadline = time.monotonic() + 30
    while gateway.chat("sim/any", **order).headers["x-crosspoint-provider"] != "google-vertex":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    hosts.close()


SECRET = "sim-bedrock-secret"


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    with Simulator(tmp_path_factory.mktemp("signed"), keys={"bedrock-secret": SECRET}) as simulator:
        yield simulator
        simulator.check()


def bedrock(signed, start_gateway, secret, **more):
    providers = {"amazon-bedrock": {"base_url": signed.base_url("bedrock"), "key": {"aws": {"region": "eu-west-1"}}}}
    models = {"sim/bedrock": {"endpoints": [endpoint("amazon-bedrock", "anthropic.claude-sonnet-4-5-v1:0")]}}
    credentials = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": secret, **more}
    return start_gateway({"providers": providers, "models": models}, env=credentials)


@pytest.mark.parametrize("session", [{}, {"AWS_SESSION_TOKEN": "session/token+of=a test"}], ids=["static", "session"])
def test_bedrock_takes_our_signature(signed, start_gateway, session):
    gateway = bedrock(signed, start_gateway, SECRET, **session)
    for stream in (False, True):
        signed.reset()
        reply = gateway.chat("sim/bedrock", "été & co", stream=stream)
        assert reply.status_code == 200, reply.text
        (recorded,) = signed.requests("bedrock")
        headers = dict(recorded["headers"])
        assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
        assert headers.get("x-amz-security-token") == session.get("AWS_SESSION_TOKEN")


def test_bedrock_refuses_a_signature_with_another_secret(signed, start_gateway):
    gateway = bedrock(signed, start_gateway, "another secret")
    reply = gateway.chat("sim/bedrock")
    assert reply.status_code == 502
    assert "signature" in reply.json()["error"]["message"]
