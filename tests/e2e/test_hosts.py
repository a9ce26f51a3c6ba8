"""Gemini and Claude as Vertex and Bedrock serve them, with the credentials that these want."""

import pytest
from clients import endpoint, sdk, talk
from harness import Simulator, wait_until
from hosts import ENVIRONMENT, METADATA, PROJECT, Hosts


@pytest.fixture(scope="module")
def doors(simulator):
    """Doors of this module's own, whose fetches of tokens are counted."""
    doors = Hosts(simulator)
    yield doors
    doors.close()


def account(hosts):
    key = {"google": {"service_account": {"env": "GOOGLE_ACCOUNT"}, "token_url": f"{hosts.url}/token"}}
    return {"base_url": f"{hosts.url}{PROJECT}", "key": key}


@pytest.fixture(scope="module")
def gateway(module_gateway, doors):
    metadata = {"google": {"metadata": True, "token_url": doors.url + METADATA}}
    config = {
        "providers": {
            "google-vertex": account(doors),
            "machine": {"dialect": "gemini-vertex", "base_url": f"{doors.url}{PROJECT}", "key": metadata},
            "amazon-bedrock": {"base_url": doors.url, "key": {"env": "BEDROCK_KEY"}},
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
    return module_gateway(config, env=ENVIRONMENT)


@pytest.mark.parametrize("model", ["gemini", "claude", "machine", "bedrock"])
@pytest.mark.parametrize("stream", [False, True], ids=["buffered", "streamed"])
def test_who_serves_a_model_is_known_by_its_name(gateway, model, stream):
    """The whole of what these formats can say is in `test_dialects`; here they are chosen as an operator would."""
    reply = talk(sdk(gateway), stream, model=f"sim/{model}", messages=[{"role": "user", "content": "Say hi."}])
    assert reply.text.startswith("You said: Say hi.")


def test_tokens_are_fetched_once_for_all_workers(gateway, doors):
    for _ in range(8):
        assert gateway.chat("sim/gemini").status_code == 200
        assert gateway.chat("sim/machine", stream=True).status_code == 200
    assert sorted(doors.fetches) == ["account", "machine"]
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
        env=ENVIRONMENT,
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
    by = lambda: gateway.chat("sim/any", **order).headers["x-crosspoint-provider"]  # noqa: E731
    assert wait_until(lambda: by() == "google-vertex", pause=0.2)
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
    # The provider's own text names the access key; callers get ours.
    assert reply.json()["error"]["metadata"]["error_type"] == "provider_unavailable", reply.text
    assert "gateway's credential" in reply.json()["error"]["message"]
    (attempt,) = gateway.receipt(reply.headers["x-generation-id"])["attempts"]
    assert attempt["status"] == 403, attempt
