//! What was found at a URL, so that it is asked for once.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use http::Uri;
use mcp_transport_core::Era;

use super::Binding;

/// URLs that are remembered; when there are more, all are forgotten and found out again.
const MAX_FOUND: usize = 256;

/// What each URL has turned out to be.
#[derive(Default)]
pub(super) struct Found(Mutex<HashMap<String, (Binding, Era)>>);

impl Found {
    pub(super) fn at(&self, url: &Uri) -> Option<(Binding, Era)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key(url)).copied()
    }

    pub(super) fn remember(&self, url: &Uri, binding: Binding, era: Era) {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if found.len() >= MAX_FOUND {
            found.clear();
        }
        found.insert(key(url), (binding, era));
    }

    pub(super) fn forget(&self, url: &Uri) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key(url));
    }
}

/// Origin and path: one origin may have an endpoint of each binding. A query may hold what is nobody else's business.
fn key(url: &Uri) -> String {
    format!(
        "{}://{}{}",
        url.scheme_str().unwrap_or_default(),
        url.authority().map_or("", |authority| authority.as_str()),
        url.path()
    )
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Found").field("urls", &found.len()).finish()
    }
}
