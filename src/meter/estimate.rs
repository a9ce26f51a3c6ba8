//! The tokens of a prompt, where a provider reported none: its texts, what its form adds, its tools and its images.

mod messages;

use super::image::{Detail, Images};
use super::{Source, Thumb, TokenCounter, tools};
use crate::chat::{Input, Operation, Part, Request};
use messages::Prompt;

/// Tokens with which the answer of a chat is begun, for OpenAI's models.
/// <https://developers.openai.com/cookbook/examples/how_to_count_tokens_with_tiktoken>
const PER_ANSWER: u64 = 3;

/// The prompt's tokens for the model with these names, and how good the count is. Texts are counted by its vocabulary,
/// which takes the longer the longer they are.
pub fn estimate_prompt(request: &Request, names: &[&str]) -> (u64, Source) {
    estimate(request, TokenCounter::of(names), Images::of(names))
}

/// The same with texts by a rule of thumb, which takes a fraction of the time.
pub fn sketch_prompt(request: &Request, names: &[&str]) -> (u64, Source) {
    estimate(request, TokenCounter::Thumb(Thumb::default()), Images::of(names))
}

fn estimate(request: &Request, counter: TokenCounter, images: Images) -> (u64, Source) {
    match request.operation() {
        Operation::Chat => of_messages(request, counter, images),
        Operation::Completions | Operation::Embeddings => of_inputs(request, &counter, images),
    }
}

fn of_inputs(request: &Request, counter: &TokenCounter, images: Images) -> (u64, Source) {
    let (mut tokens, mut source) = (0, counter.source());
    let mut add = |text: &str| {
        let mut counter = counter.clone();
        counter.feed(text);
        tokens += counter.count();
    };
    let mut extra = 0;
    // What cannot be read was refused, or is the provider's to judge.
    for input in request.inputs().unwrap_or_default() {
        match input {
            Input::Text(text) => add(&text),
            Input::Tokens(count) => extra += count as u64,
            Input::Parts(parts) => {
                for part in &parts {
                    match part {
                        Part::Text { text, .. } => add(text),
                        Part::Image { url, detail, .. } => {
                            let detail = detail.as_deref().map(Detail::of);
                            extra += images.tokens(url, detail.unwrap_or_default());
                            source = Source::Estimate;
                        }
                        Part::File { .. } | Part::Other { .. } => source = Source::Estimate,
                    }
                }
            }
        }
    }
    (tokens + extra, source)
}

fn of_messages(request: &Request, counter: TokenCounter, images: Images) -> (u64, Source) {
    let source = counter.source();
    let per_answer = if source == Source::Tokenizer {
        PER_ANSWER
    } else {
        0
    };
    let mut prompt = Prompt {
        counter,
        images,
        extra: 0,
        source,
        has_text: false,
    };
    prompt.read(request.raw("messages").unwrap_or("[]"));
    if prompt.extra > 0 {
        prompt.extra += per_answer;
    }
    if request.has("tools") {
        prompt.extra += tools::feed(request, &mut prompt.counter);
        // The provider does not promise the formula.
        prompt.source = Source::Estimate;
    }
    (prompt.counter.count() + prompt.extra, prompt.source)
}

#[cfg(test)]
mod tests {
    use super::super::image::size::tests::png;
    use super::messages::PER_MESSAGE;
    use super::*;
    use crate::test;

    #[test]
    fn texts_tokens_and_prompts_are_estimated_too() {
        for (operation, body, expected) in [
            (Operation::Embeddings, r#"{"input":["one two","three"]}"#, 3),
            (Operation::Embeddings, r#"{"input":[[1,2,3],[4]]}"#, 4),
            (Operation::Completions, r#"{"prompt":"one two three"}"#, 3),
            (
                Operation::Completions,
                r#"{"prompt":null,"messages":[{"role":"user","content":"one"}]}"#,
                0,
            ),
        ] {
            let request = Request::parse(body.as_bytes().to_vec()).unwrap().of(operation);
            assert_eq!(estimate_prompt(&request, &[]).0, expected, "{body}");
        }
    }

    /// Of a message without text, by the rule of thumb, which counts the line that it ends.
    const ONE_MESSAGE: u64 = PER_MESSAGE + 1;

    fn with_image(image: &str) -> Request {
        let text = format!(
            r#"{{"messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{image}}}]}}]}}"#
        );
        Request::parse(text.into_bytes()).unwrap()
    }

    #[test]
    fn an_image_counts_by_its_size_and_detail() {
        let small = png(512, 512);
        let escaped = small.replace('/', "\\/");
        let long = format!("{small}{}", "A".repeat(100_000));
        for (image, expected) in [
            (format!(r#"{{"url":"{small}"}}"#), 255),
            (format!(r#"{{"url":"{long}","detail":"auto"}}"#), 255),
            (format!(r#"{{"detail":"low","url":"{small}"}}"#), 85),
            (format!(r#""{escaped}""#), 255),
            (r#"{"url":"https://example.com/a.png"}"#.to_owned(), 765),
            (
                r#"{"url":"https://example.com/a.png","detail":"low"}"#.to_owned(),
                85,
            ),
            (r#"{"url":7,"detail":{}}"#.to_owned(), 765),
            ("null".to_owned(), 765),
        ] {
            let request = with_image(&image);
            for (tokens, source) in [
                sketch_prompt(&request, &["gpt-4o"]),
                estimate_prompt(&request, &[]),
            ] {
                assert_eq!(
                    (tokens, source),
                    (ONE_MESSAGE + expected, Source::Estimate),
                    "{image:.90}"
                );
            }
        }
    }

    #[test]
    fn a_sketch_counts_images_by_the_models_own_rule() {
        let request = with_image(&format!(r#""{}""#, png(1_000, 1_000)));
        let tokens = |name: &str| sketch_prompt(&request, &[name]).0 - ONE_MESSAGE;
        assert_eq!(tokens("claude-opus-4-7"), 1_296);
        assert_eq!(tokens("gemini-3-pro"), 1_120);
        assert_eq!(tokens("gpt-5-mini"), 1_229);
    }

    #[test]
    fn what_an_assistant_drew_and_what_is_embedded_are_images_too() {
        let image = png(512, 512);
        let drawn = format!(
            r#"{{"messages":[{{"role":"assistant","images":[{{"image_url":{{"url":"{image}"}}}},{{}}]}}]}}"#
        );
        let request = Request::parse(drawn.into_bytes()).unwrap();
        assert_eq!(estimate_prompt(&request, &[]).0, ONE_MESSAGE + 255 + 765);
        let embedded = format!(
            r#"{{"input":[{{"content":[{{"type":"image_url","image_url":{{"url":"{image}","detail":"low"}}}}]}}]}}"#
        );
        let request = Request::parse(embedded.into_bytes()).unwrap();
        let request = request.of(Operation::Embeddings);
        assert_eq!(estimate_prompt(&request, &[]), (85, Source::Estimate));
    }

    /// The conversation and the tool of <https://developers.openai.com/cookbook/examples/how_to_count_tokens_with_tiktoken>,
    /// and what OpenAI counted of them.
    #[cfg(feature = "tokenizer")]
    #[test]
    fn tools_count_as_documented() {
        let body = r#"{"messages":[
            {"role":"system","content":"You are a helpful assistant that can answer to questions about the weather."},
            {"role":"user","content":"What's the weather like in San Francisco?"}
        ],"tools":[{"type":"function","function":{
            "name":"get_current_weather","description":"Get the current weather in a given location",
            "parameters":{"type":"object","properties":{
                "location":{"type":"string","description":"The city and state, e.g. San Francisco, CA"},
                "unit":{"type":"string","description":"The unit of temperature to return","enum":["celsius","fahrenheit"]}
            },"required":["location"]}
        }}]}"#;
        let request = Request::parse(body.as_bytes().to_vec()).unwrap();
        assert_eq!(estimate_prompt(&request, &["gpt-4o"]), (101, Source::Estimate));
        assert_eq!(estimate_prompt(&request, &["gpt-4"]), (105, Source::Estimate));
    }

    #[test]
    fn text_counts_in_any_of_its_places() {
        let check = |messages: &str, expected: u64| {
            let text = format!(r#"{{"messages":{messages}}}"#);
            let request = Request::parse(text.into_bytes()).unwrap();
            assert_eq!(estimate_prompt(&request, &[]).0, expected, "{messages}");
        };
        let one = ONE_MESSAGE;
        check("[]", 0);
        check("7", 0);
        check(r#"[{"role":"assistant","content":null}]"#, one);
        check(r#"[{"role":"user","content":"word"}]"#, one + 1);
        check(
            r#"[{"role":"assistant","content":null,"refusal":"word"}]"#,
            one + 1,
        );
        check(r#"[{"role":"user","content":"w\u006frd"}]"#, one + 1);
        check(
            r#"[{"role":"user","content":[{"type":"text","text":"word"}]}]"#,
            one + 1,
        );
        check(
            r#"[{"role":"assistant","content":[{"type":"refusal","refusal":"word"}]}]"#,
            one + 1,
        );
        check(
            r#"[{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"word","arguments":"12"}}]}]"#,
            one + 2,
        );
    }
}
