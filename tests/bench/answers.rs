//! What providers answer to the workloads: streams of [`EVENTS`] events, and documents of about 1 KB.

use serde_json::json;

/// Events of one stream.
pub(crate) const EVENTS: usize = 1_000;

/// `EVENTS` events, the first and the last ones included.
fn stream(first: &[Vec<u8>], each: &dyn Fn(usize) -> Vec<u8>, last: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let tokens = EVENTS - first.len() - last.len();
    first
        .iter()
        .cloned()
        .chain((0..tokens).map(each))
        .chain(last.iter().cloned())
        .collect()
}

fn token(at: usize) -> &'static str {
    [
        " and",
        " words",
        " follow",
        " —",
        " 日本語",
        ", \\\"quoted\\\"",
        " 4111",
    ]
    .into_iter()
    .cycle()
    .nth(at % 7)
    .unwrap()
}

pub(crate) fn openai_stream() -> Vec<Vec<u8>> {
    let chunk = |choices: &str, usage: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-BkQ0fcQnYyn8wyiyk6wKLfRrzwTvo\",\"object\":\"chat.completion.chunk\",\"created\":1750000000,\
             \"model\":\"gpt-4o-2024-08-06\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_07871e2ad8\",\
             \"choices\":[{choices}],\"usage\":{usage}}}\n\n"
        )
        .into_bytes()
    };
    let delta = |delta: &str, finish: &str| {
        let choice =
            format!("{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}");
        chunk(&choice, "null")
    };
    stream(
        &[delta(
            r#"{"role":"assistant","content":"","refusal":null}"#,
            "null",
        )],
        &|at| delta(&format!("{{\"content\":\"{}\"}}", token(at)), "null"),
        &[
            delta("{}", "\"stop\""),
            chunk(
                "",
                r#"{"prompt_tokens":20,"completion_tokens":200,"total_tokens":220}"#,
            ),
            b"data: [DONE]\n\n".to_vec(),
        ],
    )
}

pub(crate) fn anthropic_stream() -> Vec<Vec<u8>> {
    let event = |name: &str, members: &str| {
        format!("event: {name}\ndata: {{\"type\":\"{name}\"{members}}}\n\n").into_bytes()
    };
    stream(
        &[
            event(
                "message_start",
                ",\"message\":{\"id\":\"msg_01\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-sonnet-4-5\",\"content\":[],\
                 \"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":20,\"output_tokens\":1}}",
            ),
            event(
                "content_block_start",
                r#","index":0,"content_block":{"type":"text","text":""}"#,
            ),
        ],
        &|at| {
            let text = token(at);
            let members = format!(",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{text}\"}}");
            event("content_block_delta", &members)
        },
        &[
            event("content_block_stop", ",\"index\":0"),
            event(
                "message_delta",
                r#","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":200}"#,
            ),
            event("message_stop", ""),
        ],
    )
}

pub(crate) fn bedrock_stream() -> Vec<Vec<u8>> {
    stream(
        &[message("messageStart", r#"{"p":"abcd","role":"assistant"}"#)],
        &|at| {
            let text = token(at);
            let payload = format!(
                "{{\"contentBlockIndex\":0,\"delta\":{{\"text\":\"{text}\"}},\"p\":\"abcdefghijkl\"}}"
            );
            message("contentBlockDelta", &payload)
        },
        &[
            message("contentBlockStop", r#"{"contentBlockIndex":0,"p":"abc"}"#),
            message("messageStop", r#"{"p":"abcdef","stopReason":"end_turn"}"#),
            message(
                "metadata",
                r#"{"metrics":{"latencyMs":400},"p":"a","usage":{"inputTokens":20,"outputTokens":200,"totalTokens":220}}"#,
            ),
        ],
    )
}

/// One message of an AWS event stream.
fn message(event: &str, payload: &str) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in [
        (":event-type", event),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ] {
        headers.push(u8::try_from(name.len()).unwrap());
        headers.extend_from_slice(name.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let total = u32::try_from(headers.len() + payload.len() + 16).unwrap();
    let mut bytes = total.to_be_bytes().to_vec();
    bytes.extend_from_slice(&u32::try_from(headers.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend_from_slice(&headers);
    bytes.extend_from_slice(payload.as_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes
}

pub(crate) fn answer_of_anthropic() -> Vec<u8> {
    let text = "and naïve words follow — too as \"quoted\" text does. ".repeat(15);
    serde_json::to_vec(&json!({
        "id": "msg_01", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
        "content": [{ "type": "text", "text": text }], "stop_reason": "end_turn", "stop_sequence": null,
        "usage": { "input_tokens": 20, "output_tokens": 200 },
    }))
    .unwrap()
}

pub(crate) fn answer_of_openai() -> Vec<u8> {
    let text = "and naïve words follow — too as \"quoted\" text does. ".repeat(15);
    serde_json::to_vec(&json!({
        "id": "chatcmpl-BkQ0fcQnYyn8wyiyk6wKLfRrzwTvo", "object": "chat.completion", "created": 1_750_000_000,
        "model": "gpt-4o-2024-08-06", "service_tier": "default", "system_fingerprint": "fp_07871e2ad8",
        "choices": [{
            "index": 0, "logprobs": null, "finish_reason": "stop",
            "message": { "role": "assistant", "content": text, "refusal": null, "annotations": [] },
        }],
        "usage": { "prompt_tokens": 20, "completion_tokens": 200, "total_tokens": 220 },
    }))
    .unwrap()
}
