//! Errors as OpenAI's and OpenRouter's clients read them.

use super::metadata::metadata;
use crate::error::{Availability, Error, Excluded, PreviousError, Routed};
use crate::json;
use serde::Serialize;
use std::collections::BTreeMap;

/// The body of an answer that is nothing but an error: the same for all operations.
pub(super) fn error_body(error: &Error, previous: &[PreviousError]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        error: ErrorBody<'a>,
    }
    let mut body = json::to_vec(&Body {
        error: ErrorBody::new(error, previous),
    });
    if let Some(Routed(routed)) = error.metadata.as_deref() {
        body.pop();
        metadata(&mut body, Some(routed));
        body.push(b'}');
    }
    body
}

/// The `error` member.
#[derive(Serialize)]
pub(super) struct ErrorBody<'a> {
    code: u16,
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    availability: Option<AvailabilityBody<'a>>,
}

/// OpenRouter's members, and beside them every endpoint with what excludes it.
#[derive(Serialize)]
struct AvailabilityBody<'a> {
    code: &'static str,
    retryable: bool,
    requested_models: &'a [String],
    affected_providers: Vec<&'a str>,
    excluded_by: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    constraint: Option<Constraint<'a>>,
    endpoints: &'a [Excluded],
}

/// One of them, for who looks at one.
#[derive(Serialize)]
struct Constraint<'a> {
    field: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    set_by: Option<&'a str>,
    detail: &'a str,
}

impl<'a> AvailabilityBody<'a> {
    fn new(availability: &'a Availability) -> Self {
        let endpoints = availability.endpoints.as_slice();
        let mut affected_providers: Vec<_> = endpoints.iter().map(|one| one.provider.as_str()).collect();
        let mut excluded_by: Vec<_> = endpoints.iter().map(|one| one.excluded_by).collect();
        affected_providers.sort_unstable();
        affected_providers.dedup();
        excluded_by.sort_unstable();
        excluded_by.dedup();
        Self {
            code: availability.code,
            // The same request would be refused again.
            retryable: false,
            requested_models: &availability.requested_models,
            affected_providers,
            excluded_by,
            constraint: endpoints.first().map(|one| Constraint {
                field: &one.field,
                set_by: one.set_by.as_deref(),
                detail: &one.detail,
            }),
            endpoints,
        }
    }
}

#[derive(Serialize)]
struct Metadata<'a> {
    error_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_code: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    previous_errors: &'a [PreviousError],
    /// The headers of a limit of ours, for clients that show nothing but the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<BTreeMap<&'static str, String>>,
}

impl<'a> ErrorBody<'a> {
    pub(super) fn new(error: &'a Error, previous: &'a [PreviousError]) -> Self {
        let facts = error.kind.facts();
        Self {
            code: facts.status,
            message: &error.message,
            kind: facts.openai_type,
            metadata: Metadata {
                error_type: facts.error_type,
                provider_name: error.provider.as_deref(),
                provider_code: error.provider_code.as_deref(),
                previous_errors: previous,
                headers: error.rate_limit.as_ref().map(|limit| limit.headers().into()),
            },
            availability: error.availability.as_deref().map(AvailabilityBody::new),
        }
    }
}
