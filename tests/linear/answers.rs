//! Answers of every format, streamed and whole, written for a client, some with a stage that masks in between.

use crate::Case;
use crate::requests::list;
use crate::support::{client_of, config_with, fixtures, spoken_as};
use crosspoint::chat::Operation;
use crosspoint::config::Config;
use crosspoint::exchange::{Ending, Exchange, ResponseHead};
use crosspoint::health::View;
use crosspoint::route::RouteContext;
use serde_json::json;
use std::rc::Rc;

pub(crate) const SSE: &str = "text/event-stream";
const AWS: &str = "application/vnd.amazon.eventstream";
const NDJSON: &str = "application/x-ndjson";
pub(crate) const JSON: &str = "application/json";

/// An answer that has so many of something.
pub(crate) struct Shape {
    dialects: &'static [&'static str],
    name: &'static str,
    content_type: &'static str,
    size: usize,
    /// The events, one a line, or the document.
    events: fn(usize) -> String,
}

const OPENAI: &[&str] = &["openai-chat"];
const ANTHROPIC: &[&str] = &["anthropic-messages"];
const GEMINI: &[&str] = &["gemini"];
const BEDROCK: &[&str] = &["bedrock-converse"];
const OLLAMA: &[&str] = &["ollama"];
const COHERE: &[&str] = &["cohere-v2"];
const RESPONSES: &[&str] = &["openai-responses"];

pub(crate) const fn shape(
    dialects: &'static [&'static str],
    content_type: &'static str,
    name: &'static str,
    size: usize,
    events: fn(usize) -> String,
) -> Shape {
    Shape {
        dialects,
        name,
        content_type,
        size,
        events,
    }
}

pub(crate) fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(|at| line(at) + "\n").collect()
}

/// A chunk of OpenAI's with this delta.
fn chunk(delta: &str) -> String {
    format!(r#"{{"choices":[{{"index":0,"delta":{{{delta}}}}}]}}"#)
}

const STOP: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

fn openai_call(at: usize) -> String {
    format!(r#"{{"index":{at},"id":"c{at}","type":"function","function":{{"name":"f","arguments":"{{}}"}}}}"#)
}

fn openai_whole(members: &str) -> String {
    format!(
        r#"{{"choices":[{{"index":0,"message":{{"role":"assistant","content":"a",{members}}},"finish_reason":"stop"}}]}}"#
    )
}

/// A block of Anthropic's: its beginning, a change, its end.
fn block(at: usize, begin: &str, change: &str) -> String {
    format!(
        "{{\"type\":\"content_block_start\",\"index\":{at},\"content_block\":{begin}}}\n{{\"type\":\"content_block_delta\",\"index\":{at},\"delta\":{change}}}\n{{\"type\":\"content_block_stop\",\"index\":{at}}}"
    )
}

fn anthropic(events: &str) -> String {
    format!(
        "{{\"type\":\"message_start\",\"message\":{{\"id\":\"x\",\"content\":[]}}}}\n{events}{{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"end_turn\"}}}}\n{{\"type\":\"message_stop\"}}\n"
    )
}

fn anthropic_whole(blocks: &str) -> String {
    format!(r#"{{"type":"message","content":[{blocks}],"stop_reason":"end_turn"}}"#)
}

fn gemini(parts: &str, more: &str) -> String {
    format!(r#"{{"candidates":[{{"content":{{"parts":[{parts}]}}{more}}}]}}"#)
}

const GEMINI_STOP: &str = r#","finishReason":"STOP""#;

fn bedrock(event: &str, payload: &str) -> String {
    format!("{{\"event\":\"{event}\",\"payload\":{payload}}}")
}

fn bedrock_end() -> String {
    bedrock("messageStop", r#"{"stopReason":"end_turn"}"#) + "\n"
}

fn cohere(events: &str) -> String {
    format!(
        "{{\"type\":\"message-start\",\"id\":\"x\"}}\n{events}{{\"type\":\"message-end\",\"delta\":{{\"finish_reason\":\"COMPLETE\"}}}}\n"
    )
}

fn responses(events: &str, output: &str) -> String {
    format!(
        "{{\"type\":\"response.created\",\"response\":{{\"id\":\"x\"}}}}\n{events}{{\"type\":\"response.completed\",\"response\":{{\"id\":\"x\",\"status\":\"completed\",\"output\":[{output}]}}}}\n"
    )
}

fn responses_call(at: usize) -> String {
    format!(r#"{{"type":"function_call","id":"i{at}","call_id":"c{at}","name":"f","arguments":"{{}}"}}"#)
}

pub(crate) static CHATS: &[Shape] = &[
    shape(OPENAI, SSE, "texts", 1_000, |count| {
        lines(count, |_| chunk(r#""content":"word ""#)) + STOP + "\n"
    }),
    shape(OPENAI, SSE, "thinking", 1_000, |count| {
        lines(count, |at| {
            chunk(&format!(
                r#""reasoning_details":[{{"type":"reasoning.text","text":"t","index":{at}}}]"#
            ))
        }) + STOP
            + "\n"
    }),
    shape(OPENAI, SSE, "calls", 500, |count| {
        lines(count, |at| {
            chunk(&format!(r#""tool_calls":[{}]"#, openai_call(at)))
        }) + STOP
            + "\n"
    }),
    shape(OPENAI, SSE, "calls of one event", 500, |count| {
        lines(1, |_| {
            chunk(&format!(r#""tool_calls":[{}]"#, list(count, openai_call)))
        }) + STOP
            + "\n"
    }),
    shape(OPENAI, SSE, "calls whose arguments come in turn", 500, |count| {
        let more = |at| {
            chunk(&format!(
                r#""tool_calls":[{{"index":{at},"function":{{"arguments":" "}}}}]"#
            ))
        };
        lines(count, |at| {
            chunk(&format!(r#""tool_calls":[{}]"#, openai_call(at)))
        }) + &lines(count, more)
            + STOP
            + "\n"
    }),
    shape(OPENAI, SSE, "calls without an index", 500, |count| {
        let call = |at| {
            chunk(&format!(
                r#""tool_calls":[{{"id":"c{at}","function":{{"name":"f","arguments":"{{}}"}}}}]"#
            ))
        };
        lines(count, call) + STOP + "\n"
    }),
    shape(OPENAI, SSE, "choices", 60, |count| {
        let choice = |at| format!(r#"{{"choices":[{{"index":{at},"delta":{{"content":"a"}}}}]}}"#);
        let stop = |at| format!(r#"{{"choices":[{{"index":{at},"delta":{{}},"finish_reason":"stop"}}]}}"#);
        lines(count, choice) + &lines(count, stop)
    }),
    shape(OPENAI, SSE, "annotations", 1_000, |count| {
        let note = |at| {
            chunk(&format!(
                r#""annotations":[{{"type":"url_citation","url_citation":{{"url":"u{at}"}}}}]"#
            ))
        };
        lines(count, note) + STOP + "\n"
    }),
    shape(OPENAI, SSE, "members of an event", 1_000, |count| {
        lines(1, |_| chunk(&list(count, |at| format!(r#""x{at}":0"#)))) + STOP + "\n"
    }),
    shape(OPENAI, SSE, "members, each in its event", 1_000, |count| {
        lines(count, |at| chunk(&format!(r#""x{at}":0,"content":"a""#))) + STOP + "\n"
    }),
    shape(OPENAI, SSE, "probabilities", 500, |count| {
        let line = |at| {
            format!(
                r#"{{"choices":[{{"index":0,"delta":{{"content":"a"}},"logprobs":{{"content":[{{"token":"t"}}],"x{at}":[]}}}}]}}"#
            )
        };
        lines(count, line) + STOP + "\n"
    }),
    shape(OPENAI, JSON, "calls", 500, |count| {
        openai_whole(&format!(r#""tool_calls":[{}]"#, list(count, openai_call)))
    }),
    shape(OPENAI, JSON, "annotations", 1_000, |count| {
        openai_whole(&format!(
            r#""annotations":[{}]"#,
            list(count, |at| format!(
                r#"{{"type":"url_citation","url_citation":{{"url":"u{at}"}}}}"#
            ))
        ))
    }),
    shape(OPENAI, JSON, "members", 1_000, |count| {
        openai_whole(&list(count, |at| format!(r#""x{at}":0"#)))
    }),
    shape(OPENAI, JSON, "one member again and again", 1_000, |count| {
        openai_whole(&list(count, |at| format!(r#""x":{at}"#)))
    }),
    shape(OPENAI, JSON, "parts", 1_000, |count| {
        let part = |at| format!(r#"{{"type":"text","text":"a{at}"}}"#);
        format!(
            r#"{{"choices":[{{"index":0,"message":{{"role":"assistant","content":[{}]}},"finish_reason":"stop"}}]}}"#,
            list(count, part)
        )
    }),
    shape(ANTHROPIC, SSE, "texts", 1_000, |count| {
        let text = |_| {
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"word "}}"#
                .to_owned()
        };
        anthropic(&lines(count, text))
    }),
    shape(ANTHROPIC, SSE, "thinking", 500, |count| {
        anthropic(&lines(count, |at| {
            block(
                at,
                r#"{"type":"thinking","thinking":""}"#,
                r#"{"type":"thinking_delta","thinking":"t"}"#,
            )
        }))
    }),
    shape(ANTHROPIC, SSE, "calls", 500, |count| {
        anthropic(&lines(count, |at| {
            let begin = format!(r#"{{"type":"tool_use","id":"c{at}","name":"f","input":{{}}}}"#);
            block(at, &begin, r#"{"type":"input_json_delta","partial_json":"{}"}"#)
        }))
    }),
    shape(ANTHROPIC, SSE, "blocks that are not ended", 30, |count| {
        let begin = |at| {
            format!(
                r#"{{"type":"content_block_start","index":{at},"content_block":{{"type":"text","text":"a"}}}}"#
            )
        };
        anthropic(&lines(count, begin))
    }),
    shape(ANTHROPIC, SSE, "citations", 1_000, |count| {
        let cite = |at| {
            format!(
                r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"citations_delta","citation":{{"type":"web_search_result_location","url":"u{at}"}}}}}}"#
            )
        };
        let begin = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"a"}}"#;
        anthropic(&format!("{begin}\n{}", lines(count, cite)))
    }),
    shape(ANTHROPIC, JSON, "calls", 1_000, |count| {
        anthropic_whole(&list(count, |at| {
            format!(r#"{{"type":"tool_use","id":"c{at}","name":"f","input":{{}}}}"#)
        }))
    }),
    shape(ANTHROPIC, JSON, "cited texts", 500, |count| {
        let text = |at| {
            format!(
                r#"{{"type":"text","text":"a","citations":[{{"type":"web_search_result_location","url":"u{at}"}}]}}"#
            )
        };
        anthropic_whole(&list(count, text))
    }),
    shape(GEMINI, SSE, "texts", 1_000, |count| {
        lines(count, |_| gemini(r#"{"text":"word "}"#, "")) + &gemini("", GEMINI_STOP) + "\n"
    }),
    shape(GEMINI, SSE, "thinking", 1_000, |count| {
        let part = |at| {
            gemini(
                &format!(r#"{{"text":"t","thought":true,"thoughtSignature":"s{at}"}}"#),
                "",
            )
        };
        lines(count, part) + &gemini(r#"{"text":"a"}"#, GEMINI_STOP) + "\n"
    }),
    shape(GEMINI, SSE, "calls", 1_000, |count| {
        let part = |at| {
            gemini(
                &format!(r#"{{"functionCall":{{"name":"f","args":{{"a":{at}}}}},"thoughtSignature":"s"}}"#),
                "",
            )
        };
        lines(count, part) + &gemini("", GEMINI_STOP) + "\n"
    }),
    shape(GEMINI, SSE, "choices", 8, |count| {
        lines(count, |at| {
            format!(
                r#"{{"candidates":[{{"index":{at},"content":{{"parts":[{{"text":"a"}}]}},"finishReason":"STOP"}}]}}"#
            )
        })
    }),
    shape(GEMINI, JSON, "calls", 1_000, |count| {
        gemini(
            &list(count, |at| {
                format!(r#"{{"functionCall":{{"name":"f","args":{{"a":{at}}}}}}}"#)
            }),
            GEMINI_STOP,
        )
    }),
    shape(GEMINI, JSON, "a passage with all sources", 1_000, |count| {
        let sources = list(count, |at| format!(r#"{{"web":{{"uri":"u{at}"}}}}"#));
        let all = list(count, |at| at.to_string());
        let support = format!(r#"{{"segment":{{"endIndex":1,"text":"a"}},"groundingChunkIndices":[{all}]}}"#);
        let grounding = format!(
            r#","groundingMetadata":{{"groundingChunks":[{sources}],"groundingSupports":[{support}]}}"#
        );
        gemini(r#"{"text":"a"}"#, &format!("{GEMINI_STOP}{grounding}"))
    }),
    shape(GEMINI, JSON, "passages, each with its source", 1_000, |count| {
        let sources = list(count, |at| format!(r#"{{"web":{{"uri":"u{at}"}}}}"#));
        let supports = list(count, |at| {
            format!(
                r#"{{"segment":{{"startIndex":{at},"endIndex":{}}},"groundingChunkIndices":[{at}]}}"#,
                at + 1
            )
        });
        let grounding = format!(
            r#","groundingMetadata":{{"groundingChunks":[{sources}],"groundingSupports":[{supports}]}}"#
        );
        gemini(
            &format!(r#"{{"text":"{}"}}"#, "a".repeat(count)),
            &format!("{GEMINI_STOP}{grounding}"),
        )
    }),
    shape(GEMINI, JSON, "passages of one source", 500, |count| {
        let support = |at| {
            format!(
                r#"{{"segment":{{"startIndex":{at},"endIndex":{}}},"groundingChunkIndices":[0]}}"#,
                at + 1
            )
        };
        let supports = list(count, support);
        let grounding = format!(
            r#","groundingMetadata":{{"groundingChunks":[{{"web":{{"uri":"u"}}}}],"groundingSupports":[{supports}]}}"#
        );
        gemini(
            &format!(r#"{{"text":"{}"}}"#, "aé".repeat(count)),
            &format!("{GEMINI_STOP}{grounding}"),
        )
    }),
    shape(GEMINI, JSON, "probabilities", 500, |count| {
        let chosen = list(count, |_| r#"{"token":"t","logProbability":-0.1}"#.to_owned());
        let top = list(count, |_| {
            r#"{"candidates":[{"token":"t","logProbability":-0.1}]}"#.to_owned()
        });
        let result =
            format!(r#","logprobsResult":{{"chosenCandidates":[{chosen}],"topCandidates":[{top}]}}"#);
        gemini(r#"{"text":"a"}"#, &format!("{GEMINI_STOP}{result}"))
    }),
    shape(BEDROCK, AWS, "texts", 1_000, |count| {
        lines(count, |_| {
            bedrock(
                "contentBlockDelta",
                r#"{"contentBlockIndex":0,"delta":{"text":"word "}}"#,
            )
        }) + &bedrock_end()
    }),
    shape(BEDROCK, AWS, "calls", 500, |count| {
        let call = |at| {
            let begin = format!(
                r#"{{"contentBlockIndex":{at},"start":{{"toolUse":{{"toolUseId":"c{at}","name":"f"}}}}}}"#
            );
            let change = format!(r#"{{"contentBlockIndex":{at},"delta":{{"toolUse":{{"input":"{{}}"}}}}}}"#);
            let end = format!(r#"{{"contentBlockIndex":{at}}}"#);
            [
                bedrock("contentBlockStart", &begin),
                bedrock("contentBlockDelta", &change),
                bedrock("contentBlockStop", &end),
            ]
            .join("\n")
        };
        lines(count, call) + &bedrock_end()
    }),
    shape(BEDROCK, AWS, "blocks that are not ended", 30, |count| {
        let text = |at| {
            bedrock(
                "contentBlockDelta",
                &format!(r#"{{"contentBlockIndex":{at},"delta":{{"text":"a"}}}}"#),
            )
        };
        lines(count, text) + &bedrock_end()
    }),
    shape(BEDROCK, JSON, "calls", 1_000, |count| {
        let call = |at| format!(r#"{{"toolUse":{{"toolUseId":"c{at}","name":"f","input":{{}}}}}}"#);
        format!(
            r#"{{"output":{{"message":{{"role":"assistant","content":[{}]}}}},"stopReason":"tool_use"}}"#,
            list(count, call)
        )
    }),
    shape(OLLAMA, NDJSON, "texts", 1_000, |count| {
        lines(count, |_| {
            r#"{"model":"m","message":{"role":"assistant","content":"word "},"done":false}"#.to_owned()
        }) + "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\"}\n"
    }),
    shape(OLLAMA, JSON, "calls", 1_000, |count| {
        let call = |at| format!(r#"{{"function":{{"name":"f{at}","arguments":{{"a":1}}}}}}"#);
        format!(
            r#"{{"model":"m","message":{{"role":"assistant","content":"","tool_calls":[{}]}},"done":true,"done_reason":"stop"}}"#,
            list(count, call)
        )
    }),
    shape(COHERE, SSE, "texts", 1_000, |count| {
        cohere(&lines(count, |_| {
            r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"word "}}}}"#
                .to_owned()
        }))
    }),
    shape(COHERE, SSE, "calls", 500, |count| {
        let call = |at| {
            format!(
                "{{\"type\":\"tool-call-start\",\"index\":{at},\"delta\":{{\"message\":{{\"tool_calls\":{{\"id\":\"c{at}\",\"function\":{{\"name\":\"f\",\"arguments\":\"\"}}}}}}}}}}\n{{\"type\":\"tool-call-delta\",\"index\":{at},\"delta\":{{\"message\":{{\"tool_calls\":{{\"function\":{{\"arguments\":\"{{}}\"}}}}}}}}}}\n{{\"type\":\"tool-call-end\",\"index\":{at}}}"
            )
        };
        cohere(&lines(count, call))
    }),
    shape(COHERE, SSE, "calls that are not ended", 30, |count| {
        let call = |at| {
            format!(
                r#"{{"type":"tool-call-start","index":{at},"delta":{{"message":{{"tool_calls":{{"id":"c{at}","function":{{"name":"f","arguments":""}}}}}}}}}}"#
            )
        };
        cohere(&lines(count, call))
    }),
    shape(COHERE, JSON, "calls and citations", 500, |count| {
        let call = |at| {
            format!(r#"{{"id":"c{at}","type":"function","function":{{"name":"f","arguments":"{{}}"}}}}"#)
        };
        let cite = |at| {
            format!(
                r#"{{"start":0,"end":1,"text":"a","sources":[{{"type":"document","id":"d{at}","document":{{"text":"t"}}}}]}}"#
            )
        };
        format!(
            r#"{{"id":"x","finish_reason":"COMPLETE","message":{{"role":"assistant","content":[{{"type":"text","text":"a"}}],"tool_calls":[{}],"citations":[{}]}}}}"#,
            list(count, call),
            list(count, cite)
        )
    }),
    shape(RESPONSES, SSE, "texts", 1_000, |count| {
        let begin = r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"m","content":[]}}"#;
        let text = |_| {
            r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"word "}"#
                .to_owned()
        };
        responses(&format!("{begin}\n{}", lines(count, text)), "")
    }),
    shape(RESPONSES, SSE, "calls", 500, |count| {
        let call = |at| {
            format!(
                "{{\"type\":\"response.output_item.added\",\"output_index\":{at},\"item\":{0}}}\n{{\"type\":\"response.output_item.done\",\"output_index\":{at},\"item\":{0}}}",
                responses_call(at)
            )
        };
        responses(&lines(count, call), &list(count, responses_call))
    }),
    shape(RESPONSES, SSE, "calls that are not ended", 30, |count| {
        let call = |at| {
            format!(
                "{{\"type\":\"response.output_item.added\",\"output_index\":{at},\"item\":{}}}",
                responses_call(at)
            )
        };
        responses(&lines(count, call), &list(count, responses_call))
    }),
    shape(RESPONSES, JSON, "calls", 1_000, |count| {
        format!(
            r#"{{"id":"x","object":"response","status":"completed","output":[{}]}}"#,
            list(count, responses_call)
        )
    }),
    shape(RESPONSES, JSON, "annotations", 500, |count| {
        let note = |at| format!(r#"{{"type":"url_citation","url":"u{at}","start_index":0,"end_index":1}}"#);
        let item = format!(
            r#"{{"type":"message","id":"m","role":"assistant","content":[{{"type":"output_text","text":"a","annotations":[{}]}}]}}"#,
            list(count, note)
        );
        format!(r#"{{"id":"x","object":"response","status":"completed","output":[{item}]}}"#)
    }),
    shape(RESPONSES, JSON, "summaries of thinking", 500, |count| {
        let part = |at| format!(r#"{{"type":"summary_text","text":"s{at}"}}"#);
        let item = format!(
            r#"{{"type":"reasoning","id":"r","summary":[{}],"encrypted_content":"e"}}"#,
            list(count, part)
        );
        format!(r#"{{"id":"x","object":"response","status":"completed","output":[{item}]}}"#)
    }),
];

impl Shape {
    fn bytes(&self, count: usize) -> Vec<u8> {
        let events = (self.events)(count);
        match self.content_type {
            SSE => events
                .lines()
                .map(|line| format!("data: {line}\n\n"))
                .collect::<String>()
                .into_bytes(),
            AWS => fixtures::frame_lines(events.as_bytes()),
            _ => events.into_bytes(),
        }
    }
}

pub(crate) fn cases(shapes: &'static [Shape]) -> impl Iterator<Item = Case> {
    shapes.iter().flat_map(|shape| {
        // Only these come to the stage.
        let is_masked = shape.name.contains("text") || shape.name.contains("calls");
        let of = move |dialect: &&'static str| {
            let masks = [false, true].into_iter().filter(move |masks| is_masked || !masks);
            masks.map(|masks| case(shape, dialect, masks)).collect::<Vec<_>>()
        };
        shape.dialects.iter().flat_map(of)
    })
}

fn case(shape: &'static Shape, dialect: &'static str, masks: bool) -> Case {
    let rules = json!([{"redact": {"rules": [{"pattern": "\\d{16}"}]}}]);
    let middleware = if masks { rules } else { json!([]) };
    let config = config_with(dialect, json!({"middleware": middleware}));
    let operation = spoken_as(dialect).operation;
    let form = if shape.content_type == JSON {
        "answer"
    } else {
        "stream"
    };
    let masked = if masks { ", masked" } else { "" };
    Case {
        name: format!("{form} of {dialect}: {}{masked}", shape.name),
        size: shape.size,
        prepare: Box::new(move |count| {
            let (bytes, config) = (shape.bytes(count), Rc::clone(&config));
            Box::new(move || work(&config, operation, shape.content_type, &bytes))
        }),
    }
}

/// Answers a short request, in pieces as the network would give them.
fn work(config: &Rc<Config>, operation: Operation, content_type: &str, bytes: &[u8]) -> Option<String> {
    let id = "gen-1".to_owned();
    let mut exchange = Exchange::open(Rc::clone(config), client_of(operation), id, None, 1);
    let prompt = match operation {
        Operation::Chat => r#""messages":[{"role":"user","content":"a"}]"#.to_owned(),
        Operation::Completions | Operation::Embeddings => format!("\"{}\":\"a\"", operation.prompt()),
    };
    let stream = content_type != JSON;
    let body = format!(r#"{{"model":"author/model","stream":{stream},{prompt}}}"#);
    exchange.read(body.into_bytes()).unwrap();
    exchange
        .plan(&mut |_| View::default(), RouteContext::default())
        .unwrap();
    let cluster = exchange.next_cluster().unwrap().to_owned();
    let (number, _) = exchange.begin(&cluster, 2).unwrap();
    let head = ResponseHead {
        status: 200,
        content_type: Some(content_type),
        ..Default::default()
    };
    exchange.headers(number, &head, 3);
    for piece in bytes.chunks(1_500) {
        exchange.body(number, piece, false, 4);
    }
    exchange.body(number, &[], true, 5);
    let (receipt, _) = exchange.settle(Ending::Complete, 6);
    let receipt: serde_json::Value = serde_json::from_slice(&receipt.to_json()).unwrap();
    (receipt["outcome"] != "success").then(|| receipt["attempts"].to_string())
}
