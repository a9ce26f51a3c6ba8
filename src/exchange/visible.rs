//! What a caller and an operator may see of how an exchange was routed: `openrouter_metadata` for who asks for it, and the
//! same, shortened, in the receipt. Shape: <https://openrouter.ai/docs/guides/features/router-metadata>.

use super::Exchange;
use crate::error::{Error, Kind, Routed};
use crate::json;
use crate::meter::{Outcome, PlaceLine};
use crate::route::auto::Rated;
use crate::route::{Candidate, Exclusion};
use serde::Serialize;

/// How many endpoints of a kind are shown to a caller. A stream keeps them until its end.
const MAX_SHOWN: usize = 64;
/// How many are shown in a receipt, of which a new one is written every second.
const MAX_NOTED: usize = 8;

/// How an exchange was routed, beyond its plan and its attempts.
#[derive(Debug, Default)]
pub(super) struct Routing {
    /// The caller wants to see it.
    pub(super) shown: bool,
    /// How many endpoints the models have that were asked for.
    considered: usize,
    /// Those of them that are not asked.
    passed_over: Vec<PassedOver>,
    /// The attempts that failed.
    failed: Vec<(Candidate, Kind)>,
}

/// An endpoint that is not asked, by its model and its place there.
#[derive(Debug)]
struct PassedOver {
    model: usize,
    endpoint: usize,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    /// A preference of the caller's excludes it.
    Excluded(Exclusion),
    /// Its format cannot carry the request.
    Format(String),
    /// Nothing bounds what it may charge, and the key has a budget.
    Unbounded(&'static str),
    /// An attempt failed in a way in which this one would fail too.
    RuledOut(Kind),
}

impl Cause {
    /// The word for it in receipts.
    const fn word(&self) -> &'static str {
        match self {
            Self::Excluded(exclusion) => exclusion.excluded_by(),
            Self::Format(_) => "format",
            Self::Unbounded(_) => "unbounded",
            Self::RuledOut(kind) => kind.facts().error_type,
        }
    }
}

impl Routing {
    /// Begins anew with what the caller excludes.
    pub(super) fn begin(&mut self, excluded: Vec<Exclusion>) {
        let passed_over = excluded.into_iter().map(|exclusion| PassedOver {
            model: exclusion.model,
            endpoint: exclusion.endpoint,
            cause: Cause::Excluded(exclusion),
        });
        self.passed_over = passed_over.collect();
        self.considered = self.passed_over.len();
    }

    /// So many endpoints may serve.
    pub(super) const fn consider(&mut self, count: usize) {
        self.considered = self.considered.saturating_add(count);
    }

    /// The format of this one cannot carry the request.
    pub(super) fn lacks_words(&mut self, candidate: Candidate, message: &str) {
        self.pass_over(candidate, Cause::Format(message.to_owned()));
    }

    /// No budget covers this one.
    pub(super) fn is_unbounded(&mut self, candidate: Candidate, lack: &'static str) {
        self.pass_over(candidate, Cause::Unbounded(lack));
    }

    /// These would fail as another has.
    pub(super) fn rule_out(&mut self, kind: Kind, candidates: Vec<Candidate>) {
        for candidate in candidates {
            self.pass_over(candidate, Cause::RuledOut(kind));
        }
    }

    /// An attempt has failed.
    pub(super) fn fail(&mut self, candidate: Candidate, kind: Kind) {
        self.failed.push((candidate, kind));
    }

    fn pass_over(&mut self, candidate: Candidate, cause: Cause) {
        self.passed_over.push(PassedOver {
            model: candidate.model,
            endpoint: candidate.endpoint,
            cause,
        });
    }
}

#[derive(Serialize)]
struct Metadata<'a> {
    requested: &'a str,
    strategy: &'static str,
    region: Option<&'a str>,
    summary: String,
    attempt: usize,
    is_byok: bool,
    endpoints: Endpoints<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shortlist: Vec<Listed<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attempts: Vec<Tried<'a>>,
}

/// Ours: what the automatic choice made of a model.
#[derive(Serialize)]
struct Listed<'a> {
    model: &'a str,
    score: f64,
    reason: String,
}

/// `excluded` is ours: OpenRouter does not say why an endpoint is not available.
#[derive(Serialize)]
struct Endpoints<'a> {
    total: usize,
    available: Vec<Available<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    excluded: Vec<Excluded<'a>>,
}

#[derive(Serialize)]
struct Available<'a> {
    provider: &'a str,
    model: &'a str,
    selected: bool,
    reason: &'static str,
}

#[derive(Serialize)]
struct Excluded<'a> {
    provider: &'a str,
    model: &'a str,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    set_by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Serialize)]
struct Tried<'a> {
    provider: &'a str,
    model: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<&'static str>,
}

impl Exchange {
    /// The caller wants to see how the exchange is routed.
    pub const fn show_routing(&mut self) {
        self.routing.shown = true;
    }

    /// How the model was found that was asked last, or that would be asked first.
    pub(super) fn strategy(&self) -> &'static str {
        let asked = self.attempt.as_ref().map(|attempt| attempt.candidate);
        let asked = asked.or_else(|| self.plan.first().copied());
        asked
            .map(|candidate| candidate.strategy)
            .unwrap_or_default()
            .name()
    }

    /// [`Exchange::metadata`] of an error.
    pub(super) fn routed(&self, error: &Error) -> Option<Box<Routed>> {
        self.metadata(Some(error)).map(|json| Box::new(Routed(json)))
    }

    /// `openrouter_metadata`, where the caller wants it: of an answer of the current attempt, or of an error. There is none
    /// before the endpoints are known, and none of a fault of our own, as OpenRouter has it.
    pub(super) fn metadata(&self, error: Option<&Error>) -> Option<Box<str>> {
        let routing = &self.routing;
        if !routing.shown || routing.considered == 0 || error.is_some_and(|error| error.kind == Kind::Server)
        {
            return None;
        }
        let current = self.attempt.as_ref();
        let served = current
            .filter(|_| error.is_none())
            .map(|attempt| attempt.candidate);
        let selected = served.and_then(|candidate| self.named(candidate));
        let mut summary = format!(
            "available={}, excluded={}",
            self.plan.len(),
            routing.passed_over.len()
        );
        if let Some((provider, _)) = selected {
            summary.push_str(", selected=");
            summary.push_str(provider);
        }
        let metadata = Metadata {
            requested: self.envelope.models.first().map_or("", String::as_str),
            strategy: self.strategy(),
            region: None,
            summary,
            attempt: self.next,
            is_byok: current.is_some_and(|attempt| attempt.rate.byok.is_some()),
            endpoints: Endpoints {
                total: routing.considered,
                available: self.available(served),
                excluded: self.excluded(),
            },
            shortlist: self.shortlist(),
            attempts: self.tried(error),
        };
        String::from_utf8(json::to_vec(&metadata))
            .ok()
            .map(String::into_boxed_str)
    }

    fn shortlist(&self) -> Vec<Listed<'_>> {
        let line = |rated: &Rated| {
            Some(Listed {
                model: &self.config.models.get(rated.model)?.name,
                score: rated.score(),
                reason: rated.verdict.to_string(),
            })
        };
        self.rated.iter().take(MAX_SHOWN).filter_map(line).collect()
    }

    fn available(&self, served: Option<Candidate>) -> Vec<Available<'_>> {
        let line = |candidate: &Candidate| {
            let (provider, model) = self.named(*candidate)?;
            Some(Available {
                provider,
                model,
                selected: served == Some(*candidate),
                reason: candidate.reason,
            })
        };
        self.plan.iter().take(MAX_SHOWN).filter_map(line).collect()
    }

    fn excluded<'a>(&'a self) -> Vec<Excluded<'a>> {
        let line = |passed: &'a PassedOver| {
            let model = self.config.models.get(passed.model)?;
            let endpoint = model.endpoints.get(passed.endpoint)?;
            let provider = self.config.providers.get(endpoint.provider)?;
            let (field, set_by, detail) = match &passed.cause {
                Cause::Excluded(exclusion) => {
                    let detail = exclusion.detail(&self.envelope.preferences, provider, endpoint);
                    (Some(exclusion.field()), exclusion.set_by.as_deref(), Some(detail))
                }
                Cause::Format(message) => (None, None, Some(message.clone())),
                Cause::Unbounded(lack) => (None, None, Some((*lack).to_owned())),
                Cause::RuledOut(_) => (None, None, None),
            };
            Some(Excluded {
                provider: &provider.id,
                model: &model.name,
                reason: passed.cause.word(),
                field,
                set_by,
                detail,
            })
        };
        let passed_over = self.routing.passed_over.iter();
        passed_over.take(MAX_SHOWN).filter_map(line).collect()
    }

    /// The attempts, the current one with `error` or without.
    fn tried(&self, error: Option<&Error>) -> Vec<Tried<'_>> {
        let line = |(candidate, kind): (Candidate, Option<Kind>)| {
            let (provider, model) = self.named(candidate)?;
            Some(Tried {
                provider,
                model,
                status: kind.map_or(200, |kind| kind.facts().status),
                error_type: kind.map(|kind| kind.facts().error_type),
            })
        };
        let failed = self.routing.failed.iter();
        let failed = failed.map(|(candidate, kind)| (*candidate, Some(*kind)));
        let open = |outcome| !matches!(outcome, Outcome::Error | Outcome::Cut);
        let current = self.attempt.iter().filter(|attempt| open(attempt.outcome));
        let current = current.map(|attempt| (attempt.candidate, error.map(|error| error.kind)));
        failed.chain(current).take(MAX_SHOWN).filter_map(line).collect()
    }

    /// The names of a candidate's provider and model.
    fn named(&self, candidate: Candidate) -> Option<(&str, &str)> {
        let (_, provider) = self.parties(candidate)?;
        let model = self.config.models.get(candidate.model)?;
        Some((&provider.id, &model.name))
    }

    /// How many endpoints there were, who is left of the plan, and who is not asked: for the receipt.
    pub(super) fn places(&self) -> (usize, Vec<PlaceLine>, Vec<PlaceLine>) {
        let place = |(model, endpoint): (usize, usize), reason| {
            let endpoint = self.config.models.get(model)?.endpoints.get(endpoint)?;
            Some(PlaceLine {
                provider: self.config.providers.get(endpoint.provider)?.id.clone(),
                model: endpoint.model.clone(),
                reason,
            })
        };
        let untried = self.plan.get(self.next..).unwrap_or_default().iter();
        let untried = untried.map(|left| place((left.model, left.endpoint), left.reason));
        let passed_over = self.routing.passed_over.iter();
        let passed_over = passed_over.map(|out| place((out.model, out.endpoint), out.cause.word()));
        (
            self.routing.considered,
            untried.take(MAX_NOTED).flatten().collect(),
            passed_over.take(MAX_NOTED).flatten().collect(),
        )
    }
}
