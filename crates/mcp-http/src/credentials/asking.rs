//! What one request asks of its credentials, within bounds.

use std::time::Duration;

use http::StatusCode;
use http::header::HeaderValue;
use mcp_transport_core::{Error, ErrorKind};
use tokio::time::timeout;

use super::{Credentials, CredentialsFailed, Destination};
use crate::refused::HttpRefused;

/// How often a request is repeated after refusals: once with a token that was renewed, and once with one for more scope.
/// A server that refuses that one too would refuse the next.
const MAX_REPEATS: usize = 2;

/// The credentials, if there are any, on behalf of one request.
pub(crate) struct Asking<'a> {
    credentials: Option<&'a dyn Credentials>,
    /// For each question.
    within: Duration,
    repeats: usize,
}

impl<'a> Asking<'a> {
    pub(crate) fn new(credentials: Option<&'a dyn Credentials>, within: Duration) -> Self {
        Self { credentials, within, repeats: 0 }
    }

    /// What to send.
    pub(crate) async fn next(&self, destination: Destination<'_>) -> Result<Option<HeaderValue>, Error> {
        let Some(credentials) = self.credentials else { return Ok(None) };
        let asked = timeout(self.within, credentials.next(destination)).await;
        let mut value = asked.unwrap_or_else(|_| Err(late())).map_err(CredentialsFailed::into_error)?;
        if let Some(value) = &mut value {
            value.set_sensitive(true);
        }
        Ok(value)
    }

    /// Whether to send it again.
    pub(crate) async fn refused(
        &mut self,
        destination: Destination<'_>,
        sent: Option<&HeaderValue>,
        refused: &HttpRefused,
    ) -> Result<bool, Error> {
        let asks = match refused.status() {
            StatusCode::UNAUTHORIZED => true,
            // Without a challenge it says that nothing would help.
            StatusCode::FORBIDDEN => !refused.challenges().is_empty(),
            _ => false,
        };
        let Some(credentials) = self.credentials.filter(|_| asks && self.repeats < MAX_REPEATS) else {
            return Ok(false);
        };
        self.repeats += 1;
        let told = timeout(self.within, credentials.refused(destination, sent, refused)).await;
        let again = told.unwrap_or_else(|_| Err(late())).map_err(CredentialsFailed::into_error)?;
        tracing::debug!(target: "mcp.http", status = %refused.status(), again, "a request was refused");
        Ok(again)
    }
}

fn late() -> Error {
    Error::new(ErrorKind::Timeout, "the credentials take too long")
}
