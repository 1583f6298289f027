//! The client's certificate of mutual TLS.

use http::StatusCode;
use http::request::Parts;
use mcp_transport_core::{BoxFuture, Principal};
use tokio_rustls::rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::{Authenticate, Presented, distinguished_name};
use crate::peer_certificate::PeerCertificate;
use crate::reply::Refusal;

/// Lets in whoever has a certificate that was verified ([`PeerCertificate`]), and tells clients apart by its subject and
/// its issuer.
///
/// The principal is `certificate:`, the subject, a semicolon, and the issuer, each as RFC 4514 writes names:
/// `certificate:CN=ann,O=Example;CN=Example CA`. So a renewed certificate is the same principal, and the same subject
/// from another authority is another one. Everything but visible ASCII in a name is escaped, and so are semicolons.
///
/// It takes an authority that gives each client a subject of its own. Where clients are told apart by alternative names
/// alone, as SPIFFE does, they would all be one principal, and need another authenticator; a certificate without a
/// subject is refused.
///
/// Whether the certificate is from an authority that is trusted, in its time and not revoked was found out when the
/// connection was made, and is not looked at again while it lasts.
///
/// # Spec
///
/// RFC 5280 4.1.2.4 and 4.1.2.6; RFC 4514.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CertificateSubject {}

impl CertificateSubject {
    /// It needs to know nothing: which authorities are trusted is a matter of TLS.
    pub fn new() -> Self {
        Self::default()
    }

    /// Without a challenge: HTTP has no scheme for certificates, so it is 403.
    fn judge(parts: &Parts) -> Result<Option<Principal>, Refusal> {
        let no = |text| Refusal::new(StatusCode::FORBIDDEN, text);
        let certificate = parts.extensions.get::<PeerCertificate>();
        let certificate = certificate.ok_or_else(|| no("a client certificate is needed\n"))?;
        let principal = principal(certificate.as_der());
        principal.map(Some).ok_or_else(|| no("the client certificate does not say who you are\n"))
    }
}

impl Authenticate for CertificateSubject {
    fn authenticate<'a>(&'a self, parts: &'a Parts) -> BoxFuture<'a, Result<Option<Principal>, Refusal>> {
        Box::pin(std::future::ready(Self::judge(parts)))
    }

    fn finds(&self, parts: &Parts) -> Presented {
        match parts.extensions.get::<PeerCertificate>() {
            Some(_) => Presented::Certificate,
            None => Presented::None,
        }
    }
}

fn principal(der: &[u8]) -> Option<Principal> {
    let der = CertificateDer::from(der);
    let certificate = EndEntityCert::try_from(&der).ok()?;
    let subject = distinguished_name::text(certificate.subject())?;
    let issuer = distinguished_name::text(certificate.issuer())?;
    Some(Principal::new(format!("certificate:{subject};{issuer}")))
}
