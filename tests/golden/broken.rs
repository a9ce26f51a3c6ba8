//! What a provider sends and no strict client could read: it never reaches a client, wherever the network cut it.

use crate::responses::{Response, byte_by_byte, check_cuts};
use crate::support::{Client, Served, config, serve_operation};
use crosspoint::chat::Operation;

const SSE: &str = "text/event-stream";

/// A good beginning of an answer of OpenAI's.
fn begun(operation: Operation) -> &'static [u8] {
    match operation {
        Operation::Completions => b"data: {\"id\":\"c\",\"object\":\"text_completion\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"text\":\"one\",\"finish_reason\":null}]}\n\n",
        _ => b"data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"one\"},\"finish_reason\":null}]}\n\n",
    }
}

/// And a good end.
fn ended(operation: Operation) -> &'static [u8] {
    match operation {
        Operation::Completions => b"data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"text\":\" two\",\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
        _ => b"data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" two\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
    }
}

/// Events that do not hold, each with a text that must not be seen.
const BROKEN_EVENTS: &[&[u8]] = &[
    b"data: {\"system_fingerprint\":\"bad\xff\",\"choices\":[]}\n\n",
    b"data: {\"x\":{\"bad\xff\":1},\"choices\":[]}\n\n",
    b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"bad\xc3\"},\"text\":\"bad\xc3\"}]}\n\n",
    b"data: {\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":\"bad\xff\"}]}\n\n",
    b"data: {\"usage\":{\"prompt_tokens\":1,\"bad\xff\":1},\"choices\":[]}\n\n",
    b": bad\xff\ndata: {\"choices\":[]}\n\n",
    b"id: bad\xff\ndata: {\"choices\":[]}\n\n",
    b"event: bad\xff\ndata: {\"choices\":[]}\n\n",
    b"data: {\"bad\":1,\"choices\":[\n\n",
    b"data: {\"bad\":1,\"choices\":[]}}\n\n",
    b"data: {\"bad\":1,\"choices\":[]} {}\n\n",
    b"data: {\"bad\":\"\x01\",\"choices\":[]}\n\n",
    b"data: {\"bad\":\"\\x\",\"choices\":[]}\n\n",
    b"data: {\"bad\":01,\"choices\":[]}\n\n",
    b"data: {\"bad\":NaN,\"choices\":[]}\n\n",
    b"data: bad\n\n",
    b"data: \"bad\"\n\n",
    b"data: [\"bad\",null,null,null,null,null,null]\n\n",
    b"data: {\"bad\":1,\"choices\":[[0,{},null,null,\"stop\",null,null]]}\n\n",
    b"data: {\"bad\":1,\"choices\":[{\"index\":0,\"delta\":[\"a\",null,null,null,null,null,null,null]}]}\n\n",
];

/// Served byte by byte, an answer that breaks after its first token ends there, with an error event.
fn check_ends(operation: Operation, dialect: &str, content_type: &'static str, stream: Vec<u8>) {
    let response = Response {
        operation,
        name: String::from_utf8_lossy(&stream).into_owned(),
        path: std::path::PathBuf::new(),
        content_type,
        bytes: stream,
    };
    let config = config(dialect);
    let served = response.serve(&config, Client::Stream, &byte_by_byte(&response.bytes));
    assert_eq!(served.receipt_member("outcome"), "cut", "{}", response.name);
    let body = String::from_utf8(served.body).unwrap_or_else(|error| panic!("{error}: {}", response.name));
    let last = body.rsplit("data: ").next().unwrap();
    let last: serde_json::Value = serde_json::from_str(last).unwrap();
    assert_eq!(last["error"]["code"], 502, "{body}");
    assert_eq!(last["choices"][0]["finish_reason"], "error", "{body}");
    assert!(
        body.contains("one") && !body.contains("bad") && !body.contains("two"),
        "{body}"
    );
    check_cuts(&response, &config, Client::Stream);
}

#[test]
fn an_event_that_does_not_hold_ends_a_stream_that_is_passed_on() {
    for (operation, dialect) in [
        (Operation::Chat, "openai-chat"),
        (Operation::Completions, "openai-completions"),
    ] {
        for broken in BROKEN_EVENTS {
            // What stands only in the member that chats have, a completion does not look into.
            let is_chats = broken.windows(8).any(|bytes| bytes == b"\"delta\":") && !broken.contains(&0xff);
            if operation == Operation::Completions && is_chats && broken.iter().all(u8::is_ascii) {
                continue;
            }
            let stream = [begun(operation), broken, ended(operation)].concat();
            check_ends(operation, dialect, SSE, stream);
        }
    }
}

#[test]
fn a_translated_stream_ends_likewise() {
    let anthropic = concat!(
        "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\"}}\n\n",
        "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"one\"}}\n\n",
    );
    let gemini = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"one\"}]}}]}\n\n";
    let ollama = "{\"model\":\"m\",\"message\":{\"content\":\"one\"},\"done\":false}\n";
    let cohere = concat!(
        "data: {\"type\":\"message-start\",\"id\":\"m\"}\n\n",
        "data: {\"type\":\"content-start\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"type\":\"text\",\"text\":\"\"}}}}\n\n",
        "data: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"one\"}}}}\n\n",
    );
    let event: &[u8] = b"data: {\"type\":\"ping\",\"bad\":\"\xff\"}\n\n";
    let line: &[u8] = b"{\"message\":{\"content\":\"\"},\"bad\":\"\xff\",\"done\":false}\n";
    for (dialect, content_type, begun, broken) in [
        ("anthropic-messages", SSE, anthropic, event),
        ("gemini", SSE, gemini, event),
        ("ollama", "application/x-ndjson", ollama, line),
        ("cohere-v2", SSE, cohere, event),
    ] {
        check_ends(
            Operation::Chat,
            dialect,
            content_type,
            [begun.as_bytes(), broken].concat(),
        );
    }
}

fn buffered(operation: Operation, dialect: &str, body: &[u8]) -> Served {
    serve_operation(
        operation,
        &config(dialect),
        Client::Buffered,
        "application/json",
        &[body],
    )
}

#[test]
fn a_whole_answer_that_does_not_hold_is_no_answer() {
    let chat = r#"{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"one"},"finish_reason":"stop"}],"x":"?"}"#;
    let completion = r#"{"id":"c","choices":[{"index":0,"text":"one","finish_reason":"stop"}],"x":"?"}"#;
    let vectors = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"x":"?"}"#;
    for (operation, dialect, good) in [
        (Operation::Chat, "openai-chat", chat),
        (Operation::Completions, "openai-completions", completion),
        (Operation::Embeddings, "openai-embeddings", vectors),
    ] {
        let served = buffered(operation, dialect, good.as_bytes());
        assert_eq!(served.body, good.as_bytes());
        let mut not_utf8 = good.as_bytes().to_vec();
        let at = good.find('?').unwrap();
        not_utf8[at] = 0xff;
        for broken in [
            not_utf8.as_slice(),
            &good.as_bytes()[..good.len() - 1],
            format!("{good}}}").as_bytes(),
            format!("{good}\n{good}").as_bytes(),
            format!("\u{feff}{good}").as_bytes(),
            format!("[{good}]").as_bytes(),
            good.replace('?', "\n").as_bytes(),
            b"",
        ] {
            let served = buffered(operation, dialect, broken);
            let shown = String::from_utf8_lossy(broken);
            assert_eq!(
                served.head.as_ref().map(|(status, _)| *status),
                Some(502),
                "{shown}"
            );
            assert_eq!(served.receipt_member("outcome"), "error", "{shown}");
            assert_ne!(served.body, broken);
        }
    }
}

#[test]
fn only_events_are_passed_on_into_a_stream_of_events() {
    let line = begun(Operation::Chat).strip_prefix(b"data: ").unwrap();
    let last = ended(Operation::Chat).strip_prefix(b"data: ").unwrap();
    let last = &last[..last.iter().position(|byte| *byte == b'\n').unwrap()];
    let served = serve_operation(
        Operation::Chat,
        &config("openai-chat"),
        Client::Stream,
        "application/x-ndjson",
        &[line, last, b""],
    );
    let body = String::from_utf8(served.body.clone()).unwrap();
    assert_eq!(served.receipt_member("outcome"), "success", "{body}");
    assert!(
        body.split("\n\n")
            .all(|event| event.is_empty() || event.starts_with("data: ")),
        "{body}"
    );
    assert!(body.ends_with("data: [DONE]\n\n"), "{body}");
}

#[test]
fn an_event_without_data_is_not_passed_on() {
    for empty in [
        "data:\n\n",
        "data: \n\n",
        "event: ping\n\n",
        "event: ping\ndata\n\n",
    ] {
        let stream = [begun(Operation::Chat), empty.as_bytes(), ended(Operation::Chat)].concat();
        let served = serve_operation(
            Operation::Chat,
            &config("openai-chat"),
            Client::Stream,
            SSE,
            &[&stream],
        );
        assert_eq!(
            served.body,
            [begun(Operation::Chat), ended(Operation::Chat)].concat()
        );
    }
}

#[test]
fn half_of_a_surrogate_pair_goes_on_as_it_came_or_becomes_a_character() {
    let event = |text: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n"
        )
    };
    let halves = [event("a\\ud83d"), event("\\ude00b")].concat();
    let stream = [halves.as_bytes(), ended(Operation::Chat)].concat();
    let config = config("openai-chat");
    let passed = serve_operation(Operation::Chat, &config, Client::Stream, SSE, &[&stream]);
    assert_eq!(passed.body, stream);
    let folded = serve_operation(Operation::Chat, &config, Client::Buffered, SSE, &[&stream]);
    let answer: serde_json::Value = serde_json::from_slice(&folded.body).unwrap();
    assert_eq!(
        answer["choices"][0]["message"]["content"],
        "a\u{fffd}\u{fffd}b two"
    );
}
