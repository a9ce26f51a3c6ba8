//! A middleware that waits for an HTTP callout.

use crosspoint::chat::{Delta, Piece, Request};
use crosspoint::error::{Error, Kind};
use crosspoint::middleware::{Callout, Middleware, Reply, RequestStage, ResponseStage, Verdict};

/// Asks before a request goes on, and before each piece of text that holds a question mark; a `200` lets it pass, with what
/// the answer says behind it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    pub(crate) requests: bool,
    pub(crate) ends: bool,
    pub(crate) cluster: Option<&'static str>,
    pub(crate) held: Option<(u32, String)>,
}

impl Guard {
    fn ask(&self, text: &str) -> Verdict {
        Verdict::Wait(Callout {
            cluster: self.cluster.unwrap_or("guard").to_owned(),
            headers: [(":method", "POST"), (":path", "/"), (":authority", "guard")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            body: text.as_bytes().to_vec(),
            timeout_ms: 100,
        })
    }
}

fn verdict(reply: &Reply) -> Result<String, Error> {
    match reply {
        Reply::Response { status: 200, body } => Ok(String::from_utf8(body.clone()).unwrap()),
        Reply::Response { .. } => Err(Error::invalid("the guard objects")),
        Reply::Failed => Err(Error::new(Kind::Server, "the guard is away")),
    }
}

impl Middleware for Guard {
    fn request(&self) -> Option<Box<dyn RequestStage>> {
        self.requests
            .then(|| Box::new(self.clone()) as Box<dyn RequestStage>)
    }

    fn response(&self, _: &Request) -> Option<Box<dyn ResponseStage>> {
        Some(Box::new(self.clone()))
    }
}

impl RequestStage for Guard {
    fn run(&mut self, request: &mut Request) -> Verdict {
        self.ask(request.raw("model").unwrap())
    }

    fn resume(&mut self, request: &mut Request, reply: Reply) -> Verdict {
        match verdict(&reply) {
            Ok(text) => {
                request.set("guarded", crosspoint::json::to_raw(&text));
                Verdict::Continue
            }
            Err(error) => Verdict::Reject(error),
        }
    }
}

impl ResponseStage for Guard {
    fn delta(&mut self, delta: Delta, out: &mut Vec<Delta>) -> Verdict {
        match delta {
            Delta::Piece {
                choice,
                piece: Piece::Text(text),
            } if text.contains('?') => {
                let verdict = self.ask(&text);
                self.held = Some((choice, text));
                verdict
            }
            other => {
                out.push(other);
                Verdict::Continue
            }
        }
    }

    fn finish(&mut self, _out: &mut Vec<Delta>) -> Verdict {
        if self.ends {
            self.ask("end")
        } else {
            Verdict::Continue
        }
    }

    fn resume(&mut self, reply: Reply, out: &mut Vec<Delta>) -> Verdict {
        match verdict(&reply) {
            Ok(said) => {
                if let Some((choice, text)) = self.held.take() {
                    out.push(Delta::Piece {
                        choice,
                        piece: Piece::Text(text + &said),
                    });
                }
                Verdict::Continue
            }
            Err(error) => Verdict::Reject(error),
        }
    }
}

pub(crate) fn requests() -> Guard {
    Guard {
        requests: true,
        ..Guard::default()
    }
}
