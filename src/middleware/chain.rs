//! The stages in their order, and what happens when one of them waits.

use super::{Callout, Middleware, Reply, RequestStage, ResponseStage, Verdict};
use crate::chat::{Delta, Request};
use crate::error::{Error, Kind};
use std::collections::VecDeque;
use std::rc::Rc;

/// How many deltas may wait behind a stage that waits for a callout.
pub const MAX_WAITING: usize = 4_096;

/// What came of feeding a chain.
#[derive(Clone, Debug)]
pub enum Step {
    /// Everything went through.
    Done,
    /// A stage ends the exchange.
    Reject(Error),
    /// A stage waits: make this call, then `resume`.
    Wait(Callout),
}

/// The request side of a chain, at work on one exchange.
#[derive(Debug)]
pub struct RequestChain {
    stages: VecDeque<Box<dyn RequestStage>>,
}

impl RequestChain {
    /// The request side of all stages that have one, in order.
    pub fn new(chain: &[Rc<dyn Middleware>]) -> Self {
        Self {
            stages: chain.iter().filter_map(|stage| stage.request()).collect(),
        }
    }

    /// Runs the stages from the first on.
    pub fn run(&mut self, request: &mut Request) -> Step {
        while let Some(stage) = self.stages.front_mut() {
            match stage.run(request) {
                Verdict::Continue => self.stages.pop_front(),
                Verdict::Reject(error) => return Step::Reject(error),
                Verdict::Wait(callout) => return Step::Wait(callout),
            };
        }
        Step::Done
    }

    /// Gives the waiting stage its reply and runs on.
    pub fn resume(&mut self, request: &mut Request, reply: Reply) -> Step {
        if let Some(stage) = self.stages.front_mut() {
            match stage.resume(request, reply) {
                Verdict::Continue => self.stages.pop_front(),
                Verdict::Reject(error) => return Step::Reject(error),
                Verdict::Wait(callout) => return Step::Wait(callout),
            };
        }
        self.run(request)
    }
}

/// The response side of a chain, at work on one attempt.
#[derive(Debug, Default)]
pub struct ResponseChain {
    stages: Vec<Box<dyn ResponseStage>>,
    /// What is to pass stage `n`, in `queues[n]`. Only filled while a stage behind it waits.
    queues: Vec<VecDeque<Item>>,
    /// The stage that waits for a callout, and whether it was at its end.
    waiting: Option<(usize, bool)>,
}

#[derive(Debug)]
enum Item {
    Delta(Delta),
    Finish,
}

impl ResponseChain {
    /// The response side of all stages that have one, in reverse order.
    pub fn new(chain: &[Rc<dyn Middleware>], request: &Request) -> Self {
        let stages: Vec<_> = chain
            .iter()
            .rev()
            .filter_map(|stage| stage.response(request))
            .collect();
        let queues = stages.iter().map(|_| VecDeque::new()).collect();
        Self {
            stages,
            queues,
            waiting: None,
        }
    }

    /// Whether no stage looks at deltas.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// Whether a stage waits for a callout.
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Sends one delta down the chain; what comes out is pushed onto `out`.
    pub fn push(&mut self, delta: Delta, out: &mut Vec<Delta>) -> Step {
        self.enter(Item::Delta(delta), out)
    }

    /// Tells every stage that the response is complete.
    pub fn finish(&mut self, out: &mut Vec<Delta>) -> Step {
        self.enter(Item::Finish, out)
    }

    /// Gives the waiting stage its reply and lets what stands behind it run on.
    pub fn resume(&mut self, reply: Reply, out: &mut Vec<Delta>) -> Step {
        let Some((at, ends)) = self.waiting.take() else {
            return Step::Done;
        };
        let mut passed = Vec::new();
        let verdict = match self.stages.get_mut(at) {
            Some(stage) => stage.resume(reply, &mut passed),
            None => Verdict::Continue,
        };
        self.hand_on(at + 1, passed, out);
        match self.conclude(at, ends, verdict) {
            Step::Done => self.drain(out),
            step => step,
        }
    }

    fn enter(&mut self, item: Item, out: &mut Vec<Delta>) -> Step {
        let Some(first) = self.queues.first_mut() else {
            if let Item::Delta(delta) = item {
                out.push(delta);
            }
            return Step::Done;
        };
        if first.len() >= MAX_WAITING {
            return Step::Reject(Error::new(
                Kind::Server,
                format!(
                    "a middleware waited while {MAX_WAITING} pieces of the response came; it must answer sooner"
                ),
            ));
        }
        first.push_back(item);
        self.drain(out)
    }

    /// Runs queued items, those furthest along first, until nothing is queued or a stage waits.
    fn drain(&mut self, out: &mut Vec<Delta>) -> Step {
        if self.waiting.is_some() {
            return Step::Done;
        }
        while let Some(at) = self.queues.iter().rposition(|queue| !queue.is_empty()) {
            let (Some(item), Some(stage)) = (
                self.queues.get_mut(at).and_then(VecDeque::pop_front),
                self.stages.get_mut(at),
            ) else {
                return Step::Done;
            };
            let mut passed = Vec::new();
            let ends = matches!(item, Item::Finish);
            let verdict = match item {
                Item::Delta(delta) => stage.delta(delta, &mut passed),
                Item::Finish => stage.finish(&mut passed),
            };
            self.hand_on(at + 1, passed, out);
            match self.conclude(at, ends, verdict) {
                Step::Done => {}
                step => return step,
            }
        }
        Step::Done
    }

    /// What a stage's verdict means for the stages behind it.
    fn conclude(&mut self, at: usize, ends: bool, verdict: Verdict) -> Step {
        match verdict {
            Verdict::Continue => {
                if ends && let Some(next) = self.queues.get_mut(at + 1) {
                    next.push_back(Item::Finish);
                }
                Step::Done
            }
            Verdict::Reject(error) => Step::Reject(error),
            Verdict::Wait(callout) => {
                self.waiting = Some((at, ends));
                Step::Wait(callout)
            }
        }
    }

    fn hand_on(&mut self, to: usize, passed: Vec<Delta>, out: &mut Vec<Delta>) {
        match self.queues.get_mut(to) {
            Some(queue) => queue.extend(passed.into_iter().map(Item::Delta)),
            None => out.extend(passed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Finish, Piece};
    use crate::json;
    use crate::middleware::Verdict;
    use crate::test;

    /// Puts its name behind whatever passes. A delta that holds its name and `?` makes it wait, its name and `!` reject,
    /// its name and `+` let two out. What stands behind a colon in its name says what it does at the request
    /// (`request`: wait, `reject`) and at the end of the response (`end`: wait; `twice`: wait twice).
    #[derive(Clone, Debug)]
    struct Test(&'static str);

    impl Test {
        fn name(&self) -> &'static str {
            self.0.split(':').next().unwrap_or_default()
        }

        fn callout(&self) -> Callout {
            Callout {
                cluster: self.name().to_owned(),
                headers: Vec::new(),
                body: Vec::new(),
                timeout_ms: 1,
            }
        }

        fn mark(&self, request: &mut Request, mark: &str) {
            let so_far: String = request.get("trace").unwrap().unwrap_or_default();
            request.set("trace", json::to_raw(&format!("{so_far}{}{mark} ", self.name())));
        }
    }

    impl Middleware for Test {
        fn request(&self) -> Option<Box<dyn RequestStage>> {
            Some(Box::new(self.clone()))
        }

        fn response(&self, _: &Request) -> Option<Box<dyn ResponseStage>> {
            Some(Box::new(Response {
                test: self.clone(),
                held: None,
                left: if self.0.ends_with(":twice") { 2 } else { 1 },
            }))
        }
    }

    impl RequestStage for Test {
        fn run(&mut self, request: &mut Request) -> Verdict {
            self.mark(request, "");
            match self.0.split(':').nth(1) {
                Some("request") => Verdict::Wait(self.callout()),
                Some("reject") => Verdict::Reject(Error::invalid(self.name())),
                _ => Verdict::Continue,
            }
        }

        fn resume(&mut self, request: &mut Request, reply: Reply) -> Verdict {
            match reply {
                Reply::Response { .. } => {
                    self.mark(request, "'");
                    Verdict::Continue
                }
                Reply::Failed => Verdict::Reject(Error::invalid(self.name())),
            }
        }
    }

    #[derive(Debug)]
    struct Response {
        test: Test,
        held: Option<String>,
        /// How often it waits for one delta, or for the end.
        left: u32,
    }

    impl ResponseStage for Response {
        fn delta(&mut self, delta: Delta, out: &mut Vec<Delta>) -> Verdict {
            let name = self.test.name();
            let is_told = |what: char| written(&delta).contains(&format!("{name}{what}"));
            let text = format!("{}{name}", written(&delta));
            if is_told('!') {
                return Verdict::Reject(Error::invalid(name));
            }
            if is_told('?') {
                out.push(text_delta("early"));
                self.held = Some(text);
                return Verdict::Wait(self.test.callout());
            }
            let times = if is_told('+') { 2 } else { 1 };
            out.extend(std::iter::repeat_n(text_delta(&text), times));
            Verdict::Continue
        }

        fn finish(&mut self, out: &mut Vec<Delta>) -> Verdict {
            out.push(text_delta(&format!("end-{}-", self.test.name())));
            match self.test.0.split(':').nth(1) {
                Some("end" | "twice") => Verdict::Wait(self.test.callout()),
                _ => Verdict::Continue,
            }
        }

        fn resume(&mut self, reply: Reply, out: &mut Vec<Delta>) -> Verdict {
            self.left -= 1;
            if self.left > 0 {
                return Verdict::Wait(self.test.callout());
            }
            self.left = 1;
            let text = self.held.take().unwrap_or_else(|| "answered-".to_owned());
            out.push(text_delta(&format!("{text}'")));
            match reply {
                Reply::Response { .. } => Verdict::Continue,
                Reply::Failed => Verdict::Reject(Error::invalid(self.test.name())),
            }
        }
    }

    fn text_delta(text: &str) -> Delta {
        Delta::Piece {
            choice: 0,
            piece: Piece::Text(text.to_owned()),
        }
    }

    fn written(delta: &Delta) -> &str {
        match delta {
            Delta::Piece {
                piece: Piece::Text(text),
                ..
            } => text,
            _ => "",
        }
    }

    fn reply() -> Reply {
        Reply::Response {
            status: 200,
            body: Vec::new(),
        }
    }

    fn request() -> Request {
        Request::parse(b"{}".to_vec()).unwrap()
    }

    fn stages(names: &[&'static str]) -> Vec<Rc<dyn Middleware>> {
        names
            .iter()
            .map(|name| Rc::new(Test(name)) as Rc<dyn Middleware>)
            .collect()
    }

    /// `done`, or who waits or rejects.
    fn told(step: &Step) -> String {
        match step {
            Step::Done => "done".to_owned(),
            Step::Wait(callout) => format!("wait {}", callout.cluster),
            Step::Reject(error) => format!("reject {}", error.message),
        }
    }

    /// Plays a script against a response chain: `.` ends the response, `ok` and `failed` are replies, anything else is
    /// a delta. Each line of the result is what came of one word: the step, and what came out.
    fn play(names: &[&'static str], script: &[&str]) -> Vec<String> {
        let mut chain = ResponseChain::new(&stages(names), &request());
        let lines = script.iter().map(|word| {
            let mut out = Vec::new();
            let step = match *word {
                "." => chain.finish(&mut out),
                "ok" => chain.resume(reply(), &mut out),
                "failed" => chain.resume(Reply::Failed, &mut out),
                text => chain.push(text_delta(text), &mut out),
            };
            assert_eq!(chain.is_waiting(), chain.waiting.is_some());
            let out: Vec<_> = out.iter().map(written).collect();
            format!("{} [{}]", told(&step), out.join(","))
        });
        lines.collect()
    }

    #[test]
    fn requests_pass_the_stages_in_order() {
        let mut request = request();
        let step = RequestChain::new(&stages(&["a", "b", "c"])).run(&mut request);
        assert_eq!(
            (told(&step).as_str(), request.raw("trace")),
            ("done", Some(r#""a b c ""#))
        );
    }

    #[test]
    fn requests_wait_at_one_stage_after_the_other() {
        let mut request = request();
        let mut chain = RequestChain::new(&stages(&["a", "b:request", "c:request", "d"]));
        assert_eq!(told(&chain.run(&mut request)), "wait b");
        assert_eq!(request.raw("trace"), Some(r#""a b ""#));
        assert_eq!(told(&chain.resume(&mut request, reply())), "wait c");
        assert_eq!(told(&chain.resume(&mut request, reply())), "done");
        assert_eq!(request.raw("trace"), Some(r#""a b b' c c' d ""#));
    }

    #[test]
    fn a_rejected_request_goes_no_further() {
        let mut request = request();
        let mut chain = RequestChain::new(&stages(&["a:request", "b:reject", "c"]));
        assert_eq!(told(&chain.run(&mut request)), "wait a");
        assert_eq!(told(&chain.resume(&mut request, reply())), "reject b");
        assert_eq!(request.raw("trace"), Some(r#""a a' b ""#));
        let mut chain = RequestChain::new(&stages(&["a:request", "b"]));
        assert_eq!(told(&chain.run(&mut request)), "wait a");
        assert_eq!(told(&chain.resume(&mut request, Reply::Failed)), "reject a");
    }

    #[test]
    fn deltas_pass_the_stages_in_reverse_order() {
        assert_eq!(
            play(&["a", "b"], &["x", "."]),
            ["done [xba]", "done [end-b-a,end-a-]"]
        );
        assert_eq!(
            play(&["a", "b"], &["b+a+"]),
            ["done [b+a+ba,b+a+ba,b+a+ba,b+a+ba]"]
        );
    }

    #[test]
    fn without_stages_everything_passes() {
        assert!(ResponseChain::new(&[], &request()).is_empty());
        assert_eq!(play(&[], &["x", ".", "ok"]), ["done [x]", "done []", "done []"]);
    }

    #[test]
    fn what_comes_while_a_stage_waits_follows_in_order() {
        let played = play(&["a", "b"], &["x", "b?", "y", "z", ".", "ok"]);
        let (last, waiting) = played.split_last().unwrap();
        assert_eq!(
            waiting,
            ["done [xba]", "wait b []", "done []", "done []", "done []"]
        );
        assert_eq!(last, "done [earlya,b?b'a,yba,zba,end-b-a,end-a-]");
    }

    #[test]
    fn a_stage_far_down_the_chain_holds_up_those_before_it() {
        let expected = ["wait a [early]", "done []", "done [a?ba',yba]", "done [zba]"];
        assert_eq!(play(&["a", "b"], &["a?", "y", "ok", "z"]), expected);
    }

    #[test]
    fn stages_wait_for_the_same_delta_one_after_the_other() {
        let expected = [
            "wait b []",
            "done []",
            "done []",
            "wait a [earlya,early]",
            "done [b?a?b'a',yba,end-b-a,end-a-]",
        ];
        assert_eq!(play(&["a", "b"], &["b?a?", "y", ".", "ok", "ok"]), expected);
    }

    #[test]
    fn a_stage_waits_for_one_delta_after_the_other() {
        let expected = [
            "wait b []",
            "done []",
            "wait b [earlya,b?b'a]",
            "done [earlya,b?b'a]",
            "done [yba]",
        ];
        assert_eq!(play(&["a", "b"], &["b?", "b?", "ok", "ok", "y"]), expected);
    }

    #[test]
    fn a_stage_may_wait_at_the_end_and_more_than_once() {
        let expected = [
            "done [xba]",
            "wait b []",
            "wait b []",
            "done [end-b-a,answered-'a,end-a-]",
        ];
        assert_eq!(play(&["a", "b:twice"], &["x", ".", "ok", "ok"]), expected);
        let expected = [
            "wait b []",
            "wait a [end-b-a,answered-'a,end-a-]",
            "done [answered-']",
        ];
        assert_eq!(play(&["a:end", "b:end"], &[".", "ok", "ok"]), expected);
    }

    #[test]
    fn a_stage_that_rejects_ends_the_response() {
        assert_eq!(play(&["a", "b"], &["x", "b!"]), ["done [xba]", "reject b []"]);
        assert_eq!(
            play(&["a", "b"], &["b?", "y", "failed"]),
            ["wait b []", "done []", "reject b []"]
        );
    }

    #[test]
    fn a_finish_in_the_queue_is_no_delta() {
        let mut chain = ResponseChain::new(&stages(&["a"]), &request());
        let mut out = Vec::new();
        let finish = Delta::Finish {
            choice: 0,
            reason: Finish::Stop,
            native: None,
        };
        assert_eq!(told(&chain.push(text_delta("a?"), &mut out)), "wait a");
        assert_eq!(told(&chain.push(finish, &mut out)), "done");
        assert_eq!(told(&chain.finish(&mut out)), "done");
        assert_eq!(told(&chain.resume(reply(), &mut out)), "done");
        assert_eq!(
            out.iter().map(written).collect::<Vec<_>>(),
            ["early", "a?a'", "a", "end-a-"]
        );
    }

    #[test]
    fn a_stage_that_waits_too_long_ends_the_response() {
        let mut chain = ResponseChain::new(&stages(&["a", "b"]), &request());
        let mut out = Vec::new();
        assert_eq!(told(&chain.push(text_delta("b?"), &mut out)), "wait b");
        for _ in 0..MAX_WAITING {
            assert_eq!(told(&chain.push(text_delta("x"), &mut out)), "done");
        }
        let step = chain.push(text_delta("x"), &mut out);
        let expected =
            "reject a middleware waited while 4096 pieces of the response came; it must answer sooner";
        assert_eq!((told(&step).as_str(), out.len()), (expected, 0));
    }
}
