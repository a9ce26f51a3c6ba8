//! OpenAI's older completions: what they refuse, one document, or chunks with a text.

use serde_json::{Value, json};

use super::body::usage;
use super::finish_reason;
use super::object::{Kind, Object, invalid, parameters};
use super::options::{conflicts, options};
use crate::ask::Ask;
use crate::fault::Faults;
use crate::piece::Piece;
use crate::provider::{Refusal, Stamp, sse};
use crate::seed::letters;
use crate::text::Answer;

/// <https://platform.openai.com/docs/api-reference/completions/create>
const PARAMETERS: &[(&str, Kind)] = &[
    ("best_of", Kind::Integer(0, 20)),
    ("echo", Kind::Bool),
    ("frequency_penalty", Kind::Number(-2.0, 2.0)),
    ("logit_bias", Kind::Object),
    ("logprobs", Kind::Integer(0, 5)),
    ("max_tokens", Kind::Integer(0, i64::MAX)),
    ("model", Kind::Text),
    ("n", Kind::Integer(1, 128)),
    ("presence_penalty", Kind::Number(-2.0, 2.0)),
    ("prompt", Kind::TextOrList),
    ("seed", Kind::Integer(i64::MIN, i64::MAX)),
    ("stop", Kind::TextOrList),
    ("stream", Kind::Bool),
    ("stream_options", Kind::Object),
    ("suffix", Kind::Text),
    ("temperature", Kind::Number(0.0, 2.0)),
    ("top_p", Kind::Number(0.0, 1.0)),
    ("user", Kind::Text),
];

/// Checks a request and frees it of its dialect. Each prompt has as many choices as are wanted.
pub(super) fn read(body: &Object) -> Result<Ask, Refusal> {
    parameters(body, PARAMETERS, "prompt")?;
    conflicts(body)?;
    let mut ask = Ask {
        copies: 1,
        older: true,
        ..Ask::default()
    };
    options(body, &mut ask)?;
    let best_of = body.get("best_of").and_then(Value::as_u64);
    if ask.stream && best_of.is_some_and(|best_of| best_of > 1) {
        return Err(invalid("Cannot stream results with best_of > 1.").param("best_of"));
    }
    let prompts: Vec<String> = match body.get("prompt") {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(list)) if list.iter().all(Value::is_string) => {
            list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        Some(Value::Array(list)) => vec![list.iter().map(Value::to_string).collect::<Vec<_>>().join(" ")],
        _ => Vec::new(),
    };
    ask.copies *= prompts.len().max(1) as u64;
    prompts.iter().for_each(|prompt| ask.read(prompt));
    ask.user_text = prompts.into_iter().next_back().unwrap_or_default();
    Ok(ask)
}

fn body(ask: &Ask, stamp: Stamp, choices: Vec<Value>, counts: Option<Value>) -> Value {
    let mut body = json!({
        "id": format!("cmpl-{}", letters(stamp.sequence, 29)),
        "object": "text_completion",
        "created": stamp.now,
        "model": ask.model(),
        "choices": choices,
    });
    if let (Some(body), Some(counts)) = (body.as_object_mut(), counts) {
        body.insert("usage".to_owned(), counts);
    }
    body
}

fn choice(index: u64, text: &str, finish: Option<&str>) -> Value {
    json!({"text": text, "index": index, "logprobs": null, "finish_reason": finish})
}

/// The answer in one piece.
pub(super) fn buffered(ask: &Ask, answer: &Answer, faults: &Faults, stamp: Stamp) -> Vec<u8> {
    let text = answer.whole_text();
    let choices = (0..ask.copies).map(|index| choice(index, &text, Some(finish_reason(ask, answer))));
    let counts = (!faults.no_usage).then(|| json!(usage(&answer.usage, ask.copies)));
    serde_json::to_vec_pretty(&body(ask, stamp, choices.collect(), counts)).unwrap_or_default()
}

/// The answer as chunks.
pub(super) fn streamed(ask: &Ask, answer: &Answer, faults: &Faults, stamp: Stamp) -> Vec<Piece> {
    let counted = ask.usage_chunk && !faults.no_usage;
    let write = |choices, counts: Option<Value>, tokens| {
        let counts = counts.or(counted.then_some(Value::Null));
        let chunk = body(ask, stamp, choices, counts).to_string();
        Piece::tokens(sse(None, &chunk, faults), tokens)
    };
    let mut pieces = Vec::new();
    for token in &answer.text {
        pieces.extend((0..ask.copies).map(|index| write(vec![choice(index, token, None)], None, 1)));
    }
    let finish = Some(finish_reason(ask, answer));
    pieces.extend((0..ask.copies).map(|index| write(vec![choice(index, "", finish)], None, 0)));
    if counted {
        pieces.push(write(
            Vec::new(),
            Some(json!(usage(&answer.usage, ask.copies))),
            0,
        ));
    }
    if !faults.no_done {
        pieces.push(Piece::plain(sse(None, "[DONE]", faults)));
    }
    pieces
}
