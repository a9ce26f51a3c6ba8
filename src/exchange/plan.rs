//! Whom an exchange will try, in which order, and for how long.

use super::envelope::Envelope;
use super::{Exchange, Streamed, parties};
use crate::chat::Request;
use crate::error::{Error, Kind};
use crate::meter::Source;
use crate::preference::Variant;
use crate::route::auto::Rated;
use crate::route::{self, Candidate, HealthViews, Needs, RouteContext, RouteInput};

impl Exchange {
    /// Makes the plan.
    ///
    /// Candidates whose dialect cannot carry the request are left out here: an attempt cannot skip itself.
    ///
    /// # Errors
    /// When there is no candidate, or none can carry the request.
    pub fn plan(&mut self, views: HealthViews<'_>, context: RouteContext) -> Result<(), Error> {
        let Some(mut request) = self.request.take() else {
            return Err(Error::new(Kind::Server, "there is no request to plan"));
        };
        let planned = self.plan_for(&mut request, views, context);
        self.request = Some(request);
        planned
    }

    fn plan_for(
        &mut self,
        request: &mut Request,
        views: HealthViews<'_>,
        context: RouteContext,
    ) -> Result<(), Error> {
        // Middleware may have changed what was read before it ran.
        request.unify_limit()?;
        self.envelope = Envelope::of(request)?;
        let operation = request.operation();
        let mut views = |key| views(operation.health_key(key));
        let chosen = self.choose(request, &mut views, context)?;
        let mut first_error = None;
        let several = chosen.len() > 1;
        let prompt = request.raw("messages").map_or(0, str::len);
        // What each format lacks for each variant, if anything.
        let mut verdicts: Vec<(&'static str, Variant, Option<String>)> = Vec::with_capacity(2);
        self.routing.consider(chosen.len());
        for candidate in chosen {
            let Some((endpoint, provider)) = parties(&self.config, candidate) else {
                continue;
            };
            let Some(dialect) = endpoint.dialect_for(operation) else {
                continue;
            };
            let variant = candidate.variant;
            let known = verdicts
                .iter()
                .position(|(name, of, _)| *name == dialect.name() && *of == variant);
            let at = match known {
                Some(at) => at,
                None => {
                    let stream = self.plans_stream(endpoint, several, &mut views);
                    let target = provider.target(endpoint, stream);
                    // What the first attempt will send is kept; one such body at a time is enough.
                    let tried = if self.plan.is_empty() {
                        let encoded = variant.of(request, |request| dialect.encode(request, &target));
                        encoded.map(|encoded| self.encoded = Some((Streamed(stream), encoded)))
                    } else {
                        variant.of(request, |request| dialect.check(request, &target))
                    };
                    let lacks = tried.as_ref().err().map(|error| error.message.clone());
                    verdicts.push((dialect.name(), variant, lacks));
                    first_error = first_error.or(tried.err());
                    verdicts.len().saturating_sub(1)
                }
            };
            match verdicts.get(at).and_then(|(_, _, lacks)| lacks.as_deref()) {
                Some(lacks) => self.routing.lacks_words(candidate, lacks),
                None => self.plan.push(candidate),
            }
        }
        match first_error {
            Some(error) if self.plan.is_empty() => Err(error),
            _ => {
                self.deadlines = self.deadlines(&mut views, prompt);
                Ok(())
            }
        }
    }

    /// Finds out what the names of the request mean, who may serve, and in which order.
    fn choose(
        &mut self,
        request: &Request,
        views: HealthViews<'_>,
        context: RouteContext,
    ) -> Result<Vec<Candidate>, Error> {
        let needs = Needs::of(request, self.session.as_deref());
        let policies = self.config.policies(self.scope);
        self.envelope.preferences.complete(&policies, request);
        self.envelope.preferences.own_keys = self.own_keys.providers();
        let input = RouteInput {
            models: &self.envelope.models,
            preferences: &self.envelope.preferences,
            needs: &needs,
            policies: &policies,
        };
        let resolved = route::resolve(&self.config, &input, views, context)?;
        self.rated = resolved.rated;
        let excluded = route::excluded(&self.config, &resolved.models, &input);
        self.routing.begin(excluded);
        let chosen = route::choose_among(&self.config, &resolved.models, &input, views, context)?;
        if let Some(tokens) = needs.prompt_tokens() {
            let _noted = self.prompt_tokens.get_or_init(|| (tokens, Source::Estimate));
        }
        Ok(chosen)
    }

    /// The shortlist as it was judged for this request, in the order in which it is tried; empty where none was asked for.
    pub fn rated(&self) -> &[Rated] {
        &self.rated
    }

    /// The health key of the endpoint whose trial the plan begins with: it has to be claimed first.
    pub fn trial(&self) -> Option<u64> {
        let first = self.plan.first().filter(|first| first.reason == route::TRIAL)?;
        let (endpoint, _) = self.parties(*first)?;
        Some(self.client.operation().health_key(endpoint.health_key))
    }

    /// Somebody else has claimed the trial that the plan begins with: that endpoint comes last.
    pub fn forgo_trial(&mut self) {
        if self.trial().is_some() {
            self.plan.rotate_left(1);
            if let Some(last) = self.plan.last_mut() {
                last.reason = route::DOWN;
            }
            // It was made for the endpoint that stood first.
            self.encoded = None;
            self.renew_longest_deadline();
        }
    }

    /// Whom it would try, in order, if each failed in a way that rules nobody else out.
    pub fn candidates(&self) -> &[Candidate] {
        self.plan.get(..self.limit()).unwrap_or_default()
    }

    /// Where in the plan the attempts end.
    fn limit(&self) -> usize {
        self.plan.len().min(self.config.routing.max_attempts)
    }

    /// Those that may still be tried after the current attempt.
    pub(super) fn ahead(&self) -> &[Candidate] {
        self.plan.get(self.next..self.limit()).unwrap_or_default()
    }

    /// The cluster of the next attempt.
    pub fn next_cluster(&self) -> Option<&str> {
        let (_, provider) = self.parties(*self.ahead().first()?)?;
        Some(&provider.cluster)
    }

    /// How many retries Envoy may make.
    pub fn max_retries(&self) -> usize {
        self.limit().saturating_sub(1)
    }
}
