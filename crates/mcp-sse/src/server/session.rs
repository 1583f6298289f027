//! What a POST needs of a session.

use mcp_http::SessionEntry;
use mcp_transport_core::{Frame, Principal, queue};

/// A session as a POST finds it.
pub(super) struct Session {
    pub(super) post: queue::Sender<Frame>,
    pub(super) principal: Option<Principal>,
}

impl SessionEntry for Session {
    fn principal(&self) -> Option<&Principal> {
        self.principal.as_ref()
    }

    /// In good order: nothing more comes in, so it finishes what it accepted.
    fn end(&self) {
        self.post.close();
    }
}
