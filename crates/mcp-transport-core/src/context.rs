//! What is known about a message beside its bytes.

use std::any::Any;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::Revision;

/// What is known about where a message came from.
///
/// One value is shared by all messages of a connection that know no more than it does.
/// Layers add what they know as typed extensions: an HTTP binding adds the parts of the request.
#[derive(Clone, Default)]
pub struct Context {
    /// The transport's name: `stdio`, `memory`, `sse`, …
    pub transport: &'static str,
    /// The peer's address, where there is one.
    pub peer: Option<SocketAddr>,
    /// The session, where there is one. It is an address and never a proof of identity.
    pub session: Option<Arc<str>>,
    /// Who the peer was found to be; `None` where nobody asked.
    pub principal: Option<Principal>,
    /// The revision that the peer speaks, where the binding knows it.
    pub revision: Option<Revision>,
    extensions: Extensions,
}

/// Who a peer was authenticated to be.
///
/// Compared as a whole: parts that distinguish two users (issuer, client, subject) all belong in it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Principal(Arc<str>);

impl Principal {
    /// A principal by its full, unambiguous name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Principal(..)")
    }
}

/// One value of each type at most.
#[derive(Clone, Default)]
struct Extensions {
    /// A request over HTTP has two, and its context is made anew each time: they need no list of their own.
    few: [Option<Extension>; 2],
    more: Vec<Extension>,
}

type Extension = Arc<dyn Any + Send + Sync>;

impl Extensions {
    fn iter(&self) -> impl Iterator<Item = &Extension> {
        self.few.iter().flatten().chain(&self.more)
    }

    fn insert<T: Any + Send + Sync>(&mut self, value: T) {
        let value = Arc::new(value);
        let mut all = self.few.iter_mut().flatten().chain(&mut self.more);
        if let Some(former) = all.find(|extension| extension.is::<T>()) {
            *former = value;
        } else if let Some(free) = self.few.iter_mut().find(|place| place.is_none()) {
            *free = Some(value);
        } else {
            self.more.push(value);
        }
    }
}

impl Context {
    /// A context of a transport.
    pub fn new(transport: &'static str) -> Self {
        Self { transport, ..Self::default() }
    }

    /// Adds a value, in place of an earlier one of the same type.
    pub fn insert<T: Any + Send + Sync>(&mut self, value: T) {
        self.extensions.insert(value);
    }

    /// The value of a type that some layer added.
    pub fn get<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.extensions.iter().find_map(|extension| extension.downcast_ref())
    }
}

/// Without session, principal and extensions: they are somebody's secrets.
impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("transport", &self.transport)
            .field("peer", &self.peer)
            .field("revision", &self.revision)
            .field("extensions", &self.extensions.iter().count())
            .finish_non_exhaustive()
    }
}
