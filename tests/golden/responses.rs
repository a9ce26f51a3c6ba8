//! Responses as clients get them, wherever the network cut them.

use crate::support::fixtures::{self, BufferedCase, Fixture};
use crate::support::{
    Client, Served, Spoken, config, config_with, serve, serve_operation, serve_request, spoken, spoken_as,
    uncharged,
};
use crosspoint::chat::Operation;
use crosspoint::config::Config;
use crosspoint::dialect::DIALECTS;
use crosspoint::exchange::ResponseHead;
use std::path::PathBuf;
use std::rc::Rc;

/// A response of a provider.
pub(crate) struct Response {
    pub(crate) operation: Operation,
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) content_type: &'static str,
    pub(crate) bytes: Vec<u8>,
}

impl Response {
    pub(crate) fn of_stream(operation: Operation, fixture: &Fixture) -> Self {
        assert!(fixture.has_source(), "{} says no source", fixture.name);
        Self {
            operation,
            name: fixture.name.clone(),
            path: fixture.path.clone(),
            content_type: fixture.content_type(),
            bytes: fixture.stream(),
        }
    }

    fn of_buffered(operation: Operation, fixture: &Fixture) -> Self {
        let case: BufferedCase = fixture.case();
        assert!(!case.source.is_empty(), "{} says no source", fixture.name);
        Self {
            operation,
            name: fixture.name.clone(),
            path: fixture.path.clone(),
            content_type: "application/json",
            bytes: case.body.get().as_bytes().to_vec(),
        }
    }

    pub(crate) fn serve(&self, config: &Rc<Config>, client: Client, pieces: &[&[u8]]) -> Served {
        serve_operation(self.operation, config, client, self.content_type, pieces)
    }
}

/// Every byte by itself, and then the end.
pub(crate) fn byte_by_byte(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.chunks(1).chain([[].as_slice()]).collect()
}

fn responses(
    Spoken {
        dialect, operation, ..
    }: Spoken,
) -> Vec<Response> {
    let streams = fixtures::all(dialect.name(), "stream");
    let buffered = fixtures::all(dialect.name(), "buffered");
    streams
        .iter()
        .map(|fixture| Response::of_stream(operation, fixture))
        .chain(
            buffered
                .iter()
                .map(|fixture| Response::of_buffered(operation, fixture)),
        )
        .collect()
}

pub(crate) fn streaming() -> impl Iterator<Item = Spoken> {
    spoken().into_iter().filter(|spoken| spoken.operation.streams())
}

#[test]
fn responses_give_their_goldens() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    for spoken in spoken() {
        let config = config(spoken.dialect.name());
        for response in responses(spoken) {
            for client in Client::with_goldens(spoken.operation) {
                // Byte by byte, so that a failure after the first token is seen as it comes after the first token.
                let found = response
                    .serve(&config, client, &byte_by_byte(&response.bytes))
                    .golden();
                let path = response.path.with_extension(format!("{}.golden", client.name()));
                if bless {
                    std::fs::write(&path, &found).unwrap();
                }
                let expected = std::fs::read(&path).unwrap_or_default();
                if found != expected {
                    let found = String::from_utf8_lossy(&found);
                    wrong.push(format!("{} for {client:?} is:\n{found}", response.name));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\n(BLESS=1 writes what is)",
        wrong.join("\n\n")
    );
}

/// The same response in other pieces.
///
/// One difference is meant: a failure that comes before anything was let out gives the client an error (or another
/// endpoint's answer) instead of half an answer, so a stream that fails after its first token has two results, and
/// which of them it is depends on whether that token was let out before the failure came.
pub(crate) fn check_cuts(response: &Response, config: &Rc<Config>, client: Client) {
    let bytes = response.bytes.as_slice();
    let whole = response.serve(config, client, &[bytes]);
    let single = response.serve(config, client, &byte_by_byte(bytes));
    let breaks_off = whole.receipt_member("outcome") == "error" && single.receipt_member("outcome") == "cut";
    if !breaks_off {
        assert!(
            whole == single,
            "{} for {client:?}, byte by byte:\n{}\ninstead of\n{}",
            response.name,
            String::from_utf8_lossy(&single.golden()),
            String::from_utf8_lossy(&whole.golden()),
        );
    }
    let mut seen = [false; 2];
    for at in 0..=bytes.len() {
        let (head, tail) = bytes.split_at(at);
        let cut = response.serve(config, client, &[head, tail]);
        let broken_off = breaks_off && cut.receipt_member("outcome") == "cut";
        seen = [seen[0] || broken_off, seen[1] || !broken_off];
        let expected = if broken_off { &single } else { &whole };
        assert!(
            cut == *expected,
            "{} for {client:?}, cut at {at}:\n{}\ninstead of\n{}",
            response.name,
            String::from_utf8_lossy(&cut.golden()),
            String::from_utf8_lossy(&expected.golden()),
        );
    }
    assert_eq!(seen, [breaks_off, true], "{} for {client:?}", response.name);
}

fn check_all_cuts(dialect: &str) {
    let config = config(dialect);
    let spoken = spoken_as(dialect);
    for response in responses(spoken) {
        for client in Client::with_goldens(spoken.operation) {
            check_cuts(&response, &config, client);
        }
    }
}

/// One test a dialect, so that they run beside each other.
macro_rules! the_same_wherever_it_is_cut {
    ($($test:ident: $dialect:literal,)*) => {
        $(#[test]
        fn $test() {
            check_all_cuts($dialect);
        })*

        #[test]
        fn no_dialect_is_left_out_of_the_cuts() {
            let names: Vec<_> = DIALECTS.iter().map(|dialect| dialect.name()).collect();
            assert_eq!(names, [$($dialect),*]);
        }
    };
}

the_same_wherever_it_is_cut! {
    openai_chat_is_the_same_wherever_it_is_cut: "openai-chat",
    anthropic_messages_is_the_same_wherever_it_is_cut: "anthropic-messages",
    anthropic_vertex_is_the_same_wherever_it_is_cut: "anthropic-vertex",
    anthropic_bedrock_is_the_same_wherever_it_is_cut: "anthropic-bedrock",
    bedrock_converse_is_the_same_wherever_it_is_cut: "bedrock-converse",
    gemini_is_the_same_wherever_it_is_cut: "gemini",
    gemini_vertex_is_the_same_wherever_it_is_cut: "gemini-vertex",
    ollama_is_the_same_wherever_it_is_cut: "ollama",
    cohere_v2_is_the_same_wherever_it_is_cut: "cohere-v2",
    openai_responses_is_the_same_wherever_it_is_cut: "openai-responses",
}

#[test]
fn openai_completions_are_the_same_wherever_they_are_cut() {
    check_all_cuts("openai-completions");
}

#[test]
fn embeddings_are_the_same_wherever_they_are_cut() {
    for spoken in spoken()
        .iter()
        .filter(|spoken| spoken.operation == Operation::Embeddings)
    {
        check_all_cuts(spoken.dialect.name());
    }
}

#[test]
fn masked_responses_are_the_same_byte_by_byte() {
    let redact = serde_json::json!({"middleware": [{"redact": {"rules": [{"pattern": "\\d+"}, {"literal": "jour"}]}}]});
    for spoken in spoken() {
        let config = config_with(spoken.dialect.name(), redact.clone());
        for response in responses(spoken) {
            for client in Client::with_goldens(spoken.operation) {
                let whole = response.serve(&config, client, &[&response.bytes]);
                let single = response.serve(&config, client, &byte_by_byte(&response.bytes));
                let breaks_off =
                    whole.receipt_member("outcome") == "error" && single.receipt_member("outcome") == "cut";
                assert!(breaks_off || whole == single, "{} for {client:?}", response.name);
            }
        }
    }
}

/// The JSON of every `data:` line, but for `[DONE]`.
pub(crate) fn chunks(body: &[u8]) -> Vec<serde_json::Value> {
    let body = std::str::from_utf8(body).unwrap().trim_start_matches('\u{feff}');
    body.replace("\r\n", "\n")
        .replace('\r', "\n")
        .split("\n\n")
        .map(|event| {
            let data: Vec<_> = event
                .lines()
                .filter_map(|line| line.strip_prefix("data:"))
                .collect();
            data.join("\n")
        })
        .filter(|data| !data.is_empty() && data.trim() != "[DONE]")
        .map(|data| serde_json::from_str(&data).unwrap_or_else(|error| panic!("{error}: {data}")))
        .collect()
}

#[test]
fn who_did_not_ask_for_token_counts_sees_none_and_is_billed_the_same() {
    for spoken in streaming() {
        let config = config(spoken.dialect.name());
        for response in responses(spoken) {
            let asked = response.serve(&config, Client::Stream, &[&response.bytes]);
            let quiet = response.serve(&config, Client::QuietStream, &[&response.bytes]);
            assert_eq!(quiet.receipt, asked.receipt, "{}", response.name);
            if quiet.receipt_member("outcome") == "success" {
                let shown = chunks(&quiet.body).iter().any(|chunk| !chunk["usage"].is_null());
                assert!(
                    !shown,
                    "{}:\n{}",
                    response.name,
                    String::from_utf8_lossy(&quiet.body)
                );
            }
        }
    }
}

#[test]
fn who_asked_for_token_counts_sees_those_of_the_receipt_last() {
    for spoken in streaming() {
        let config = config(spoken.dialect.name());
        for response in responses(spoken) {
            let served = response.serve(&config, Client::Stream, &[&response.bytes]);
            let tokens = served.receipt_member("tokens");
            let reported = tokens["completion_source"] == "provider";
            if served.receipt_member("outcome") != "success" || !reported {
                continue;
            }
            let chunks = chunks(&served.body);
            let usages: Vec<_> = chunks
                .iter()
                .map(|chunk| &chunk["usage"])
                .filter(|usage| !usage.is_null())
                .collect();
            let last = usages
                .last()
                .unwrap_or_else(|| panic!("{} shows none", response.name));
            assert_eq!(last["prompt_tokens"], tokens["prompt"], "{}", response.name);
            let total = last["total_tokens"].as_u64().unwrap();
            let receipt_total = tokens["prompt"].as_u64().unwrap() + tokens["completion"].as_u64().unwrap();
            assert_eq!(total, receipt_total, "{}", response.name);
        }
    }
}

#[test]
fn every_stream_that_came_to_its_end_has_one_done_and_it_is_last() {
    for spoken in streaming() {
        let config = config(spoken.dialect.name());
        for response in responses(spoken) {
            let served = response.serve(&config, Client::Stream, &[&response.bytes]);
            if served.receipt_member("outcome") != "success" {
                continue;
            }
            let body = String::from_utf8(served.body).unwrap();
            let done: Vec<_> = body.match_indices("[DONE]").collect();
            assert_eq!(done.len(), 1, "{}:\n{body}", response.name);
            assert!(body.ends_with("[DONE]\n\n"), "{}:\n{body}", response.name);
        }
    }
}

/// Streams with nothing to correct.
const PASSED_ON: &[&str] = &[
    "text",
    "azure",
    "azure_filtered",
    "image",
    "logprobs",
    "null_members",
    "parallel_tools",
    "reasoning",
    "refusal",
    "two_choices",
    "usage_after_finish_with_a_choice",
    "usage_grows",
    "usage_in_x_groq_too",
    "usage_never",
    "usage_on_finish_chunk",
];

#[test]
fn an_answer_says_the_cost_that_its_receipt_says() {
    let mut seen = 0;
    for spoken in spoken() {
        let config = config(spoken.dialect.name());
        for response in responses(spoken) {
            let served = response.serve(&config, Client::Buffered, &[&response.bytes]);
            let answer: serde_json::Value = serde_json::from_slice(&served.body).unwrap_or_default();
            let Some(cost) = answer["usage"].get("cost") else {
                continue;
            };
            seen += 1;
            let billed = served.receipt_member("cost_usd");
            assert_eq!(
                cost.as_f64(),
                billed.as_str().unwrap().parse().ok(),
                "{}",
                response.name
            );
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn a_completion_and_embeddings_of_the_clients_own_dialect_are_passed_on_byte_for_byte() {
    for (name, streamed) in [("openai-completions", true), ("openai-embeddings", false)] {
        let config = config(name);
        let spoken = spoken_as(name);
        let mut seen = 0;
        for response in responses(spoken) {
            let is_stream = response.content_type == "text/event-stream";
            let client = if is_stream {
                Client::Stream
            } else {
                Client::Buffered
            };
            let served = response.serve(&config, client, &[&response.bytes]);
            let floats = !response.name.ends_with("base64");
            if served.receipt_member("outcome") == "success" && floats {
                seen += 1;
                let found = uncharged(&served.body);
                let sent = String::from_utf8_lossy(&response.bytes).into_owned();
                let sent = sent
                    .split_once("\n\n")
                    .filter(|_| is_stream)
                    .map_or(&*sent, |(_source, rest)| rest);
                assert_eq!(found, sent, "{}", response.name);
            }
        }
        assert!(seen >= 2 + usize::from(streamed), "{name}");
    }
}

#[test]
fn a_stream_of_the_clients_own_dialect_is_passed_on_byte_for_byte() {
    let config = config("openai-chat");
    let fixtures = fixtures::all("openai-chat", "stream");
    for name in PASSED_ON {
        let name = format!("openai-chat/stream/{name}");
        let fixture = fixtures
            .iter()
            .find(|fixture| fixture.name == name)
            .unwrap_or_else(|| panic!("{name}"));
        let text = std::str::from_utf8(&fixture.bytes).unwrap();
        let (_source, stream) = text.split_once("\n\n").unwrap();
        let served = serve(&config, Client::Stream, "text/event-stream", &[stream.as_bytes()]);
        assert_eq!(uncharged(&served.body), stream, "{name}");
    }
}

/// Answers that OpenAI's clients could not read as they come.
const MENDED: &[&str] = &[
    "/tools",
    "/usage_without_thinking",
    "arguments_as_an_object",
    "content_array",
    "mistral_reference",
];

#[test]
fn a_buffered_answer_of_the_clients_own_dialect_is_passed_on_byte_for_byte() {
    let config = config("openai-chat");
    for fixture in fixtures::all("openai-chat", "buffered") {
        if MENDED.iter().any(|name| fixture.name.ends_with(name)) {
            continue;
        }
        let response = Response::of_buffered(Operation::Chat, &fixture);
        let served = response.serve(&config, Client::Buffered, &[&response.bytes]);
        if served.receipt_member("outcome") == "success" {
            assert!(
                uncharged(&served.body).as_bytes() == response.bytes,
                "{}",
                response.name
            );
        }
    }
}

/// Whether anything in an answer can be read as thinking. What is encrypted cannot.
fn shows_thinking(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Object(members) => members.iter().any(|(name, value)| match name.as_str() {
            "reasoning" | "reasoning_content" | "thinking" => true,
            "reasoning_details" => value.as_array().is_none_or(|details| {
                details
                    .iter()
                    .any(|detail| detail["type"] != "reasoning.encrypted")
            }),
            _ => shows_thinking(value),
        }),
        serde_json::Value::Array(items) => items.iter().any(shows_thinking),
        _ => false,
    }
}

/// All that an answer says in these members, wherever they stand in it.
fn said(value: &serde_json::Value, names: &[&str], out: &mut String) {
    match value {
        serde_json::Value::Object(members) => {
            for (name, value) in members {
                match value.as_str().filter(|_| names.contains(&name.as_str())) {
                    Some(text) => out.push_str(text),
                    None => said(value, names, out),
                }
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| said(item, names, out)),
        _ => {}
    }
}

#[test]
fn excluded_thinking_is_left_out_of_every_answer_and_still_billed() {
    let mut thoughts = 0;
    for dialect in DIALECTS {
        // With a middleware every answer is written anew, and can be read without knowing the provider's spelling.
        let masking = serde_json::json!([{"redact": {"rules": [{"literal": "never said", "mask": "-"}]}}]);
        let rewriting = config_with(dialect.name(), serde_json::json!({"middleware": masking}));
        let config = config(dialect.name());
        for response in responses(spoken_as(dialect.name())) {
            let head = ResponseHead {
                status: 200,
                content_type: Some(response.content_type),
                ..Default::default()
            };
            let ask = |config: &Rc<Config>, more: &str| {
                let request = format!(
                    r#"{{"model":"author/model","messages":[{{"role":"user","content":"Hi."}}],{more}}}"#
                );
                let served = serve_request(config, &request, &head, &[&response.bytes]);
                let read = match served.body.strip_prefix(b"data: ") {
                    Some(_) => serde_json::Value::from(chunks(&served.body)),
                    None => serde_json::from_slice(&served.body).unwrap_or_default(),
                };
                let mut content = String::new();
                said(&read, &["content", "arguments", "refusal", "url"], &mut content);
                (served, shows_thinking(&read), content)
            };
            for stream in [false, true] {
                let (shown, thinks, content) = ask(&rewriting, &format!(r#""stream":{stream}"#));
                thoughts += usize::from(thinks);
                for exclude in [r#""reasoning":{"exclude":true}"#, r#""include_reasoning":false"#] {
                    let name = format!("{} {stream} {exclude}", response.name);
                    let (hidden, still_thinks, same) =
                        ask(&config, &format!(r#""stream":{stream},{exclude}"#));
                    assert!(!still_thinks, "{name}");
                    assert!(
                        same == content || response.name.contains("content_array"),
                        "{name}: {same}"
                    );
                    for member in ["tokens", "outcome", "finish_reason", "cost_usd"] {
                        let found = hidden.receipt_member(member);
                        assert_eq!(found, shown.receipt_member(member), "{name}");
                    }
                }
            }
        }
    }
    assert!(thoughts > 10, "{thoughts}");
}
