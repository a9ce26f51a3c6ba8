//! Streams that never end: what is kept of them stays below the configured cap.
//!
//! What is kept is measured by the length of the exchange's `Debug` text: every buffer of every stage is in it.

use crate::support::{config_with, fixtures};
use crosspoint::dialect::client;
use crosspoint::exchange::{Action, Exchange, ResponseHead};
use crosspoint::health::View;
use crosspoint::route::RouteContext;
use std::rc::Rc;

/// The cap on one event and on a buffered answer, in bytes.
const LIMIT: u64 = 16 << 10;
/// What may be kept, as `Debug` text: a byte takes up to five characters there.
const MAX_DEBUG: usize = 80 << 10;
/// How much is fed, in bytes.
const FED: usize = if cfg!(debug_assertions) { 1 << 18 } else { 16 << 20 };

/// A stream that goes on for ever: how it begins, and the event of each number.
struct Endless {
    name: &'static str,
    dialect: &'static str,
    begin: &'static str,
    event: fn(usize) -> String,
}

fn chunk(choices: &str, more: &str) -> String {
    format!("data: {{\"id\":\"x\",\"choices\":[{choices}]{more}}}\n\n")
}

fn delta(delta: &str) -> String {
    chunk(&format!("{{\"index\":0,\"delta\":{{{delta}}}}}"), "")
}

fn block(at: usize, event: &str) -> String {
    format!("data: {{\"index\":{at},{event}}}\n\n")
}

fn candidate(parts: &str, more: &str) -> String {
    format!("data: {{\"candidates\":[{{\"content\":{{\"parts\":[{parts}]}}{more}}}]}}\r\n\r\n")
}

fn message(kind: &str, at: usize, message: &str) -> String {
    format!("data: {{\"type\":\"{kind}\",\"index\":{at},\"delta\":{{\"message\":{{{message}}}}}}}\n\n")
}

fn response(event: &str, payload: &str) -> String {
    format!("data: {{\"type\":\"response.{event}\",{payload}}}\n\n")
}

fn line(event: &str, payload: &str) -> String {
    format!("{{\"event\":\"{event}\",\"payload\":{{{payload}}}}}\n")
}

const BEDROCK: &str = "bedrock-converse";
const CHUNKS: &str = "anthropic-bedrock";
const OPENAI: &str = "openai-chat";
const ANTHROPIC: &str = "anthropic-messages";
const GEMINI: &str = "gemini";
const OLLAMA: &str = "ollama";
const SAID: &str = "{\"message\":{\"content\":\"hi\"},\"done\":false}\n";
const COHERE: &str = "cohere-v2";
const RESPONSES: &str = "openai-responses";
const HI: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n";
const START: &str = "data: {\"type\":\"message_start\",\"message\":{\"id\":\"x\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}}\n\n";

static STREAMS: &[Endless] = &[
    Endless {
        name: "text",
        dialect: OLLAMA,
        begin: SAID,
        event: |n| format!("{{\"message\":{{\"content\":\"word {n} \"}},\"done\":false}}\r\n"),
    },
    Endless {
        name: "blank lines",
        dialect: OLLAMA,
        begin: SAID,
        event: |_| "\r\n \n".to_owned(),
    },
    Endless {
        name: "one line",
        dialect: OLLAMA,
        begin: SAID,
        event: |_| "{\"message\":".to_owned(),
    },
    Endless {
        name: "calls",
        dialect: OLLAMA,
        begin: SAID,
        event: |n| format!("{{\"message\":{{\"tool_calls\":[{{\"function\":{{\"name\":\"f{n}\"}}}}]}}}}\n"),
    },
    Endless {
        name: "probabilities",
        dialect: OLLAMA,
        begin: SAID,
        event: |n| format!("{{\"logprobs\":[{{\"token\":\"{n}\",\"logprob\":-1}}]}}\n"),
    },
    Endless {
        name: "text",
        dialect: OPENAI,
        begin: HI,
        event: |n| delta(&format!("\"content\":\"word {n} \"")),
    },
    Endless {
        name: "comments",
        dialect: OPENAI,
        begin: HI,
        event: |n| format!(": {n}\n\n"),
    },
    Endless {
        name: "one line",
        dialect: OPENAI,
        begin: HI,
        event: |_| "data: x".to_owned(),
    },
    Endless {
        name: "empty chunks before any token",
        dialect: OPENAI,
        begin: "",
        event: |_| delta("\"content\":\"\""),
    },
    Endless {
        name: "unknown members beside choices",
        dialect: OPENAI,
        begin: HI,
        event: |n| chunk("", &format!(",\"m{n}\":{n}")),
    },
    Endless {
        name: "one unknown member beside choices",
        dialect: OPENAI,
        begin: HI,
        event: |n| chunk("", &format!(",\"m\":{n}")),
    },
    Endless {
        name: "unknown members of a choice",
        dialect: OPENAI,
        begin: HI,
        event: |n| chunk(&format!("{{\"index\":0,\"m{n}\":{n}}}"), ""),
    },
    Endless {
        name: "unknown members of a delta",
        dialect: OPENAI,
        begin: HI,
        event: |n| delta(&format!("\"m{n}\":{n}")),
    },
    Endless {
        name: "choices",
        dialect: OPENAI,
        begin: HI,
        event: |n| chunk(&format!("{{\"index\":{n},\"delta\":{{\"content\":\"a\"}}}}"), ""),
    },
    Endless {
        name: "calls",
        dialect: OPENAI,
        begin: HI,
        event: |n| {
            delta(&format!(
                "\"tool_calls\":[{{\"index\":{n},\"id\":\"c{n}\",\"function\":{{\"name\":\"f\"}}}}]"
            ))
        },
    },
    Endless {
        name: "calls without index",
        dialect: OPENAI,
        begin: HI,
        event: |n| {
            delta(&format!(
                "\"tool_calls\":[{{\"id\":\"c{n}\",\"function\":{{\"name\":\"f\"}}}}]"
            ))
        },
    },
    Endless {
        name: "arguments",
        dialect: OPENAI,
        begin: HI,
        event: |n| {
            delta(&format!(
                "\"tool_calls\":[{{\"index\":0,\"function\":{{\"arguments\":\"\\\"{n}\"}}}}]"
            ))
        },
    },
    Endless {
        name: "blocks of thinking",
        dialect: OPENAI,
        begin: HI,
        event: |n| {
            delta(&format!(
                "\"reasoning_details\":[{{\"type\":\"reasoning.text\",\"text\":\"a\",\"index\":{n}}}]"
            ))
        },
    },
    Endless {
        name: "annotations",
        dialect: OPENAI,
        begin: HI,
        event: |_| delta("\"annotations\":[{}]"),
    },
    Endless {
        name: "logprobs",
        dialect: OPENAI,
        begin: HI,
        event: |_| {
            chunk(
                "{\"index\":0,\"delta\":{\"content\":\"a\"},\"logprobs\":{\"content\":[1]}}",
                "",
            )
        },
    },
    Endless {
        name: "digits that may become a match",
        dialect: OPENAI,
        begin: HI,
        event: |_| delta("\"content\":\"1\""),
    },
    Endless {
        name: "usage",
        dialect: OPENAI,
        begin: HI,
        event: |n| chunk("", &format!(",\"usage\":{{\"prompt_tokens\":{n}}}")),
    },
    Endless {
        name: "finish",
        dialect: OPENAI,
        begin: HI,
        event: |_| chunk("{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}", ""),
    },
    Endless {
        name: "text",
        dialect: ANTHROPIC,
        begin: START,
        event: |n| {
            block(
                0,
                &format!(
                    "\"type\":\"content_block_delta\",\"delta\":{{\"type\":\"text_delta\",\"text\":\"word {n} \"}}"
                ),
            )
        },
    },
    Endless {
        name: "open blocks",
        dialect: ANTHROPIC,
        begin: START,
        event: |n| {
            block(
                n,
                "\"type\":\"content_block_start\",\"content_block\":{\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"f\"}",
            )
        },
    },
    Endless {
        name: "blocks at one place",
        dialect: ANTHROPIC,
        begin: START,
        event: |_| {
            block(
                0,
                "\"type\":\"content_block_start\",\"content_block\":{\"type\":\"tool_use\",\"id\":\"c\",\"name\":\"f\"}",
            )
        },
    },
    Endless {
        name: "thinking never announced",
        dialect: ANTHROPIC,
        begin: START,
        event: |n| {
            block(
                n,
                "\"type\":\"content_block_delta\",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"a\"}",
            )
        },
    },
    Endless {
        name: "citations",
        dialect: ANTHROPIC,
        begin: "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"a\"}}\n\n",
        event: |_| {
            block(
                0,
                "\"type\":\"content_block_delta\",\"delta\":{\"type\":\"citations_delta\",\"citation\":{\"url\":\"u\"}}",
            )
        },
    },
    Endless {
        name: "pings",
        dialect: ANTHROPIC,
        begin: START,
        event: |_| "event: ping\ndata: {\"type\":\"ping\"}\n\n".to_owned(),
    },
    Endless {
        name: "deltas of one message",
        dialect: RESPONSES,
        begin: "",
        event: |n| {
            response(
                "output_text.delta",
                &format!("\"output_index\":0,\"delta\":\"word {n} \""),
            )
        },
    },
    Endless {
        name: "messages",
        dialect: RESPONSES,
        begin: "",
        event: |n| {
            let item = "{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"a\"}]}";
            response(
                "output_item.done",
                &format!("\"output_index\":{n},\"item\":{item}"),
            )
        },
    },
    Endless {
        name: "items that do not end",
        dialect: RESPONSES,
        begin: "",
        event: |n| {
            let item = "{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\"}";
            response(
                "output_item.added",
                &format!("\"output_index\":{n},\"item\":{item}"),
            )
        },
    },
    Endless {
        name: "parts of thinking",
        dialect: RESPONSES,
        begin: "",
        event: |n| {
            let part = format!("\"output_index\":0,\"summary_index\":{n},\"delta\":\"a\"");
            response("reasoning_summary_text.delta", &part)
        },
    },
    Endless {
        name: "text of changing lengths",
        dialect: GEMINI,
        begin: "",
        event: |n| candidate(&format!("{{\"text\":\"né {n} \"}}"), ""),
    },
    Endless {
        name: "ever new choices",
        dialect: GEMINI,
        begin: "",
        event: |n| candidate("{\"text\":\"a\"}", &format!(",\"index\":{n}")),
    },
    Endless {
        name: "signatures of nothing",
        dialect: GEMINI,
        begin: "",
        event: |_| candidate("{\"text\":\"\",\"thoughtSignature\":\"QUJD\"}", ""),
    },
    Endless {
        name: "sources and reasons",
        dialect: GEMINI,
        begin: "",
        event: |n| {
            candidate(
                "{\"text\":\"a\"}",
                &format!(
                    ",\"finishReason\":\"STOP\",\"groundingMetadata\":{{\"groundingChunks\":[{{\"web\":{{\"uri\":\"{n}\"}}}}]}}"
                ),
            )
        },
    },
    Endless {
        name: "text and its probabilities",
        dialect: COHERE,
        begin: "",
        event: |n| {
            let delta = format!("\"content\":{{\"text\":\"word {n} \"}}");
            message("content-delta", 0, &delta).replace(
                "\"delta\"",
                "\"logprobs\":{\"text\":\"a\",\"token_ids\":[1],\"logprobs\":[-0.5]},\"delta\"",
            )
        },
    },
    Endless {
        name: "blocks of thinking",
        dialect: COHERE,
        begin: "",
        event: |n| {
            message(
                "content-start",
                n,
                "\"content\":{\"type\":\"thinking\",\"thinking\":\"hm \"}",
            )
        },
    },
    Endless {
        name: "calls that do not end",
        dialect: COHERE,
        begin: "",
        event: |n| {
            message(
                "tool-call-start",
                n,
                "\"tool_calls\":{\"id\":\"c\",\"function\":{\"name\":\"f\"}}",
            )
        },
    },
    Endless {
        name: "citations",
        dialect: COHERE,
        begin: "",
        event: |n| {
            let sources = "\"sources\":[{\"type\":\"document\",\"id\":\"doc:0\"}]";
            message(
                "citation-start",
                n,
                &format!("\"citations\":{{\"start\":0,\"end\":1,{sources}}}"),
            )
        },
    },
    Endless {
        name: "unknown events",
        dialect: COHERE,
        begin: "",
        event: |n| message("later", n, "\"a\":1"),
    },
    Endless {
        name: "text",
        dialect: BEDROCK,
        begin: "",
        event: |n| {
            line(
                "contentBlockDelta",
                &format!("\"contentBlockIndex\":0,\"delta\":{{\"text\":\"word {n} \"}}"),
            )
        },
    },
    Endless {
        name: "text in ever new blocks",
        dialect: BEDROCK,
        begin: "",
        event: |n| {
            line(
                "contentBlockDelta",
                &format!("\"contentBlockIndex\":{n},\"delta\":{{\"text\":\"a\"}}"),
            )
        },
    },
    Endless {
        name: "calls",
        dialect: BEDROCK,
        begin: "",
        event: |n| {
            line(
                "contentBlockStart",
                &format!(
                    "\"contentBlockIndex\":{},\"start\":{{\"toolUse\":{{\"toolUseId\":\"c\",\"name\":\"f\"}}}}",
                    n % 2
                ),
            )
        },
    },
    Endless {
        name: "unknown events",
        dialect: BEDROCK,
        begin: "",
        event: |_| line("later", "\"a\":1"),
    },
    Endless {
        name: "text",
        dialect: CHUNKS,
        begin: "",
        event: |n| {
            let delta = format!("{{\"type\":\"text_delta\",\"text\":\"word {n} \"}}");
            format!("{{\"chunk\":{{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{delta}}}}}\n")
        },
    },
    Endless {
        name: "unknown events",
        dialect: CHUNKS,
        begin: "",
        event: |_| line("later", "\"a\":1"),
    },
];

fn check(stream: &Endless, masks: bool, request: &str) {
    let rules = serde_json::json!([{"redact": {"rules": [{"pattern": "\\d+x"}]}}]);
    let middleware = if masks { rules } else { serde_json::json!([]) };
    let config = config_with(
        stream.dialect,
        serde_json::json!({"limits": {"response_body": LIMIT}, "middleware": middleware}),
    );
    let mut exchange = Exchange::open(
        Rc::clone(&config),
        client::OPENAI_CHAT,
        "gen-1".to_owned(),
        None,
        1,
    );
    exchange.read(request.as_bytes().to_vec()).unwrap();
    exchange
        .plan(&mut |_| View::default(), RouteContext::default())
        .unwrap();
    let cluster = exchange.next_cluster().unwrap().to_owned();
    let (number, _) = exchange.begin(&cluster, 2).unwrap();
    let framed = [BEDROCK, CHUNKS].contains(&stream.dialect);
    let head = ResponseHead {
        status: 200,
        content_type: Some(match stream.dialect {
            BEDROCK => "application/vnd.amazon.eventstream",
            OLLAMA => "application/x-ndjson",
            _ => "text/event-stream",
        }),
        ..Default::default()
    };
    exchange.headers(number, &head, 3);
    let mut fed = 0;
    let mut piece = stream.begin.to_owned();
    let mut most = 0;
    for event in 0.. {
        piece.push_str(&(stream.event)(event));
        if piece.len() < 4_096 {
            continue;
        }
        let mut bytes = std::mem::take(&mut piece).into_bytes();
        if framed {
            bytes = fixtures::frame_lines(&bytes);
        }
        let action = exchange.body(number, &bytes, false, 4);
        fed += bytes.len();
        if fed >= FED || matches!(action, Action::Release { head } if head.status != 200) {
            break;
        }
        // The text takes long to write.
        if fed % (FED / 8) < 4_096 {
            most = most.max(format!("{exchange:?}").len());
        }
    }
    most = most.max(format!("{exchange:?}").len());
    assert!(
        most <= MAX_DEBUG,
        "{} of {}, masked: {masks}, {request}: {most} characters after {fed} bytes",
        stream.name,
        stream.dialect
    );
}

#[test]
fn what_is_kept_of_an_endless_stream_stays_below_the_cap() {
    let stream = r#"{"model":"author/model","messages":[{"role":"user","content":"a"}],"stream":true}"#;
    let buffered = r#"{"model":"author/model","messages":[{"role":"user","content":"a"}]}"#;
    for endless in STREAMS {
        for masks in [false, true] {
            check(endless, masks, stream);
            check(endless, masks, buffered);
        }
    }
}
