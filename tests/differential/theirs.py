"""What litellm writes for each request of standard input (one JSON object a line), on standard output. Nothing is sent."""

import json
import os
import sys

# Its price list comes with the package; the fresh one would be fetched.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
for name in ("ANTHROPIC_API_KEY", "GEMINI_API_KEY", "COHERE_API_KEY", "MISTRAL_API_KEY", "AZURE_API_KEY",
             "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
    os.environ[name] = "none"
os.environ |= {"AWS_REGION_NAME": "us-east-1", "AZURE_API_BASE": "http://127.0.0.1:9", "AZURE_API_VERSION": "2024-10-21"}

import litellm  # noqa: E402
from litellm.types.utils import CallTypes  # noqa: E402
from litellm.utils import return_raw_request  # noqa: E402

litellm.suppress_debug_info = True


def write(model, request):
    raw = return_raw_request(CallTypes.completion, {**request, "model": model, "drop_params": True})
    body = raw.get("raw_request_body")
    return {"body": body} if body is not None else {"error": str(raw.get("error"))}


for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps(write(asked["model"], asked["request"]), default=str), flush=True)
