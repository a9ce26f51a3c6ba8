//! Middleware that waits for an HTTP callout, on either side of an exchange.

use super::envoy::Envoy;
use super::guard::{Guard, requests};
use super::provider::{Event, PROVIDERS, answer, chat, config, error, fails_over, streamed, streamed_head};
use super::vm::worker;
use std::rc::Rc;

fn test(guard: Guard, work: impl FnOnce(&mut Envoy) + Send) {
    worker(|| {
        crosspoint::filter::add_middleware(Rc::new(guard));
        let mut envoy = Envoy::start(&config());
        work(&mut envoy);
        envoy.assert_sound();
    });
}

/// The only callout under way, and what it asks.
fn asked(envoy: &Envoy) -> (u32, String) {
    let callouts = envoy.callouts();
    assert_eq!(callouts.len(), 1);
    assert_eq!(callouts[0].cluster, "guard");
    (
        callouts[0].token,
        String::from_utf8(callouts[0].body.clone()).unwrap(),
    )
}

#[test]
fn a_request_waits_for_its_callout() {
    test(requests(), |envoy| {
        let id = envoy.post(&chat("m/openai", false));
        assert!(envoy.sent(id).is_empty());
        let (token, text) = asked(envoy);
        assert_eq!(text, "\"m/openai\"");
        envoy.advance(50);
        envoy.tick();
        envoy.answer_callout(token, Some((200, b"yes")));
        assert_eq!(envoy.sent(id)[0].json()["guarded"], "yes");
        envoy.play(id, &[("openai", answer("openai", false, "hi"))]);
        assert_eq!(envoy.client(id).status(), 200);
    });
}

#[test]
fn a_request_with_trailers_waits_for_its_callout() {
    test(requests(), |envoy| {
        let id = envoy.open(&super::envoy::chat_headers(), false);
        envoy.request_data(id, chat("m/openai", false).to_string().as_bytes(), false);
        envoy.request_trailers(id);
        let (token, _) = asked(envoy);
        envoy.answer_callout(token, Some((200, b"yes")));
        assert_eq!(envoy.sent(id).len(), 1);
        envoy.client_leaves(id);
    });
}

#[test]
fn a_callout_that_fails_or_objects_refuses_the_request() {
    test(requests(), |envoy| {
        for (reply, status) in [(None, 500), (Some((403, &b""[..])), 400)] {
            let id = envoy.post(&chat("m/openai", false));
            let (token, _) = asked(envoy);
            envoy.answer_callout(token, reply);
            assert!(envoy.sent(id).is_empty());
            assert_eq!(envoy.client(id).status(), status);
            assert_eq!(envoy.receipt(id)["outcome"], "refused");
        }
    });
}

#[test]
fn a_callout_that_cannot_be_made_has_failed() {
    let guard = Guard {
        cluster: Some("nowhere"),
        ..requests()
    };
    test(guard, |envoy| {
        let id = envoy.post(&chat("m/openai", false));
        assert_eq!(envoy.client(id).status(), 500);
    });
}

#[test]
fn a_client_may_leave_while_a_request_waits() {
    test(requests(), |envoy| {
        let id = envoy.post(&chat("m/openai", false));
        let (token, _) = asked(envoy);
        envoy.client_leaves(id);
        envoy.answer_callout(token, Some((200, b"late")));
        assert_eq!(envoy.receipt(id)["outcome"], "cancelled");
    });
}

#[test]
fn a_buffered_answer_waits_for_its_callout() {
    test(Guard::default(), |envoy| {
        for provider in PROVIDERS {
            let script = answer(provider, false, "sure?");
            let id = envoy.exchange(&chat(&format!("m/{provider}"), false), &[(provider, script)]);
            assert!(envoy.client(id).headers.is_none());
            let (token, text) = asked(envoy);
            assert_eq!(text, "sure?");
            envoy.answer_callout(token, Some((200, b" yes")));
            let client = envoy.client(id);
            assert!(client.complete);
            assert_eq!(client.json()["choices"][0]["message"]["content"], "sure? yes");
            assert_eq!(envoy.receipt(id)["outcome"], "success");
        }
    });
}

/// Streams `text` to its end while the first question waits, then lets every question pass.
fn streams(envoy: &mut Envoy, provider: &str, text: &str) -> u32 {
    let script = answer(provider, true, text);
    let id = envoy.exchange(&chat(&format!("m/{provider}"), true), &[(provider, script)]);
    while let Some(callout) = envoy.callouts().first() {
        envoy.answer_callout(callout.token, Some((200, b"+")));
    }
    id
}

#[test]
fn a_streamed_answer_waits_at_any_place_and_loses_nothing() {
    test(Guard::default(), |envoy| {
        for provider in PROVIDERS {
            for (text, expected) in [
                ("sure? two three", "sure? +two three"),
                ("one sure? three four", "one sure? +three four"),
                ("one two sure?", "one two sure?+"),
                ("a? b? c? d", "a? +b? +c? +d"),
            ] {
                let id = streams(envoy, provider, text);
                let client = envoy.client(id);
                assert!(client.complete, "{provider} {text}");
                assert_eq!(client.streamed(), (expected.to_owned(), true), "{provider}");
                assert_eq!(envoy.receipt(id)["outcome"], "success");
            }
        }
    });
}

#[test]
fn a_stage_may_wait_at_the_end_of_a_stream() {
    test(ends(), |envoy| {
        for provider in PROVIDERS {
            let id = streams(envoy, provider, "one two");
            assert_eq!(envoy.client(id).streamed(), ("one two".to_owned(), true));
            assert!(envoy.client(id).complete);
        }
    });
}

#[test]
fn a_stream_goes_on_after_a_wait_in_the_middle() {
    test(Guard::default(), |envoy| {
        let id = envoy.post(&chat("m/anthropic", true));
        envoy.event(id, &streamed_head("anthropic")[0]);
        let pieces = streamed("anthropic", "one sure? three four five");
        for piece in &pieces[..5] {
            envoy.response_data(id, piece, false);
        }
        let (token, _) = asked(envoy);
        assert_eq!(envoy.client(id).streamed().0, "one ");
        envoy.answer_callout(token, Some((200, b"yes ")));
        assert_eq!(envoy.client(id).streamed().0, "one sure? yes three ");
        envoy.response_data(id, &pieces[5], false);
        assert_eq!(envoy.client(id).streamed().0, "one sure? yes three four ");
        for (index, piece) in pieces.iter().enumerate().skip(6) {
            envoy.response_data(id, piece, index == pieces.len() - 1);
        }
        assert_eq!(envoy.client(id).streamed().0, "one sure? yes three four five");
    });
}

#[test]
fn trailers_may_come_while_an_answer_waits() {
    test(Guard::default(), |envoy| {
        for text in ["sure? two", "one sure?"] {
            let id = envoy.post(&chat("m/anthropic", true));
            envoy.event(id, &streamed_head("anthropic")[0]);
            for piece in streamed("anthropic", text) {
                envoy.response_data(id, &piece, false);
            }
            envoy.response_trailers(id);
            let (token, _) = asked(envoy);
            envoy.answer_callout(token, Some((200, b"")));
            let client = envoy.client(id);
            assert!(client.complete, "{text}");
            assert_eq!(client.streamed(), (text.to_owned(), true));
        }
    });
}

#[test]
fn an_objection_before_the_first_token_is_an_error_of_its_own() {
    test(Guard::default(), |envoy| {
        let script = answer("openai", true, "sure? two");
        let id = envoy.exchange(&chat("m/any", true), &[("openai", script)]);
        let (token, _) = asked(envoy);
        envoy.answer_callout(token, Some((403, b"")));
        let client = envoy.client(id);
        assert!(client.complete);
        assert_eq!(client.status(), 400);
        assert_eq!(envoy.sent(id).len(), 1);
    });
}

#[test]
fn an_objection_in_the_middle_is_an_event() {
    test(Guard::default(), |envoy| {
        let id = envoy.exchange(
            &chat("m/openai", true),
            &[("openai", answer("openai", true, "one sure? three"))],
        );
        let (token, _) = asked(envoy);
        envoy.answer_callout(token, Some((403, b"")));
        let client = envoy.client(id);
        assert!(client.complete);
        assert_eq!(client.streamed().0, "one ");
        assert!(client.text().contains("the guard objects"));
        assert_eq!(envoy.receipt(id)["outcome"], "cut");
    });
}

/// The stage asks at the end of an answer whose text has gone out.
fn ends() -> Guard {
    Guard {
        ends: true,
        ..Guard::default()
    }
}

#[test]
fn what_has_gone_out_stays_while_the_end_waits() {
    test(ends(), |envoy| {
        for provider in PROVIDERS {
            let script = answer(provider, true, "one two");
            let id = envoy.exchange(&chat(&format!("m/{provider}"), true), &[(provider, script)]);
            let (token, text) = asked(envoy);
            assert_eq!(text, "end");
            assert!(!envoy.client(id).complete, "{provider}");
            assert_eq!(envoy.client(id).streamed(), ("one two".to_owned(), false));
            envoy.tick();
            envoy.answer_callout(token, Some((200, b"")));
            assert_eq!(envoy.client(id).streamed(), ("one two".to_owned(), true));
            assert_eq!(envoy.receipt(id)["outcome"], "success");
            assert_eq!(envoy.sent(id).len(), 1);
        }
    });
}

#[test]
fn a_callout_at_the_end_may_object_or_fail() {
    let away = Guard {
        cluster: Some("nowhere"),
        ..ends()
    };
    for (guard, reply, said) in [
        (ends(), Some(403), "the guard objects"),
        (ends(), None, "the guard is away"),
        (away, Some(200), "the guard is away"),
    ] {
        test(guard, |envoy| {
            let script = answer("openai", true, "one two");
            let id = envoy.exchange(&chat("m/openai", true), &[("openai", script)]);
            if let Some(callout) = envoy.callouts().first() {
                envoy.answer_callout(callout.token, reply.map(|status| (status, &b""[..])));
            }
            let client = envoy.client(id);
            assert!(client.complete, "{said}");
            assert_eq!(client.streamed(), ("one two".to_owned(), false));
            assert!(client.text().contains(said), "{}", client.text());
            assert_eq!(envoy.receipt(id)["outcome"], "cut");
        });
    }
}

/// Nothing of it has gone out, so it still can have a status of its own; but Envoy can ask nobody else any more.
#[test]
fn a_callout_at_the_end_of_a_whole_answer_may_object_or_fail() {
    for (reply, status) in [(Some((403, &b""[..])), 400), (None, 500)] {
        test(Guard::default(), |envoy| {
            for stream in [false, true] {
                let script = answer("openai", stream, "sure?");
                let id = envoy.exchange(&chat("m/any", stream), &[("openai", script)]);
                assert!(envoy.client(id).headers.is_none());
                let (token, _) = asked(envoy);
                envoy.answer_callout(token, reply);
                let client = envoy.client(id);
                assert!(client.complete);
                assert_eq!(client.status(), status);
                assert_eq!(client.json()["error"]["code"], status);
                assert_eq!(envoy.sent(id).len(), 1);
                assert_eq!(envoy.receipt(id)["outcome"], "error");
            }
        });
    }
}

#[test]
fn what_came_before_a_wait_goes_out_though_the_event_loop_is_slow() {
    test(Guard::default(), |envoy| {
        envoy.slow_loop = true;
        let id = envoy.post(&chat("m/openai", true));
        envoy.event(id, &streamed_head("openai")[0]);
        let pieces = streamed("openai", "one sure? three");
        for piece in &pieces[..3] {
            envoy.response_data(id, piece, false);
        }
        let (token, _) = asked(envoy);
        envoy.turn();
        assert_eq!(envoy.client(id).streamed().0, "one ");
        for piece in &pieces[3..] {
            envoy.response_data(id, piece, false);
        }
        envoy.response_data(id, b"", true);
        envoy.turn();
        assert!(!envoy.client(id).complete);
        envoy.answer_callout(token, Some((200, b"yes ")));
        assert_eq!(
            envoy.client(id).streamed(),
            ("one sure? yes three".to_owned(), true)
        );
    });
}

#[test]
fn envoy_may_answer_itself_while_the_end_waits() {
    test(Guard::default(), |envoy| {
        for body in ["", "upstream request timeout"] {
            let script = answer("openai", false, "sure?");
            let id = envoy.exchange(&chat("m/openai", false), &[("openai", script)]);
            let (token, _) = asked(envoy);
            envoy.local_reply(id, 504, "response_timeout", body);
            assert_eq!(envoy.client(id).status(), 504);
            envoy.answer_callout(token, Some((200, b"late")));
            let receipt = envoy.receipt(id);
            assert_eq!(
                (&receipt["outcome"], &receipt["status"]),
                (&"error".into(), &504.into())
            );
            assert_eq!(receipt["attempts"].as_array().unwrap().len(), 1);
        }
    });
}

#[test]
fn a_client_may_leave_while_the_end_waits() {
    test(ends(), |envoy| {
        let script = answer("openai", true, "one two");
        let id = envoy.exchange(&chat("m/openai", true), &[("openai", script)]);
        let (token, _) = asked(envoy);
        envoy.client_leaves(id);
        envoy.answer_callout(token, Some((200, b"late")));
        assert_eq!(envoy.receipt(id)["outcome"], "cancelled");
    });
}

#[test]
fn an_answer_that_a_stage_ends_in_the_middle_is_closed() {
    test(Guard::default(), |envoy| {
        let id = envoy.post(&chat("m/openai", true));
        envoy.event(id, &streamed_head("openai")[0]);
        let pieces = streamed("openai", "one sure? three four");
        for piece in &pieces[..3] {
            envoy.response_data(id, piece, false);
        }
        let (token, _) = asked(envoy);
        envoy.answer_callout(token, Some((403, b"")));
        assert!(envoy.client(id).text().contains("the guard objects"));
        envoy.response_data(id, &pieces[3], false);
        envoy.tick();
        assert!(!envoy.has_ended(id));
        envoy.tick();
        assert!(envoy.has_ended(id));
        assert_eq!(envoy.receipt(id)["outcome"], "cut");
    });
}

#[test]
fn a_reset_while_an_answer_waits_moves_on() {
    test(Guard::default(), |envoy| {
        let mut first = streamed_head("openai");
        first.extend(streamed("openai", "sure?").into_iter().take(2).map(Event::Data));
        first.push(Event::Reset);
        let id = envoy.exchange(
            &chat("m/any", true),
            &fails_over(first, answer("anthropic", true, "good")),
        );
        assert!(envoy.callouts().is_empty());
        assert_eq!(envoy.client(id).streamed().0, "good");
    });
}

#[test]
fn an_error_needs_no_callout() {
    test(Guard::default(), |envoy| {
        let id = envoy.exchange(&chat("m/openai", false), &[("openai", error("openai", 400))]);
        assert_eq!(envoy.client(id).status(), 400);
    });
}
