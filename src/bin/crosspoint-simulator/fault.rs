//! What a request may ask the simulator to do wrong.
//!
//! Directives are written after `!` in an upstream model id (`gpt-4o!status=429;retry_after=7`) or given to the
//! control endpoint for a whole provider. Positions (`error_at`, `stall_at`, …) count completion tokens already
//! sent: `0` is before the first event. A position behind the last token fires just before the finish.
//! In a buffered answer a position cuts, stalls or spoils the body half-way, and `error_at` is the plain error.

/// Every directive, for the control endpoint.
pub(crate) const DIRECTIVES: &[&str] = &[
    "times=N",
    "status=400..599",
    "retry_after=SECONDS",
    "html",
    "error_200",
    "reset",
    "no_headers",
    "silent",
    "keep_alive=MS",
    "empty",
    "error_at=TOKENS",
    "error=TYPE",
    "stall_at=TOKENS",
    "cut_at=TOKENS",
    "reset_at=TOKENS",
    "garbage",
    "garbage_at=TOKENS",
    "delay=MS",
    "first_delay=MS",
    "token_delay=MS",
    "hold=MS",
    "chunk=BYTES",
    "burst",
    "gzip",
    "tokens=N",
    "bytes=N",
    "no_usage",
    "no_done",
    "usage_on_finish",
    "late_input=TOKENS",
    "crlf",
    "nospace",
    "comments",
    "nulls",
];

/// The directives of one request. The default is a healthy provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// Only the first so many requests are affected, later ones are healthy.
    pub(crate) times: Option<u64>,
    /// Answer with this error status, in the provider's error shape.
    pub(crate) status: Option<u16>,
    /// Seconds for a `retry-after` header on the error.
    pub(crate) retry_after: Option<u64>,
    /// Answer with an HTML page (502 unless `status` says otherwise).
    pub(crate) html: bool,
    /// Answer 200 with an error object as the body.
    pub(crate) error_200: bool,
    /// Reset the connection before any byte of the response.
    pub(crate) reset: bool,
    /// Take the request and never answer.
    pub(crate) no_headers: bool,
    /// Send the headers, then nothing.
    pub(crate) silent: bool,
    /// Send the headers, then SSE comments only, one in so many milliseconds.
    pub(crate) keep_alive: Option<u64>,
    /// A completion without content.
    pub(crate) empty: bool,
    /// An in-band error after so many tokens.
    pub(crate) error_at: Option<u64>,
    /// The type (OpenAI, Anthropic), exception (Bedrock), status (Gemini) or finish reason (Cohere) of that error.
    pub(crate) error: Option<String>,
    /// Silence after so many tokens.
    pub(crate) stall_at: Option<u64>,
    /// The connection is closed after so many tokens.
    pub(crate) cut_at: Option<u64>,
    /// The connection is reset (TCP RST) after so many tokens.
    pub(crate) reset_at: Option<u64>,
    /// The body is noise from the first byte.
    pub(crate) garbage: bool,
    /// The body turns into noise after so many tokens.
    pub(crate) garbage_at: Option<u64>,
    /// Milliseconds before the headers.
    pub(crate) delay_ms: u64,
    /// Milliseconds between the headers and the first event.
    pub(crate) first_delay_ms: u64,
    /// Milliseconds before each token.
    pub(crate) token_delay_ms: u64,
    /// Milliseconds before what ends a body early, so that it does not overtake the tokens before it.
    pub(crate) hold_ms: u64,
    /// Write the body in pieces of so many bytes.
    pub(crate) chunk: Option<usize>,
    /// Write the body without a flush between events.
    pub(crate) burst: bool,
    /// Compress, asked or not.
    pub(crate) gzip: bool,
    /// Number of words of the text.
    pub(crate) tokens: Option<usize>,
    /// The text is one word of so many bytes.
    pub(crate) bytes: Option<usize>,
    /// Report no usage.
    pub(crate) no_usage: bool,
    /// Leave out the last event (`[DONE]`, `message_stop`; Bedrock has none).
    pub(crate) no_done: bool,
    /// Usage comes with the finish (OpenAI) or before it (Bedrock).
    pub(crate) usage_on_finish: bool,
    /// Tokens missing from Anthropic's first usage, corrected by its last one.
    pub(crate) late_input: u64,
    /// SSE lines end in CR LF.
    pub(crate) crlf: bool,
    /// SSE fields have no space after the colon.
    pub(crate) nospace: bool,
    /// SSE comment lines between events.
    pub(crate) comments: bool,
    /// OpenAI deltas as some compatible servers send them: explicit nulls, empty ids and names.
    pub(crate) nulls: bool,
}

impl Faults {
    /// Reads directives separated by `;` on top of what is set already.
    pub(crate) fn apply(&mut self, directives: &str) -> Result<(), String> {
        for directive in directives.split(';').map(str::trim).filter(|d| !d.is_empty()) {
            let (name, value) = match directive.split_once('=') {
                Some((name, value)) => (name.trim(), Some(value.trim())),
                None => (directive, None),
            };
            self.set(name, value)
                .map_err(|why| format!("simulator: directive `{directive}`: {why}"))?;
        }
        Ok(())
    }

    /// Reads directives from nothing.
    pub(crate) fn parse(directives: &str) -> Result<Faults, String> {
        let mut faults = Faults::default();
        faults.apply(directives)?;
        Ok(faults)
    }

    fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), String> {
        match name {
            "times" => self.times = Some(number(value)?),
            "status" => self.status = Some(status(value)?),
            "retry_after" => self.retry_after = Some(number(value)?),
            "html" => self.html = flag(value)?,
            "error_200" => self.error_200 = flag(value)?,
            "reset" => self.reset = flag(value)?,
            "no_headers" => self.no_headers = flag(value)?,
            "silent" => self.silent = flag(value)?,
            "keep_alive" => self.keep_alive = Some(number(value)?.max(1)),
            "empty" => self.empty = flag(value)?,
            "error_at" => self.error_at = Some(number(value)?),
            "error" => {
                self.error = Some(
                    value
                        .ok_or("wants a name, as in error=rate_limit_error")?
                        .to_owned(),
                )
            }
            "stall_at" => self.stall_at = Some(number(value)?),
            "cut_at" => self.cut_at = Some(number(value)?),
            "reset_at" => self.reset_at = Some(number(value)?),
            "garbage" => self.garbage = flag(value)?,
            "garbage_at" => self.garbage_at = Some(number(value)?),
            "delay" => self.delay_ms = number(value)?,
            "first_delay" => self.first_delay_ms = number(value)?,
            "token_delay" => self.token_delay_ms = number(value)?,
            "hold" => self.hold_ms = number(value)?,
            "chunk" => self.chunk = Some(size(value, 1, 1 << 20)?),
            "burst" => self.burst = flag(value)?,
            "gzip" => self.gzip = flag(value)?,
            "tokens" => self.tokens = Some(size(value, 0, 1_000_000)?),
            "bytes" => self.bytes = Some(size(value, 0, 1 << 28)?),
            "no_usage" => self.no_usage = flag(value)?,
            "no_done" => self.no_done = flag(value)?,
            "usage_on_finish" => self.usage_on_finish = flag(value)?,
            "late_input" => self.late_input = number(value)?,
            "crlf" => self.crlf = flag(value)?,
            "nospace" => self.nospace = flag(value)?,
            "comments" => self.comments = flag(value)?,
            "nulls" => self.nulls = flag(value)?,
            _ => return Err("is not known; see `GET /rules` on the control port".to_owned()),
        }
        Ok(())
    }
}

/// Splits `gpt-4o!status=503` into the model and its directives.
pub(crate) fn split_model(id: &str) -> (&str, &str) {
    id.split_once('!').unwrap_or((id, ""))
}

fn flag(value: Option<&str>) -> Result<bool, String> {
    match value {
        None | Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(_) => Err("takes no value".to_owned()),
    }
}

fn number(value: Option<&str>) -> Result<u64, String> {
    value
        .and_then(|v| v.parse().ok())
        .ok_or_else(|| "wants a number, as in `name=5`".to_owned())
}

fn size(value: Option<&str>, least: usize, most: usize) -> Result<usize, String> {
    usize::try_from(number(value)?)
        .ok()
        .filter(|n| (least..=most).contains(n))
        .ok_or_else(|| format!("wants a number from {least} to {most}"))
}

fn status(value: Option<&str>) -> Result<u16, String> {
    u16::try_from(number(value)?)
        .ok()
        .filter(|status| (400..600).contains(status))
        .ok_or_else(|| "wants an error status from 400 to 599".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_combine() {
        let faults = Faults::parse("status=429; retry_after=7;times=2;gzip").unwrap();
        assert_eq!(faults.status, Some(429));
        assert_eq!(faults.retry_after, Some(7));
        assert_eq!(faults.times, Some(2));
        assert!(faults.gzip);
    }

    #[test]
    fn a_model_without_directives_is_healthy() {
        assert_eq!(
            split_model("anthropic.claude-v1:0"),
            ("anthropic.claude-v1:0", "")
        );
        assert_eq!(Faults::parse("").unwrap(), Faults::default());
        assert_eq!(split_model("gpt-4o!cut_at=5;crlf"), ("gpt-4o", "cut_at=5;crlf"));
    }

    #[test]
    fn every_listed_directive_is_known() {
        for listed in DIRECTIVES {
            let value = if listed.starts_with("status") { "503" } else { "5" };
            let directive = listed
                .split_once('=')
                .map_or((*listed).to_owned(), |(name, _)| format!("{name}={value}"));
            assert_ne!(
                Faults::parse(&directive).unwrap(),
                Faults::default(),
                "{directive}"
            );
        }
    }

    #[test]
    fn a_wrong_directive_is_named() {
        for wrong in [
            "sleep",
            "status=200",
            "status",
            "chunk=0",
            "silent=maybe",
            "error_at=x",
        ] {
            let why = Faults::parse(wrong).unwrap_err();
            assert!(why.contains(wrong), "{why}");
        }
    }
}
