//! From the name of a host to those of its addresses that may be connected to.

use std::error::Error as StdError;
use std::fmt;
use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use mcp_transport_core::{Error, ErrorKind};
use tower_service::Service;

use crate::proto::Host;

/// Says of an address whether it may be connected to; see
/// [`HttpClientOptions::with_address_filter`](crate::HttpClientOptions::with_address_filter).
pub type AddressFilter = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// The system's resolver, and a filter behind it: what it lets through is what is connected to, and no name is asked for
/// a second time.
#[derive(Clone)]
pub(crate) struct Resolver {
    system: GaiResolver,
    filter: Option<AddressFilter>,
}

impl Resolver {
    pub(crate) fn new(filter: Option<AddressFilter>) -> Self {
        Self { system: GaiResolver::new(), filter }
    }

    pub(crate) fn has_filter(&self) -> bool {
        self.filter.is_some()
    }

    /// Looks at a host that is an address already, which nobody is asked for.
    pub(crate) fn check(&self, host: &Host) -> Result<(), Error> {
        let address = match host {
            Host::Name(_) => return Ok(()),
            Host::V4(address) => IpAddr::V4(*address),
            Host::V6(address) => IpAddr::V6(*address),
        };
        if self.lets_through(address) { Ok(()) } else { Err(refused()) }
    }

    fn lets_through(&self, address: IpAddr) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter(address))
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Box<dyn StdError + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.system.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let mut resolver = self.clone();
        Box::pin(async move {
            poll_fn(|cx| resolver.system.poll_ready(cx)).await?;
            let mut found: Vec<_> = resolver.system.call(name).await?.collect();
            let any = !found.is_empty();
            found.retain(|address| resolver.lets_through(address.ip()));
            if any && found.is_empty() {
                return Err(refused().into());
            }
            Ok(found.into_iter())
        })
    }
}

/// Without the address: whoever chose the name may not know it.
fn refused() -> Error {
    Error::new(ErrorKind::Refused, "the address of the server is not allowed")
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("filter", &self.has_filter()).finish_non_exhaustive()
    }
}
