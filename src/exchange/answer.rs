//! What the client gets: the heads of answers and of errors.

use super::attempt::Attempt;
use super::{Action, Exchange, Head};
use crate::chat::Operation;
use crate::dialect::client::Answer;
use crate::error::Error;
use crate::headers;
use crate::route::Strategy;

impl Exchange {
    /// What an answer of the current attempt says about itself.
    pub(super) fn answer(&self) -> Option<Answer> {
        let attempt = self.attempt.as_ref()?;
        let candidate = attempt.candidate;
        let (_, provider) = self.parties(candidate)?;
        Some(Answer {
            id: self.id.clone(),
            model: self.config.models.get(candidate.model)?.name.clone(),
            names_model: !matches!(candidate.strategy, Strategy::Direct | Strategy::Variant),
            provider: provider.id.clone(),
            created: self.started_ms / 1_000,
            stream: self.envelope.stream,
            include_usage: self.envelope.include_usage,
            hides_thinking: self.envelope.hides_thinking,
            base64: self.envelope.base64,
            vectors: self.envelope.vectors,
            rate: attempt.rate.clone(),
            estimated_prompt: (self.client.operation() == Operation::Embeddings)
                .then(|| self.prompt_tokens().0),
            metadata: self.metadata(None),
        })
    }

    /// Lets the answer out.
    pub(super) fn release(&mut self, body: Vec<u8>) -> Action {
        self.let_request_go();
        let mut headers = self.common_headers();
        if let Some(content_type) = self.attempt.as_ref().and_then(Attempt::content_type) {
            headers.push(("content-type".to_owned(), content_type.to_owned()));
        }
        if self.envelope.stream {
            headers.push(("cache-control".to_owned(), "no-cache".to_owned()));
        }
        Action::Release {
            head: Head {
                status: 200,
                headers,
                body,
            },
        }
    }

    pub(super) fn common_headers(&self) -> Vec<(String, String)> {
        let mut headers = vec![(headers::GENERATION_ID.to_owned(), self.id.clone())];
        if let Some(provider) = self.attempt_provider() {
            headers.push((headers::PROVIDER.to_owned(), provider.id.clone()));
            headers.push((headers::ATTEMPTS.to_owned(), self.next.to_string()));
        }
        let candidate = self.attempt.as_ref().map(|attempt| attempt.candidate);
        let model = candidate.and_then(|candidate| self.config.models.get(candidate.model));
        // A name is what an operator wants it to be; a header's value is not.
        if let Some(model) = model.filter(|model| model.name.bytes().all(|byte| byte.is_ascii_graphic())) {
            headers.push((headers::MODEL.to_owned(), model.name.clone()));
        }
        headers
    }

    pub(super) fn error_head(&self, error: &Error) -> Head {
        let mut headers = self.common_headers();
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
        if let Some(ms) = error.retry_after_ms {
            headers.push(("retry-after".to_owned(), ms.div_ceil(1_000).to_string()));
        }
        let metadata = self.routed(error);
        let seen = metadata.map(|metadata| Error {
            metadata: Some(metadata),
            ..error.clone()
        });
        if let Some(limit) = &error.rate_limit {
            let names = limit
                .headers()
                .map(|(name, value)| (name.to_ascii_lowercase(), value));
            headers.extend(names);
        }
        Head {
            status: error.status(),
            headers,
            body: self.client.error(seen.as_ref().unwrap_or(error), &self.previous),
        }
    }
}
