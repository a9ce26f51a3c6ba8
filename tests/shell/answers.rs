//! Good answers, in every dialect.

use super::host::host;
use super::provider::{PROVIDERS, answer, chat, test};

#[test]
fn a_buffered_answer_comes_through_every_dialect() {
    test(|envoy| {
        for provider in PROVIDERS {
            let model = format!("m/{provider}");
            let id = envoy.exchange(
                &chat(&model, false),
                &[(provider, answer(provider, false, "one two"))],
            );
            let client = envoy.client(id);
            assert!(client.complete);
            assert_eq!(client.status(), 200, "{provider}");
            assert_eq!(client.header("content-type").unwrap(), "application/json");
            let body = client.json();
            assert_eq!(body["choices"][0]["message"]["content"], "one two", "{provider}");
            assert_eq!(body["usage"]["total_tokens"], 15, "{provider}");
        }
    });
}

#[test]
fn a_streamed_answer_comes_through_every_dialect() {
    test(|envoy| {
        for provider in PROVIDERS {
            let model = format!("m/{provider}");
            let script = answer(provider, true, "one two three");
            let id = envoy.exchange(&chat(&model, true), &[(provider, script)]);
            let client = envoy.client(id);
            assert!(client.complete);
            assert_eq!(client.status(), 200, "{provider}");
            assert_eq!(client.header("content-type").unwrap(), "text/event-stream");
            assert_eq!(client.header("content-length"), None);
            assert_eq!(
                client.streamed(),
                ("one two three".to_owned(), true),
                "{provider}"
            );
        }
    });
}

#[test]
fn a_stream_reaches_the_client_token_by_token() {
    test(|envoy| {
        for provider in PROVIDERS {
            let id = envoy.post(&chat(&format!("m/{provider}"), true));
            let mut seen = Vec::new();
            for event in answer(provider, true, "a b c") {
                envoy.event(id, &event);
                let text = envoy.client(id).streamed().0;
                if seen.last() != Some(&text) {
                    seen.push(text);
                }
            }
            assert_eq!(seen, ["", "a ", "a b ", "a b c"], "{provider}");
        }
    });
}

#[test]
fn headers_are_held_until_the_first_token() {
    test(|envoy| {
        let id = envoy.post(&chat("m/anthropic", true));
        for event in answer("anthropic", true, "word") {
            let before = envoy.client(id).headers.is_some();
            envoy.event(id, &event);
            assert_eq!(
                envoy.client(id).headers.is_some(),
                before || envoy.client(id).text().contains("word")
            );
        }
    });
}

#[test]
fn any_cut_of_the_stream_gives_the_same_answer() {
    test(|envoy| {
        for provider in PROVIDERS {
            let script = answer(provider, true, "one two");
            let whole: Vec<u8> = super::provider::streamed(provider, "one two").concat();
            for size in [1, 7, 64, whole.len()] {
                let id = envoy.post(&chat(&format!("m/{provider}"), true));
                envoy.event(id, &script[0]);
                for piece in whole.chunks(size) {
                    envoy.response_data(id, piece, false);
                }
                envoy.response_data(id, b"", true);
                assert_eq!(envoy.client(id).streamed(), ("one two".to_owned(), true));
                assert_eq!(envoy.receipt(id)["tokens"]["completion"], 5);
            }
        }
    });
}

#[test]
fn the_receipt_is_open_from_admission_on_and_final_once() {
    test(|envoy| {
        let id = envoy.post(&chat("m/openai", false));
        let open = envoy.receipts(id);
        assert!(!open.is_empty() && open.iter().all(|receipt| receipt["state"] == "open"));
        assert_eq!(open.last().unwrap()["model"], "m/openai");
        envoy.play(id, &[("openai", answer("openai", false, "hi"))]);
        let receipts = envoy.receipts(id);
        assert!(
            receipts[..receipts.len() - 1]
                .iter()
                .all(|receipt| receipt["state"] == "open")
        );
        let receipt = envoy.receipt(id);
        assert_eq!(receipt["state"], "final");
        assert_eq!(receipt["outcome"], "success");
        assert_eq!(receipt["status"], 200);
        assert_eq!(receipt["provider"], "openai");
        assert_eq!(receipt["tokens"]["prompt"], 10);
        assert_eq!(receipt["tokens"]["completion_source"], "provider");
        assert_eq!(receipt["cost_usd"], "0.00002");
    });
}

#[test]
fn a_long_stream_renews_its_open_receipt() {
    test(|envoy| {
        let id = envoy.post(&chat("m/anthropic", true));
        let before = envoy.receipts(id).len();
        for event in answer("anthropic", true, "one two three four five") {
            envoy.advance(600);
            envoy.event(id, &event);
        }
        let receipts = envoy.receipts(id);
        assert!(receipts.len() > before + 2, "{}", receipts.len());
        let renewed = &receipts[receipts.len() - 2];
        assert_eq!(renewed["state"], "open");
        assert_eq!(renewed["provider"], "anthropic");
        assert!(renewed["tokens"]["completion"].as_u64().unwrap() > 0);
    });
}

#[test]
fn the_registry_shows_what_is_open_by_tick() {
    let open = || host(|host| host.metric_value("crosspoint.exchanges_open", &[]));
    test(move |envoy| {
        let ids = [0; 3].map(|_| envoy.post(&chat("m/openai", false)));
        envoy.tick();
        assert_eq!(open(), Some(3));
        for id in ids {
            envoy.play(id, &[("openai", answer("openai", false, "hi"))]);
        }
        envoy.tick();
        assert_eq!(open(), Some(0));
    });
}

#[test]
fn streams_side_by_side_do_not_mix() {
    test(|envoy| {
        let ids = ["left", "right"].map(|text| (envoy.post(&chat("m/anthropic", true)), text));
        let scripts = ids.map(|(_, text)| answer("anthropic", true, &format!("{text} {text}")));
        for (left, right) in scripts[0].iter().zip(&scripts[1]) {
            envoy.event(ids[0].0, left);
            envoy.event(ids[1].0, right);
        }
        for (id, text) in ids {
            assert_eq!(envoy.client(id).streamed().0, format!("{text} {text}"));
        }
    });
}
