//! What a connection is made with.

use std::sync::Arc;

use crate::{Context, Limits, Tap};

/// What a connection is made with.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    /// The bounds.
    pub limits: Limits,
    /// What is known about all of its messages.
    pub context: Context,
    /// Sees the bytes as they pass.
    pub tap: Option<Arc<dyn Tap>>,
    /// Whether batches are taken apart instead of refused. Default no: revision 2025-03-26 alone has them.
    ///
    /// Each request of a batch is an exchange of its own and is answered by itself; nothing sends batches.
    pub batches: bool,
    /// Whether many peers share the connection, each request of theirs with a way back of its own: then an id means
    /// nothing beyond its own message. Default no.
    ///
    /// Nobody's cancellation, progress or response reaches what belongs to somebody else, and nobody can be asked.
    pub sessionless: bool,
}

impl Options {
    /// The defaults, for a transport of this name.
    pub fn new(transport: &'static str) -> Self {
        Self { context: Context::new(transport), ..Self::default() }
    }

    /// Sets the bounds.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the tap.
    #[must_use]
    pub fn with_tap(mut self, tap: Arc<dyn Tap>) -> Self {
        self.tap = Some(tap);
        self
    }

    /// Accepts batches.
    ///
    /// # Spec
    ///
    /// MCP 2025-03-26, basic, Batching: receivers must accept batches, and need not send any.
    #[must_use]
    pub fn with_batches(mut self) -> Self {
        self.batches = true;
        self
    }

    /// Has many peers share the connection.
    #[must_use]
    pub fn with_sessionless(mut self) -> Self {
        self.sessionless = true;
        self
    }

    /// Changes the context.
    #[must_use]
    pub fn with_context(mut self, change: impl FnOnce(&mut Context)) -> Self {
        change(&mut self.context);
        self
    }
}
