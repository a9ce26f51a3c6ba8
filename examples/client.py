"""Asks a model through Crosspoint with OpenAI's own SDK, and prints the answer as it arrives.

    pip install openai
    python examples/client.py [MODEL] [QUESTION]

The gateway's address and the client's key come from OPENAI_BASE_URL and OPENAI_API_KEY.
"""

import os
import sys

from openai import OpenAI

model = sys.argv[1] if len(sys.argv) > 1 else "anthropic/claude-sonnet-4.5"
question = sys.argv[2] if len(sys.argv) > 2 else "What is a gateway?"
client = OpenAI(
    base_url=os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:10000/v1"),
    api_key=os.environ.get("OPENAI_API_KEY", "none"),
)

stream = client.chat.completions.create(
    model=model,
    messages=[{"role": "user", "content": question}],
    stream=True,
    stream_options={"include_usage": True},
    # What OpenRouter adds to OpenAI's API is understood here too; the SDK sends it from `extra_body`.
    extra_body={"provider": {"allow_fallbacks": True}},
)
for chunk in stream:
    for choice in chunk.choices:
        print(choice.delta.content or "", end="", flush=True)
    if chunk.usage:
        print(f"\n[{chunk.usage.prompt_tokens} + {chunk.usage.completion_tokens} tokens]")
