//! An authority, a certificate from it, and a token: made anew for each run, for rows over TLS.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};

use crate::Outcome;

/// Long enough for every check of its length; it guards a port of this machine for some seconds.
const TOKEN: &str = "interop-0123456789abcdef0123456789abcdef";

#[derive(Debug)]
pub(super) struct Secrets {
    /// The authority, for clients.
    pub(super) ca: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    /// One line, for the server.
    pub(super) tokens: PathBuf,
    /// The header that has the token, for `mcp-bridge`.
    pub(super) header: PathBuf,
}

/// What a client has to bring along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secured {
    No,
    /// TLS and a token.
    Http1,
    /// The same, and HTTP/2 or nothing.
    Http2,
}

impl Secrets {
    /// Makes them in `home`.
    pub(super) fn make(home: &Path) -> Outcome<Self> {
        fs::create_dir_all(home)?;
        let mut authority = CertificateParams::new(Vec::<String>::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // With the same name as what it issues, that would be taken for self-signed.
        authority.distinguished_name.push(DnType::CommonName, "interop authority");
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let mut certificate = CertificateParams::new(names)?;
        certificate.distinguished_name.push(DnType::CommonName, "interop server");
        let certificate = certificate.signed_by(&key, &authority)?;
        let file = |name: &str, text: &str| -> Outcome<PathBuf> {
            let path = home.join(name);
            fs::write(&path, text)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
            Ok(path)
        };
        Ok(Self {
            ca: file("ca.pem", &authority.pem())?,
            certificate: file("certificate.pem", &certificate.pem())?,
            key: file("key.pem", &key.serialize_pem())?,
            tokens: file("tokens", &format!("interop:{TOKEN}\n"))?,
            header: file("header", &format!("Authorization: Bearer {TOKEN}\n"))?,
        })
    }

    /// Gives a client what it has to bring along. Our own takes flags for that.
    pub(super) fn give(&self, command: &mut Command, secured: Secured) {
        if secured == Secured::No {
            return;
        }
        command.env("PEER_TOKEN", TOKEN);
        command.env("NODE_EXTRA_CA_CERTS", &self.ca).env("SSL_CERT_FILE", &self.ca);
        if secured == Secured::Http2 {
            command.env("PEER_HTTP2", "1");
        }
    }
}
