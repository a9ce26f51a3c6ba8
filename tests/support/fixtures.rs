//! The files under `tests/fixtures`: one directory a dialect, one a kind, one file a case.

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::path::{Path, PathBuf};

/// The kinds of fixtures that every dialect has.
pub(crate) const KINDS: [&str; 4] = ["request", "buffered", "stream", "error"];

/// One fixture.
#[derive(Debug)]
pub(crate) struct Fixture {
    /// `dialect/kind/case`.
    pub(crate) name: String,
    /// The file.
    pub(crate) path: PathBuf,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
}

/// A request, and what it becomes.
#[derive(Debug, Deserialize)]
pub(crate) struct RequestCase {
    /// Where it is from.
    pub(crate) source: String,
    /// What it is written for.
    pub(crate) target: TargetCase,
    /// What the client sent.
    pub(crate) request: Box<RawValue>,
    /// Where it goes.
    pub(crate) path: String,
    /// Which headers it needs.
    pub(crate) headers: std::collections::BTreeMap<String, String>,
    /// Whether the body is to be the same byte for byte.
    #[serde(default)]
    pub(crate) exact: bool,
    /// What goes to the provider.
    pub(crate) body: Box<RawValue>,
}

/// What a request is written for.
#[derive(Debug, Deserialize)]
pub(crate) struct TargetCase {
    /// The provider's name for the model.
    pub(crate) model: String,
    /// Whether a stream is wanted.
    pub(crate) stream: bool,
    /// The limit where the caller gave none.
    #[serde(default = "usual_limit")]
    pub(crate) default_max_tokens: u64,
    /// Whose quirks it has, by the id of a row.
    #[serde(default)]
    provider: Option<String>,
}

impl TargetCase {
    /// How the provider deviates from its dialect.
    pub(crate) fn quirks(&self) -> &'static crosspoint::dialect::Quirks {
        self.provider
            .as_deref()
            .map_or(&crosspoint::dialect::Quirks::NONE, |id| {
                crosspoint::provider::find(id)
                    .unwrap_or_else(|| panic!("{id} has no row"))
                    .quirks
            })
    }
}

const fn usual_limit() -> u64 {
    8_192
}

/// A buffered answer.
#[derive(Debug, Deserialize)]
pub(crate) struct BufferedCase {
    /// Where it is from.
    pub(crate) source: String,
    /// The answer.
    pub(crate) body: Box<RawValue>,
}

/// An error.
#[derive(Debug, Deserialize)]
pub(crate) struct ErrorCase {
    /// Where it is from.
    pub(crate) source: String,
    /// The HTTP status.
    pub(crate) status: u16,
    /// The body, which need not be JSON.
    pub(crate) body: String,
    /// The kind that it means, as `Debug` writes it.
    pub(crate) kind: String,
    /// What the caller is told.
    pub(crate) message: String,
}

#[derive(Deserialize)]
struct EventLine {
    source: Option<String>,
    event: Option<String>,
    exception: Option<String>,
    payload: Option<Box<RawValue>>,
    /// An event of Anthropic's, which goes out in base64 as the payload of an event of this name.
    chunk: Option<Box<RawValue>>,
}

impl EventLine {
    fn wrapped(mut self) -> Self {
        use base64::Engine as _;
        if let Some(chunk) = self.chunk.take() {
            let bytes = base64::prelude::BASE64_STANDARD.encode(chunk.get());
            let payload = serde_json::json!({"bytes": bytes, "p": "abcdefghijklmnopqrstuvwxyzABCD"});
            self.event = Some("chunk".to_owned());
            self.payload = serde_json::value::to_raw_value(&payload).ok();
        }
        self
    }
}

impl Fixture {
    /// The fixture as one of the cases above.
    pub(crate) fn case<'a, T: Deserialize<'a>>(&'a self) -> T {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// The bytes that a provider would send for a stream fixture.
    pub(crate) fn stream(&self) -> Vec<u8> {
        match self.extension() {
            "jsonl" => event_stream(&self.bytes),
            // The first line says where it is from.
            "ndjson" => {
                let end = self.bytes.iter().position(|byte| *byte == b'\n').unwrap();
                self.bytes[end + 1..].to_vec()
            }
            _ => self.bytes.clone(),
        }
    }

    /// The extension of the file, which says how a stream is framed.
    pub(crate) fn extension(&self) -> &str {
        self.path.extension().unwrap().to_str().unwrap()
    }

    /// Whether a stream fixture says where it is from: in a comment, or in its first line.
    pub(crate) fn has_source(&self) -> bool {
        let bytes = self
            .bytes
            .strip_prefix("\u{feff}".as_bytes())
            .unwrap_or(&self.bytes);
        bytes.starts_with(b": ") || bytes.starts_with(b"{\"source\":\"")
    }

    /// The `content-type` that a stream fixture comes with.
    pub(crate) fn content_type(&self) -> &'static str {
        match self.extension() {
            "jsonl" => "application/vnd.amazon.eventstream",
            "ndjson" => "application/x-ndjson",
            _ => "text/event-stream",
        }
    }
}

/// All fixtures of a dialect and kind, by name.
pub(crate) fn all(dialect: &str, kind: &str) -> Vec<Fixture> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let Ok(entries) = std::fs::read_dir(root.join(dialect).join(kind)) else {
        return Vec::new();
    };
    let mut fixtures: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension().is_some_and(|extension| {
                ["json", "jsonl", "ndjson", "sse"]
                    .iter()
                    .any(|known| extension == *known)
            })
        })
        .map(|path| Fixture {
            name: format!("{dialect}/{kind}/{}", path.file_stem().unwrap().display()),
            bytes: std::fs::read(&path).unwrap(),
            path,
        })
        .collect();
    fixtures.sort_by(|a, b| a.name.cmp(&b.name));
    fixtures
}

/// AWS's binary frames of the lines of a fixture, made by AWS's own code.
fn event_stream(lines: &[u8]) -> Vec<u8> {
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let events: Vec<EventLine> = lines
        .map(|line| EventLine::wrapped(serde_json::from_slice(line).unwrap()))
        .collect();
    let is_event =
        |line: &EventLine| line.payload.is_some() && line.event.is_some() != line.exception.is_some();
    assert!(events.iter().all(|line| is_event(line) || line.source.is_some()));
    frames(&events)
}

/// The same for lines that may be anything: one that is no event is the payload of one.
pub(crate) fn frame_lines(lines: &[u8]) -> Vec<u8> {
    let lines = lines.split(|byte| *byte == b'\n');
    let events: Vec<EventLine> = lines
        .map(|line| {
            serde_json::from_slice(line)
                .map(EventLine::wrapped)
                .unwrap_or_else(|_| EventLine {
                    source: None,
                    event: Some("contentBlockDelta".to_owned()),
                    exception: None,
                    payload: serde_json::from_slice(line).ok(),
                    chunk: None,
                })
        })
        .collect();
    frames(&events)
}

fn frames(events: &[EventLine]) -> Vec<u8> {
    let text = |text: &str| HeaderValue::String(text.to_owned().into());
    let mut out = Vec::new();
    for line in events {
        let Some(payload) = &line.payload else { continue };
        let (kind, of, name) = match (&line.event, &line.exception) {
            (Some(name), _) => ("event", ":event-type", name.as_str()),
            (None, name) => ("exception", ":exception-type", name.as_deref().unwrap_or("")),
        };
        let message = Message::new_from_parts(
            vec![
                Header::new(of, text(name)),
                Header::new(":content-type", text("application/json")),
                Header::new(":message-type", text(kind)),
            ],
            payload.get().as_bytes().to_vec(),
        );
        write_message_to(&message, &mut out).unwrap();
    }
    out
}
