//! A provider as the server sees it: its credentials, its requests and refusals, what it answers.

use bytes::Bytes;
use hyper::HeaderMap;

use crate::ask::Ask;
use crate::fault::Faults;
use crate::piece::Piece;
use crate::text::Answer;

/// A provider on the wire, and how it bills.
pub(crate) trait Provider: Sync + std::fmt::Debug {
    /// Its name on the command line and on the control port.
    fn name(&self) -> &'static str;

    /// The port when nobody says another.
    fn port(&self) -> u16;

    /// What it takes as credentials. The first is its key.
    fn secrets(&self) -> &'static [Secret];

    /// The header of its key, and what stands before the key there.
    fn key_header(&self) -> (&'static str, &'static str) {
        ("authorization", "Bearer ")
    }

    /// Whether generation, and the bill, end when the client goes away: OpenRouter's documentation on cancelling streams.
    fn stops_on_cancel(&self) -> bool {
        true
    }

    /// Whether the provider reports what it wrote to its cache.
    fn writes_cache(&self) -> bool {
        false
    }

    /// Checks a request as strictly as the provider does.
    fn read(&self, call: &Call<'_>) -> Result<Ask, Refusal>;

    fn buffered(&self, ask: &Ask, answer: &Answer, faults: &Faults, stamp: Stamp) -> Vec<u8>;

    fn streamed(&self, ask: &Ask, answer: &Answer, faults: &Faults, stamp: Stamp) -> Vec<Piece>;

    /// The error that comes inside a stream.
    fn error_event(&self, ask: &Ask, faults: &Faults, stamp: Stamp) -> Bytes;

    /// What the provider says with an error status for no fault of the caller.
    fn fault(&self, status: u16, model: &str) -> Refusal;

    /// The body of a refusal.
    fn refusal_body(&self, refusal: &Refusal, stamp: Stamp) -> Vec<u8>;

    /// Headers of any answer, but for the content type.
    fn headers(&self, refusal: Option<&Refusal>, stamp: Stamp) -> Headers;

    fn stream_type(&self) -> &'static str {
        "text/event-stream"
    }

    /// Whether a buffered answer declares its length; the others are sent in chunks.
    fn declares_length(&self) -> bool {
        false
    }

    /// The status for having too much to do.
    fn overloaded(&self) -> u16 {
        503
    }

    /// The largest request body, above which the provider says 413.
    fn body_limit(&self) -> usize;
}

/// A credential that a provider takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Secret {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What it is when nobody says otherwise; where it is empty, nothing is taken.
    pub(crate) usual: &'static str,
    /// Whether it may be sent at all, to its own provider.
    pub(crate) sent: bool,
}

impl Secret {
    pub(crate) const fn key(name: &'static str, usual: &'static str) -> Secret {
        Secret {
            name,
            usual,
            sent: true,
        }
    }
}

/// The credentials that are taken, by name.
#[derive(Debug, Clone)]
pub(crate) struct Keys(Vec<(&'static str, String)>);

impl Keys {
    /// The usual ones of these secrets, but for those given.
    pub(crate) fn new<'a>(
        secrets: impl Iterator<Item = &'a Secret>,
        given: &[(String, String)],
    ) -> Result<Keys, String> {
        let mut keys: Vec<_> = secrets
            .map(|secret| (secret.name, secret.usual.to_owned()))
            .collect();
        for (name, value) in given {
            let known: Vec<_> = keys.iter().map(|(name, _)| *name).collect();
            let Some((_, key)) = keys.iter_mut().find(|(known, _)| known == name) else {
                return Err(format!(
                    "--key: no key is named `{name}`; there are {}",
                    known.join(", ")
                ));
            };
            key.clone_from(value);
        }
        Ok(Keys(keys))
    }

    /// The credential of this name; empty when there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(known, _)| *known == name)
            .map_or("", |(_, value)| value)
    }
}

/// A request, read whole.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    /// The path as it came in, still percent-encoded, without the query.
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    pub(crate) keys: &'a Keys,
}

impl Call<'_> {
    /// A header as text; absent when it is not text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Why a provider says no, in parts that its dialect puts into its own shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// OpenAI and Anthropic: the error's `type`. Bedrock: the exception. Gemini: the `status`.
    pub(crate) kind: String,
    pub(crate) message: String,
    /// OpenAI only.
    pub(crate) param: Option<String>,
    pub(crate) code: Option<String>,
}

impl Refusal {
    pub(crate) fn new(status: u16, kind: &str, message: impl Into<String>) -> Refusal {
        Refusal {
            status,
            kind: kind.to_owned(),
            message: message.into(),
            param: None,
            code: None,
        }
    }

    pub(crate) fn message(mut self, message: String) -> Refusal {
        self.message = message;
        self
    }

    pub(crate) fn param(mut self, param: impl Into<String>) -> Refusal {
        self.param = Some(param.into());
        self
    }

    pub(crate) fn code(mut self, code: &str) -> Refusal {
        self.code = Some(code.to_owned());
        self
    }
}

/// What makes one answer different from the next of the same text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    pub(crate) sequence: u64,
    /// Seconds since 1970.
    pub(crate) now: u64,
}

/// Response headers.
pub(crate) type Headers = Vec<(&'static str, String)>;

/// Sets a member of an object.
pub(crate) fn set(object: &mut serde_json::Value, name: &str, value: impl Into<serde_json::Value>) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value.into());
    }
}

/// One server-sent event, spelled as the faults want it.
pub(crate) fn sse(event: Option<&str>, data: &str, faults: &Faults) -> Bytes {
    let line = if faults.crlf { "\r\n" } else { "\n" };
    let space = if faults.nospace { "" } else { " " };
    let mut text = String::with_capacity(data.len() + 48);
    if faults.comments {
        text.extend([": still here", line, line]);
    }
    if let Some(event) = event {
        text.extend(["event:", space, event, line]);
    }
    text.extend(["data:", space, data, line, line]);
    Bytes::from(text)
}
