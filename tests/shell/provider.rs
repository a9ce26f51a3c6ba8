//! What clients ask and what providers send, in each wire format.

use super::envoy::Envoy;
use super::host::Headers;
use super::vm;
use serde_json::{Value, json};

/// One thing that happens to an attempt.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Head(Headers),
    /// Response headers that end the stream.
    HeadOnly(Headers),
    Data(Vec<u8>),
    End(Vec<u8>),
    Trailers,
    Reset,
    Wait(u64),
}

pub(crate) type Script = Vec<Event>;

/// The three providers, each with one dialect.
pub(crate) const PROVIDERS: [&str; 3] = ["openai", "anthropic", "bedrock"];

/// Three providers; `m/any` is served by all of them, `m/<provider>` by one.
pub(crate) fn config() -> Value {
    let endpoint = |provider: &str| {
        json!({
            "provider": provider, "model": format!("{provider}-model"),
            "price": {"prompt": "1.00", "completion": "2.00"},
        })
    };
    json!({
        "providers": {
            "openai": {"key": {"env": "SHELL_OPENAI"}},
            "anthropic": {"key": {"env": "SHELL_ANTHROPIC"}},
            "bedrock": {
                "dialect": "bedrock-converse", "base_url": "https://bedrock.example.com",
                "key": {"env": "SHELL_BEDROCK"},
            },
        },
        "models": {
            "m/any": {"endpoints": PROVIDERS.map(endpoint)},
            "m/openai": {"endpoints": [endpoint("openai")]},
            "m/anthropic": {"endpoints": [endpoint("anthropic")]},
            "m/bedrock": {"endpoints": [endpoint("bedrock")]},
        },
    })
}

/// Runs a test on a worker of its own, and checks at the end that nothing is left over.
pub(crate) fn test(work: impl FnOnce(&mut Envoy) + Send) {
    test_with(&config(), work);
}

pub(crate) fn test_with(config: &Value, work: impl FnOnce(&mut Envoy) + Send) {
    vm::worker(|| {
        let mut envoy = Envoy::start(config);
        work(&mut envoy);
        envoy.assert_sound();
    });
}

/// A chat request.
pub(crate) fn chat(model: &str, stream: bool) -> Value {
    let mut request = json!({
        "model": model, "messages": [{"role": "user", "content": "Say something."}], "stream": stream,
    });
    if model == "m/any" {
        request["provider"] = json!({"order": PROVIDERS});
    }
    request
}

/// The first provider of `m/any`, then the second, are scripted.
pub(crate) fn fails_over(first: Script, second: Script) -> [(&'static str, Script); 2] {
    [("openai", first), ("anthropic", second)]
}

pub(crate) fn head(status: u16, content_type: &str) -> Headers {
    Headers::of([
        (":status", status.to_string().as_str()),
        ("content-type", content_type),
        ("server", "provider"),
    ])
}

/// An answer of this provider.
pub(crate) fn answer(provider: &str, stream: bool, text: &str) -> Script {
    if stream {
        let mut script = streamed_head(provider);
        let mut pieces = streamed(provider, text);
        let last = pieces.pop().unwrap();
        script.extend(pieces.into_iter().map(Event::Data));
        script.push(Event::End(last));
        script
    } else {
        vec![
            Event::Head(head(200, "application/json")),
            Event::End(buffered(provider, text)),
        ]
    }
}

pub(crate) fn streamed_head(provider: &str) -> Script {
    let content_type = match provider {
        "bedrock" => "application/vnd.amazon.eventstream",
        _ => "text/event-stream",
    };
    vec![Event::Head(head(200, content_type))]
}

/// A whole answer: 10 tokens in, 5 out.
pub(crate) fn buffered(provider: &str, text: &str) -> Vec<u8> {
    let body = match provider {
        "openai" => json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt",
            "choices": [{
                "index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop",
            }],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        }),
        "anthropic" => json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude",
            "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": 10, "output_tokens": 5},
        }),
        _ => json!({
            "output": {"message": {"role": "assistant", "content": [{"text": text}]}},
            "stopReason": "end_turn", "metrics": {"latencyMs": 1},
            "usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15},
        }),
    };
    body.to_string().into_bytes()
}

/// The pieces of a stream: the beginning, each word of the text, the end.
pub(crate) fn streamed(provider: &str, text: &str) -> Vec<Vec<u8>> {
    let words = text.split_inclusive(' ');
    match provider {
        "openai" => {
            let chunk = |delta: Value, finish: Value| {
                sse(
                    None,
                    &json!({
                        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt",
                        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
                    }),
                )
            };
            let mut pieces = vec![chunk(json!({"role": "assistant", "content": ""}), Value::Null)];
            pieces.extend(words.map(|word| chunk(json!({"content": word}), Value::Null)));
            pieces.push(chunk(json!({}), json!("stop")));
            let usage = json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15});
            pieces.push(sse(
                None,
                &json!({
                    "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt",
                    "choices": [], "usage": usage,
                }),
            ));
            pieces.push(b"data: [DONE]\n\n".to_vec());
            pieces
        }
        "anthropic" => {
            let event = |body: Value| sse(Some(body["type"].as_str().unwrap()), &body);
            let mut pieces = vec![
                event(json!({"type": "message_start", "message": {
                    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [],
                    "stop_reason": null, "stop_sequence": null,
                    "usage": {"input_tokens": 10, "output_tokens": 1},
                }})),
                event(
                    json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
                ),
            ];
            pieces.extend(words.map(|word| {
                event(json!({
                    "type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word},
                }))
            }));
            pieces.extend([
                event(json!({"type": "content_block_stop", "index": 0})),
                event(json!({
                    "type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
                    "usage": {"output_tokens": 5},
                })),
                event(json!({"type": "message_stop"})),
            ]);
            pieces
        }
        _ => {
            let mut pieces = vec![message("messageStart", &json!({"role": "assistant"}))];
            pieces.extend(words.map(|word| {
                message(
                    "contentBlockDelta",
                    &json!({"contentBlockIndex": 0, "delta": {"text": word}}),
                )
            }));
            pieces.extend([
                message("contentBlockStop", &json!({"contentBlockIndex": 0})),
                message("messageStop", &json!({"stopReason": "end_turn"})),
                message(
                    "metadata",
                    &json!({
                        "usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15},
                        "metrics": {"latencyMs": 1},
                    }),
                ),
            ]);
            pieces
        }
    }
}

fn sse(event: Option<&str>, data: &Value) -> Vec<u8> {
    let event = event.map(|name| format!("event: {name}\n")).unwrap_or_default();
    format!("{event}data: {data}\n\n").into_bytes()
}

/// A message of AWS's event stream.
fn message(event: &str, payload: &Value) -> Vec<u8> {
    framed([(":event-type", event), (":message-type", "event")], payload)
}

fn framed(kind: [(&str, &str); 2], payload: &Value) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in kind.into_iter().chain([(":content-type", "application/json")]) {
        headers.push(u8::try_from(name.len()).unwrap());
        headers.extend(name.bytes());
        headers.push(7);
        headers.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        headers.extend(value.bytes());
    }
    let payload = payload.to_string();
    let number = |number: usize| u32::try_from(number).unwrap().to_be_bytes();
    let mut out = Vec::new();
    out.extend(number(16 + headers.len() + payload.len()));
    out.extend(number(headers.len()));
    out.extend(crc32fast::hash(&out).to_be_bytes());
    out.extend(headers);
    out.extend(payload.bytes());
    out.extend(crc32fast::hash(&out).to_be_bytes());
    out
}

/// An error of this provider, as a response of its own.
pub(crate) fn error(provider: &str, status: u16) -> Script {
    error_saying(provider, status, "some_error", "provider said no")
}

pub(crate) fn error_saying(provider: &str, status: u16, code: &str, said: &str) -> Script {
    vec![
        Event::Head(head(status, "application/json")),
        Event::End(error_body(provider, code, said).to_string().into_bytes()),
    ]
}

fn error_body(provider: &str, code: &str, said: &str) -> Value {
    match provider {
        "openai" => json!({"error": {"message": said, "type": code, "code": null}}),
        "anthropic" => json!({"type": "error", "error": {"type": code, "message": said}}),
        _ => json!({"message": said}),
    }
}

/// An error in the middle of a stream of this provider.
pub(crate) fn error_event(provider: &str, code: &str, said: &str) -> Vec<u8> {
    let body = error_body(provider, code, said);
    match provider {
        "openai" => sse(None, &body),
        "anthropic" => sse(Some("error"), &body),
        _ => framed([(":exception-type", code), (":message-type", "exception")], &body),
    }
}
