//! What moves an exchange to the next model of `models`, and whom that leaves out.

use super::envoy::Envoy;
use super::provider::{Event, Script, answer, buffered, error, head, streamed_head, test_with};
use serde_json::{Value, json};

/// `m/a` is served by two, `m/b` by one; `m/sizes` by three that take more and more.
fn config() -> Value {
    let endpoint = |provider: &str, more: Value| {
        let mut endpoint = json!({
            "provider": provider, "model": format!("{provider}-model"),
            "price": {"prompt": "1.00", "completion": "2.00"},
        });
        for (name, value) in more.as_object().unwrap() {
            endpoint[name] = value.clone();
        }
        endpoint
    };
    let mut config = super::provider::config();
    config["models"] = json!({
        "m/a": {"endpoints": [endpoint("openai", json!({})), endpoint("anthropic", json!({}))]},
        "m/b": {"endpoints": [endpoint("bedrock", json!({}))]},
        "m/sizes": {"endpoints": [
            endpoint("openai", json!({"context_length": 1000})),
            endpoint("anthropic", json!({"context_length": 1000})),
            endpoint("bedrock", json!({"context_length": 9000})),
        ]},
    });
    config
}

fn chat(models: &[&str], stream: bool) -> Value {
    json!({
        "models": models, "messages": [{"role": "user", "content": "Say something."}], "stream": stream,
        "provider": {"order": ["openai", "anthropic", "bedrock"]},
    })
}

/// An error of OpenAI's with this code.
fn coded(status: u16, code: &str) -> Script {
    let body = json!({"error": {
        "message": "no", "type": "invalid_request_error", "param": "messages", "code": code,
    }});
    vec![
        Event::Head(head(status, "application/json")),
        Event::End(body.to_string().into_bytes()),
    ]
}

/// An answer of OpenAI's that a filter has stopped before its first token.
fn filtered(stream: bool) -> Script {
    if !stream {
        let body = String::from_utf8(buffered("openai", "")).unwrap();
        return vec![
            Event::Head(head(200, "application/json")),
            Event::End(body.replace("\"stop\"", "\"content_filter\"").into_bytes()),
        ];
    }
    let chunk = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": "content_filter"}],
    });
    let mut script = streamed_head("openai");
    script.push(Event::End(
        format!("data: {chunk}\n\ndata: [DONE]\n\n").into_bytes(),
    ));
    script
}

fn serves(envoy: &Envoy, id: u32, model: &str, provider: &str) {
    let client = envoy.client(id);
    assert_eq!(client.status(), 200, "{}", client.text());
    assert!(client.text().contains("good") && !client.text().contains("error"));
    assert_eq!(client.header("x-crosspoint-provider").unwrap(), provider);
    let receipt = envoy.receipt(id);
    assert_eq!(receipt["served_model"], model);
    assert_eq!(receipt["outcome"], "success");
}

/// `m/a` fails like this at its first endpoint; checks that `m/b` answers, whose other endpoint is not asked.
fn check(first: impl Fn(bool) -> Script + Send, error_type: &'static str) {
    test_with(&config(), move |envoy| {
        for stream in [false, true] {
            let scripts = [
                ("openai", first(stream)),
                ("bedrock", answer("bedrock", stream, "good")),
            ];
            let id = envoy.exchange(&chat(&["m/a", "m/b"], stream), &scripts);
            serves(envoy, id, "m/b", "bedrock");
            assert_eq!(envoy.attempts(id)[0][2], error_type);
            assert_eq!(envoy.attempts(id).as_array().unwrap().len(), 2);
        }
    });
}

#[test]
fn a_prompt_that_is_too_long_moves_on() {
    check(
        |_| coded(400, "context_length_exceeded"),
        "context_length_exceeded",
    );
}

#[test]
fn a_refused_prompt_moves_on() {
    check(
        |_| coded(400, "content_policy_violation"),
        "content_policy_violation",
    );
}

#[test]
fn a_request_that_a_model_does_not_take_moves_on() {
    check(|_| coded(400, "unsupported_parameter"), "invalid_request");
    check(|_| error("openai", 413), "payload_too_large");
    check(|_| error("openai", 422), "unprocessable");
}

#[test]
fn an_answer_that_is_filtered_before_its_first_token_moves_on() {
    check(filtered, "content_policy_violation");
}

#[test]
fn an_answer_that_is_filtered_is_given_out_when_no_other_model_can_be_asked() {
    test_with(&config(), |envoy| {
        for stream in [false, true] {
            let id = envoy.exchange(&chat(&["m/a"], stream), &[("openai", filtered(stream))]);
            assert_eq!(envoy.client(id).status(), 200);
            assert!(envoy.client(id).text().contains("content_filter"));
            assert_eq!(envoy.sent(id).len(), 1);
            assert_eq!(envoy.receipt(id)["finish_reason"], "content_filter");
        }
    });
}

#[test]
fn a_failure_of_the_endpoint_stays_with_the_model() {
    test_with(&config(), |envoy| {
        for status in [404, 429, 500] {
            let scripts = [
                ("openai", error("openai", status)),
                ("anthropic", answer("anthropic", false, "good")),
            ];
            let id = envoy.exchange(&chat(&["m/a", "m/b"], false), &scripts);
            serves(envoy, id, "m/a", "anthropic");
        }
    });
}

#[test]
fn a_prompt_that_is_too_long_is_shown_to_who_takes_more() {
    test_with(&config(), |envoy| {
        let scripts = [
            ("openai", coded(400, "context_length_exceeded")),
            ("bedrock", answer("bedrock", false, "good")),
        ];
        let id = envoy.exchange(&chat(&["m/sizes"], false), &scripts);
        serves(envoy, id, "m/sizes", "bedrock");
    });
}

#[test]
fn the_last_models_error_is_told_and_those_before_it_are_listed() {
    test_with(&config(), |envoy| {
        for stream in [false, true] {
            let scripts = [
                ("openai", error("openai", 503)),
                ("anthropic", error("anthropic", 400)),
                ("bedrock", error("bedrock", 429)),
            ];
            let id = envoy.exchange(&chat(&["m/a", "m/b"], stream), &scripts);
            let client = envoy.client(id);
            assert_eq!(client.status(), 429);
            let metadata = client.json()["error"]["metadata"].clone();
            assert_eq!(metadata["error_type"], "rate_limit_exceeded");
            assert_eq!(metadata["provider_name"], "bedrock");
            assert_eq!(
                metadata["previous_errors"],
                json!([
                    {"provider": "openai", "code": "provider_overloaded", "status": 503},
                    {"provider": "anthropic", "code": "invalid_request", "status": 400},
                ])
            );
        }
    });
}

#[test]
fn the_callers_fault_is_told_when_it_came_last() {
    test_with(&config(), |envoy| {
        let scripts = [
            ("openai", error("openai", 429)),
            ("anthropic", error("anthropic", 400)),
        ];
        let id = envoy.exchange(&chat(&["m/a"], false), &scripts);
        let client = envoy.client(id);
        assert_eq!(client.status(), 400);
        let previous = &client.json()["error"]["metadata"]["previous_errors"];
        assert_eq!(previous.as_array().unwrap().len(), 1);
        assert_eq!(previous[0]["code"], "rate_limit_exceeded");
    });
}

#[test]
fn a_reset_is_followed_by_the_next_model_too() {
    test_with(&config(), |envoy| {
        let scripts = [
            ("openai", vec![Event::Reset]),
            ("anthropic", coded(400, "context_length_exceeded")),
            ("bedrock", answer("bedrock", true, "good")),
        ];
        let id = envoy.exchange(&chat(&["m/a", "m/b"], true), &scripts);
        serves(envoy, id, "m/b", "bedrock");
    });
}
