//! `serve` for clients that have to say who they are, over TLS, and not too often.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

mod common;

use std::path::{Path, PathBuf};

use common::bridge::Bridge;
use common::{bridge, call, run};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

const TOKEN: &str = "canary-0123456789abcdef";

/// A directory that goes with the test.
struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Self {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("secured-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> String {
        // As one writes such files: whole, and then in its place.
        let (path, new) = (self.0.join(name), self.0.join("new"));
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, &path).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for these names, and its key.
fn issue(authority: &Authority, name: &str, names: &[&str]) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(|&name| name.into()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

fn mcp(bridge: &Bridge) -> String {
    bridge.url.replace("/sse", "/mcp")
}

#[test]
fn what_is_no_token_starts_nothing() {
    let files = Files::new("none");
    let (empty, blank) = (files.write("empty", ""), files.write("blank", " \n# none\n"));
    let good = files.write("good", TOKEN);
    let serve = |words: &[&str]| run(bridge().args(["serve", "--demo"]).args(words).env("EMPTY", " "));
    for (words, said) in [
        (&["--bearer-file", &empty][..], "--bearer-file"),
        (&["--bearer-file", &blank], "--bearer-file"),
        (&["--bearer-file", "/no/such/file"], "--bearer-file"),
        (&["--bearer-env", "EMPTY"], "--bearer-env"),
        (&["--bearer-env", "NOT_SET_AT_ALL"], "--bearer-env"),
        (
            &["--jwt-issuer", "https://issuer.example", "--jwt-audience", "a", "--jwks", "/no/such/file"],
            "--jwks",
        ),
        (
            &[
                "--jwt-issuer",
                "https://issuer.example",
                "--jwt-audience",
                "a",
                "--jwks",
                "http://a.example/keys",
            ],
            "--jwks",
        ),
        (&["--tls-cert", &good, "--tls-key", &good], "PEM"),
        (&["--listen", "0.0.0.0:0"], "--allow-unauthenticated"),
        (&["--listen", "0.0.0.0:0", "--bearer-file", &good], "--allow-host"),
    ] {
        let seen = serve(words);
        seen.failed(&[said]);
        assert!(!seen.stderr.contains(TOKEN), "{seen:?}");
    }
    for words in
        [&["--jwt-issuer", "a"][..], &["--tls-cert", "a"], &["--tls-client-ca", "a"], &["--rate", "x"]]
    {
        assert_eq!(serve(words).code, Some(2), "{words:?}");
    }
}

#[test]
fn who_has_a_token_is_let_in_and_nobody_else() {
    let files = Files::new("token");
    let tokens = files.write("tokens", &format!("# of the tests\nann:{TOKEN}\n"));
    let bridge = Bridge::serve_with(
        &["--demo", "--bearer-file", &tokens, "--bearer-env", "MORE_TOKENS"],
        &[("MORE_TOKENS", "another-0123456789abcdef")],
    );
    assert_eq!(bridge.get("/healthz", ""), 200);
    for path in ["/mcp", "/sse", "/nothing", "/message"] {
        assert_eq!(bridge.get(path, ""), 401, "{path}");
        assert_eq!(bridge.get(path, "Authorization: Bearer wrong-0123456789\r\n"), 401, "{path}");
    }
    assert_eq!(bridge.get(&format!("/sse?access_token={TOKEN}"), ""), 400);

    for url in [mcp(&bridge), bridge.url.clone()] {
        call(&[&url, "tools/list"]).failed(&["401", "--bearer-file"]);
        let wrong = files.write("wrong", "wrong-0123456789abcdef");
        call(&[&url, "tools/list", "--bearer-file", &wrong]).failed(&["401"]);
        let one = files.write("one", TOKEN);
        call(&[&url, "tools/list", "--bearer-file", &one]).answered();
        let program = files.write("program", &format!("#!/bin/sh\necho {TOKEN}\n"));
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        call(&[&url, "tools/list", "--bearer-command", &program]).answered();
        let mut asking = common::bridge();
        asking.args(["call", &url, "tools/list", "--bearer-env", "A_TOKEN"]);
        run(asking.env("A_TOKEN", "another-0123456789abcdef")).answered();
    }
    assert!(bridge.said().iter().all(|line| !line.contains(TOKEN)));
}

#[test]
fn tls_is_spoken_and_its_certificate_renewed() {
    let files = Files::new("tls");
    let (former, later) = (authority("former"), authority("later"));
    let (certificate, key) = issue(&former, "server", &["127.0.0.1", "mcp.example"]);
    let paths = [files.write("cert.pem", &certificate), files.write("key.pem", &key)];
    let tokens = files.write("tokens", TOKEN);
    let words = ["serve", "--demo", "--listen", "0.0.0.0:0", "--tls-cert", &paths[0], "--tls-key", &paths[1]];
    let mut serving = bridge();
    serving.args(words).args(["--bearer-file", &tokens]);
    let bridge = Bridge::from(&mut serving);
    // The name is that of the certificate, and nobody has to be told it.
    assert!(bridge.url.starts_with("https://mcp.example:"), "{}", bridge.url);
    let url = mcp(&bridge).replace("mcp.example", "127.0.0.1");
    let ask = |authority: &Authority| {
        let ca = files.write("ca.pem", &authority.pem());
        call(&[&url, "tools/list", "--bearer-file", &tokens, "--ca", &ca])
    };
    ask(&former).answered();
    ask(&later).failed(&["authority"]);

    // What does not work changes nothing.
    files.write("key.pem", "nothing");
    bridge.signal("HUP");
    bridge.line("stays as it was");
    ask(&former).answered();

    let (certificate, key) = issue(&later, "server", &["127.0.0.1"]);
    files.write("cert.pem", &certificate);
    files.write("key.pem", &key);
    bridge.signal("HUP");
    bridge.line("read again");
    ask(&later).answered();
    ask(&former).failed(&["authority"]);
}

#[test]
fn a_certificate_says_who_a_client_is() {
    let files = Files::new("mutual");
    let (ours, other) = (authority("ours"), authority("other"));
    let (certificate, key) = issue(&ours, "server", &["127.0.0.1"]);
    let paths = [files.write("cert.pem", &certificate), files.write("key.pem", &key)];
    let ca = files.write("ca.pem", &ours.pem());
    let bridge =
        Bridge::serve(&["--demo", "--tls-cert", &paths[0], "--tls-key", &paths[1], "--tls-client-ca", &ca]);
    let url = mcp(&bridge);
    assert_eq!(call(&[&url, "tools/list", "--ca", &ca]).code, Some(2));
    for (authority, let_in) in [(&ours, true), (&other, false)] {
        let (certificate, key) = issue(authority, "ann", &["ann.example"]);
        let both = files.write("client.pem", &format!("{certificate}{key}"));
        let seen = call(&[&url, "tools/list", "--ca", &ca, "--client-cert", &both]);
        assert_eq!(seen.code == Some(0), let_in, "{seen:?}");
        let (certificate, key) = (files.write("client.pem", &certificate), files.write("client.key", &key));
        let words = ["--client-cert", &certificate, "--client-key", &key];
        let seen = call(&[&[&url, "tools/list", "--ca", &ca][..], &words].concat());
        assert_eq!(seen.code == Some(0), let_in, "{seen:?}");
    }
}

#[test]
fn more_than_the_rate_is_refused() {
    let files = Files::new("rate");
    let tokens = files.write("tokens", TOKEN);
    let bridge = Bridge::serve(&["--demo", "--bearer-file", &tokens, "--rate", "1/3"]);
    let ask = || bridge.get("/nothing", &format!("Authorization: Bearer {TOKEN}\r\n"));
    let said: Vec<_> = (0..10).map(|_| ask()).collect();
    assert_eq!(said[..3], [404; 3], "{said:?}");
    // Each second lets one more in, and this may take some.
    assert!(said.contains(&429), "{said:?}");
}
