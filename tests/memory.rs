//! What one exchange takes of memory, counted by the allocator: while a request of many megabytes is sent on, and while an
//! answer streams.
#![expect(
    unsafe_code,
    reason = "an allocator that counts can be written in no other way"
)]

#[cfg(test)]
#[path = "memory/floods.rs"]
mod floods;
#[cfg(test)]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// The bytes that this thread holds, and the most that it has held since that was last looked at.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: the system's allocator does everything; growing goes through `alloc` and `dealloc`, so that it counts as the
// copy that it is in the worst case.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn count(bytes: isize) {
    // A thread that ends still frees; nobody asks it any more.
    let _ = HELD.try_with(|held| {
        let (now, most) = held.get();
        held.set((now + bytes, most.max(now + bytes)));
    });
}

#[cfg(test)]
mod tests {
    use super::{Cell, HELD};
    use crate::support::{config_with, fixtures};
    use crosspoint::config::Config;
    use crosspoint::dialect::{DIALECTS, client};
    use crosspoint::exchange::{Action, Exchange, Outgoing, ResponseHead};
    use crosspoint::health::View;
    use crosspoint::route::RouteContext;
    use serde_json::{Value, json};
    use std::fmt::Write as _;
    use std::rc::Rc;

    const KIB: usize = 1 << 10;
    const MIB: usize = 1 << 20;
    /// What may be held beside what must be.
    const SMALL: usize = 64 * KIB;

    pub(crate) fn held() -> isize {
        HELD.with(Cell::get).0
    }

    /// The most that was held at once while `work` ran, beyond `before`, in bytes.
    pub(crate) fn most_held(before: isize, work: impl FnOnce()) -> usize {
        HELD.with(|held| held.set((held.get().0, held.get().0)));
        work();
        (HELD.with(Cell::get).1 - before).unsigned_abs()
    }

    fn held_beyond(before: isize) -> usize {
        (held() - before).max(0).unsigned_abs()
    }

    /// A request with five images that are `size` bytes of base64 together.
    fn request(size: usize, stream: bool) -> Vec<u8> {
        let mut parts = String::new();
        for _ in 0..5 {
            let data = "iVBORw0K".repeat(size / 5 / 8);
            // Writing to a String cannot fail.
            let _ = write!(
                parts,
                r#",{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{data}"}}}}"#
            );
        }
        let mut body = format!(
            r#"{{"model":"author/model","stream":{stream},"messages":[{{"role":"user","content":[{{"type":"text","text":"What is this?"}}{parts}]}}]}}"#
        )
        .into_bytes();
        body.shrink_to_fit();
        body
    }

    /// A model that these dialects serve, one after the other.
    pub(crate) fn config(dialects: &[&str], masks: bool) -> Rc<Config> {
        let rules = json!([{"redact": {"rules": [{"pattern": "\\d+x"}]}}]);
        let middleware = if masks { rules } else { json!([]) };
        let provider = |dialect: &&str| {
            (
                (*dialect).to_owned(),
                json!({"dialect": dialect, "base_url": "https://upstream.example/v1"}),
            )
        };
        let providers: Value = dialects.iter().map(provider).collect();
        let endpoints: Vec<Value> = dialects
            .iter()
            .map(|dialect| json!({"provider": dialect, "model": "claude"}))
            .collect();
        config_with(
            "openai-chat",
            json!({"providers": providers, "models": {"author/model": {"endpoints": endpoints}}, "middleware": middleware}),
        )
    }

    pub(crate) fn open(config: &Rc<Config>) -> Exchange {
        let id = "gen-1".to_owned();
        Exchange::open(Rc::clone(config), client::OPENAI_CHAT, id, None, 1)
    }

    pub(crate) fn begin(exchange: &mut Exchange) -> (usize, Outgoing) {
        let cluster = exchange.next_cluster().unwrap().to_owned();
        exchange.begin(&cluster, 2).unwrap()
    }

    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        DIALECTS.iter().map(|dialect| dialect.name())
    }

    #[test]
    fn a_request_is_in_memory_twice_at_most_and_let_go_with_its_last_attempt() {
        const SIZE: usize = 2 * MIB;
        for (first, fallback) in names().flat_map(|first| names().map(move |other| (first, other))) {
            let config = config(&[first, fallback], false);
            let before = held();
            let body = request(SIZE, false);
            let mut exchange = open(&config);
            let most = most_held(before, || {
                exchange.read(body).unwrap();
                exchange
                    .plan(&mut |_| View::default(), RouteContext::default())
                    .unwrap();
                for _ in 0..=exchange.max_retries() {
                    let (_, outgoing) = begin(&mut exchange);
                    assert!(outgoing.body.len() > SIZE / 10 * 9);
                }
            });
            assert!(most < SIZE / 8 * 17, "{first}, then {fallback}: {most} bytes");
            let kept = held_beyond(before);
            assert!(kept < SMALL, "{first}, then {fallback}: {kept} bytes are kept");
        }
    }

    /// Mistral wants documents and ids of tool calls in a form of its own, so its messages are looked at one by one.
    #[test]
    fn messages_that_a_provider_wants_otherwise_are_in_memory_twice_at_most() {
        const SIZE: usize = 2 * MIB;
        let endpoint = json!({"provider": "mistral", "model": "mistral-small-latest"});
        let config = config_with(
            "openai-chat",
            json!({
                "providers": {"mistral": {"base_url": "https://upstream.example/v1"}},
                "models": {"author/model": {"endpoints": [endpoint]}},
            }),
        );
        let before = held();
        let body = request(SIZE, false);
        let mut exchange = open(&config);
        let most = most_held(before, || {
            exchange.read(body).unwrap();
            exchange
                .plan(&mut |_| View::default(), RouteContext::default())
                .unwrap();
            let (_, outgoing) = begin(&mut exchange);
            assert!(outgoing.body.len() > SIZE / 10 * 9);
        });
        assert!(most < SIZE / 8 * 17, "{most} bytes");
    }

    /// How an answer begins, and a piece of text in it.
    struct Form {
        dialects: &'static [&'static str],
        content_type: &'static str,
        begin: &'static str,
        piece: fn(&str) -> String,
    }

    const SSE: &str = "text/event-stream";
    const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";

    static FORMS: &[Form] = &[
        Form {
            dialects: &["openai-chat"],
            content_type: SSE,
            begin: "",
            piece: |text| {
                format!(
                    "data: {{\"id\":\"x\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"
                )
            },
        },
        Form {
            dialects: &["anthropic-messages", "anthropic-vertex"],
            content_type: SSE,
            begin: concat!(
                "data: {\"type\":\"message_start\",\"message\":{\"id\":\"x\",\"content\":[]}}\n\n",
                "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
            ),
            piece: |text| {
                format!(
                    "data: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{text}\"}}}}\n\n"
                )
            },
        },
        Form {
            dialects: &["gemini", "gemini-vertex"],
            content_type: SSE,
            begin: "",
            piece: |text| {
                format!(
                    "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"{text}\"}}]}}}}]}}\r\n\r\n"
                )
            },
        },
        Form {
            dialects: &["bedrock-converse"],
            content_type: EVENT_STREAM,
            begin: "",
            piece: |text| {
                format!(
                    "{{\"event\":\"contentBlockDelta\",\"payload\":{{\"contentBlockIndex\":0,\"delta\":{{\"text\":\"{text}\"}}}}}}\n"
                )
            },
        },
        Form {
            dialects: &["anthropic-bedrock"],
            content_type: EVENT_STREAM,
            begin: concat!(
                "{\"chunk\":{\"type\":\"message_start\",\"message\":{\"id\":\"x\",\"content\":[]}}}\n",
                "{\"chunk\":{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}}\n",
            ),
            piece: |text| {
                format!(
                    "{{\"chunk\":{{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{text}\"}}}}}}\n"
                )
            },
        },
        Form {
            dialects: &["ollama"],
            content_type: "application/x-ndjson",
            begin: "",
            piece: |text| {
                format!(
                    "{{\"model\":\"m\",\"message\":{{\"role\":\"assistant\",\"content\":\"{text}\"}},\"done\":false}}\n"
                )
            },
        },
        Form {
            dialects: &["cohere-v2"],
            content_type: SSE,
            begin: "data: {\"type\":\"message-start\",\"id\":\"x\"}\n\n",
            piece: |text| {
                format!(
                    "data: {{\"type\":\"content-delta\",\"index\":0,\"delta\":{{\"message\":{{\"content\":{{\"text\":\"{text}\"}}}}}}}}\n\n"
                )
            },
        },
        Form {
            dialects: &["openai-responses"],
            content_type: SSE,
            begin: "data: {\"type\":\"response.created\",\"response\":{\"id\":\"x\"}}\n\n",
            piece: |text| {
                format!(
                    "data: {{\"type\":\"response.output_text.delta\",\"output_index\":0,\"content_index\":0,\"delta\":\"{text}\"}}\n\n"
                )
            },
        },
    ];

    impl Form {
        fn bytes(&self, events: &str) -> Vec<u8> {
            if self.content_type == EVENT_STREAM {
                fixtures::frame_lines(events.as_bytes())
            } else {
                events.as_bytes().to_vec()
            }
        }
    }

    /// Streams 3,000 events with one long one among them, in pieces that end anywhere.
    fn check_stream(form: &Form, dialect: &str, fallback: bool, masks: bool) {
        const LONG: usize = 256 * KIB;
        let what = format!("{dialect}, fallback: {fallback}, masked: {masks}");
        let dialects = [dialect; 2];
        let config = config(if fallback { &dialects } else { &dialects[..1] }, masks);
        let before = held();
        let mut exchange = open(&config);
        exchange.read(request(MIB, true)).unwrap();
        exchange
            .plan(&mut |_| View::default(), RouteContext::default())
            .unwrap();
        let (number, _) = begin(&mut exchange);
        let head = ResponseHead {
            status: 200,
            content_type: Some(form.content_type),
            ..Default::default()
        };
        exchange.headers(number, &head, 3);
        let mut largest = 0;
        let mut released = false;
        for event in 0..3_000 {
            let mut text = format!("word {event} and 12345x ");
            if event == 1_000 {
                text = text.repeat(LONG / text.len());
            }
            let mut events = if event == 0 {
                form.begin.to_owned()
            } else {
                String::new()
            };
            events.push_str(&(form.piece)(&text));
            let bytes = form.bytes(&events);
            largest = largest.max(bytes.len());
            for piece in bytes.chunks(1_500) {
                let action = exchange.body(number, piece, false, 4);
                released |= matches!(action, Action::Release { .. });
                drop(action);
                let ours = bytes.capacity() + events.capacity() + text.capacity();
                let kept = held_beyond(before).saturating_sub(ours);
                assert!(
                    !released || kept <= largest + SMALL,
                    "{what}: {kept} bytes after event {event}"
                );
            }
        }
        assert!(released, "{what}");
    }

    #[test]
    fn an_open_stream_holds_little_beyond_its_largest_event() {
        for dialect in names() {
            let form = FORMS.iter().find(|form| form.dialects.contains(&dialect));
            let form = form.unwrap_or_else(|| panic!("no form for {dialect}"));
            for fallback in [false, true] {
                check_stream(form, dialect, fallback, false);
                check_stream(form, dialect, fallback, true);
            }
        }
    }
}
