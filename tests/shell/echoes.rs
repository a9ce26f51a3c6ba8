//! Providers that repeat the credential that they were sent, in any place and any encoding: nobody else sees it.

use super::envoy::{Envoy, chat_headers, logs};
use super::provider::{
    Event, PROVIDERS, Script, chat, config, error_event, error_saying, head, streamed, streamed_head, test,
    test_with,
};
use crosspoint::base64;
use serde_json::json;

/// A credential as providers may repeat it.
fn echoes(key: &str) -> Vec<String> {
    let percent = key.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let escaped = key.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    let base64 = ["", "i", "id"].map(|before| base64::encode(format!("{before}{key}").as_bytes()));
    let url = base64::encode_url(format!("user:{key}").as_bytes());
    let mut all = vec![
        key.to_owned(),
        key.chars().take(9).collect(),
        percent,
        escaped,
        url,
    ];
    all.extend(base64);
    all
}

/// Nothing that leaves the gateway has a part of the credential, or of what it was repeated as.
fn assert_unseen(envoy: &Envoy, id: u32, key: &str, echo: &str) {
    let client = envoy.client(id);
    let receipts: Vec<String> = envoy.receipts(id).iter().map(ToString::to_string).collect();
    let shown = format!(
        "{}\n{:?}\n{receipts:?}\n{:?}",
        client.text(),
        client.headers,
        logs()
    );
    let parts = key.as_bytes().windows(8);
    // In base64 the letters at both ends are those of neighbours, too.
    let inner = echo
        .get(4..echo.len().saturating_sub(4))
        .unwrap_or_default()
        .as_bytes();
    let parts = parts
        .chain(inner.windows(12))
        .map(|part| std::str::from_utf8(part).unwrap());
    for part in parts {
        assert!(!shown.contains(part), "{part} of {echo} in {shown}");
    }
}

/// Every script that has the provider say it: as the body of an error, and in a stream before and after its first token.
fn scripts(provider: &str, said: &str) -> Vec<(bool, Script)> {
    let mut all: Vec<_> = [400, 401, 402, 403, 429, 500]
        .into_iter()
        .map(|status| (false, error_saying(provider, status, said, said)))
        .collect();
    for begun in [0, 4] {
        let mut script = streamed_head(provider);
        let pieces = streamed(provider, "one two three");
        script.extend(pieces.into_iter().take(begun).map(Event::Data));
        script.push(Event::End(error_event(provider, said, said)));
        all.push((true, script));
    }
    all
}

#[test]
fn a_credential_that_a_provider_repeats_is_taken_out() {
    test(|envoy| {
        for provider in PROVIDERS {
            let key = format!("key-of-{}", provider.to_uppercase());
            for echo in echoes(&key) {
                for (stream, script) in scripts(provider, &format!("refused: {echo}.")) {
                    let model = format!("m/{provider}");
                    let id = envoy.exchange(&chat(&model, stream), &[(provider, script)]);
                    assert!(envoy.client(id).complete);
                    assert!(
                        envoy.client(id).text().contains("error_type"),
                        "{provider} {echo}"
                    );
                    assert_unseen(envoy, id, &key, &echo);
                    envoy.advance(600_000);
                }
            }
        }
    });
}

#[test]
fn a_refused_credential_is_told_of_in_our_words() {
    let mut config = config();
    config["providers"]["openai"]["byok"] = json!(true);
    test_with(&config, |envoy| {
        for (own, words) in [
            (false, "the gateway's operator must check it"),
            (true, "the key in x-provider-key"),
        ] {
            for (status, code) in [(401, "x"), (403, "x"), (402, "x"), (429, "insufficient_quota")] {
                let mut headers = chat_headers();
                if own {
                    headers.set(b"x-provider-key", b"openai=sk-of-the-caller-0123");
                }
                let id = envoy.open(&headers, false);
                envoy.request_data(id, chat("m/openai", false).to_string().as_bytes(), true);
                let said = "Incorrect API key provided: sk-of-t***0123";
                envoy.play(id, &[("openai", error_saying("openai", status, code, said))]);
                let error = envoy.client(id).json()["error"].clone();
                let message = error["message"].as_str().unwrap();
                assert!(message.contains(words), "{status} {own}: {message}");
                assert_unseen(envoy, id, "sk-of-the-caller-0123", said);
                envoy.advance(600_000);
            }
        }
    });
}

#[test]
fn what_is_passed_on_unread_has_no_credential() {
    let key = "key-of-OPENAI";
    test(|envoy| {
        for echo in echoes(key) {
            let mut script = streamed_head("openai");
            let mut pieces = streamed("openai", "one two");
            let last = pieces.pop().unwrap();
            script.extend(pieces.into_iter().map(Event::Data));
            script.push(Event::Data(
                format!("data: {{\"note\":\"{echo}\"}}\n\n").into_bytes(),
            ));
            script.push(Event::End(last));
            let id = envoy.exchange(&chat("m/openai", true), &[("openai", script)]);
            assert_eq!(envoy.client(id).streamed().0, "one two");
            assert!(envoy.client(id).text().contains("[credential]"), "{echo}");
            assert_unseen(envoy, id, key, &echo);
            let script = vec![
                Event::Head(head(200, "application/json")),
                Event::End(
                    json!({"message": echo, "metadata": {"raw": echo}})
                        .to_string()
                        .into_bytes(),
                ),
            ];
            let id = envoy.exchange(&chat("m/openai", false), &[("openai", script)]);
            assert_unseen(envoy, id, key, &echo);
            envoy.advance(600_000);
        }
    });
}

#[test]
fn an_error_of_a_choice_and_an_event_called_error_are_errors() {
    let key = "key-of-OPENAI";
    test(|envoy| {
        let error = json!({"code": 502, "message": key, "metadata": {"raw": key}});
        let choice = json!({"index": 0, "delta": {"content": ""}, "finish_reason": "error", "error": error});
        let chunk = json!({"id": "c", "object": "chat.completion.chunk", "choices": [choice]});
        let named = format!("event: error\ndata: {}\n\n", json!({"message": key}));
        for last in [format!("data: {chunk}\n\n"), named] {
            for begun in [0, 3] {
                let mut script = streamed_head("openai");
                let pieces = streamed("openai", "one two");
                script.extend(pieces.into_iter().take(begun).map(Event::Data));
                script.push(Event::End(last.clone().into_bytes()));
                let id = envoy.exchange(&chat("m/openai", true), &[("openai", script)]);
                assert!(
                    envoy.client(id).text().contains("[credential]"),
                    "{}",
                    envoy.client(id).text()
                );
                assert!(envoy.client(id).text().contains("error_type"));
                assert_unseen(envoy, id, key, key);
                envoy.advance(600_000);
            }
        }
    });
}
