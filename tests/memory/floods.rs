//! Floods of items: requests and answers of many small things, which take far more than their bytes where a list of them
//! is made.

use crate::tests::{begin, config, held, most_held, names};
use crosspoint::caps::MAX_ANSWER_PIECES;
use crosspoint::dialect::client;
use crosspoint::exchange::{Exchange, ResponseHead};
use crosspoint::health::View;
use crosspoint::route::RouteContext;
use std::fmt::Write as _;
use std::rc::Rc;

/// A member of a request whose value has so many items.
struct Flood {
    name: &'static str,
    begin: &'static str,
    item: &'static str,
    end: &'static str,
}

const fn flood(name: &'static str, begin: &'static str, item: &'static str, end: &'static str) -> Flood {
    Flood {
        name,
        begin,
        item,
        end,
    }
}

/// What a request can multiply, by little of each.
static FLOODS: &[Flood] = &[
    flood("messages", "[", "{}", "]"),
    flood("messages", "[", "0", "]"),
    flood("messages", "[", r#"{"role":"user"}"#, "]"),
    flood("messages", "[", r#"{"role":"user","content":[]}"#, "]"),
    flood("messages", r#"[{"role":"user","content":["#, "{}", "]}]"),
    flood(
        "messages",
        r#"[{"role":"user","content":["#,
        r#"{"type":"text","text":""}"#,
        "]}]",
    ),
    flood("messages", r#"[{"role":"assistant","tool_calls":["#, "{}", "]}]"),
    flood(
        "messages",
        r#"[{"role":"assistant","tool_calls":["#,
        r#"{"id":"","function":{"name":""}}"#,
        "]}]",
    ),
    flood(
        "messages",
        r#"[{"role":"assistant","reasoning_details":["#,
        "{}",
        "]}]",
    ),
    flood("messages", r#"[{"role":"assistant","images":["#, "{}", "]}]"),
    flood("messages", r#"[{"role":"user","content":"","#, r#""x":0"#, "}]"),
    flood("tools", "[", "{}", "]"),
    flood("tools", "[", "0", "]"),
    flood(
        "tools",
        r#"[{"type":"function","function":{"name":"f","parameters":{"properties":{"#,
        r#""":0"#,
        "}}}}]",
    ),
    flood(
        "response_format",
        r#"{"type":"json_schema","json_schema":{"schema":{"#,
        r#""":0"#,
        "}}}",
    ),
    flood("stop", "[", r#""""#, "]"),
    flood("models", "[", r#""""#, "]"),
    flood("modalities", "[", r#""""#, "]"),
    flood("provider", r#"{"only":["#, r#""""#, "]}"),
    flood("provider", "{", r#""only":0"#, "}"),
    flood("plugins", "[", "{}", "]"),
    flood("plugins", r#"[{"id":"auto-router","hints":["#, r#""""#, "]}]"),
    flood("logit_bias", "{", r#""1":0"#, "}"),
    flood("reasoning", "{", r#""":0"#, "}"),
    flood("x", "0", r#""x":0"#, ""),
    flood("x", "0", r#""messages":[]"#, ""),
];

impl Flood {
    /// A request of `size` bytes.
    fn request(&self, size: usize) -> Vec<u8> {
        let mut body = String::with_capacity(size);
        body.push_str(r#"{"model":"author/model""#);
        for (name, value) in [
            ("messages", r#"[{"role":"user","content":"a"}]"#),
            ("input", "[]"),
        ] {
            if name != self.name {
                // Writing to a String cannot fail.
                let _ = write!(body, r#","{name}":{value}"#);
            }
        }
        let _ = write!(body, r#","{}":{}"#, self.name, self.begin);
        if self.name != "x" {
            body.push_str(self.item);
        }
        let count = (size - body.len() - self.end.len() - 1) / (self.item.len() + 1);
        for _ in 0..count {
            body.push(',');
            body.push_str(self.item);
        }
        body.push_str(self.end);
        body.push('}');
        body.into_bytes()
    }
}

/// Reads and plans a request as far as it goes, and says whether it came to an end.
fn try_out(exchange: &mut Exchange, body: Vec<u8>) -> bool {
    let planned = exchange
        .read(body)
        .and_then(|()| exchange.plan(&mut |_| View::default(), RouteContext::default()));
    let goes_on = planned.is_ok();
    if goes_on {
        let (_, outgoing) = begin(exchange);
        assert!(!outgoing.body.is_empty());
    }
    goes_on
}

/// The most that a request of `size` bytes takes, its own included, at an endpoint of a dialect.
fn taken(flood: &Flood, operation: &str, dialect: &str, size: usize) -> usize {
    let config = config(&[dialect], false);
    let before = held();
    let body = flood.request(size);
    assert!(body.len() > size - 64);
    let client = client::at(operation).unwrap();
    let mut exchange = Exchange::open(Rc::clone(&config), client, "gen-1".to_owned(), None, 1);
    most_held(before, || {
        try_out(&mut exchange, body);
    })
}

/// Checks that a request of `size` bytes takes less than `times` as much.
fn check_flood(flood: &Flood, operation: &str, dialect: &str, size: usize, times: usize) {
    let most = taken(flood, operation, dialect, size);
    let Flood { begin, item, .. } = flood;
    assert!(
        most < size * times,
        "{dialect}: {begin}{item}: {most} bytes for {size}"
    );
}

#[test]
fn millions_of_empty_messages_take_less_than_three_times_their_bytes() {
    check_flood(&FLOODS[0], "/v1/chat/completions", "openai-chat", 12_600_000, 3);
}

/// Nothing is built for each item: what is held is the request, what is sent, and the list of where members stand.
#[test]
fn a_flood_of_items_takes_less_than_three_times_its_bytes() {
    for flood in FLOODS {
        check_flood(flood, "/v1/chat/completions", "openai-chat", 1_500_000, 3);
    }
}

/// What is translated is in a list while it is: some hundred bytes for a message of thirty, as far as the caps let it come.
#[test]
fn a_flood_of_items_that_are_translated_takes_a_few_times_its_bytes() {
    let lists = |flood: &&Flood| {
        [
            r#"{"role":"user","content":[]}"#,
            r#"{"id":"","function":{"name":""}}"#,
        ]
        .contains(&flood.item)
    };
    for dialect in names().filter(|name| *name != "openai-chat") {
        for flood in FLOODS.iter().filter(lists) {
            check_flood(flood, "/v1/chat/completions", dialect, 500_000, 30);
        }
    }
}

#[test]
fn a_flood_of_inputs_takes_less_than_three_times_its_bytes() {
    let floods = [
        flood("input", "[", r#""""#, "]"),
        flood("input", "[", "1", "]"),
        flood("input", r#"["","#, "1", "]"),
        flood("input", "[[", "1", "]]"),
        flood("input", "[", "[1]", "]"),
        flood("input", "[", "{}", "]"),
        flood("input", r#"[{"content":["#, "{}", "]}]"),
    ];
    for flood in floods {
        check_flood(&flood, "/v1/embeddings", "openai-chat", 1_500_000, 3);
    }
}

/// An answer that came whole, with so many items.
struct Answer {
    dialects: &'static [&'static str],
    /// What stands around the item and its like: `#` stands for them.
    around: &'static str,
    items: &'static [&'static str],
}

static ANSWERS: &[Answer] = &[
    Answer {
        dialects: &["openai-chat"],
        around: r#"{"choices":[#]}"#,
        items: &["0", "{}", r#"{"message":{}}"#],
    },
    Answer {
        dialects: &["openai-chat"],
        around: r#"{"choices":[{"message":{"content":[#]},"finish_reason":"stop"}]}"#,
        items: &["0", "{}", r#"{"text":"a"}"#, r#"{"thinking":[{"text":"a"}]}"#],
    },
    Answer {
        dialects: &["openai-chat"],
        around: r#"{"choices":[{"message":{"content":"a","tool_calls":[#]},"finish_reason":"stop"}]}"#,
        items: &["{}", r#"{"id":"a","function":{"name":"a"}}"#],
    },
    Answer {
        dialects: &["openai-chat"],
        around: r#"{"choices":[{"message":{"content":"a","annotations":[#]},"finish_reason":"stop"}]}"#,
        items: &["0", "{}"],
    },
    Answer {
        dialects: &["openai-chat"],
        around: r#"{"choices":[{"message":{"content":"a","images":[#]},"finish_reason":"stop"}]}"#,
        items: &["{}", r#"{"image_url":{"url":"a"}}"#],
    },
    Answer {
        dialects: &["openai-chat"],
        around: r#"{"choices":[{"message":{"content":"a","reasoning_details":[#]},"finish_reason":"stop"}]}"#,
        items: &["{}", r#"{"type":"reasoning.text","text":"a"}"#],
    },
    Answer {
        dialects: &["openai-chat"],
        around: r#"{"choices":[{"message":{"content":"a"},"logprobs":{"content":[#]},"finish_reason":"stop"}]}"#,
        items: &["0", "{}"],
    },
    Answer {
        dialects: &["openai-chat"],
        around: r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{#}}"#,
        items: &[r#""":0"#],
    },
    Answer {
        dialects: &["openai-chat"],
        around: r#"{"choices":[{"message":{"content":"a",#},"finish_reason":"stop"}]}"#,
        items: &[r#""":0"#],
    },
    Answer {
        dialects: &["openai-chat"],
        around: r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop",#}]}"#,
        items: &[r#""":0"#],
    },
    Answer {
        dialects: &["openai-chat"],
        around: r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],#}"#,
        items: &[r#""":0"#],
    },
    Answer {
        dialects: &["anthropic-messages", "anthropic-vertex", "anthropic-bedrock"],
        around: r#"{"type":"message","content":[#],"stop_reason":"end_turn"}"#,
        items: &["0", "{}", r#"{"type":"text","text":"a"}"#],
    },
    Answer {
        dialects: &["anthropic-messages"],
        around: r#"{"type":"message","content":[{"type":"text","text":"a","citations":[#]}],"stop_reason":"end_turn"}"#,
        items: &["0", "{}"],
    },
    Answer {
        dialects: &["anthropic-messages"],
        around: r#"{"type":"message","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn",#}"#,
        items: &[r#""":0"#],
    },
    Answer {
        dialects: &["gemini", "gemini-vertex"],
        around: r#"{"candidates":[#]}"#,
        items: &["0", "{}"],
    },
    Answer {
        dialects: &["gemini", "gemini-vertex"],
        around: r#"{"candidates":[{"content":{"parts":[#]},"finishReason":"STOP"}]}"#,
        items: &["0", "{}", r#"{"text":"a"}"#],
    },
    Answer {
        dialects: &["gemini"],
        around: r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP","groundingMetadata":{"groundingChunks":[#]}}]}"#,
        items: &["0", "{}", r#"{"web":{"uri":"a"}}"#],
    },
    Answer {
        dialects: &["gemini"],
        around: r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP","groundingMetadata":{"groundingChunks":[{"web":{"uri":"a"}}],"groundingSupports":[#]}}]}"#,
        items: &["0", "{}", r#"{"groundingChunkIndices":[0]}"#],
    },
    Answer {
        dialects: &["gemini"],
        around: r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP","logprobsResult":{"chosenCandidates":[#]}}]}"#,
        items: &["0", "{}"],
    },
    Answer {
        dialects: &["gemini"],
        around: r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokensDetails":[#]}}"#,
        items: &["0", "{}"],
    },
    Answer {
        dialects: &["gemini"],
        around: r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],#}"#,
        items: &[r#""":0"#],
    },
    Answer {
        dialects: &["bedrock-converse"],
        around: r#"{"output":{"message":{"content":[#]}},"stopReason":"end_turn"}"#,
        items: &["{}", r#"{"text":"a"}"#],
    },
    Answer {
        dialects: &["bedrock-converse"],
        around: r#"{"output":{"message":{"content":[{"citationsContent":{"content":[{"text":"a"}],"citations":[#]}}]}},"stopReason":"end_turn"}"#,
        items: &["0", "{}"],
    },
    Answer {
        dialects: &["ollama"],
        around: r#"{"message":{"content":"a","tool_calls":[#]},"done":true,"done_reason":"stop"}"#,
        items: &["0", "{}", r#"{"function":{"name":"a"}}"#],
    },
    Answer {
        dialects: &["ollama"],
        around: r#"{"message":{"content":"a"},"done":true,"done_reason":"stop","logprobs":[#]}"#,
        items: &["0", "{}"],
    },
    Answer {
        dialects: &["cohere-v2"],
        around: r#"{"id":"a","message":{"content":[#]},"finish_reason":"COMPLETE"}"#,
        items: &["0", "{}", r#"{"type":"text","text":"a"}"#],
    },
    Answer {
        dialects: &["cohere-v2"],
        around: r#"{"id":"a","message":{"content":[{"type":"text","text":"a"}],"tool_calls":[#]},"finish_reason":"COMPLETE"}"#,
        items: &["0", "{}", r#"{"id":"a","function":{"name":"a"}}"#],
    },
    Answer {
        dialects: &["cohere-v2"],
        around: r#"{"id":"a","message":{"content":[{"type":"text","text":"a"}],"citations":[#]},"finish_reason":"COMPLETE"}"#,
        items: &["0", "{}", r#"{"sources":[{}]}"#],
    },
    Answer {
        dialects: &["cohere-v2"],
        around: r#"{"id":"a","message":{"content":[{"type":"text","text":"a"}]},"finish_reason":"COMPLETE","logprobs":[#]}"#,
        items: &["0", "{}"],
    },
    Answer {
        dialects: &["openai-responses"],
        around: r#"{"id":"a","status":"completed","output":[#]}"#,
        items: &[
            "0",
            "{}",
            r#"{"type":"function_call","name":"a"}"#,
            r#"{"type":"message","content":[{"type":"output_text","text":"a"}]}"#,
        ],
    },
    Answer {
        dialects: &["openai-responses"],
        around: r#"{"id":"a","status":"completed","output":[{"type":"message","content":[#]}]}"#,
        items: &["0", "{}", r#"{"type":"output_text","text":"a"}"#],
    },
    Answer {
        dialects: &["openai-responses"],
        around: r#"{"id":"a","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"a","annotations":[#]}]}]}"#,
        items: &["0", "{}", r#"{"type":"url_citation","url":"a"}"#],
    },
    Answer {
        dialects: &["openai-responses"],
        around: r#"{"id":"a","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"a","logprobs":[#]}]}]}"#,
        items: &["0", "{}", r#"{"top_logprobs":[{}]}"#],
    },
    Answer {
        dialects: &["openai-responses"],
        around: r#"{"id":"a","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"a"}]}],#}"#,
        items: &[r#""":0"#],
    },
];

static VECTORS: &[Answer] = &[
    Answer {
        dialects: &["openai-chat"],
        around: r#"{"object":"list","data":[#]}"#,
        items: &["0", "{}", r#"{"embedding":[1]}"#],
    },
    Answer {
        dialects: &["openai-chat"],
        around: r#"{"object":"list","data":[{"embedding":[#]}]}"#,
        items: &["0"],
    },
    Answer {
        dialects: &["openai-chat"],
        around: r#"{"object":"list","data":[{"embedding":[1]}],#}"#,
        items: &[r#""":0"#],
    },
    Answer {
        dialects: &["gemini"],
        around: r#"{"embeddings":[#]}"#,
        items: &["0", "{}", r#"{"values":[1]}"#],
    },
    Answer {
        dialects: &["cohere-v2"],
        around: r#"{"embeddings":{"float":[#]}}"#,
        items: &["0", "[]", "[1]"],
    },
];

/// The most that an answer of `size` bytes takes, its own included.
fn answered(answer: &Answer, item: &str, operation: &str, dialect: &str, size: usize) -> usize {
    const REQUEST: &str =
        r#"{"model":"author/model","messages":[{"role":"user","content":"a"}],"input":"a"}"#;
    let (begin_with, end_with) = answer.around.split_once('#').unwrap();
    let count = (size - answer.around.len()) / (item.len() + 1);
    let items = vec![item; count].join(",");
    let mut body = format!("{begin_with}{items}{end_with}").into_bytes();
    drop(items);
    body.shrink_to_fit();
    let config = config(&[dialect], false);
    let before = held();
    let client = client::at(operation).unwrap();
    let mut exchange = Exchange::open(Rc::clone(&config), client, "gen-1".to_owned(), None, 1);
    exchange.read(REQUEST.as_bytes().to_vec()).unwrap();
    exchange
        .plan(&mut |_| View::default(), RouteContext::default())
        .unwrap();
    let (number, _) = begin(&mut exchange);
    let head = ResponseHead {
        status: 200,
        content_type: Some("application/json"),
        ..Default::default()
    };
    exchange.headers(number, &head, 3);
    most_held(before, || {
        for piece in body.chunks(16 * 1024) {
            exchange.body(number, piece, false, 4);
        }
        exchange.body(number, &[], true, 5);
    })
}

/// An answer may have so many pieces and no more: how much each of them takes at the most is what bounds them all.
#[test]
fn a_flood_of_items_in_an_answer_takes_what_its_pieces_may() {
    const PIECES: usize = MAX_ANSWER_PIECES * 768;
    for (operation, answers) in [("/v1/chat/completions", ANSWERS), ("/v1/embeddings", VECTORS)] {
        for answer in answers {
            for item in answer.items {
                // As many pieces as may be, and more.
                let most_pieces = MAX_ANSWER_PIECES * (item.len() + 1) - 1_000;
                for size in [most_pieces, 600_000] {
                    if size > 600_000 {
                        continue;
                    }
                    for dialect in answer.dialects {
                        let most = answered(answer, item, operation, dialect, size);
                        let Answer { around, .. } = answer;
                        assert!(
                            most < 3 * size + PIECES,
                            "{dialect}: {item} in {around}: {most} bytes for {size}"
                        );
                    }
                }
            }
        }
    }
}
