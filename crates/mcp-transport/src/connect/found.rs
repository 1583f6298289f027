//! What was found at a URL, so that it is asked for once.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::Uri;
use mcp_transport_core::Era;

use super::Binding;

/// URLs that are remembered; when there are more, all are forgotten and found out again.
const MAX_FOUND: usize = 256;

/// What each URL has turned out to be.
#[derive(Default)]
pub(super) struct Found {
    /// The whole URL counts: one origin may have an endpoint of each binding, and a query may name a server behind it.
    /// Only its hash is kept, because a query may hold what is nobody else's business, and much of it.
    hasher: RandomState,
    table: Mutex<HashMap<u64, (Binding, Era)>>,
}

impl Found {
    fn table(&self) -> MutexGuard<'_, HashMap<u64, (Binding, Era)>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn at(&self, url: &Uri) -> Option<(Binding, Era)> {
        self.table().get(&self.hasher.hash_one(url)).copied()
    }

    pub(super) fn remember(&self, url: &Uri, binding: Binding, era: Era) {
        let (key, mut table) = (self.hasher.hash_one(url), self.table());
        if table.len() >= MAX_FOUND && !table.contains_key(&key) {
            table.clear();
        }
        table.insert(key, (binding, era));
    }

    pub(super) fn forget(&self, url: &Uri) {
        self.table().remove(&self.hasher.hash_one(url));
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found").field("urls", &self.table().len()).finish()
    }
}
