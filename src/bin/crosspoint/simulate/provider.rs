//! The providers, and what the server asks of each dialect.

use bytes::Bytes;
use hyper::HeaderMap;

use super::fault::Faults;
use super::script::Piece;
use super::text::{Answer, Ask};
use super::{anthropic, bedrock, gemini, openai};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Provider {
    OpenAi,
    Anthropic,
    Bedrock,
    Gemini,
}

/// The credential that each provider takes.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    pub(super) openai: String,
    pub(super) anthropic: String,
    pub(super) bedrock: String,
    /// The secret access key that Bedrock's signatures are made with; without it, none is taken.
    pub(super) bedrock_secret: Option<String>,
    pub(super) gemini: String,
}

/// A request, read whole.
pub(super) struct Call<'a> {
    pub(super) method: &'a str,
    /// The path as it came in, still percent-encoded, without the query.
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
    pub(super) keys: &'a Keys,
}

impl Call<'_> {
    /// A header as text; absent when it is not text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Why a provider says no, in parts that its dialect puts into its own shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// OpenAI and Anthropic: the error's `type`. Bedrock: the exception. Gemini: the `status`.
    pub(super) kind: String,
    pub(super) message: String,
    /// OpenAI only.
    pub(super) param: Option<String>,
    pub(super) code: Option<String>,
}

impl Refusal {
    pub(super) fn new(status: u16, kind: &str, message: impl Into<String>) -> Refusal {
        Refusal {
            status,
            kind: kind.to_owned(),
            message: message.into(),
            param: None,
            code: None,
        }
    }

    pub(super) fn message(mut self, message: String) -> Refusal {
        self.message = message;
        self
    }

    pub(super) fn param(mut self, param: impl Into<String>) -> Refusal {
        self.param = Some(param.into());
        self
    }

    pub(super) fn code(mut self, code: &str) -> Refusal {
        self.code = Some(code.to_owned());
        self
    }
}

/// What makes one answer different from the next of the same text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp {
    pub(super) sequence: u64,
    /// Seconds since 1970.
    pub(super) now: u64,
}

/// Response headers.
pub(super) type Headers = Vec<(&'static str, String)>;

impl Provider {
    pub(super) const ALL: [Provider; 4] = [
        Provider::OpenAi,
        Provider::Anthropic,
        Provider::Bedrock,
        Provider::Gemini,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Provider::OpenAi => "openai",
            Provider::Anthropic => "anthropic",
            Provider::Bedrock => "bedrock",
            Provider::Gemini => "gemini",
        }
    }

    pub(super) fn by_name(name: &str) -> Option<Provider> {
        Provider::ALL.into_iter().find(|provider| provider.name() == name)
    }

    /// Whether generation, and the bill, end when the client goes away. OpenRouter's documentation on cancelling
    /// streams lists OpenAI and Anthropic as providers that stop, and Bedrock and Google as ones that do not.
    pub(super) fn stops_on_cancel(self) -> bool {
        !matches!(self, Provider::Bedrock | Provider::Gemini)
    }

    /// Whether the provider reports what it wrote to its cache.
    pub(super) fn writes_cache(self) -> bool {
        matches!(self, Provider::Anthropic | Provider::Bedrock)
    }

    /// Checks a request as strictly as the provider does.
    pub(super) fn read(self, call: &Call<'_>) -> Result<Ask, Refusal> {
        match self {
            Provider::OpenAi => openai::read(call),
            Provider::Anthropic => anthropic::read(call),
            Provider::Bedrock => bedrock::read(call),
            Provider::Gemini => gemini::read(call),
        }
    }

    pub(super) fn buffered(self, ask: &Ask, answer: &Answer, faults: &Faults, stamp: Stamp) -> Vec<u8> {
        match self {
            Provider::OpenAi => openai::buffered(ask, answer, faults, stamp),
            Provider::Anthropic => anthropic::buffered(ask, answer, faults, stamp),
            Provider::Bedrock => bedrock::buffered(ask, answer, faults),
            Provider::Gemini => gemini::buffered(ask, answer, faults, stamp),
        }
    }

    pub(super) fn streamed(self, ask: &Ask, answer: &Answer, faults: &Faults, stamp: Stamp) -> Vec<Piece> {
        match self {
            Provider::OpenAi => openai::streamed(ask, answer, faults, stamp),
            Provider::Anthropic => anthropic::streamed(ask, answer, faults, stamp),
            Provider::Bedrock => bedrock::streamed(ask, answer, faults),
            Provider::Gemini => gemini::streamed(ask, answer, faults, stamp),
        }
    }

    /// The error that comes inside a stream.
    pub(super) fn error_event(self, faults: &Faults, stamp: Stamp) -> Bytes {
        match self {
            Provider::OpenAi => openai::error_event(faults),
            Provider::Anthropic => anthropic::error_event(faults, stamp),
            Provider::Bedrock => bedrock::error_event(faults),
            Provider::Gemini => gemini::error_event(faults),
        }
    }

    /// What the provider says with an error status for no fault of the caller.
    pub(super) fn fault(self, status: u16, model: &str) -> Refusal {
        match self {
            Provider::OpenAi => openai::fault(status, model),
            Provider::Anthropic => anthropic::fault(status, model),
            Provider::Bedrock => bedrock::fault(status),
            Provider::Gemini => gemini::fault(status, model),
        }
    }

    /// The body of a refusal.
    pub(super) fn refusal_body(self, refusal: &Refusal, stamp: Stamp) -> Vec<u8> {
        match self {
            Provider::OpenAi => openai::refusal_body(refusal),
            Provider::Anthropic => anthropic::refusal_body(refusal, stamp),
            Provider::Bedrock => bedrock::refusal_body(refusal),
            Provider::Gemini => gemini::refusal_body(refusal),
        }
    }

    /// Headers of any answer, but for the content type.
    pub(super) fn headers(self, refusal: Option<&Refusal>, stamp: Stamp) -> Headers {
        match self {
            Provider::OpenAi => openai::headers(stamp),
            Provider::Anthropic => anthropic::headers(stamp),
            Provider::Bedrock => bedrock::headers(refusal, stamp),
            Provider::Gemini => gemini::headers(stamp),
        }
    }

    pub(super) fn stream_type(self) -> &'static str {
        match self {
            Provider::OpenAi | Provider::Anthropic => "text/event-stream; charset=utf-8",
            Provider::Gemini => "text/event-stream",
            Provider::Bedrock => "application/vnd.amazon.eventstream",
        }
    }

    /// The status for having too much to do.
    pub(super) fn overloaded(self) -> u16 {
        match self {
            Provider::OpenAi | Provider::Bedrock | Provider::Gemini => 503,
            Provider::Anthropic => 529,
        }
    }

    /// The largest request body, above which the provider says 413.
    pub(super) fn body_limit(self) -> usize {
        match self {
            Provider::OpenAi => 50 << 20,
            Provider::Anthropic => 32 << 20,
            Provider::Bedrock => 25 << 20,
            Provider::Gemini => 20 << 20,
        }
    }
}

/// One server-sent event, spelled as the faults want it.
pub(super) fn sse(event: Option<&str>, data: &str, faults: &Faults) -> Bytes {
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

#[cfg(test)]
pub(super) fn sample_keys() -> Keys {
    Keys {
        openai: "sim-openai-key".to_owned(),
        anthropic: "sim-anthropic-key".to_owned(),
        bedrock: "sim-bedrock-key".to_owned(),
        bedrock_secret: Some("sim-bedrock-secret".to_owned()),
        gemini: "sim-gemini-key".to_owned(),
    }
}
