//! A server that says what it is told, over TLS if that is wanted.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Who has issued the server's certificate, which is for 127.0.0.1.
pub(crate) const AUTHORITY: &[u8] = include_bytes!("../../../crates/mcp-http/tests/tls/authority.pem");
const CERTIFICATE: &[u8] = include_bytes!("../../../crates/mcp-http/tests/tls/server.pem");
const KEY: &[u8] = include_bytes!("../../../crates/mcp-http/tests/tls/server.key");

/// A server, and the requests that it was sent, head and body.
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    /// Answers each request with what the script says; without an answer the connection is closed.
    pub(crate) async fn new(script: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self::start(None, script).await
    }

    /// The same over TLS.
    pub(crate) async fn secure(script: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        let chain = CertificateDer::pem_slice_iter(CERTIFICATE).collect::<Result<_, _>>().unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::from_pem_slice(KEY).unwrap())
            .unwrap();
        Self::start(Some(TlsAcceptor::from(Arc::new(config))), script).await
    }

    async fn start(
        tls: Option<TlsAcceptor>,
        script: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let this = Self { address: listener.local_addr().unwrap(), asked: Arc::default() };
        let (script, asked) = (Arc::new(script), this.asked.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (script, asked, tls) = (script.clone(), asked.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => one(socket, &*script, &asked).await,
                        Some(tls) => {
                            // Some do not trust it.
                            if let Ok(stream) = tls.accept(socket).await {
                                one(stream, &*script, &asked).await;
                            }
                        }
                    }
                });
            }
        });
        this
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// One connection. Those who ask may be gone before they are answered.
async fn one(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    script: &(impl Fn(&str) -> Option<String> + ?Sized),
    asked: &Mutex<Vec<String>>,
) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut text = String::new();
        while !text.ends_with("\r\n\r\n") {
            if stream.read_line(&mut text).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let lower = text.to_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        if stream.read_exact(&mut body).await.is_err() {
            return;
        }
        text += &String::from_utf8(body).unwrap();
        asked.lock().unwrap().push(text.clone());
        let Some(answer) = script(&text) else { return };
        let written = stream.write_all(answer.as_bytes()).await.and(stream.flush().await);
        if written.is_err() || answer.contains("Connection: close") {
            return;
        }
    }
}

/// A response; the lines each with its end.
pub(crate) fn response(status: &str, lines: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{lines}Content-Length: {}\r\n\r\n{body}", body.len())
}
