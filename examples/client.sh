#!/bin/sh
# Asks a model through Crosspoint with curl: the models, an answer at once, and one as it arrives.
#
#   examples/client.sh [MODEL]
#
# The gateway's address comes from OPENAI_BASE_URL, the client's key from OPENAI_API_KEY.
set -eu
base=${OPENAI_BASE_URL:-http://127.0.0.1:10000/v1}
key=${OPENAI_API_KEY:-none}
model=${1:-anthropic/claude-sonnet-4.5}

curl --fail-with-body --silent --show-error "$base/models" -H "authorization: Bearer $key"
echo
curl --fail-with-body --silent --show-error "$base/chat/completions" \
    -H "authorization: Bearer $key" -H 'content-type: application/json' \
    -d '{"model":"'"$model"'","messages":[{"role":"user","content":"What is a gateway?"}]}'
echo
curl --fail-with-body --silent --show-error --no-buffer "$base/chat/completions" \
    -H "authorization: Bearer $key" -H 'content-type: application/json' \
    -d '{"model":"'"$model"'","stream":true,"messages":[{"role":"user","content":"What is a gateway?"}]}'
