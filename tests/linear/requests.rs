//! Requests of every operation, written in every format.

use crate::Case;
use crate::support::{Spoken, client_of, config_with, spoken};
use crosspoint::caps;
use crosspoint::chat::Operation;
use crosspoint::config::Config;
use crosspoint::exchange::{Ending, Exchange};
use crosspoint::health::View;
use crosspoint::route::RouteContext;
use serde_json::json;
use std::rc::Rc;

/// The members of a request, or its input, with so many of something.
type Members = fn(usize) -> String;

/// A list of what `item` makes of each number.
pub(crate) fn list(count: usize, item: impl Fn(usize) -> String) -> String {
    let items: Vec<String> = (0..count).map(item).collect();
    items.join(",")
}

fn user(content: &str) -> String {
    format!(r#"{{"role":"user","content":{content}}}"#)
}

fn call(at: usize) -> String {
    format!(
        r#"{{"id":"call_{at}","type":"function","function":{{"name":"f{at}","arguments":"{{\"a\":{at}}}"}}}}"#
    )
}

fn result(at: usize) -> String {
    format!(r#"{{"role":"tool","tool_call_id":"call_{at}","content":"r{at}"}}"#)
}

/// One message with all calls, and the results in this order.
fn called(count: usize, results: impl Iterator<Item = usize>) -> String {
    let results: Vec<String> = results.map(result).collect();
    format!(
        r#""messages":[{},{{"role":"assistant","tool_calls":[{}]}},{}]"#,
        user("\"a\""),
        list(count, call),
        results.join(",")
    )
}

/// A turn of the assistant with these details of its thinking, and a call for each.
fn thought(count: usize, detail: impl Fn(usize) -> String) -> String {
    format!(
        r#""messages":[{},{{"role":"assistant","content":"a","reasoning_details":[{}],"tool_calls":[{}]}},{}]"#,
        user("\"a\""),
        list(count, detail),
        list(count, call),
        list(count, result)
    )
}

fn function(at: usize) -> String {
    format!(
        r#"{{"type":"function","function":{{"name":"f{at}","description":"d","parameters":{{"type":"object","properties":{{"a":{{"type":"string"}}}},"required":["a"]}}}}}}"#
    )
}

fn schema(count: usize) -> String {
    let properties = list(count, |at| {
        format!(r#""p{at}":{{"type":"string","enum":["a","b"]}}"#)
    });
    let required = list(count, |at| format!("\"p{at}\""));
    format!(r#"{{"type":"object","properties":{{{properties}}},"required":[{required}]}}"#)
}

const ASKED: &str = r#""messages":[{"role":"user","content":"a"}]"#;

/// What a chat can multiply.
static CHATS: &[(&str, usize, Members)] = &[
    ("turns of both", 500, |count| {
        let turn = |at: usize| ["user", "assistant"][at % 2];
        let turns = list(count, |at| {
            format!(r#"{{"role":"{}","name":"n{at}","content":"a{at}"}}"#, turn(at))
        });
        format!("\"messages\":[{turns}]")
    }),
    ("messages of one speaker", 500, |count| {
        format!("\"messages\":[{}]", list(count, |at| user(&format!("\"a{at}\""))))
    }),
    ("instructions", 500, |count| {
        let system = list(count, |at| {
            format!(
                r#"{{"role":"{}","content":"a{at}"}}"#,
                ["system", "developer"][at % 2]
            )
        });
        format!("\"messages\":[{system},{}]", user("\"a\""))
    }),
    ("instructions among messages", 500, |count| {
        let both = |at| {
            format!(
                r#"{},{{"role":"system","content":"b{at}"}}"#,
                user(&format!("\"a{at}\""))
            )
        };
        format!("\"messages\":[{}]", list(count, both))
    }),
    ("marked instructions", 500, |count| {
        let part = |at| format!(r#"{{"type":"text","text":"a{at}","cache_control":{{"type":"ephemeral"}}}}"#);
        format!(
            r#""messages":[{{"role":"system","content":[{}]}},{}]"#,
            list(count, part),
            user("\"a\"")
        )
    }),
    ("texts of a message", 500, |count| {
        let parts = list(count, |at| format!(r#"{{"type":"text","text":"a{at}"}}"#));
        format!("\"messages\":[{}]", user(&format!("[{parts}]")))
    }),
    ("marked texts", 500, |count| {
        let part = |at| format!(r#"{{"type":"text","text":"a{at}","cache_control":{{"type":"ephemeral"}}}}"#);
        format!("\"messages\":[{}]", user(&format!("[{}]", list(count, part))))
    }),
    ("images of a message", 500, |count| {
        let part =
            |_| r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0K"}}"#.to_owned();
        format!("\"messages\":[{}]", user(&format!("[{}]", list(count, part))))
    }),
    ("sounds of a message", 500, |count| {
        let part =
            |_| r#"{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}}"#.to_owned();
        format!("\"messages\":[{}]", user(&format!("[{}]", list(count, part))))
    }),
    ("files of a message", 500, |count| {
        let part = |at| {
            format!(
                r#"{{"type":"file","file":{{"filename":"f{at}.pdf","file_data":"data:application/pdf;base64,JVBERi0="}}}}"#
            )
        };
        format!("\"messages\":[{}]", user(&format!("[{}]", list(count, part))))
    }),
    ("images of the assistant", 500, |count| {
        let image = |_| r#"{"image_url":{"url":"data:image/png;base64,iVBORw0K"}}"#.to_owned();
        format!(
            r#""messages":[{0},{{"role":"assistant","content":"a","images":[{1}]}},{0}]"#,
            user("\"a\""),
            list(count, image)
        )
    }),
    ("results in the order of their calls", 800, |count| {
        called(count, 0..count)
    }),
    ("results in reverse", 800, |count| called(count, (0..count).rev())),
    ("results of very many calls in reverse", VERY_MANY, |count| {
        called(count, (0..count).rev())
    }),
    ("results of one call", 800, |count| {
        called(count, std::iter::repeat_n(0, count))
    }),
    ("results of calls long ago", 700, |count| {
        let calls = list(count, |at| {
            format!(
                r#"{{"role":"assistant","tool_calls":[{}]}},{}"#,
                call(at),
                user("\"a\"")
            )
        });
        let results = list(count, result);
        format!("\"messages\":[{},{calls},{results}]", user("\"a\""))
    }),
    ("results, each behind its call", 700, |count| {
        let both = |at| {
            format!(
                r#"{{"role":"assistant","tool_calls":[{}]}},{}"#,
                call(at),
                result(at)
            )
        };
        format!("\"messages\":[{},{}]", user("\"a\""), list(count, both))
    }),
    ("calls of one id", 800, |count| {
        format!(
            r#""messages":[{},{{"role":"assistant","tool_calls":[{}]}},{}]"#,
            user("\"a\""),
            list(count, |_| call(0)),
            list(count, |_| result(0))
        )
    }),
    ("parts of a result", 800, |count| {
        let part = |at| format!(r#"{{"type":"text","text":"a{at}"}}"#);
        format!(
            r#""messages":[{},{{"role":"assistant","tool_calls":[{}]}},{{"role":"tool","tool_call_id":"call_0","content":[{}]}}]"#,
            user("\"a\""),
            call(0),
            list(count, part)
        )
    }),
    ("citations", 500, |count| {
        let note = |at| {
            format!(
                r#"{{"type":"url_citation","url_citation":{{"url":"u{at}","start_index":0,"end_index":1}}}}"#
            )
        };
        format!(
            r#""messages":[{0},{{"role":"assistant","content":"a","annotations":[{1}]}},{0}]"#,
            user("\"a\""),
            list(count, note)
        )
    }),
    ("results of no call", 800, |count| {
        let results = list(count, |at| {
            format!(r#"{{"role":"tool","name":"f","tool_call_id":"none_{at}","content":"r"}}"#)
        });
        format!("\"messages\":[{},{results}]", user("\"a\""))
    }),
    ("signatures of calls", 700, |count| {
        thought(count, |at| {
            format!(
                r#"{{"type":"reasoning.encrypted","data":"d{at}","id":"call_{at}","format":"google-gemini-v1"}}"#
            )
        })
    }),
    ("signatures of what was said", 500, |count| {
        let details = list(count, |at| {
            format!(r#"{{"type":"reasoning.encrypted","data":"d{at}","format":"google-gemini-v1"}}"#)
        });
        let parts = list(count, |at| format!(r#"{{"type":"text","text":"a{at}"}}"#));
        format!(
            r#""messages":[{},{{"role":"assistant","content":[{parts}],"reasoning_details":[{details}]}},{}]"#,
            user("\"a\""),
            user("\"a\"")
        )
    }),
    ("thinking in pieces of one block", 400, |count| {
        thought(count, |at| {
            format!(r#"{{"type":"reasoning.text","text":"t{at}","index":0,"format":"anthropic-claude-v1"}}"#)
        })
    }),
    ("thinking in blocks", 400, |count| {
        thought(count, |at| {
            format!(
                r#"{{"type":"reasoning.text","text":"t","signature":"s{at}","index":{at},"format":"anthropic-claude-v1"}}"#
            )
        })
    }),
    ("thinking of OpenAI", 400, |count| {
        thought(count, |at| {
            format!(
                r#"{{"type":"reasoning.encrypted","data":"d{at}","id":"rs_{at}","index":{at},"format":"openai-responses-v1"}}"#
            )
        })
    }),
    ("one member of a message again and again", 500, |count| {
        let again = list(count, |_| r#""x":0"#.to_owned());
        format!(
            r#""messages":[{},{{"role":"user","content":"a",{again}}}]"#,
            user("\"a\"")
        )
    }),
    ("functions", 400, |count| {
        format!("{ASKED},\"tools\":[{}]", list(count, function))
    }),
    ("marked functions", 400, |count| {
        let function = |at| {
            format!(
                r#"{{"type":"function","cache_control":{{"type":"ephemeral"}},"function":{{"name":"f{at}","parameters":{{"type":"object"}}}}}}"#
            )
        };
        format!("{ASKED},\"tools\":[{}]", list(count, function))
    }),
    ("functions of a schema", 400, |count| {
        let function = format!(
            r#"{{"type":"function","function":{{"name":"f","strict":true,"parameters":{}}}}}"#,
            schema(count)
        );
        format!("{ASKED},\"tools\":[{function}]")
    }),
    ("tools of the provider", 500, |count| {
        let tool = |_| r#"{"type":"web_search"}"#.to_owned();
        format!(
            "{ASKED},\"web_search_options\":{{}},\"tools\":[{}]",
            list(count, tool)
        )
    }),
    ("one function of many is demanded", 400, |count| {
        let choice = r#""tool_choice":{"type":"function","function":{"name":"f7"}}"#;
        format!("{ASKED},{choice},\"tools\":[{}]", list(count, function))
    }),
    ("a schema of the answer", 500, |count| {
        format!(
            r#"{ASKED},"response_format":{{"type":"json_schema","json_schema":{{"name":"n","schema":{}}}}}"#,
            schema(count)
        )
    }),
    ("stop sequences", 120, |count| {
        format!("{ASKED},\"stop\":[{}]", list(count, |at| format!("\"s{at}\"")))
    }),
    ("biases", 500, |count| {
        format!(
            "{ASKED},\"logit_bias\":{{{}}}",
            list(count, |at| format!("\"{at}\":1"))
        )
    }),
    ("metadata", 500, |count| {
        format!(
            "{ASKED},\"metadata\":{{{}}}",
            list(count, |at| format!("\"m{at}\":\"v\""))
        )
    }),
    ("members of the provider's own", 400, |count| {
        format!("{ASKED},{}", list(count, |at| format!("\"x{at}\":{at}")))
    }),
    ("one member again and again", 400, |count| {
        format!("{ASKED},{}", list(count, |at| format!("\"user\":\"u{at}\"")))
    }),
    ("names of providers", 100, |count| {
        let names = list(count, |at| format!("\"p{at}\""));
        format!(r#"{ASKED},"provider":{{"order":[{names}],"ignore":[{names}],"only":[{names},"upstream"]}}"#)
    }),
    ("regions", 100, |count| {
        format!(
            r#"{ASKED},"provider":{{"region":[{}]}}"#,
            list(count, |at| format!("\"eu-{at}\""))
        )
    }),
    ("plugins", 12, |count| {
        let plugin = |at| format!(r#"{{"id":"p{at}","enabled":true}}"#);
        format!("{ASKED},\"plugins\":[{}]", list(count, plugin))
    }),
];

/// What texts to continue, and to embed, can be.
static INPUTS: &[(&str, usize, Members)] = &[
    ("texts", 1_000, |count| {
        format!("[{}]", list(count, |at| format!("\"a{at}\"")))
    }),
    ("texts, as few as anybody takes", 45, |count| {
        format!("[{}]", list(count, |at| format!("\"a{at}\"")))
    }),
    ("tokens", 1_000, |count| {
        format!("[{}]", list(count, |at| at.to_string()))
    }),
    ("texts of tokens", 1_000, |count| {
        format!("[{}]", list(count, |at| format!("[{at},1]")))
    }),
    ("parts of a text", 1_000, |count| {
        let part = |at| format!(r#"{{"type":"text","text":"a{at}"}}"#);
        format!("[{{\"content\":[{}]}}]", list(count, part))
    }),
];

/// What a text can be long of, in a request that is short enough for its tokens to be counted.
static TEXTS: &[(&str, usize, Members)] = &[
    ("words", 8_000, |count| asked("word ".repeat(count))),
    ("letters without an end", 40_000, |count| asked("a".repeat(count))),
    ("letters of all kinds", 40_000, |count| {
        let letters = (0..count).map(|at| char::from(b'a' + (at * at / 7 % 26) as u8));
        asked(letters.collect())
    }),
    ("digits", 40_000, |count| asked("1".repeat(count))),
    ("blanks", 40_000, |count| asked(" ".repeat(count))),
    ("lines", 20_000, |count| asked("\\n".repeat(count))),
    ("quotes", 20_000, |count| asked("\\\"".repeat(count))),
    ("signs", 40_000, |count| asked("=".repeat(count))),
    ("ideographs", 13_000, |count| asked("\u{65e5}".repeat(count))),
    ("escaped ideographs", 6_000, |count| {
        asked("\\u65e5".repeat(count))
    }),
];

fn asked(text: String) -> String {
    format!(r#""messages":[{}]"#, user(&format!("\"{text}\"")))
}

/// Hosts of a format that is here already: they write the same, and put something beside it.
const HOSTS: &[&str] = &["anthropic-vertex", "anthropic-bedrock", "gemini-vertex"];

/// From so many bytes on a prompt is estimated by its length: `MAX_UNCOUNTED` in `src/exchange/prompt.rs`. Both sizes of a
/// request lie on one side of it, or the step there would look like a square.
const LONG: usize = 128 << 10;

/// From so many commas in its messages or tools on a request's items are counted, which is a step, too.
const MANY: usize = caps::MAX_IMAGES;
/// As many calls with their results as a long run of an agent has.
const VERY_MANY: usize = 3_000;

/// How requests of a format are written.
#[derive(Clone, Copy, Debug)]
struct Way {
    /// The row of the provider; empty for one that deviates in nothing.
    row: &'static str,
    /// They are long: blanks make up for what they have too little.
    is_long: bool,
}

const PLAIN: Way = Way {
    row: "",
    is_long: true,
};

pub(crate) fn cases() -> impl Iterator<Item = Case> {
    let spoken = spoken().into_iter();
    spoken
        .filter(|spoken| !HOSTS.contains(&spoken.dialect.name()))
        .flat_map(of)
}

fn of(spoken: Spoken) -> Vec<Case> {
    let is_openai = spoken.dialect.name() == "openai-chat";
    let prompt = spoken.operation.prompt();
    if spoken.operation != Operation::Chat {
        let input = |(shape, size, input): &(&str, usize, Members)| {
            let input = *input;
            let members = Box::new(move |count| format!("\"{prompt}\":{}", input(count)));
            case(spoken, PLAIN, shape, *size, members)
        };
        return INPUTS.iter().map(input).collect();
    }
    let chats = |way: Way, chats: &'static [(&str, usize, Members)]| {
        chats
            .iter()
            .map(move |(shape, size, members)| case(spoken, way, shape, *size, Box::new(members)))
    };
    // Their tokens are counted, which takes longer than all else.
    let few = |way: Way| {
        let chats = CHATS
            .iter()
            .filter(|(_, size, _)| (100..VERY_MANY).contains(size));
        chats.map(move |(shape, size, members)| case(spoken, way, shape, size / 4, Box::new(members)))
    };
    let mut cases: Vec<Case> = chats(PLAIN, CHATS).collect();
    if is_openai {
        let short = Way {
            is_long: false,
            ..PLAIN
        };
        // The one whose ids of calls are made anew.
        let mistral = Way {
            row: "mistral",
            ..PLAIN
        };
        cases.extend(chats(mistral, CHATS).filter(|case| case.name.contains("call")));
        cases.extend(few(short));
        cases.extend(chats(short, TEXTS));
    }
    cases
}

fn case(spoken: Spoken, way: Way, shape: &str, size: usize, members: Box<dyn Fn(usize) -> String>) -> Case {
    let (operation, dialect, models) = (spoken.operation, spoken.dialect.name(), spoken.models);
    let provider = if way.row.is_empty() { "upstream" } else { way.row };
    let endpoint = json!({
        "provider": provider,
        "model": format!("upstream-{models}model"),
        "context_length": 1_000_000,
        "price": {"prompt": "3.00", "completion": "15.00"},
    });
    let mut more = json!({"models": {"author/model": {"endpoints": [endpoint]}}});
    if !way.row.is_empty() {
        more["providers"] = json!({way.row: {"base_url": "https://upstream.example/v1"}});
    }
    let config = config_with(dialect, more);
    let to = if way.row.is_empty() { dialect } else { way.row };
    let short = if way.is_long { "" } else { ", short" };
    Case {
        name: format!("{} to {to}{short}: {shape}", operation.name()),
        size,
        prepare: Box::new(move |count| {
            let blanks = " ".repeat(if way.is_long { LONG } else { 0 });
            let body = format!("{{\"model\":\"author/model\",{blanks}{}}}", members(count));
            let is_long = body.len() + body.len() / 32 + 1_024 > LONG;
            assert_eq!(is_long, way.is_long, "it has {} bytes", body.len());
            let is_many = body.matches(',').count() >= MANY;
            assert!(!is_many, "it has {count} items");
            let config = Rc::clone(&config);
            Box::new(move || work(&config, operation, body.clone().into_bytes()))
        }),
    }
}

/// Reads a request, estimates it, plans it, writes it for its one endpoint, and settles it without an answer.
fn work(config: &Rc<Config>, operation: Operation, body: Vec<u8>) -> Option<String> {
    let id = "gen-1".to_owned();
    let mut exchange = Exchange::open(Rc::clone(config), client_of(operation), id, None, 1);
    let planned = exchange
        .read(body)
        .and_then(|()| exchange.plan(&mut |_| View::default(), RouteContext::default()));
    let asked = planned.and_then(|()| exchange.ask(true, true, 2));
    let refusal = match asked {
        Ok(_) => {
            let cluster = exchange.next_cluster().unwrap().to_owned();
            exchange
                .begin(&cluster, 2)
                .err()
                .map(|refused| format!("{refused:?}"))
        }
        Err(error) => {
            let message = error.message.clone();
            exchange.refuse(error);
            Some(message)
        }
    };
    exchange.settle(Ending::Complete, 3);
    refusal
}
