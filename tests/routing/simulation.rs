//! The simulation itself: endpoints that follow a script, workers as the filter has them, and events in order of time.

use crosspoint::chat::Request;
use crosspoint::config::Config;
use crosspoint::hash;
use crosspoint::health::{Record, Sample, View};
use crosspoint::load;
use crosspoint::preference::Preferences;
use crosspoint::route::{Needs, RouteContext, RouteInput, TRIAL, choose, first_token_ms};
use serde_json::json;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};

/// When everything begins, in milliseconds since 1970.
const BEGIN_MS: u64 = 1_800_000_000_000;
const WORKERS: usize = 2;
/// As in the filter: how long a worker plans with its copy of a record, and how often it writes what went well.
const COPY_MS: u64 = 100;
const TICK_MS: u64 = 500;
/// How long the completion takes after its first token, and an error.
const GENERATION_MS: u64 = 1_000;
const ERROR_MS: u64 = 20;
const MAX_ATTEMPTS: usize = 4;
/// How long the naive policies wait for a first token, and ours at an endpoint that it knows nothing of.
const DEADLINE_MS: u64 = 30_000;

/// What an endpoint does.
#[derive(Clone, Copy)]
pub(crate) struct Endpoint {
    pub(crate) price: f64,
    /// The usual time to the first token.
    pub(crate) first_token_ms: u64,
    /// Every request fails from then until then.
    pub(crate) down: Option<(u64, u64)>,
    /// Every request is accepted and never answered from then until then.
    pub(crate) silent: Option<(u64, u64)>,
    /// What is silent sends no headers either, so that Envoy's one deadline for all attempts ends the attempt.
    pub(crate) headless: bool,
    /// The share of requests that fail by chance.
    pub(crate) fails: f64,
    /// More are answered with 429 and Retry-After: 1.
    pub(crate) most_per_second: Option<u64>,
    /// It has a price for reads from its cache.
    pub(crate) caches: bool,
}

pub(crate) const fn endpoint(price: f64) -> Endpoint {
    Endpoint {
        price,
        first_token_ms: 400,
        down: None,
        silent: None,
        headless: false,
        fails: 0.0,
        most_per_second: None,
        caches: false,
    }
}

pub(crate) struct Scenario {
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) requests: u64,
    pub(crate) per_second: u64,
    /// How many sessions the requests belong to; 0: none.
    pub(crate) sessions: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    RoundRobin,
    /// By 1/price², as ours, without looking at health.
    WeightedRandom,
    LowestPrice,
    Crosspoint,
}

impl Policy {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::RoundRobin => "round-robin",
            Self::WeightedRandom => "weighted random",
            Self::LowestPrice => "lowest price",
            Self::Crosspoint => "crosspoint",
        }
    }
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Report {
    requests: u64,
    errors: u64,
    /// When, and on which endpoint.
    attempts: Vec<(u64, usize)>,
    first: Vec<u64>,
    /// How many attempts missed a deadline, by request.
    pub(crate) missed: HashMap<usize, usize>,
    /// The times to the first token that users saw, over all attempts.
    first_tokens: Vec<u64>,
    paid: f64,
    /// Which endpoints served a session.
    sessions: HashMap<u64, Vec<usize>>,
}

impl Report {
    pub(crate) fn error_rate(&self) -> f64 {
        self.errors as f64 / self.requests as f64
    }

    pub(crate) fn attempts_per_request(&self) -> f64 {
        self.attempts.len() as f64 / self.requests as f64
    }

    /// A percentile of the time to the first token.
    pub(crate) fn first_token(&self, percent: usize) -> u64 {
        let mut sorted = self.first_tokens.clone();
        sorted.sort_unstable();
        sorted[(sorted.len() - 1) * percent / 100]
    }

    pub(crate) fn mean_price(&self) -> f64 {
        self.paid / self.first_tokens.len() as f64
    }

    /// The share of first attempts.
    pub(crate) fn share(&self, at: usize) -> f64 {
        self.first[at] as f64 / self.requests as f64
    }

    pub(crate) fn attempts_on(&self, at: usize, from: u64, to: u64) -> f64 {
        let here = |(when, on): &&(u64, usize)| *on == at && (from..to).contains(when);
        self.attempts.iter().filter(here).count() as f64
    }

    /// The share of requests of sessions that were not served where most of their session was.
    pub(crate) fn switched(&self) -> f64 {
        self.switched_of(|_| true)
    }

    pub(crate) fn switched_of(&self, of: impl Fn(usize) -> bool) -> f64 {
        let (mut all, mut away) = (0, 0);
        for served in self.sessions.values() {
            let count = |at| served.iter().filter(|on| **on == at).count();
            let home = (0..self.first.len()).max_by_key(|at| count(*at)).unwrap();
            if of(home) {
                all += served.len();
                away += served.len() - count(home);
            }
        }
        away as f64 / f64::max(all as f64, 1.0)
    }
}

/// A worker's own knowledge of the health of endpoints, as in the filter.
#[derive(Clone, Default)]
struct Local {
    copy: Option<(View, u64)>,
    waiting: Vec<Sample>,
    running: u16,
}

struct Health {
    shared: Vec<Record>,
    workers: Vec<Vec<Local>>,
}

impl Health {
    fn view(&mut self, worker: usize, at: usize, now: u64) -> View {
        let local = &mut self.workers[worker][at];
        let fresh = local.copy.filter(|(_, read)| now - read < COPY_MS);
        let mut view = fresh.map_or_else(|| self.shared[at].view(worker as u32 + 1, now), |(view, _)| view);
        if fresh.is_none() {
            local.copy = Some((view, now));
        }
        view.in_flight += u32::from(local.running);
        view
    }

    fn store(&mut self, worker: usize, at: usize, sample: Sample, now: u64) {
        let local = &mut self.workers[worker][at];
        local.waiting.push(sample);
        let good = matches!(sample, Sample::Success | Sample::FirstToken { .. });
        if !good || local.copy.is_none_or(|(view, _)| view.is_out()) {
            self.write(worker, at, now);
        }
    }

    fn write(&mut self, worker: usize, at: usize, now: u64) {
        let local = &mut self.workers[worker][at];
        let waiting = std::mem::take(&mut local.waiting);
        let record = waiting
            .iter()
            .fold(self.shared[at], |record, sample| record.update(*sample, now));
        let vm = worker as u32 + 1;
        self.shared[at] = record.report(vm, local.running, now);
        local.copy = Some((self.shared[at].view(vm, now), now));
    }
}

/// A request under way.
struct Flight {
    worker: usize,
    session: u64,
    arrived: u64,
    plan: Vec<usize>,
    /// How long each endpoint of the plan may take, as known when it was made.
    deadlines: Vec<u64>,
    tried: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrive(u64),
    FirstToken {
        flight: usize,
        ms: u64,
    },
    Failed {
        flight: usize,
        limited: bool,
    },
    /// The attempt has missed its endpoint's deadline; only `ended` ones go on to the next.
    Late {
        flight: usize,
        ended: bool,
    },
    Done {
        worker: usize,
        at: usize,
    },
    Tick,
}

struct Simulation<'s> {
    scenario: &'s Scenario,
    policy: Policy,
    config: Config,
    keys: HashMap<u64, usize>,
    health: Health,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    flights: Vec<Flight>,
    /// How many requests each endpoint has had in this second.
    second: Vec<(u64, u64)>,
    luck: u64,
    /// The requests and attempts whose endpoint's health knows already that they are late.
    noted: BTreeSet<(usize, usize)>,
    report: Report,
}

pub(crate) fn run(scenario: &Scenario, policy: Policy) -> Report {
    let config = config(&scenario.endpoints);
    let endpoints = &config.models[0].endpoints;
    let keys = endpoints
        .iter()
        .enumerate()
        .map(|(at, endpoint)| (endpoint.health_key, at));
    let count = endpoints.len();
    let mut simulation = Simulation {
        scenario,
        policy,
        keys: keys.collect(),
        health: Health {
            shared: vec![Record::default(); count],
            workers: vec![vec![Local::default(); count]; WORKERS],
        },
        events: BinaryHeap::new(),
        flights: Vec::new(),
        second: vec![(0, 0); count],
        luck: 0,
        noted: BTreeSet::new(),
        report: Report {
            requests: scenario.requests,
            first: vec![0; count],
            ..Report::default()
        },
        config,
    };
    simulation.run();
    simulation.report
}

fn config(endpoints: &[Endpoint]) -> Config {
    let provider = json!({"dialect": "openai-chat", "base_url": "http://h/v1"});
    let named = |at: usize| format!("p{at}");
    let providers: serde_json::Map<_, _> = (0..endpoints.len())
        .map(|at| (named(at), provider.clone()))
        .collect();
    let list: Vec<_> = endpoints
        .iter()
        .enumerate()
        .map(|(at, endpoint)| {
            let price = format!("{}", endpoint.price);
            let mut prices = json!({"prompt": price, "completion": price});
            if endpoint.caches {
                prices["cache_read"] = json!("0.1");
            }
            json!({"provider": named(at), "price": prices})
        })
        .collect();
    let value = json!({"providers": providers, "models": {"m": {"endpoints": list}}});
    load::config(&value, None).unwrap()
}

impl Simulation<'_> {
    fn random(&mut self) -> u64 {
        self.luck += 1;
        hash::mix(self.luck)
    }

    fn uniform(&mut self) -> f64 {
        (self.random() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn at(&mut self, time: u64, event: Event) {
        self.luck += 1;
        self.events.push(Reverse((time, self.luck, event)));
    }

    fn run(&mut self) {
        self.at(0, Event::Arrive(0));
        self.at(TICK_MS, Event::Tick);
        while let Some(Reverse((time, _, event))) = self.events.pop() {
            match event {
                Event::Arrive(number) => self.arrive(number, time),
                Event::FirstToken { flight, ms } => self.first_token(flight, ms, time),
                Event::Failed { flight, limited } => self.failed(flight, limited, time),
                Event::Late { flight, ended } => self.late(flight, ended, time),
                Event::Done { worker, at } => self.health.workers[worker][at].running -= 1,
                Event::Tick => self.tick(time),
            }
        }
    }

    fn tick(&mut self, time: u64) {
        for worker in 0..WORKERS {
            for at in 0..self.scenario.endpoints.len() {
                self.health.write(worker, at, BEGIN_MS + time);
            }
        }
        if !self.events.is_empty() {
            self.at(time + TICK_MS, Event::Tick);
        }
    }

    fn arrive(&mut self, number: u64, time: u64) {
        if number + 1 < self.scenario.requests {
            // By the clock on average, and not in step with anything.
            let next = (number + 1) * 1_000 / self.scenario.per_second;
            self.at(next.max(time), Event::Arrive(number + 1));
        }
        let worker = (self.random() % WORKERS as u64) as usize;
        let session = match self.scenario.sessions {
            0 => 0,
            sessions => 1 + self.random() % sessions,
        };
        let plan = self.plan(number, worker, session, time);
        self.report.first[plan[0]] += 1;
        let deadlines = self.deadlines(worker, &plan, time);
        self.flights.push(Flight {
            worker,
            session,
            arrived: time,
            plan,
            deadlines,
            tried: 0,
        });
        self.attempt(self.flights.len() - 1, time);
    }

    fn plan(&mut self, number: u64, worker: usize, session: u64, time: u64) -> Vec<usize> {
        let prices: Vec<f64> = self.scenario.endpoints.iter().map(|one| one.price).collect();
        let mut plan: Vec<usize> = (0..prices.len()).collect();
        plan.sort_by(|a, b| prices[*a].total_cmp(&prices[*b]));
        match self.policy {
            Policy::LowestPrice => {}
            Policy::RoundRobin => plan.rotate_left(number as usize % prices.len()),
            Policy::WeightedRandom => {
                let weight = |at: &usize| prices[*at].powi(-2);
                let mut point = self.uniform() * plan.iter().map(weight).sum::<f64>();
                let drawn = plan.iter().position(|at| {
                    point -= weight(at);
                    point < 0.0
                });
                plan[..=drawn.unwrap_or(0)].rotate_right(1);
            }
            Policy::Crosspoint => plan = self.choose(worker, session, time),
        }
        plan.truncate(MAX_ATTEMPTS);
        plan
    }

    fn choose(&mut self, worker: usize, session: u64, time: u64) -> Vec<usize> {
        let now_ms = BEGIN_MS + time;
        let body = match session {
            0 => r#"{"model":"m"}"#.to_owned(),
            session => format!(r#"{{"model":"m","session_id":"{session}"}}"#),
        };
        let request = Request::parse(body.into_bytes()).unwrap();
        let seed = self.random();
        let (health, keys) = (&mut self.health, &self.keys);
        let asked = RouteInput {
            models: &["m".to_owned()],
            preferences: &Preferences::default(),
            needs: &Needs::of(&request, None),
            policies: &[],
        };
        let mut views = |key| health.view(worker, keys[&key], now_ms);
        let chosen = choose(&self.config, &asked, &mut views, RouteContext { now_ms, seed }).unwrap();
        let mut plan: Vec<usize> = chosen.iter().map(|candidate| candidate.endpoint).collect();
        if chosen[0].reason == TRIAL {
            let vm = worker as u32 + 1;
            match self.health.shared[plan[0]].claim(now_ms) {
                Some(claimed) => self.health.shared[plan[0]] = claimed,
                None => plan.rotate_left(1),
            }
            for at in 0..plan.len() {
                let view = self.health.shared[at].view(vm, now_ms);
                self.health.workers[worker][at].copy = Some((view, now_ms));
            }
        }
        plan
    }

    fn attempt(&mut self, number: usize, time: u64) {
        let flight = &mut self.flights[number];
        let at = flight.plan[flight.tried];
        let worker = flight.worker;
        flight.tried += 1;
        self.report.attempts.push((time, at));
        self.health.workers[worker][at].running += 1;
        let endpoint = self.scenario.endpoints[at];
        let (second, count) = self.second[at];
        self.second[at] = if second == time / 1_000 {
            (second, count + 1)
        } else {
            (time / 1_000, 1)
        };
        if endpoint
            .silent
            .is_some_and(|(from, to)| (from..to).contains(&time))
        {
            self.wait(number, endpoint.headless, time);
            return;
        }
        let limited = endpoint
            .most_per_second
            .is_some_and(|most| self.second[at].1 > most);
        let down = endpoint.down.is_some_and(|(from, to)| (from..to).contains(&time));
        if limited || down || self.uniform() < endpoint.fails {
            let event = Event::Failed {
                flight: number,
                limited,
            };
            self.at(time + ERROR_MS, event);
            return;
        }
        // A long tail, as latencies have.
        let factor = (1.0 - self.uniform()).powf(-0.25);
        let ms = (endpoint.first_token_ms as f64 * 0.8 * factor) as u64;
        self.at(time + ms, Event::FirstToken { flight: number, ms });
        self.at(time + ms + GENERATION_MS, Event::Done { worker, at });
    }

    fn deadlines(&mut self, worker: usize, plan: &[usize], time: u64) -> Vec<u64> {
        let now = BEGIN_MS + time;
        let timeouts = self.config.timeouts;
        assert_eq!(timeouts.first_token_ms, DEADLINE_MS);
        let deadline = |at: &usize| match self.policy {
            Policy::Crosspoint => first_token_ms(&timeouts, None, &self.health.view(worker, *at, now), 0),
            _ => DEADLINE_MS,
        };
        plan.iter().map(deadline).collect()
    }

    /// Waits for an endpoint that says nothing, as the filter and Envoy do.
    fn wait(&mut self, number: usize, headless: bool, time: u64) {
        let flight = &self.flights[number];
        let longest = *flight.deadlines.iter().max().unwrap();
        let last = flight.tried >= flight.plan.len();
        let own = if last {
            longest
        } else {
            flight.deadlines[flight.tried - 1]
        };
        let flight = number;
        // What the filter ends, and what it notes, it does by tick.
        let tick = |ms: u64| (time + ms).next_multiple_of(TICK_MS);
        if headless && own < longest {
            self.at(tick(own), Event::Late { flight, ended: false });
        }
        let end = if headless || own == longest {
            time + longest
        } else {
            tick(own)
        };
        self.at(end, Event::Late { flight, ended: true });
    }

    fn late(&mut self, number: usize, ended: bool, time: u64) {
        let flight = &self.flights[number];
        let (worker, at) = (flight.worker, flight.plan[flight.tried - 1]);
        let noted = self.noted.contains(&(number, flight.tried));
        if !ended {
            self.noted.insert((number, flight.tried));
        }
        if !noted {
            self.health.store(worker, at, Sample::Failure, BEGIN_MS + time);
        }
        if ended {
            *self.report.missed.entry(number).or_default() += 1;
            self.health.workers[worker][at].running -= 1;
            self.next(number, time);
        }
    }

    fn first_token(&mut self, number: usize, ms: u64, time: u64) {
        let flight = &self.flights[number];
        let (worker, at) = (flight.worker, flight.plan[flight.tried - 1]);
        self.report.first_tokens.push(time - flight.arrived);
        self.report.paid += self.scenario.endpoints[at].price;
        if flight.session > 0 {
            self.report.sessions.entry(flight.session).or_default().push(at);
        }
        for sample in [Sample::Success, Sample::FirstToken { ms }] {
            self.health.store(worker, at, sample, BEGIN_MS + time);
        }
    }

    fn failed(&mut self, number: usize, limited: bool, time: u64) {
        let flight = &self.flights[number];
        let (worker, at) = (flight.worker, flight.plan[flight.tried - 1]);
        let sample = if limited {
            Sample::RateLimited {
                retry_after_ms: Some(1_000),
            }
        } else {
            Sample::Failure
        };
        self.health.workers[worker][at].running -= 1;
        self.health.store(worker, at, sample, BEGIN_MS + time);
        self.next(number, time);
    }

    fn next(&mut self, number: usize, time: u64) {
        let flight = &self.flights[number];
        if flight.tried >= flight.plan.len() {
            self.report.errors += 1;
        } else {
            self.attempt(number, time);
        }
    }
}
