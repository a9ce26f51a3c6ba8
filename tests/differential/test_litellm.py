"""What Crosspoint writes for a provider beside what litellm writes, request by request.

Neither sends anything. Every difference must be in differences.yaml, with the reason why ours is right; and everything
there must still be a difference.
"""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TOOL = Path(os.environ.get("CROSSPOINT_TOOL", ROOT / "target/tool/crosspoint"))
LITELLM = Path(os.environ.get("LITELLM_PYTHON", ROOT / "target/litellm/bin/python"))

# Ours by name and dialect; the model, and the one that thinks; litellm's prefix.
PROVIDERS = {
    "anthropic": ({}, "claude-sonnet-4-5", "claude-sonnet-4-5", "anthropic/"),
    "gemini": ({"row": "google-ai-studio"}, "gemini-2.5-flash", "gemini-2.5-flash", "gemini/"),
    "bedrock": (
        {"row": "amazon-bedrock", "base_url": "https://bedrock-runtime.us-east-1.amazonaws.com"},
        "anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock/converse/",
    ),
    "cohere": ({}, "command-a-03-2025", "command-a-reasoning-08-2025", "cohere_chat/v2/"),
    "azure": ({"base_url": "https://r.openai.azure.com"}, "gpt-4o", "o3", "azure/"),
    "mistral": ({}, "mistral-large-latest", "magistral-medium-latest", "mistral/"),
}
REQUESTS = yaml.safe_load((HERE / "requests.yaml").read_text())["requests"]
DIFFERENCES = yaml.safe_load((HERE / "differences.yaml").read_text())


@pytest.fixture(scope="session")
def config(tmp_path_factory):
    """An operator's file that knows every provider, and each of the models by `provider/…`."""
    providers, models = {}, {}
    for name, (options, model, thinker, _) in PROVIDERS.items():
        options = dict(options)
        row = options.pop("row", name)
        providers[row] = options
        for own, upstream in (("model", model), ("thinker", thinker)):
            models[f"{name}/{own}"] = {"endpoints": [{"provider": row, "model": upstream}]}
    path = tmp_path_factory.mktemp("differential") / "config.yaml"
    path.write_text(json.dumps({"providers": providers, "models": models}))
    return path


def asked(case):
    """The request of a case, and whether it is for a model that thinks."""
    request = dict(REQUESTS[case])
    return request, request.pop("thinks", False)


@pytest.fixture(scope="session")
def theirs():
    """What litellm writes, by provider and request: one process for all."""
    pairs = [(name, case) for name in PROVIDERS for case in REQUESTS]
    lines = []
    for name, case in pairs:
        _, model, thinker, prefix = PROVIDERS[name]
        request, thinks = asked(case)
        lines.append(json.dumps({"model": prefix + (thinker if thinks else model), "request": request}))
    done = subprocess.run(
        [LITELLM, HERE / "theirs.py"], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=600
    )
    written = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(written) == len(pairs), done.stderr[-3000:]
    return dict(zip(pairs, written))


def explain(config, name, case):
    request, thinks = asked(case)
    request["model"] = f"{name}/{'thinker' if thinks else 'model'}"
    done = subprocess.run([TOOL, "explain", config], input=json.dumps(request), capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        return {"error": done.stderr.strip()}
    return {"body": json.loads(done.stdout)["request"]["body"]}


@pytest.fixture(scope="session")
def lines(config, theirs):
    """What differs, by provider and request."""
    return {(name, case): differences(name, explain(config, name, case), other) for (name, case), other in theirs.items()}


def spelled(value, path=""):
    """Names of members as protobuf's JSON has them, except in what callers wrote themselves: Google takes both."""
    if isinstance(value, list):
        return [spelled(item, path) for item in value]
    if not isinstance(value, dict):
        return value
    if re.search(r"(args|response|parametersJsonSchema|parameters|responseSchema|responseJsonSchema)$", path):
        return value
    camel = lambda name: re.sub("_(.)", lambda found: found.group(1).upper(), name)  # noqa: E731
    return {camel(name): spelled(item, camel(name)) for name, item in value.items()}


def flat(value, path=""):
    """Every leaf by its path; strings that hold JSON objects by their members."""
    if isinstance(value, str) and value[:1] == "{" and path.endswith("arguments"):
        value = json.loads(value)
    if isinstance(value, dict) and value:
        return {key: leaf for name, item in value.items() for key, leaf in flat(item, f"{path}.{name}").items()}
    if isinstance(value, list) and value:
        return {key: leaf for at, item in enumerate(value) for key, leaf in flat(item, f"{path}[{at}]").items()}
    return {path: value}


def differences(name, mine, other):
    """Lines of the form `path: ours | theirs`."""
    if "error" in mine or "error" in other:
        return [f"error: {mine.get('error', 'none')} | {other.get('error', 'none')}"] if mine != other else []
    mine, other = mine["body"], other["body"]
    if name == "gemini":
        mine, other = spelled(mine), spelled(other)
    mine, other = flat(mine), flat(other)
    nothing = object()
    found = []
    for path in [*mine, *(path for path in other if path not in mine)]:
        a, b = mine.get(path, nothing), other.get(path, nothing)
        if a != b or (isinstance(a, bool) != isinstance(b, bool)):
            shown = ["-" if value is nothing else json.dumps(value, ensure_ascii=False) for value in (a, b)]
            found.append(f"{path}: {shown[0]} | {shown[1]}")
    return found


def explanations(name, case, line):
    """Which of the known differences this is."""
    return [
        at for at, known in enumerate(DIFFERENCES)
        if name in known["providers"] and case in known.get("requests", [case])
        and re.fullmatch(known["difference"], line)
    ]


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("case", REQUESTS)
def test_no_difference_is_unexplained(lines, name, case):
    unknown = [line for line in lines[name, case] if not explanations(name, case, line)]
    assert not unknown, "\n".join(["ours | litellm's", *unknown])


def test_every_explanation_is_needed(lines):
    used = {at for (name, case), found in lines.items() for line in found for at in explanations(name, case, line)}
    left = [known["difference"] for at, known in enumerate(DIFFERENCES) if at not in used]
    assert not left, "\n".join(left)


def test_there_are_requests_enough():
    assert len(REQUESTS) >= 60
