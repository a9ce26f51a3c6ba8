//! The filter with a stage that waits, for tests in a real Envoy: none that a configuration can name does.
//!
//! It asks the cluster `guard` about every piece of text with `[ask]` in it, and, where a text had `[ask at the end]`, at
//! the end of the answer. What the guard says to it stands behind the text; where it objects or is away, the answer fails.

#[cfg(target_os = "wasi")]
mod stage {
    use crosspoint::chat::{Delta, Piece, Request};
    use crosspoint::error::{Error, Kind};
    use crosspoint::middleware::{Callout, Middleware, Reply, ResponseStage, Verdict};
    use std::rc::Rc;

    #[derive(Debug)]
    struct Guard;

    #[derive(Debug, Default)]
    struct Answer {
        held: String,
        asks_at_the_end: bool,
    }

    impl Middleware for Guard {
        fn response(&self, _: &Request) -> Option<Box<dyn ResponseStage>> {
            Some(Box::<Answer>::default())
        }
    }

    fn ask() -> Verdict {
        let header = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Verdict::Wait(Callout {
            cluster: "guard".to_owned(),
            headers: [(":method", "GET"), (":path", "/"), (":authority", "guard")]
                .map(header)
                .into(),
            body: Vec::new(),
            timeout_ms: 60_000,
        })
    }

    fn text(text: String) -> Delta {
        Delta::Piece {
            choice: 0,
            piece: Piece::Text(text),
        }
    }

    impl ResponseStage for Answer {
        fn delta(&mut self, delta: Delta, out: &mut Vec<Delta>) -> Verdict {
            match delta {
                Delta::Piece {
                    piece: Piece::Text(text),
                    ..
                } if text.contains("[ask]") => {
                    self.held = text;
                    ask()
                }
                other => {
                    self.asks_at_the_end |= matches!(&other, Delta::Piece { piece: Piece::Text(text), .. } if text.contains("[ask at the end]"));
                    out.push(other);
                    Verdict::Continue
                }
            }
        }

        fn finish(&mut self, _: &mut Vec<Delta>) -> Verdict {
            if self.asks_at_the_end {
                ask()
            } else {
                Verdict::Continue
            }
        }

        fn resume(&mut self, reply: Reply, out: &mut Vec<Delta>) -> Verdict {
            match reply {
                Reply::Response { status: 200, body } => {
                    let said = String::from_utf8(body).unwrap_or_default();
                    out.push(text(std::mem::take(&mut self.held) + &said));
                    Verdict::Continue
                }
                Reply::Response { .. } => Verdict::Reject(Error::invalid("the guard objects")),
                Reply::Failed => Verdict::Reject(Error::new(Kind::Server, "the guard is away")),
            }
        }
    }

    extern "C" fn add() {
        crosspoint::filter::add_middleware(Rc::new(Guard));
    }

    #[expect(unsafe_code, reason = "the library has the VM's entry; this runs before it")]
    #[used]
    #[unsafe(link_section = ".init_array")]
    static ADD: extern "C" fn() = add;
}
