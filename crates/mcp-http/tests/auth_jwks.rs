//! Keys of an issuer: what a set may be, and where it may come from.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod issuer;
mod said;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{HeaderMap, Uri};
use issuer::server::{Issuer, here, status};
use issuer::{By, N, Traced, bearer, claims, good, judge, keys, options, rsa_key, token, with};
use mcp_http::HttpClientOptions;
use mcp_http::jwt::{Jwks, JwksOptions, JwtAuthenticator};
use mcp_http::proto::Proxies;
use mcp_transport_core::{Error, ErrorKind};
use said::Said;
use serde_json::{Value, json};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

const MAX_SET: usize = 256 * 1024;

fn set(keys: impl IntoIterator<Item = Value>) -> Value {
    json!({ "keys": keys.into_iter().collect::<Vec<_>>() })
}

#[test]
fn what_a_set_may_be() {
    let of = |count: usize| set((0..count).map(|at| rsa_key(&format!("k{at}"), N))).to_string();
    let padded = |length: usize| {
        let set = keys().to_string();
        format!("{set}{}", " ".repeat(length - set.len()))
    };
    let weak = rsa_key("weak", &N[..N.len() / 2]);
    let good = issuer::p256_key("good");
    let secret = json!({ "kty": "oct", "kid": "s", "k": "c2VjcmV0", "alg": "HS256" });
    let encrypts = with(&rsa_key("e", N), json!({ "use": "enc" }));
    let table = [
        ("good", keys().to_string(), Ok(4)),
        ("more members", with(&keys(), json!({ "issuer": "x", "a": [1] })).to_string(), Ok(4)),
        (
            "one of many kinds",
            set([weak.clone(), secret.clone(), encrypts.clone(), json!(1), good]).to_string(),
            Ok(1),
        ),
        ("none that can be used", set([weak, secret, encrypts]).to_string(), Err(ErrorKind::Peer)),
        ("empty", set([]).to_string(), Err(ErrorKind::Peer)),
        ("no keys", "{}".to_owned(), Err(ErrorKind::Peer)),
        ("keys that are no array", r#"{"keys":{}}"#.to_owned(), Err(ErrorKind::Peer)),
        ("keys twice", r#"{"keys":[],"keys":[]}"#.to_owned(), Err(ErrorKind::Peer)),
        ("a key alone", rsa_key("a", N).to_string(), Err(ErrorKind::Peer)),
        ("an array", format!("[{}]", rsa_key("a", N)), Err(ErrorKind::Peer)),
        ("no JSON", "-----BEGIN PUBLIC KEY-----".to_owned(), Err(ErrorKind::Peer)),
        ("nothing", String::new(), Err(ErrorKind::Peer)),
        (
            "deep",
            format!(r#"{{"keys":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000)),
            Err(ErrorKind::Peer),
        ),
        ("127 keys", of(127), Ok(127)),
        ("128 keys", of(128), Ok(128)),
        ("129 keys", of(129), Err(ErrorKind::Limit)),
        ("a byte less than there may be", padded(MAX_SET - 1), Ok(4)),
        ("as many bytes as there may be", padded(MAX_SET), Ok(4)),
        ("a byte more than there may be", padded(MAX_SET + 1), Err(ErrorKind::Limit)),
    ];
    let directory = std::env::temp_dir().join(format!("mcp-http-jwks-{}", issuer::base64(&issuer::random())));
    std::fs::create_dir(&directory).unwrap();
    let file = directory.join("keys.json");
    for (name, text, expected) in table {
        let shown = |jwks: Result<Jwks, Error>| match jwks {
            Ok(jwks) => Ok(format!("{jwks:?}")),
            Err(error) => Err(error.kind()),
        };
        let expected = expected.map(|count: usize| format!("Jwks({count} keys)"));
        assert_eq!(shown(Jwks::from_bytes(text.as_bytes())), expected, "{name}");
        std::fs::write(&file, text).unwrap();
        assert_eq!(shown(Jwks::from_file(&file)), expected, "{name}, in a file");
    }
    std::fs::remove_file(&file).unwrap();
    assert_eq!(Jwks::from_file(&file).unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(Jwks::from_file(&directory).unwrap_err().kind(), ErrorKind::Io);
    std::fs::remove_dir(&directory).unwrap();
}

#[tokio::test]
async fn keys_that_are_there_are_not_fetched() {
    Jwks::from_bytes(keys().to_string().as_bytes()).unwrap().prefetch().await.unwrap();
}

#[test]
fn where_keys_may_be() {
    let direct = HttpClientOptions::default().with_proxies(Proxies::none());
    let fetch = JwksOptions::default().with_client(direct.clone()).allow_private_networks();
    for (uri, plain, good) in [
        ("https://login.example/keys", false, true),
        ("https://10.0.0.1/keys", false, true),
        ("http://login.example/keys", false, false),
        ("http://login.example/keys", true, false),
        ("http://127.0.0.1:1/keys", false, false),
        ("http://localhost:1/keys", false, false),
        ("http://127.0.0.1:1/keys", true, true),
        ("http://localhost:1/keys", true, true),
        ("http://[::1]:1/keys", true, true),
        ("http://10.0.0.1/keys", true, false),
        ("http://127.0.0.1.evil.example/keys", true, false),
        ("https://user:secret@login.example/keys", true, false),
        ("ftp://login.example/keys", true, false),
        ("/keys", true, false),
        ("login.example", true, false),
    ] {
        let options = fetch.clone();
        let options = if plain { options.dangerous_allow_http_on_loopback() } else { options };
        let made = Jwks::from_url(uri.parse().unwrap(), options).map(|jwks| format!("{jwks:?}"));
        match made {
            Ok(shown) => assert!(good && !shown.contains("/keys"), "{uri}: {shown}"),
            Err(error) => {
                assert_eq!((good, error.kind()), (false, ErrorKind::Misuse), "{uri}");
                assert!(!format!("{error} {error:?}").contains("secret"));
            }
        }
    }
}

/// A proxy sees addresses that nobody here does, and one that is an address is seen at once.
#[test]
fn where_keys_may_be_of_the_public_internet() {
    let direct = HttpClientOptions::default().with_proxies(Proxies::none());
    let proxy = HttpClientOptions::default().with_proxies(Proxies::through("http://proxy.example:1"));
    for (uri, client, expected) in [
        ("https://login.example/keys", &direct, Ok(())),
        ("https://1.1.1.1/keys", &direct, Ok(())),
        ("https://127.0.0.1/keys", &direct, Err(ErrorKind::Refused)),
        ("https://10.0.0.1/keys", &direct, Err(ErrorKind::Refused)),
        ("https://169.254.169.254/keys", &direct, Err(ErrorKind::Refused)),
        ("https://[::1]/keys", &direct, Err(ErrorKind::Refused)),
        ("https://[::ffff:10.0.0.1]/keys", &direct, Err(ErrorKind::Refused)),
        ("https://[fd00::1]/keys", &direct, Err(ErrorKind::Refused)),
        ("https://login.example/keys", &proxy, Err(ErrorKind::Misuse)),
    ] {
        let made = |options: JwksOptions| {
            let made = Jwks::from_url(uri.parse().unwrap(), options.with_client(client.clone()));
            made.map(drop).map_err(|error| error.kind())
        };
        assert_eq!(made(JwksOptions::default()), expected, "{uri}");
        assert_eq!(made(JwksOptions::default().allow_private_networks()), Ok(()), "{uri}");
    }
}

#[tokio::test]
async fn answers_that_are_no_keys() {
    let good = keys().to_string();
    let padded = |length: usize| format!("{good}{}", " ".repeat(length - good.len()));
    let table = [
        (200, padded(MAX_SET - 1), None),
        (200, padded(MAX_SET), None),
        (200, padded(MAX_SET + 1), Some(ErrorKind::Limit)),
        (200, " ".repeat(20 * MAX_SET), Some(ErrorKind::Limit)),
        (201, good.clone(), None),
        (204, String::new(), Some(ErrorKind::Peer)),
        (200, "<html>canary4711</html>".to_owned(), Some(ErrorKind::Peer)),
        (200, json!({ "keys": [] }).to_string(), Some(ErrorKind::Peer)),
        (400, good.clone(), Some(ErrorKind::Refused)),
        (401, good.clone(), Some(ErrorKind::Refused)),
        (404, "canary4711".to_owned(), Some(ErrorKind::Refused)),
        (429, good.clone(), Some(ErrorKind::Peer)),
        (500, good.clone(), Some(ErrorKind::Peer)),
        (304, String::new(), Some(ErrorKind::Peer)),
    ];
    let issuer = Issuer::new("").await;
    for (status, body, expected) in table {
        let shown = format!("{status}, {} bytes", body.len());
        issuer.says(status, None, body);
        let jwks = issuer.jwks();
        let traced = Traced::new();
        let guard = tracing::subscriber::set_default(traced.clone());
        let fetched = jwks.prefetch().await;
        drop(guard);
        assert_eq!(fetched.as_ref().err().map(Error::kind), expected, "{shown}");
        let text = format!("{} {fetched:?} {jwks:?}", traced.text());
        assert!(text.contains("fetched") && !text.contains("4711"), "{text}");
    }
    // Types are not looked at, and neither is how the end is told.
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{good}\r\n0\r\n\r\n",
        good.len()
    );
    let endless = |length: usize| format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", padded(length));
    for (answer, expected) in [
        (chunked, None),
        (endless(MAX_SET), None),
        (endless(MAX_SET + 1), Some(ErrorKind::Limit)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n".to_owned(), Some(ErrorKind::Limit)),
        (
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 100\r\n\r\n{".to_owned(),
            Some(ErrorKind::Io),
        ),
        ("nonsense\r\nConnection: close\r\n\r\n".to_owned(), Some(ErrorKind::Io)),
    ] {
        let server = Said::new(&[("/keys", answer.clone())]).await;
        let fetched = Jwks::from_url(server.uri("/keys"), here()).unwrap().prefetch().await;
        assert_eq!(fetched.err().map(|error| error.kind()), expected, "{}", &answer[..40]);
    }
}

#[tokio::test]
async fn redirects_stay_within_the_origin_and_are_three() {
    let other = Issuer::new(keys()).await;
    let elsewhere = other.uri.to_string();
    let port = other.uri.port_u16().unwrap();
    let hop = |number: usize| {
        let moved = said::redirect(302, &format!("/{}", number - 1));
        (format!("/{number}"), moved.replace("Location", "Set-Cookie: a=b\r\nLocation"))
    };
    let mut answers: Vec<(String, String)> = (1..6).map(hop).collect();
    answers.push(("/0".to_owned(), said::ok(&keys().to_string())));
    answers.push(("/loop".to_owned(), said::redirect(307, "/loop")));
    for (path, location) in [
        ("/port", elsewhere.clone()),
        ("/relative", format!("//127.0.0.1:{port}/keys")),
        ("/name", format!("http://localhost:{port}/keys")),
        ("/scheme", "https://HOST/0".to_owned()),
        ("/file", "file:///etc/passwd".to_owned()),
        ("/user", "http://a:b@HOST/0".to_owned()),
    ] {
        answers.push((path.to_owned(), said::redirect(307, &location)));
    }
    let answers: Vec<(&str, String)> =
        answers.iter().map(|(path, answer)| (path.as_str(), answer.clone())).collect();
    let server = Said::new(&answers).await;
    for (path, hops) in [
        ("/0", Some(1)),
        ("/1", Some(2)),
        ("/3", Some(4)),
        ("/4", None),
        ("/loop", None),
        ("/port", None),
        ("/relative", None),
        ("/name", None),
        ("/scheme", None),
        ("/file", None),
        ("/user", None),
    ] {
        server.forget();
        let fetched = Jwks::from_url(server.uri(path), here()).unwrap().prefetch().await;
        match hops {
            Some(hops) => assert_eq!((fetched.is_ok(), server.asked().len()), (true, hops), "{path}"),
            None => assert_eq!(fetched.unwrap_err().kind(), ErrorKind::Refused, "{path}"),
        }
        assert!(server.asked().len() <= 4, "{path}");
        let asked = server.asked().concat().to_lowercase();
        assert!(asked.contains("accept: application/jwk-set+json") && !asked.contains("cookie"), "{asked}");
    }
    assert_eq!(other.asked(), 0);
}

#[tokio::test]
async fn addresses_of_this_machine_are_not_asked_unless_they_may() {
    let issuer = Issuer::new(keys()).await;
    let port = issuer.uri.port_u16().unwrap();
    let public = JwksOptions::default().dangerous_allow_http_on_loopback();
    for host in ["127.0.0.1", "127.1.2.3", "[::1]"] {
        let uri: Uri = format!("http://{host}:{port}/keys").parse().unwrap();
        assert_eq!(Jwks::from_url(uri, public.clone()).unwrap_err().kind(), ErrorKind::Refused, "{host}");
    }
    // What a name means is known only when it is connected to.
    let uri: Uri = format!("http://localhost:{port}/keys").parse().unwrap();
    let jwks = Jwks::from_url(uri.clone(), public).unwrap();
    assert_eq!(jwks.prefetch().await.unwrap_err().kind(), ErrorKind::Refused);
    let authenticator = JwtAuthenticator::new(options(), jwks).unwrap();
    assert_eq!(status(&authenticator, &good(By::Ed25519)).await, 503);
    // A filter of one's own is asked where private networks may be.
    let seen = Arc::new(AtomicUsize::new(0));
    let counts = seen.clone();
    let none = HttpClientOptions::default().with_address_filter(Arc::new(move |_| {
        counts.fetch_add(1, Ordering::SeqCst);
        false
    }));
    let jwks = Jwks::from_url(uri, here().with_client(none)).unwrap();
    assert_eq!(jwks.prefetch().await.unwrap_err().kind(), ErrorKind::Refused);
    assert!(seen.load(Ordering::SeqCst) > 0);
    assert_eq!(issuer.asked(), 0);
    issuer.jwks().prefetch().await.unwrap();
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn keys_over_https() {
    let chain = CertificateDer::pem_slice_iter(include_bytes!("tls/server.pem"));
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.collect::<Result<_, _>>().unwrap(), key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let server = Said::behind(&[("/keys", said::ok(&keys().to_string()))], move |socket| {
        let acceptor = acceptor.clone();
        async move { acceptor.accept(socket).await.ok() }
    })
    .await;
    let uri: Uri = format!("https://{}/keys", server.address).parse().unwrap();
    let mut own = HeaderMap::new();
    own.insert("x-own", "1".parse().unwrap());
    let trusting =
        HttpClientOptions::default().with_extra_roots(include_bytes!("tls/authority.pem")).unwrap();
    // What is fixed is not taken from elsewhere.
    let trusting = trusting.with_connect(Duration::ZERO).with_head(Duration::ZERO).with_max_body(0);
    let options = JwksOptions::default().with_client(trusting.with_headers(own));
    let jwks = Jwks::from_url(uri.clone(), options.clone().allow_private_networks()).unwrap();
    let authenticator = JwtAuthenticator::new(self::options(), jwks).unwrap();
    assert_eq!(status(&authenticator, &good(By::Ed25519)).await, 200);
    assert!(server.asked().concat().contains("x-own: 1\r\n"));

    // Neither a private address nor a certificate of somebody else is good enough by itself.
    assert_eq!(Jwks::from_url(uri.clone(), options).unwrap_err().kind(), ErrorKind::Refused);
    let strangers =
        HttpClientOptions::default().with_extra_roots(include_bytes!("tls/another-authority.pem"));
    let strangers = JwksOptions::default().with_client(strangers.unwrap()).allow_private_networks();
    let error = Jwks::from_url(uri, strangers).unwrap().prefetch().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn an_issuer_that_is_not_there() {
    let issuer = Issuer::new(keys()).await;
    let uri = issuer.uri.clone();
    drop(issuer);
    let jwks = Jwks::from_url(uri, here()).unwrap();
    let error = jwks.prefetch().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io | ErrorKind::Timeout), "{error:?}");
    let authenticator = JwtAuthenticator::new(options(), jwks.clone()).unwrap();
    let judged = judge(&authenticator, &bearer(&good(By::Ed25519))).await;
    assert_eq!((judged.status(), judged.traced.as_str()), (503, ""));
    // A token that cannot be one asks for no keys.
    for bad in ["a.b.c".to_owned(), token(json!({ "alg": "none" }), claims(), By::Nothing)] {
        assert_eq!(status(&authenticator, &bad).await, 401);
    }
    // Whoever starts a server may try again at once.
    assert!(jwks.prefetch().await.is_err());
}
