//! Clients that are known by their certificates.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

use http::Request;
use http::request::Parts;
use mcp_http::{Authenticate, CertificateSubject, PeerCertificate, Presented, Refusal};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

fn parts(der: Option<&[u8]>) -> Parts {
    let mut request = Request::get("/mcp").body(()).unwrap();
    if let Some(der) = der {
        request.extensions_mut().insert(PeerCertificate::new(der.to_vec()));
    }
    request.into_parts().0
}

async fn judged(der: Option<&[u8]>) -> Result<String, Refusal> {
    let principal = CertificateSubject::new().authenticate(&parts(der)).await?;
    Ok(principal.expect("never anybody").as_str().to_owned())
}

fn der(pem: &[u8]) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem).unwrap().to_vec()
}

#[tokio::test]
async fn a_client_is_its_subject_and_its_issuer() {
    for (pem, expected) in [
        (&include_bytes!("subjects/ann.pem")[..], "certificate:CN=ann,O=Example;CN=mcp test authority"),
        // Renewed: another key and another time.
        (include_bytes!("subjects/ann-renewed.pem"), "certificate:CN=ann,O=Example;CN=mcp test authority"),
        // The same subject from another authority.
        (include_bytes!("subjects/ann-elsewhere.pem"), "certificate:CN=ann,O=Example;CN=another authority"),
        // A subject that reads like the first one and its issuer.
        (
            include_bytes!("subjects/crafted.pem"),
            "certificate:CN=ann\\,O\\=Example\\;CN\\=mcp test authority;CN=mcp test authority",
        ),
    ] {
        assert_eq!(judged(Some(&der(pem))).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn without_a_certificate_that_says_something_nobody_is_let_in() {
    let nameless = der(include_bytes!("subjects/nameless.pem"));
    let ann = der(include_bytes!("subjects/ann.pem"));
    let cut = &ann[..ann.len() - 1];
    let longer = [&ann[..], &[0]].concat();
    for (der, text) in [
        (None, "a client certificate is needed\n"),
        (Some(&nameless[..]), "the client certificate does not say who you are\n"),
        (Some(&[]), "the client certificate does not say who you are\n"),
        (Some(b"no certificate"), "the client certificate does not say who you are\n"),
        (Some(cut), "the client certificate does not say who you are\n"),
        (Some(&longer), "the client certificate does not say who you are\n"),
    ] {
        let refusal = judged(der).await.expect_err(text);
        assert_eq!((refusal.status().as_u16(), refusal.text()), (403, text));
        let found = CertificateSubject::new().finds(&parts(der));
        let expected = if der.is_some() { Presented::Certificate } else { Presented::None };
        assert_eq!(found, expected);
    }
    for end in 0..ann.len() {
        assert!(judged(Some(&ann[..end])).await.is_err());
    }
}

#[test]
fn a_certificate_shows_nothing_of_itself() {
    let der = b"canary".to_vec();
    let certificate = PeerCertificate::new(der);
    assert_eq!(format!("{certificate:?}"), "PeerCertificate { bytes: 6 }");
    assert_eq!(certificate.as_der(), b"canary");
    assert_eq!(certificate, certificate.clone());
}
