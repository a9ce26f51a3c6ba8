//! Embeddings and the older completions.

use super::envoy::{Envoy, chat_headers};
use super::provider::{Event, Script, config, head, test, test_with};
use serde_json::{Value, json};

/// Posts a body to a path.
fn post(envoy: &mut Envoy, path: &str, body: &Value) -> u32 {
    let mut headers = chat_headers();
    headers.set(b":path", path.as_bytes());
    let id = envoy.open(&headers, false);
    envoy.request_data(id, body.to_string().as_bytes(), true);
    id
}

fn says(body: &Value) -> Script {
    vec![
        Event::Head(head(200, "application/json")),
        Event::End(body.to_string().into_bytes()),
    ]
}

/// A configuration whose Bedrock endpoint embeds.
fn embedding() -> Value {
    let mut config = config();
    config["models"]["m/any"]["endpoints"][2]["model"] = json!("amazon.titan-embed-text-v2:0");
    config
}

#[test]
fn no_vector_moves_on_past_a_provider_that_has_no_embeddings() {
    test_with(&embedding(), |envoy| {
        let order = json!({"order": ["openai", "anthropic", "bedrock"]});
        let request = json!({"model": "m/any", "input": "a", "encoding_format": "base64", "provider": order});
        let id = post(envoy, "/v1/embeddings", &request);
        envoy.play(
            id,
            &[
                (
                    "openai",
                    says(&json!({"object": "list", "data": [], "model": "x"})),
                ),
                (
                    "bedrock",
                    says(&json!({"embedding": [0.5], "inputTextTokenCount": 1})),
                ),
            ],
        );
        let client = envoy.client(id);
        assert_eq!((client.status(), client.complete), (200, true));
        let body = client.json();
        assert_eq!(
            body["data"],
            json!([{"object": "embedding", "index": 0, "embedding": "AAAAPw=="}])
        );
        assert_eq!(body["usage"]["prompt_tokens"], 1);
        assert_eq!(body["usage"]["total_tokens"], 1);
        let paths: Vec<_> = envoy
            .sent(id)
            .iter()
            .map(|sent| sent.headers.text(":path").unwrap().to_owned())
            .collect();
        assert_eq!(
            paths,
            ["/v1/embeddings", "/model/amazon.titan-embed-text-v2%3A0/invoke"]
        );
        let receipt = envoy.receipt(id);
        assert_eq!(receipt["operation"], "embeddings");
        assert_eq!(
            envoy.attempts(id),
            json!([
                ["openai", "error", "provider_unavailable", 200],
                ["bedrock", "success", null, 200]
            ])
        );
    });
}

/// Whether the provider's own bytes would go on or not.
#[test]
fn fewer_vectors_than_inputs_move_on() {
    for format in ["float", "base64"] {
        test_with(&config(), |envoy| {
            let order = json!({"order": ["openai", "groq"]});
            let inputs = json!(["a", [1, 2], "c"]);
            let request =
                json!({"model": "m/any", "input": inputs, "encoding_format": format, "provider": order});
            let id = post(envoy, "/v1/embeddings", &request);
            let entry = |index| json!({"object": "embedding", "index": index, "embedding": [0.5]});
            let hollow = json!({"object": "embedding", "index": 1, "embedding": []});
            let body = json!({"object": "list", "model": "x", "data": [entry(0), hollow, entry(2)]});
            envoy.play(id, &[("openai", says(&body))]);
            let client = envoy.client(id);
            assert_eq!(client.status(), 502, "{format}");
            assert_eq!(
                client.json()["error"]["message"],
                "the provider answered 3 inputs with 2 embeddings"
            );
        });
    }
}

#[test]
fn a_completion_is_streamed_as_it_came() {
    test(|envoy| {
        let chunk = |text: &str, finish: Value| {
            let choice = json!({"text": text, "index": 0, "logprobs": null, "finish_reason": finish});
            let body = json!({"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "x", "choices": [choice]});
            format!("data: {body}\n\n")
        };
        let (first, last) = (chunk("a", Value::Null), chunk(" b", json!("stop")));
        let request = json!({"model": "m/openai", "prompt": "x", "stream": true});
        let id = post(envoy, "/v1/completions", &request);
        let script = vec![
            Event::Head(head(200, "text/event-stream")),
            Event::Data(first.clone().into_bytes()),
            Event::End(format!("{last}data: [DONE]\n\n").into_bytes()),
        ];
        envoy.play(id, &[("openai", script)]);
        assert_eq!(envoy.client(id).text(), format!("{first}{last}data: [DONE]\n\n"));
        assert_eq!(
            envoy.sent(id)[0].headers.text(":path").unwrap(),
            "/v1/completions"
        );
        let receipt = envoy.receipt(id);
        assert_eq!(
            (
                &receipt["operation"],
                &receipt["outcome"],
                &receipt["finish_reason"]
            ),
            (&json!("completions"), &json!("success"), &json!("stop"))
        );
    });
}

#[test]
fn what_no_endpoint_serves_is_refused_before_any_attempt() {
    test(|envoy| {
        for (path, prompt) in [("/v1/embeddings", "input"), ("/v1/completions", "prompt")] {
            for model in ["m/anthropic", "m/bedrock"] {
                let mut request = json!({"model": model});
                request[prompt] = json!("a");
                let id = post(envoy, path, &request);
                assert_eq!(envoy.client(id).status(), 404);
                let message = envoy.client(id).json()["error"]["message"].to_string();
                assert!(message.contains("try m/any, m/openai"), "{message}");
                assert!(envoy.sent(id).is_empty());
                assert_eq!(envoy.receipt(id)["outcome"], "refused");
            }
        }
    });
}

#[test]
fn a_chats_health_is_untouched_by_its_embeddings() {
    test(|envoy| {
        for _ in 0..6 {
            let id = post(
                envoy,
                "/v1/embeddings",
                &json!({"model": "m/openai", "input": "a"}),
            );
            let missing = vec![
                Event::Head(head(404, "application/json")),
                Event::End(b"{}".to_vec()),
            ];
            envoy.play(id, &[("openai", missing)]);
            assert_eq!(envoy.client(id).status(), 502);
        }
        let reason = |envoy: &Envoy, id| envoy.receipt(id)["attempts"][0]["reason"].clone();
        let id = envoy.exchange(
            &super::provider::chat("m/openai", false),
            &[("openai", super::provider::answer("openai", false, "hi"))],
        );
        assert_eq!(reason(envoy, id), "price");
        let id = post(
            envoy,
            "/v1/embeddings",
            &json!({"model": "m/openai", "input": "a"}),
        );
        envoy.play(
            id,
            &[(
                "openai",
                says(&json!({"data": [{"embedding": [1]}], "model": "x"})),
            )],
        );
        assert_eq!(reason(envoy, id), "down");
    });
}
