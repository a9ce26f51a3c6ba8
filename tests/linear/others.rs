//! Answers to something else than chats: to texts that are continued, and to embeddings.

use crate::answers::{JSON, SSE, Shape, lines, shape};
use crate::requests::list;

const COMPLETIONS: &[&str] = &["openai-completions"];
const COHERES: &[&str] = &["cohere-embeddings", "bedrock-cohere-embeddings"];

pub(crate) static OTHERS: &[Shape] = &[
    shape(COMPLETIONS, SSE, "texts", 1_000, |count| {
        lines(count, |_| {
            r#"{"choices":[{"index":0,"text":"word "}]}"#.to_owned()
        }) + "{\"choices\":[{\"index\":0,\"text\":\"\",\"finish_reason\":\"stop\"}]}\n"
    }),
    shape(COMPLETIONS, JSON, "choices", 60, |count| {
        let choice = |at| format!(r#"{{"index":{at},"text":"a","logprobs":null,"finish_reason":"stop"}}"#);
        format!(r#"{{"choices":[{}]}}"#, list(count, choice))
    }),
    shape(COMPLETIONS, JSON, "probabilities", 500, |count| {
        let tokens = list(count, |at| format!("\"t{at}\""));
        let numbers = list(count, |_| "-0.1".to_owned());
        format!(
            r#"{{"choices":[{{"index":0,"text":"a","logprobs":{{"tokens":[{tokens}],"token_logprobs":[{numbers}]}},"finish_reason":"stop"}}]}}"#
        )
    }),
    shape(&["openai-embeddings"], JSON, "vectors", 500, |count| {
        let vector = |at| format!(r#"{{"object":"embedding","index":{at},"embedding":[0.1,0.2]}}"#);
        format!(r#"{{"object":"list","data":[{}]}}"#, list(count, vector))
    }),
    shape(
        &["openai-embeddings"],
        JSON,
        "numbers of a vector",
        1_000,
        |count| {
            format!(
                r#"{{"object":"list","data":[{{"object":"embedding","index":0,"embedding":[{}]}}]}}"#,
                numbers(count)
            )
        },
    ),
    shape(&["gemini-embeddings"], JSON, "vectors", 500, |count| {
        let vector = |_| r#"{"values":[0.1,0.2]}"#.to_owned();
        format!(r#"{{"embeddings":[{}]}}"#, list(count, vector))
    }),
    shape(
        &["gemini-embeddings"],
        JSON,
        "numbers of a vector",
        1_000,
        |count| format!(r#"{{"embeddings":[{{"values":[{}]}}]}}"#, numbers(count)),
    ),
    shape(COHERES, JSON, "vectors", 500, |count| {
        let vector = |_| "[0.1,0.2]".to_owned();
        format!(
            r#"{{"id":"x","embeddings":{{"float":[{}]}}}}"#,
            list(count, vector)
        )
    }),
    shape(COHERES, JSON, "numbers of a vector", 1_000, |count| {
        format!(r#"{{"id":"x","embeddings":{{"float":[[{}]]}}}}"#, numbers(count))
    }),
    shape(
        &["titan-embeddings"],
        JSON,
        "numbers of a vector",
        1_000,
        |count| format!(r#"{{"embedding":[{}],"inputTextTokenCount":6}}"#, numbers(count)),
    ),
];

fn numbers(count: usize) -> String {
    list(count, |at| format!("0.{at}"))
}
