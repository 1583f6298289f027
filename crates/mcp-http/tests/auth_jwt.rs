//! Tokens, good and bad: one table, in chapters.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod issuer;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use issuer::{
    AUDIENCE, By, ISSUER, Judged, N, NOW, OTHER_N, Secret, base64, bearer, claims, good, judge, keys,
    options, other_p256_key, p256_key, request, rsa_key, token, token_of, unbase64, with,
};
use mcp_http::jwt::{Jwks, JwtAlgorithm, JwtAuthenticator, JwtOptions};
use mcp_http::{MAX_TOKEN, Resource};
use mcp_transport_core::ErrorKind;
use ring::hmac::{HMAC_SHA256, HMAC_SHA384, HMAC_SHA512};
use serde_json::{Value, json};

const ALL: [JwtAlgorithm; 9] = [
    JwtAlgorithm::Rs256,
    JwtAlgorithm::Rs384,
    JwtAlgorithm::Rs512,
    JwtAlgorithm::Ps256,
    JwtAlgorithm::Ps384,
    JwtAlgorithm::Ps512,
    JwtAlgorithm::Es256,
    JwtAlgorithm::Es384,
    JwtAlgorithm::Ed25519,
];

// What the log says of a token that was refused.
const MALFORMED: &str = "the token is not a signed JWT";
const CRITICAL: &str = "the token has extensions that are not supported";
const TYPE: &str = "the token is not an access token";
const ALGORITHM: &str = "the algorithm of the token is not allowed";
const KEY_ID: &str = "the key id of the token is not usable";
const UNKNOWN_KEY: &str = "the key of the token is not known";
const SEVERAL_KEYS: &str = "the token does not say which key it was signed with";
const SIGNATURE: &str = "the signature of the token is not valid";
const CLAIMS: &str = "the claims of the token are malformed";
const FOREIGN: &str = "the token is from another issuer";
const AUDIENCE_IS_ANOTHER: &str = "the token is for another audience";
const EXPIRY: &str = "the token has no usable expiry";
const EXPIRED: &str = "the token has expired";
const NOT_YET: &str = "the token is not valid yet";
const NOBODY: &str = "the token says neither subject nor client";
const SCOPE: &str = "the token lacks a scope";

const ALICE: &str = r#"jwt:["https://login.example","app","alice"]"#;

/// A token, and what becomes of whoever brings it.
struct Vector {
    name: String,
    token: Vec<u8>,
    expected: Expected,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Expected {
    /// Is let in, under this name.
    In(String),
    /// 401, for this reason.
    Out(&'static str),
    /// 403, and all scopes that are needed.
    Lacks,
    /// 400: no bearer token at all.
    Unreadable,
}

#[derive(Default)]
struct Table(Vec<Vector>);

impl Table {
    fn row(&mut self, name: impl Into<String>, token: impl AsRef<[u8]>, expected: Expected) {
        self.0.push(Vector { name: name.into(), token: token.as_ref().to_vec(), expected });
    }

    fn passes(&mut self, name: impl Into<String>, token: impl AsRef<[u8]>) {
        self.row(name, token, Expected::In(ALICE.to_owned()));
    }

    fn fails(&mut self, name: impl Into<String>, token: impl AsRef<[u8]>, reason: &'static str) {
        self.row(name, token, Expected::Out(reason));
    }

    /// Judges every row, and says how many there were.
    async fn judged(self, authenticator: &JwtAuthenticator) -> usize {
        let names: BTreeSet<_> = self.0.iter().map(|vector| vector.name.clone()).collect();
        assert_eq!(names.len(), self.0.len(), "two rows have one name");
        for Vector { name, token, expected } in &self.0 {
            let judged = judge(authenticator, &request(&[b"Bearer ", token.as_slice()].concat())).await;
            assert_eq!(outcome(&judged), *expected, "{name}");
            let text = String::from_utf8_lossy(token);
            for part in text.split('.').filter(|part| part.len() > 8) {
                assert!(!judged.traced.contains(part), "{name}: {}", judged.traced);
            }
        }
        self.0.len()
    }
}

fn outcome(judged: &Judged) -> Expected {
    let challenge = judged.header("www-authenticate");
    match judged.status() {
        200 => Expected::In(judged.outcome.as_ref().unwrap().clone()),
        400 => Expected::Unreadable,
        401 => {
            assert!(challenge.unwrap().starts_with("Bearer error=\"invalid_token\""), "{challenge:?}");
            let reason = judged.reason.as_deref().unwrap();
            let known = [
                MALFORMED,
                CRITICAL,
                TYPE,
                ALGORITHM,
                KEY_ID,
                UNKNOWN_KEY,
                SEVERAL_KEYS,
                SIGNATURE,
                CLAIMS,
                FOREIGN,
                AUDIENCE_IS_ANOTHER,
                EXPIRY,
                EXPIRED,
                NOT_YET,
                NOBODY,
            ];
            Expected::Out(known.into_iter().find(|known| *known == reason).expect(reason))
        }
        403 => {
            assert_eq!(challenge, Some(r#"Bearer error="insufficient_scope", scope="read write""#));
            assert_eq!(judged.reason.as_deref(), Some(SCOPE));
            Expected::Lacks
        }
        status => panic!("{status}"),
    }
}

fn authenticator(options: JwtOptions, keys: &Value) -> JwtAuthenticator {
    JwtAuthenticator::new(options, Jwks::from_bytes(keys.to_string().as_bytes()).unwrap()).unwrap()
}

/// Takes all algorithms.
fn liberal(keys: &Value) -> JwtAuthenticator {
    authenticator(options().with_algorithms(ALL), keys)
}

/// A good header of the key that signs most rows.
fn ed() -> Value {
    By::Ed25519.header()
}

/// Claims that are signed as they should be.
fn say(payload: impl ToString) -> String {
    token(ed(), payload, By::Ed25519)
}

/// Good claims, with other members; `null` takes one away.
fn claim(members: Value) -> String {
    say(with(&claims(), members))
}

/// The text of good claims, with another text instead of their end.
fn claims_and(text: &str) -> String {
    let claims = claims().to_string();
    say(format!("{},{text}}}", claims.strip_suffix('}').unwrap()))
}

/// A good header with other members.
fn head(members: Value) -> String {
    token(with(&ed(), members), claims(), By::Ed25519)
}

fn head_text(text: &str) -> String {
    token(text, claims(), By::Ed25519)
}

fn exp(value: impl Into<Value>) -> String {
    claim(json!({ "exp": value.into() }))
}

fn parts(token: &str) -> [String; 3] {
    let parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    parts.try_into().unwrap()
}

/// A good token of so many bytes. Three bytes of JSON are four of base64, so one of two parts has to make up for the rest.
fn of_length(length: usize) -> String {
    let long = |head: usize, body: usize| {
        let header = with(&ed(), json!({ "x": "x".repeat(head) }));
        token(header, with(&claims(), json!({ "x": "x".repeat(body) })), By::Ed25519)
    };
    let body = (length - long(0, 0).len()) * 3 / 4 - 4;
    let mut sizes = (0..8).flat_map(|head| (body - 4..body + 4).map(move |body| (head, body)));
    sizes.find_map(|(head, body)| Some(long(head, body)).filter(|token| token.len() == length)).unwrap()
}

fn form() -> Table {
    let mut table = Table::default();
    let good = good(By::Ed25519);
    let [header, payload, signature] = parts(&good);
    table.passes("good", &good);
    table.row("empty", "", Expected::Unreadable);
    table.row("a blank", " ", Expected::Unreadable);
    table.fails("one dot", ".", MALFORMED);
    table.fails("two dots only", "..", MALFORMED);
    table.fails("three dots only", "...", MALFORMED);
    table.fails("one part", "abc", MALFORMED);
    table.fails("two parts", format!("{header}.{payload}"), MALFORMED);
    table.fails("four parts", format!("{good}.{signature}"), MALFORMED);
    table.fails("five parts, as an encrypted token has", format!("{header}.a.b.c.d"), MALFORMED);
    table.fails("a dot at the end", format!("{good}."), MALFORMED);
    table.fails("a dot at the start", format!(".{good}"), MALFORMED);
    table.fails("no header", format!(".{payload}.{signature}"), MALFORMED);
    table.fails("no payload", format!("{header}..{signature}"), SIGNATURE);
    table.fails("no signature", format!("{header}.{payload}."), SIGNATURE);
    table.fails("padding at the end", format!("{good}=="), MALFORMED);
    table.row("padding of the header", format!("{header}=.{payload}.{signature}"), Expected::Unreadable);
    table.row("padding of the payload", format!("{header}.{payload}==.{signature}"), Expected::Unreadable);
    table.fails("the other alphabet in the header", format!("ey+/{header}.{payload}.{signature}"), MALFORMED);
    table.fails(
        "the other alphabet in the signature",
        format!("{header}.{payload}.+/{signature}"),
        MALFORMED,
    );
    table.fails("the other alphabet in the payload", format!("{header}.+/{payload}.{signature}"), SIGNATURE);
    table.fails("a tilde", format!("{header}.{payload}.~{signature}"), MALFORMED);
    let last = |text: &str, by: fn(u8) -> u8| {
        let mut text = text.as_bytes().to_vec();
        let last = text.pop().unwrap();
        text.push(by(last));
        String::from_utf8(text).unwrap()
    };
    // 64 bytes leave four bits of the last character unused, which are zero: one of A, Q, g, w. The next letter in the
    // alphabet has the same bytes, spelled otherwise.
    let respelled = last(&signature, |last| last + 1);
    table.fails("a second spelling of the signature", format!("{header}.{payload}.{respelled}"), MALFORMED);
    for (name, text) in [
        ("a blank inside", format!("{header}. {payload}.{signature}")),
        ("a blank behind", format!("{good} ")),
        ("a tab before", format!("\t{good}")),
        ("a tab behind", format!("{good}\t")),
        ("quotes around", format!("\"{good}\"")),
        ("a comma behind", format!("{good},")),
        ("two tokens", format!("{good}, Bearer {good}")),
        ("a percent sign", format!("{header}%2E{payload}.{signature}")),
    ] {
        table.row(name, text, Expected::Unreadable);
    }
    table.row("a byte beyond ASCII", [good.as_bytes(), b"\xc3\xa9"].concat(), Expected::Unreadable);
    table.passes("blanks before", format!("   {good}"));
    table.passes("a byte less than there may be", of_length(MAX_TOKEN - 1));
    table.passes("as many bytes as there may be", of_length(MAX_TOKEN));
    table.row("a byte more than there may be", of_length(MAX_TOKEN + 1), Expected::Unreadable);
    table.row("a megabyte", "a".repeat(1 << 20), Expected::Unreadable);
    table.row("a megabyte of dots", ".".repeat(1 << 20), Expected::Unreadable);
    table.fails("8 KiB of dots", ".".repeat(MAX_TOKEN), MALFORMED);
    table.fails("8 KiB of a header", "a".repeat(MAX_TOKEN), MALFORMED);

    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for (name, text) in [
        ("a header that is no JSON", "nothing".to_owned()),
        ("a header in single quotes", "{'alg':'EdDSA'}".to_owned()),
        ("a header with a comma too many", r#"{"alg":"EdDSA",}"#.to_owned()),
        ("a header and more", format!("{}{{}}", ed())),
        ("a header with a comment", r#"{"alg":"EdDSA"/**/}"#.to_owned()),
        ("a header with a byte order mark", format!("\u{feff}{}", ed())),
        ("a header that is an array", r#"[{"alg":"EdDSA"}]"#.to_owned()),
        ("a header that is a string", r#""EdDSA""#.to_owned()),
        ("a header that is null", "null".to_owned()),
        ("a header that is empty", String::new()),
        ("a deep header", format!(r#"{{"alg":"EdDSA","kid":"ed-1","x":{}}}"#, deep(2000))),
        ("alg twice", r#"{"alg":"EdDSA","kid":"ed-1","alg":"EdDSA"}"#.to_owned()),
        ("alg twice, none second", r#"{"alg":"EdDSA","kid":"ed-1","alg":"none"}"#.to_owned()),
        ("alg twice, once escaped", r#"{"alg":"EdDSA","kid":"ed-1","\u0061lg":"EdDSA"}"#.to_owned()),
        ("kid twice", r#"{"alg":"EdDSA","kid":"ed-1","kid":"ed-1"}"#.to_owned()),
        ("a name twice inside the header", r#"{"alg":"EdDSA","kid":"ed-1","jwk":{"x":1,"x":2}}"#.to_owned()),
    ] {
        table.fails(name, head_text(&text), MALFORMED);
    }
    table.fails(
        "a header in Latin-1",
        token_of(b"{\"alg\":\"EdDSA\",\"x\":\"\xe9\"}", b"{}", By::Ed25519),
        MALFORMED,
    );
    table.passes("a header with blanks", head_text(" { \"alg\" : \"EdDSA\" ,\r\n\t\"kid\" : \"ed-1\" } "));
    table.passes("a header with an escape", head_text(r#"{"\u0061lg":"\u0045dDSA","kid":"ed-1"}"#));
    let second = URL_SAFE.encode(claims().to_string() + "  ");
    table.row("a payload with padding", format!("{header}.{second}.{signature}"), Expected::Unreadable);

    for (name, text) in [
        ("claims that are no JSON", "nothing".to_owned()),
        ("claims that are nothing", String::new()),
        ("claims that are an array", format!("[{}]", claims())),
        ("claims that are a string", Value::String(claims().to_string()).to_string()),
        ("claims that are a token, as a nested one has", good.clone()),
        ("claims that are null", "null".to_owned()),
        ("claims and more", format!("{}{{}}", claims())),
        ("claims with a NUL behind", format!("{}\0", claims())),
        ("deep claims", format!(r#"{{"x":{}}}"#, deep(2000))),
    ] {
        table.fails(name, say(text), CLAIMS);
    }
    table.fails(
        "claims in Latin-1",
        token_of(ed().to_string().as_bytes(), b"{\"sub\":\"\xe9\"}", By::Ed25519),
        CLAIMS,
    );
    table.passes("claims with line breaks", say(format!("\r\n{}\n", claims())));
    table.passes("claims a hundred levels deep", claims_and(&format!(r#""x":{}"#, deep(100))));
    table
}

fn header() -> Table {
    let mut table = Table::default();
    for alg in [
        "none", "None", "NONE", "nOnE", "", " EdDSA", "EdDSA ", "eddsa", "RS1", "ES256K", "Ed448", "RSA-OAEP",
    ] {
        let header = with(&ed(), json!({ "alg": alg }));
        table.fails(format!("alg {alg:?}, signed"), token(&header, claims(), By::Ed25519), ALGORITHM);
        table.fails(format!("alg {alg:?}, unsigned"), token(&header, claims(), By::Nothing), ALGORITHM);
    }
    table.fails("no alg", head(json!({ "alg": null })), ALGORITHM);
    table.fails("alg null", head_text(r#"{"alg":null,"kid":"ed-1"}"#), ALGORITHM);
    table.fails("alg a number", head(json!({ "alg": 1 })), ALGORITHM);
    table.fails("alg an array", head(json!({ "alg": ["EdDSA"] })), ALGORITHM);
    table.fails("Alg", head_text(r#"{"Alg":"EdDSA","kid":"ed-1"}"#), ALGORITHM);
    table.passes("alg of RFC 9864", head(json!({ "alg": "Ed25519" })));

    for secret in [
        Secret::Pem,
        Secret::PemWithoutEnd,
        Secret::Pkcs1Pem,
        Secret::Der,
        Secret::Pkcs1Der,
        Secret::N,
        Secret::NText,
        Secret::Empty,
    ] {
        for algorithm in [HMAC_SHA256, HMAC_SHA384, HMAC_SHA512] {
            let by = By::Hmac(algorithm, secret);
            table.fails(format!("{} with {secret:?} of the RSA key", by.alg()), good(by), ALGORITHM);
        }
        // The same bytes, for a reader that believes the key and not the name.
        let by = By::Hmac(HMAC_SHA256, secret);
        let header = By::Rs256.header();
        table.fails(format!("RS256 that is HS256 with {secret:?}"), token(header, claims(), by), SIGNATURE);
    }

    for typ in [
        "JWT",
        "jwt",
        "Jwt",
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "Application/At+Jwt",
        "application/jwt",
    ] {
        table.passes(format!("typ {typ}"), head(json!({ "typ": typ })));
    }
    table.passes("no typ", head(json!({ "typ": null })));
    for typ in [
        "",
        "JWE",
        "JOSE",
        "dpop+jwt",
        "logout+jwt",
        "jwt ",
        "text/jwt",
        "application/",
        "application/application/jwt",
        "at+jwt;x=1",
        "id_token",
    ] {
        table.fails(format!("typ {typ:?}"), head(json!({ "typ": typ })), TYPE);
    }
    table.fails("typ null", head_text(r#"{"alg":"EdDSA","kid":"ed-1","typ":null}"#), TYPE);
    table.fails("typ a number", head(json!({ "typ": 1 })), TYPE);
    table.fails("typ an array", head(json!({ "typ": ["JWT"] })), TYPE);

    table.fails("crit of something", head(json!({ "crit": ["exp"], "exp": NOW + 300 })), CRITICAL);
    table.fails("crit of b64", head(json!({ "crit": ["b64"], "b64": true })), CRITICAL);
    table.fails("crit of nothing", head(json!({ "crit": [] })), CRITICAL);
    table.fails("crit null", head_text(r#"{"alg":"EdDSA","kid":"ed-1","crit":null}"#), CRITICAL);
    table.fails("b64 false", head(json!({ "b64": false })), CRITICAL);
    table.fails("b64 a string", head(json!({ "b64": "true" })), CRITICAL);
    table.passes("b64 true", head(json!({ "b64": true })));
    let [header, _, _] = parts(&head(json!({ "b64": false })));
    let signed = format!("{header}.{}", "plain");
    let signature = base64(&By::Ed25519.sign(signed.as_bytes()));
    table.fails("a payload that is no base64", format!("{signed}.{signature}"), CRITICAL);

    for kid in [
        "../../etc/passwd",
        "/dev/null",
        "ed-1\0",
        "\0",
        "ed-1'; --",
        "| cat /etc/passwd",
        "ED-1",
        "ed-1 ",
        "ed-",
        "",
        "other",
        "http://127.0.0.1/keys",
    ] {
        table.fails(format!("kid {kid:?}"), head(json!({ "kid": kid })), UNKNOWN_KEY);
    }
    table.fails("kid of 256 bytes", head(json!({ "kid": "k".repeat(256) })), UNKNOWN_KEY);
    table.fails("kid of 257 bytes", head(json!({ "kid": "k".repeat(257) })), KEY_ID);
    table.row("kid of 10 KiB", head(json!({ "kid": "k".repeat(10 << 10) })), Expected::Unreadable);
    table.fails("kid null", head_text(r#"{"alg":"EdDSA","kid":null}"#), KEY_ID);
    table.fails("kid a number", head(json!({ "kid": 1 })), KEY_ID);
    table.fails("kid an array", head(json!({ "kid": ["ed-1"] })), KEY_ID);
    table.fails("kid an object", head(json!({ "kid": { "a": 1 } })), KEY_ID);
    table.passes("no kid, and one key for alg", head(json!({ "kid": null })));

    // Whoever makes a token can name a key of its own.
    let own = issuer::other_ed25519_key("ed-1");
    let forged = |members: Value| token(with(&ed(), members), claims(), By::OtherEd25519);
    table.fails("jwk of a stranger", forged(json!({ "jwk": own.clone() })), SIGNATURE);
    table.fails("jwk of a stranger, no kid", forged(json!({ "jwk": own.clone(), "kid": null })), SIGNATURE);
    table.fails("jku of a stranger", forged(json!({ "jku": "https://evil.example/keys.json" })), SIGNATURE);
    table.fails("x5u of a stranger", forged(json!({ "x5u": "https://evil.example/a.pem" })), SIGNATURE);
    table.fails("x5c of a stranger", forged(json!({ "x5c": ["MIIB"] })), SIGNATURE);
    table.passes("jku beside a good key", head(json!({ "jku": "https://evil.example/keys.json" })));
    table.passes("x5u beside a good key", head(json!({ "x5u": "https://evil.example/a.pem" })));
    table.passes("jwk beside a good key", head(json!({ "jwk": own })));
    table.passes("x5c beside a good key", head(json!({ "x5c": ["MIIB"], "x5t": "a", "x5t#S256": 7 })));
    table.passes("members that nobody knows", head(json!({ "cty": "x", "nonce": 5, "x": { "y": [] } })));
    table
}

fn signature() -> Table {
    let mut table = Table::default();
    for by in
        [By::Rs256, By::Rs384, By::Rs512, By::Ps256, By::Ps384, By::Ps512, By::Es256, By::Es384, By::Ed25519]
    {
        let alg = by.alg();
        let token = good(by);
        table.passes(format!("{alg}: good"), &token);
        let [header, payload, signature] = parts(&token);
        let bytes = unbase64(&signature);
        let signed = |bytes: &[u8]| format!("{header}.{payload}.{}", base64(bytes));
        let flipped = |at: usize| {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            bytes
        };
        table.fails(format!("{alg}: a bit of the first byte"), signed(&flipped(0)), SIGNATURE);
        table.fails(format!("{alg}: a bit in the middle"), signed(&flipped(bytes.len() / 2)), SIGNATURE);
        table.fails(format!("{alg}: a bit of the last byte"), signed(&flipped(bytes.len() - 1)), SIGNATURE);
        table.fails(format!("{alg}: without its last byte"), signed(&bytes[..bytes.len() - 1]), SIGNATURE);
        table.fails(format!("{alg}: without its first byte"), signed(&bytes[1..]), SIGNATURE);
        table.fails(format!("{alg}: half"), signed(&bytes[..bytes.len() / 2]), SIGNATURE);
        table.fails(format!("{alg}: a byte behind it"), signed(&[&bytes[..], &[0]].concat()), SIGNATURE);
        table.fails(format!("{alg}: a zero before it"), signed(&[&[0], &bytes[..]].concat()), SIGNATURE);
        table.fails(format!("{alg}: twice"), signed(&[&bytes[..], &bytes].concat()), SIGNATURE);
        table.fails(format!("{alg}: zeros"), signed(&vec![0; bytes.len()]), SIGNATURE);
        table.fails(format!("{alg}: ones"), signed(&vec![0xff; bytes.len()]), SIGNATURE);
        table.fails(format!("{alg}: empty"), signed(&[]), SIGNATURE);
        let other = base64(with(&claims(), json!({ "sub": "bob" })).to_string().as_bytes());
        table.fails(format!("{alg}: of other claims"), format!("{header}.{other}.{signature}"), SIGNATURE);
        let spaced = base64(format!("{} ", by.header()).as_bytes());
        table.fails(
            format!("{alg}: of another header"),
            format!("{spaced}.{payload}.{signature}"),
            SIGNATURE,
        );
    }
    let claims = claims();
    let under = |alg: &str, kid: &str, by: By| token(json!({ "alg": alg, "kid": kid }), &claims, by);
    table.fails("RS256 called PS256", under("PS256", "rsa-1", By::Rs256), SIGNATURE);
    table.fails("PS256 called RS256", under("RS256", "rsa-1", By::Ps256), SIGNATURE);
    table.fails("RS256 called RS512", under("RS512", "rsa-1", By::Rs256), SIGNATURE);
    table.fails("PS384 called PS512", under("PS512", "rsa-1", By::Ps384), SIGNATURE);
    table.fails("another key of P-256", good(By::OtherEs256), SIGNATURE);
    table.fails("another key of Ed25519", good(By::OtherEd25519), SIGNATURE);
    table.fails("in ASN.1", good(By::Es256Der), SIGNATURE);
    // Each has a key of its own, and a kid of the other's is no way to it.
    table.fails("ES256 with a key of P-384", under("ES256", "ec-2", By::Es384), UNKNOWN_KEY);
    table.fails("ES384 with a key of P-256", under("ES384", "ec-1", By::Es256), UNKNOWN_KEY);
    table.fails("ES256 with an RSA key", under("ES256", "rsa-1", By::Rs256), UNKNOWN_KEY);
    table.fails("RS256 with a key of P-256", under("RS256", "ec-1", By::Es256), UNKNOWN_KEY);
    table.fails("EdDSA with a key of P-256", under("EdDSA", "ec-1", By::Es256), UNKNOWN_KEY);
    table.fails("ES256 with a key of Ed25519", under("ES256", "ed-1", By::Ed25519), UNKNOWN_KEY);
    table.fails(
        "ES256 by P-384, without kid",
        token(json!({ "alg": "ES256" }), &claims, By::Es384),
        SIGNATURE,
    );
    // r and s are between 1 and the order (CVE-2022-21449 let zeros pass).
    let [header, payload, signature] = parts(&good(By::Es256));
    let (r, s) = unbase64(&signature).split_at(32).pipe(|(r, s)| (r.to_vec(), s.to_vec()));
    let order = unbase64("_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE");
    let zero = vec![0; 32];
    for (name, r, s) in [
        ("r is 0", &zero, &s),
        ("s is 0", &r, &zero),
        ("r is the order", &order, &s),
        ("s is the order", &r, &order),
        ("r and s change places", &s, &r),
    ] {
        let signature = base64(&[&r[..], s].concat());
        table.fails(name, format!("{header}.{payload}.{signature}"), SIGNATURE);
    }
    table
}

trait Pipe: Sized {
    fn pipe<T>(self, f: impl FnOnce(Self) -> T) -> T {
        f(self)
    }
}
impl<T> Pipe for T {}

fn claimed() -> Table {
    let mut table = Table::default();
    table.passes("an hour", exp(NOW + 3600));
    table.passes("now", exp(NOW));
    // The leeway is 60 s: not on or after.
    table.passes("expired a second less than the leeway ago", exp(NOW - 59));
    table.fails("expired exactly the leeway ago", exp(NOW - 60), EXPIRED);
    table.fails("expired a second more than the leeway ago", exp(NOW - 61), EXPIRED);
    table.passes("half a second less", exp(NOW as f64 - 59.5));
    table.fails("half a second more", exp(NOW as f64 - 60.5), EXPIRED);
    table.passes("a fraction", exp(NOW as f64 + 0.25));
    table.passes("an exponent", claims_and_instead("exp", "1.9e9"));
    table.passes("a far future", exp(u64::MAX));
    table.passes("a farther future", claims_and_instead("exp", "1e300"));
    table.fails("zero", exp(0), EXPIRED);
    table.fails("negative", exp(-1), EXPIRED);
    table.fails("very negative", exp(i64::MIN), EXPIRED);
    table.fails("more negative", claims_and_instead("exp", "-1e300"), EXPIRED);
    table.fails("beyond numbers", claims_and_instead("exp", "1e999"), CLAIMS);
    table.fails("no number: NaN", claims_and_instead("exp", "NaN"), CLAIMS);
    table.fails("no number: Infinity", claims_and_instead("exp", "Infinity"), CLAIMS);
    table.fails("a leading zero", claims_and_instead("exp", "01800000300"), CLAIMS);
    table.fails("missing", exp(Value::Null), EXPIRY);
    table.fails("null", claims_and_instead("exp", "null"), EXPIRY);
    table.fails("a string", exp((NOW + 300).to_string()), EXPIRY);
    table.fails("a word", exp("never"), EXPIRY);
    table.fails("true", exp(true), EXPIRY);
    table.fails("an array", exp(json!([NOW + 300])), EXPIRY);
    table.fails("an object", exp(json!({ "n": NOW + 300 })), EXPIRY);
    table.fails("EXP", claim(json!({ "exp": null, "EXP": NOW + 300 })), EXPIRY);
    table.fails("exp twice", claims_and(&format!(r#""exp":{}"#, NOW + 300)), CLAIMS);
    table.fails("exp twice, once escaped", claims_and(&format!(r#""\u0065xp":{}"#, NOW + 300)), CLAIMS);

    let nbf = |value: Value| claim(json!({ "nbf": value }));
    table.passes("nbf now", nbf(NOW.into()));
    table.passes("nbf long ago", nbf(1.into()));
    table.passes("nbf negative", nbf((-5).into()));
    table.passes("nbf a second less than the leeway ahead", nbf((NOW + 59).into()));
    table.passes("nbf exactly the leeway ahead", nbf((NOW + 60).into()));
    table.fails("nbf a second more than the leeway ahead", nbf((NOW + 61).into()), NOT_YET);
    table.fails("nbf half a second more", nbf((NOW as f64 + 60.5).into()), NOT_YET);
    table.fails("nbf far ahead", nbf(u64::MAX.into()), NOT_YET);
    table.fails("nbf a string", nbf("0".into()), CLAIMS);
    table.fails("nbf null", claims_and(r#""nbf":null"#), CLAIMS);
    table.fails("nbf true", nbf(true.into()), CLAIMS);
    table.fails("nbf an array", nbf(json!([0])), CLAIMS);
    table.fails("nbf twice", claims_and(r#""nbf":0,"nbf":0"#), CLAIMS);

    table.passes("no iat", claim(json!({ "iat": null })));
    table.passes("iat ahead", claim(json!({ "iat": NOW + 9999 })));
    table.passes("iat nonsense", claim(json!({ "iat": "yesterday" })));
    table.passes("iat negative", claim(json!({ "iat": -1 })));
    table.passes("jti nonsense", claim(json!({ "jti": [] })));

    let aud = |value: Value| claim(json!({ "aud": value }));
    table.passes("aud an array of ours", aud(json!([AUDIENCE])));
    table.passes("aud an array with ours", aud(json!(["https://other.example", AUDIENCE, "x"])));
    for (name, value) in [
        ("missing", Value::Null),
        ("another", json!("https://other.example")),
        ("empty", json!("")),
        ("an empty array", json!([])),
        ("an array without ours", json!(["https://other.example", "x"])),
        ("an array in an array", json!([[AUDIENCE]])),
        ("an array with ours and a number", json!([AUDIENCE, 1])),
        ("an array with ours and null", json!([AUDIENCE, null])),
        ("a number", json!(1)),
        ("true", json!(true)),
        ("an object", json!({ AUDIENCE: true })),
        ("ours with a slash", json!(format!("{AUDIENCE}/"))),
        ("ours in capitals", json!(AUDIENCE.to_uppercase())),
        ("ours and more", json!(format!("{AUDIENCE} x"))),
        ("the origin of ours", json!("https://mcp.example")),
        ("ours with the default port", json!("https://mcp.example:443/mcp")),
        ("the client", json!("app")),
        ("a star", json!("*")),
    ] {
        table.fails(format!("aud {name}"), aud(value), AUDIENCE_IS_ANOTHER);
    }
    table.fails("aud null", claims_and_instead("aud", "null"), AUDIENCE_IS_ANOTHER);
    table.fails("aud twice", claims_and(&format!(r#""aud":"{AUDIENCE}""#)), CLAIMS);

    let iss = |value: Value| claim(json!({ "iss": value }));
    for (name, value) in [
        ("missing", Value::Null),
        ("another", json!("https://evil.example")),
        ("with a slash", json!(format!("{ISSUER}/"))),
        ("in capitals", json!("https://LOGIN.example")),
        ("over http", json!("http://login.example")),
        ("with a port", json!("https://login.example:443")),
        ("with a blank", json!(format!("{ISSUER} "))),
        ("with a NUL", json!(format!("{ISSUER}\0"))),
        ("with a suffix", json!(format!("{ISSUER}.evil.example"))),
        ("a prefix", json!("https://login")),
        ("empty", json!("")),
        ("an array", json!([ISSUER])),
        ("a number", json!(1)),
        ("an object", json!({ "iss": ISSUER })),
    ] {
        table.fails(format!("iss {name}"), iss(value), FOREIGN);
    }
    table.fails("iss null", claims_and_instead("iss", "null"), FOREIGN);
    table.fails("iss twice", claims_and(&format!(r#""iss":"{ISSUER}""#)), CLAIMS);
    table.fails("iss twice, the other second", claims_and(r#""iss":"https://evil.example""#), CLAIMS);
    table.fails("a name twice inside", claims_and(r#""cnf":{"jkt":"a","jkt":"b"}"#), CLAIMS);
    table
}

/// Good claims with one value as it is written.
fn claims_and_instead(name: &str, value: &str) -> String {
    let text = with(&claims(), json!({ name: "HERE" })).to_string();
    say(text.replace("\"HERE\"", value))
}

fn principals() -> Table {
    let mut table = Table::default();
    let mut who = |name: &str, members: Value, principal: &str| {
        let principal = format!("jwt:[\"https://login.example\",{principal}]");
        table.row(name, claim(members), Expected::In(principal));
    };
    who("another user of the client", json!({ "sub": "bob" }), r#""app","bob""#);
    who("another client of the user", json!({ "client_id": "cli" }), r#""cli","alice""#);
    who("a client for itself", json!({ "sub": null }), r#""app",null"#);
    who("a user without a client", json!({ "client_id": null }), r#"null,"alice""#);
    who("a user called null", json!({ "sub": "null", "client_id": null }), r#"null,"null""#);
    who("azp", json!({ "client_id": null, "azp": "web" }), r#""web","alice""#);
    who("client_id before azp", json!({ "azp": "web" }), r#""app","alice""#);
    who("a quote", json!({ "sub": "a\",\"b" }), r#""app","a\",\"b""#);
    who("a backslash", json!({ "sub": "a\\" }), r#""app","a\\""#);
    who("a comma", json!({ "client_id": "app,alice", "sub": "x" }), r#""app,alice","x""#);
    who("a NUL", json!({ "sub": "a\0" }), r#""app","a\u0000""#);
    who("a blank", json!({ "sub": "alice " }), r#""app","alice ""#);
    who("capitals", json!({ "sub": "Alice" }), r#""app","Alice""#);
    who("other letters", json!({ "sub": "Ümit" }), r#""app","Ümit""#);
    table.fails("nobody", claim(json!({ "sub": null, "client_id": null })), NOBODY);
    table.fails(
        "nobody but an audience",
        claim(json!({ "sub": null, "client_id": null, "name": "x" })),
        NOBODY,
    );
    for claimed in ["sub", "client_id", "azp"] {
        for (name, value) in [("a number", json!(7)), ("empty", json!("")), ("an array", json!(["a"]))] {
            table.fails(format!("{claimed} {name}"), claim(json!({ claimed: value })), CLAIMS);
        }
        table.fails(format!("{claimed} null"), claims_and_instead(claimed, "null"), CLAIMS);
    }
    table.fails("sub twice", claims_and(r#""sub":"bob""#), CLAIMS);
    table
}

fn scopes() -> Table {
    let mut table = Table::default();
    let mut row = |name: &str, members: Value, enough: bool| {
        let expected = if enough { Expected::In(ALICE.to_owned()) } else { Expected::Lacks };
        table.row(name, claim(members), expected);
    };
    row("both", json!({ "scope": "read write" }), true);
    row("both and more, in another order", json!({ "scope": "openid write x read" }), true);
    row("both with blanks", json!({ "scope": "  read   write " }), true);
    row("both in an array", json!({ "scope": ["read", "write"] }), true);
    row("both in scp", json!({ "scp": "read write" }), true);
    row("both in an array in scp", json!({ "scp": ["write", "read"] }), true);
    row("one here, one there", json!({ "scp": ["write"], "scope": "read" }), true);
    row("by what implies them", json!({ "scope": "all" }), true);
    row("by what implies what implies them", json!({ "scope": "root" }), true);
    row("by what implies one of them", json!({ "scope": "some" }), false);
    row("by what implies one, and the other", json!({ "scope": "some write" }), true);
    row("none", json!({}), false);
    row("empty", json!({ "scope": "" }), false);
    row("one", json!({ "scope": "read" }), false);
    row("the other", json!({ "scp": ["write"] }), false);
    row("in capitals", json!({ "scope": "READ WRITE" }), false);
    row("a part of a name", json!({ "scope": "reader writer" }), false);
    row("with a comma", json!({ "scope": "read,write" }), false);
    row("with a tab", json!({ "scope": "read\twrite" }), false);
    row("an array of one text", json!({ "scope": ["read write"] }), false);
    row("a number", json!({ "scope": 1 }), false);
    row("an object", json!({ "scope": { "read": true, "write": true } }), false);
    row("an array in an array", json!({ "scope": [["read", "write"]] }), false);
    row("in the wrong claim", json!({ "scopes": "read write" }), false);
    // A bad token is not told that it lacks a scope.
    table.fails("expired and without scopes", claim(json!({ "exp": 1 })), EXPIRED);
    table
}

#[tokio::test]
async fn the_form_of_a_token() {
    form().judged(&liberal(&keys())).await;
}

#[tokio::test]
async fn the_header_of_a_token() {
    header().judged(&liberal(&keys())).await;
}

#[tokio::test]
async fn the_signature_of_a_token() {
    signature().judged(&liberal(&keys())).await;
}

#[tokio::test]
async fn the_claims_of_a_token() {
    claimed().judged(&liberal(&keys())).await;
}

#[tokio::test]
async fn the_name_of_whoever_brings_a_token() {
    principals().judged(&liberal(&keys())).await;
}

#[tokio::test]
async fn the_scopes_of_a_token() {
    let options = options()
        .with_required_scopes(["read", "write"])
        .with_implied_scopes("some", ["read"])
        .with_implied_scopes("root", ["all", "root"])
        .with_implied_scopes("all", ["read", "write"]);
    scopes().judged(&authenticator(options, &keys())).await;
}

#[test]
fn the_table_is_long_enough() {
    let chapters = [form(), header(), signature(), claimed(), principals(), scopes()];
    let rows: usize = chapters.iter().map(|chapter| chapter.0.len()).sum();
    assert!(rows >= 400, "{rows}");
}

/// Only what is allowed is accepted, however good it is.
#[tokio::test]
async fn algorithms_are_those_of_the_configuration() {
    let by =
        [By::Rs256, By::Rs384, By::Rs512, By::Ps256, By::Ps384, By::Ps512, By::Es256, By::Es384, By::Ed25519];
    let usual = authenticator(options(), &keys());
    for (by, algorithm) in by.into_iter().zip(ALL) {
        let expected = |allowed: bool| {
            if allowed { Expected::In(ALICE.to_owned()) } else { Expected::Out(ALGORITHM) }
        };
        let judged = judge(&usual, &bearer(&good(by))).await;
        assert_eq!(outcome(&judged), expected(JwtAlgorithm::DEFAULT.contains(&algorithm)), "{by:?}");
        for allowed in ALL {
            let only = authenticator(options().with_algorithms([allowed]), &keys());
            let judged = judge(&only, &bearer(&good(by))).await;
            assert_eq!(outcome(&judged), expected(allowed == algorithm), "{by:?} where {allowed} is allowed");
        }
        assert_eq!(JwtAlgorithm::parse(algorithm.name()), Some(algorithm));
        assert_eq!(algorithm.to_string(), by.alg());
    }
}

/// What a key says of itself counts: `alg`, `use`, `key_ops`, type and curve.
#[tokio::test]
async fn a_key_is_for_what_it_says() {
    let rsa = || rsa_key("rsa-1", N);
    let ec = || p256_key("ec-1");
    let (pass, unknown) = (Expected::In(ALICE.to_owned()), Expected::Out(UNKNOWN_KEY));
    let table = [
        (with(&rsa(), json!({ "alg": "RS256" })), By::Rs256, &pass),
        (with(&rsa(), json!({ "alg": "RS256" })), By::Ps256, &unknown),
        (with(&rsa(), json!({ "alg": "PS256" })), By::Ps256, &pass),
        (with(&rsa(), json!({ "alg": "PS256" })), By::Rs256, &unknown),
        (with(&rsa(), json!({ "alg": "RS512" })), By::Rs256, &unknown),
        (with(&rsa(), json!({ "alg": "RSA-OAEP" })), By::Rs256, &unknown),
        (with(&rsa(), json!({ "alg": "HS256" })), By::Rs256, &unknown),
        (with(&rsa(), json!({ "alg": "ES256" })), By::Rs256, &unknown),
        (with(&rsa(), json!({ "alg": "none" })), By::Rs256, &unknown),
        (with(&rsa(), json!({ "alg": 256 })), By::Rs256, &unknown),
        (with(&rsa(), json!({ "use": "sig" })), By::Rs256, &pass),
        (with(&rsa(), json!({ "use": "enc" })), By::Rs256, &unknown),
        (with(&rsa(), json!({ "use": "SIG" })), By::Rs256, &unknown),
        (with(&rsa(), json!({ "use": ["sig"] })), By::Rs256, &unknown),
        (with(&rsa(), json!({ "key_ops": ["verify"] })), By::Rs256, &pass),
        (with(&rsa(), json!({ "key_ops": ["sign", "verify"] })), By::Rs256, &pass),
        (with(&rsa(), json!({ "key_ops": ["encrypt"] })), By::Rs256, &unknown),
        (with(&rsa(), json!({ "key_ops": [] })), By::Rs256, &unknown),
        (with(&rsa(), json!({ "key_ops": "verify" })), By::Rs256, &unknown),
        (with(&rsa(), json!({ "use": "sig", "key_ops": ["encrypt"] })), By::Rs256, &unknown),
        (with(&rsa(), json!({ "n": format!("AAAA{N}") })), By::Rs256, &pass),
        (with(&rsa(), json!({ "n": format!("{N}=") })), By::Rs256, &unknown),
        (with(&rsa(), json!({ "n": OTHER_N })), By::Rs256, &Expected::Out(SIGNATURE)),
        // e = 1 makes every padded hash its own signature; an even one is none.
        (with(&rsa(), json!({ "e": "AQ" })), By::Rs256, &Expected::Out(SIGNATURE)),
        (with(&rsa(), json!({ "e": "AQAA" })), By::Rs256, &Expected::Out(SIGNATURE)),
        (with(&rsa(), json!({ "e": "AAAA" })), By::Rs256, &unknown),
        (with(&rsa(), json!({ "e": null })), By::Rs256, &unknown),
        (with(&rsa(), json!({ "kty": "rsa" })), By::Rs256, &unknown),
        (with(&rsa(), json!({ "kty": "oct", "k": "c2VjcmV0" })), By::Rs256, &unknown),
        (with(&rsa(), json!({ "kid": 1 })), By::Rs256, &unknown),
        (with(&rsa(), json!({ "kid": null })), By::Rs256, &unknown),
        (with(&rsa(), json!({ "d": "AQAB", "x5c": ["MIIB"], "x5t": 5 })), By::Rs256, &pass),
        (with(&ec(), json!({ "alg": "ES256" })), By::Es256, &pass),
        (with(&ec(), json!({ "alg": "ES384" })), By::Es256, &unknown),
        (with(&ec(), json!({ "crv": "P-384" })), By::Es256, &unknown),
        (with(&ec(), json!({ "crv": "secp256k1" })), By::Es256, &unknown),
        (with(&ec(), json!({ "crv": null })), By::Es256, &unknown),
        (with(&ec(), json!({ "y": null })), By::Es256, &unknown),
        // No point of the curve.
        (with(&ec(), json!({ "y": base64(&[1; 32]) })), By::Es256, &Expected::Out(SIGNATURE)),
        (
            with(&ec(), json!({ "x": base64(&[0; 32]), "y": base64(&[0; 32]) })),
            By::Es256,
            &Expected::Out(SIGNATURE),
        ),
        // One coordinate short and the other long are a point again, where nobody counts.
        (with(&ec(), json!({ "x": base64(&[1; 31]), "y": base64(&[1; 33]) })), By::Es256, &unknown),
        (with(&issuer::ed25519_key("ed-1"), json!({ "alg": "Ed25519" })), By::Ed25519, &pass),
        (with(&issuer::ed25519_key("ed-1"), json!({ "alg": "EdDSA" })), By::Ed25519, &pass),
        (with(&issuer::ed25519_key("ed-1"), json!({ "crv": "X25519" })), By::Ed25519, &unknown),
        (with(&issuer::ed25519_key("ed-1"), json!({ "crv": "Ed448" })), By::Ed25519, &unknown),
        (with(&issuer::ed25519_key("ed-1"), json!({ "x": base64(&[1; 31]) })), By::Ed25519, &unknown),
    ];
    for (key, by, expected) in table {
        // A set without a key that can be used is an error, so there is one more.
        let set = json!({ "keys": [key, other_p256_key("other")] });
        let judged = judge(&liberal(&set), &bearer(&good(by))).await;
        assert_eq!(outcome(&judged), *expected, "{by:?} with {key}");
    }
}

/// Which key a token without `kid`, or with one that stands twice, was signed with.
#[tokio::test]
async fn a_key_is_found_by_its_name() {
    let rsa = |kid: &str, n: &str| rsa_key(kid, n);
    let without_kid = |by: By| token(json!({ "alg": by.alg() }), claims(), by);
    let pass = Expected::In(ALICE.to_owned());
    let four = [OTHER_N, OTHER_N, OTHER_N, N].map(|n| rsa("rsa-1", n));
    let five = [OTHER_N, OTHER_N, OTHER_N, OTHER_N, N].map(|n| rsa("rsa-1", n));
    let table = [
        ("one key", json!([rsa("rsa-1", N)]), without_kid(By::Rs256), &pass),
        (
            "two keys",
            json!([rsa("a", N), rsa("b", OTHER_N)]),
            without_kid(By::Rs256),
            &Expected::Out(SEVERAL_KEYS),
        ),
        (
            "two keys, the other first",
            json!([rsa("a", OTHER_N), rsa("b", N)]),
            without_kid(By::Rs256),
            &Expected::Out(SEVERAL_KEYS),
        ),
        ("two of different types", json!([rsa("a", N), p256_key("b")]), without_kid(By::Es256), &pass),
        (
            "two for different algorithms",
            json!([
                with(&rsa("a", N), json!({ "alg": "RS256" })),
                with(&rsa("b", OTHER_N), json!({ "alg": "PS256" }))
            ]),
            without_kid(By::Rs256),
            &pass,
        ),
        ("none for it", json!([p256_key("b")]), without_kid(By::Rs256), &Expected::Out(UNKNOWN_KEY)),
        ("a name twice", json!([rsa("rsa-1", OTHER_N), rsa("rsa-1", N)]), good(By::Rs256), &pass),
        (
            "a name twice, of different types",
            json!([p256_key("rsa-1"), rsa("rsa-1", N)]),
            good(By::Rs256),
            &pass,
        ),
        ("a name four times", json!(four), good(By::Rs256), &pass),
        ("a name five times", json!(five), good(By::Rs256), &Expected::Out(SIGNATURE)),
        (
            "a name twice, and neither is it",
            json!([rsa("rsa-1", OTHER_N), p256_key("rsa-1")]),
            good(By::Rs256),
            &Expected::Out(SIGNATURE),
        ),
        (
            "a token with a name, a key without",
            json!([with(&rsa("a", N), json!({ "kid": null }))]),
            good(By::Rs256),
            &Expected::Out(UNKNOWN_KEY),
        ),
        ("both without", json!([with(&rsa("a", N), json!({ "kid": null }))]), without_kid(By::Rs256), &pass),
    ];
    for (name, keys, token, expected) in table {
        let judged = judge(&liberal(&json!({ "keys": keys })), &bearer(&token)).await;
        assert_eq!(outcome(&judged), *expected, "{name}");
    }
}

/// The examples of RFC 7515 A.2 and A.3 and of RFC 8037 A.4, which somebody else has signed. Their claims are not for us,
/// and that is found out after their signature was found to be good.
#[tokio::test]
async fn signatures_of_others() {
    let payload =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let rs256 = format!(
        "eyJhbGciOiJSUzI1NiJ9.{payload}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
    );
    let es256 = format!(
        "eyJhbGciOiJFUzI1NiJ9.{payload}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    );
    let eddsa = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg".to_owned();
    let keys = json!({ "keys": [
        rsa_key("a", N),
        { "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" },
        { "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" },
    ] });
    let options = JwtOptions::new("joe", AUDIENCE).with_algorithms(ALL);
    let joe = authenticator(options, &keys);
    for (token, reason) in [(rs256, AUDIENCE_IS_ANOTHER), (es256, AUDIENCE_IS_ANOTHER), (eddsa, CLAIMS)] {
        assert_eq!(outcome(&judge(&joe, &bearer(&token)).await), Expected::Out(reason));
        let end = token.len() - 20;
        let letter = if token.as_bytes()[end] == b'A' { "B" } else { "A" };
        let broken = format!("{}{letter}{}", &token[..end], &token[end + 1..]);
        assert_eq!(outcome(&judge(&joe, &bearer(&broken)).await), Expected::Out(SIGNATURE));
    }
}

#[tokio::test]
async fn several_audiences_and_another_leeway() {
    let options = options().with_audience("https://alias.example").with_leeway(Duration::ZERO);
    let authenticator = authenticator(options, &keys());
    let pass = Expected::In(ALICE.to_owned());
    for (members, expected) in [
        (json!({ "aud": "https://alias.example" }), &pass),
        (json!({ "aud": ["x", "https://alias.example"] }), &pass),
        (json!({ "aud": AUDIENCE }), &pass),
        (json!({ "aud": "x" }), &Expected::Out(AUDIENCE_IS_ANOTHER)),
        (json!({ "exp": NOW + 1 }), &pass),
        (json!({ "exp": NOW }), &Expected::Out(EXPIRED)),
        (json!({ "nbf": NOW }), &pass),
        (json!({ "nbf": NOW + 1 }), &Expected::Out(NOT_YET)),
    ] {
        let judged = judge(&authenticator, &bearer(&claim(members.clone()))).await;
        assert_eq!(outcome(&judged), *expected, "{members}");
    }
}

/// A clock that stands wrong is believed, and is no reason to panic.
#[tokio::test]
async fn any_time_of_day() {
    let token = good(By::Ed25519);
    for (time, expected) in [
        (UNIX_EPOCH + Duration::from_secs(NOW + 359), Expected::In(ALICE.to_owned())),
        (UNIX_EPOCH + Duration::from_secs(NOW + 360), Expected::Out(EXPIRED)),
        (UNIX_EPOCH + Duration::from_secs(1 << 40), Expected::Out(EXPIRED)),
        (UNIX_EPOCH, Expected::In(ALICE.to_owned())),
        (UNIX_EPOCH - Duration::from_secs(1 << 33), Expected::In(ALICE.to_owned())),
    ] {
        let judged = judge(&authenticator(issuer::at(time), &keys()), &bearer(&token)).await;
        assert_eq!(outcome(&judged), expected, "{time:?}");
    }
    // The real one.
    let fresh = |offset: i64| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        claim(json!({ "exp": now.checked_add_signed(offset).unwrap() }))
    };
    let authenticator = authenticator(JwtOptions::new(ISSUER, AUDIENCE), &keys());
    assert_eq!(judge(&authenticator, &bearer(&fresh(1000))).await.status(), 200);
    assert_eq!(judge(&authenticator, &bearer(&fresh(-1000))).await.status(), 401);
}

#[tokio::test]
async fn requests_without_a_token_and_with_too_many() {
    let resource: Resource = "https://mcp.example/mcp".parse().unwrap();
    let resource = resource.with_scopes(["read", "write", "admin"]).unwrap();
    let keys = Jwks::from_bytes(keys().to_string().as_bytes()).unwrap();
    let metadata = "resource_metadata=\"https://mcp.example/.well-known/oauth-protected-resource/mcp\"";
    for (options, scope) in
        [(options(), "read write admin"), (options().with_required_scopes(["read", "write"]), "read write")]
    {
        let authenticator = JwtAuthenticator::new(options, keys.clone()).unwrap().with_resource(&resource);
        let none = http::Request::get("/mcp").body(()).unwrap().into_parts().0;
        let mut two = bearer("a");
        two.headers.append("authorization", "Bearer b".parse().unwrap());
        let mut query = none.clone();
        query.uri = "/mcp?access_token=a".parse().unwrap();
        for (name, parts, status, challenge) in [
            ("none", none, 401, format!("Bearer scope=\"{scope}\", {metadata}")),
            ("another scheme", request(b"Basic dTpw"), 401, format!("Bearer scope=\"{scope}\", {metadata}")),
            ("two", two, 400, format!("Bearer error=\"invalid_request\", {metadata}")),
            ("in the query", query, 400, format!("Bearer error=\"invalid_request\", {metadata}")),
            (
                "bad",
                bearer("a.b.c"),
                401,
                format!("Bearer error=\"invalid_token\", scope=\"{scope}\", {metadata}"),
            ),
        ] {
            let judged = judge(&authenticator, &parts).await;
            assert_eq!(
                (judged.status(), judged.header("www-authenticate")),
                (status, Some(&*challenge)),
                "{name}"
            );
        }
    }
}

#[test]
fn options_that_make_no_sense() {
    let keys = Jwks::from_bytes(keys().to_string().as_bytes()).unwrap();
    for (options, good) in [
        (options(), true),
        (options().with_leeway(Duration::from_secs(600)), true),
        (options().with_leeway(Duration::from_secs(601)), false),
        (options().with_leeway(Duration::MAX), false),
        (options().with_algorithms([]), false),
        (JwtOptions::new("", AUDIENCE), false),
        (JwtOptions::new(ISSUER, ""), false),
        (options().with_audience(""), false),
        (options().with_required_scopes(["a b"]), false),
        (options().with_required_scopes(["a\"b"]), false),
        (options().with_required_scopes([""]), false),
    ] {
        let shown = format!("{options:?}");
        let made = JwtAuthenticator::new(options, keys.clone());
        assert_eq!(
            made.as_ref().map(drop).map_err(|error| error.kind()),
            if good { Ok(()) } else { Err(ErrorKind::Misuse) },
            "{shown}"
        );
    }
}

/// T-CRED: neither a token nor what it says is in the log at any level, in `Debug`, or in a refusal.
#[tokio::test]
async fn tokens_are_not_shown() {
    let authenticator = authenticator(options().with_required_scopes(["read"]), &keys());
    let mut shown = format!("{authenticator:?} {:?}", authenticator.keys());
    let canary =
        json!({ "sub": "canary4711", "client_id": "canary4711", "jti": "canary4711", "kid": "canary4711" });
    let secret = with(&claims(), canary.clone());
    let headers = [
        ed(),
        with(&ed(), canary.clone()),
        with(&ed(), json!({ "typ": "canary4711" })),
        json!({ "alg": "canary4711" }),
    ];
    let mut tokens: Vec<String> = headers.iter().map(|header| token(header, &secret, By::Ed25519)).collect();
    for members in [
        json!({ "exp": 1 }),
        json!({ "exp": "canary4711" }),
        json!({ "iss": "canary4711" }),
        json!({ "scope": "canary4711" }),
        json!({ "scope": "read" }),
    ] {
        tokens.push(token(ed(), with(&secret, members), By::Ed25519));
    }
    tokens.push(token(ed(), &secret, By::OtherEd25519));
    tokens.push("canary4711".to_owned());
    tokens.push("canary4711.canary4711.canary4711".to_owned());
    let mut statuses = BTreeSet::new();
    for token in &tokens {
        let judged = judge(&authenticator, &bearer(token)).await;
        statuses.insert(judged.status());
        shown.push_str(&judged.traced);
        if let Err(reply) = &judged.outcome {
            shown.push_str(&format!("{reply:?}"));
        }
    }
    assert_eq!(statuses.into_iter().collect::<Vec<_>>(), [200, 401, 403]);
    assert!(shown.contains("token refused") && shown.contains(ISSUER), "{shown}");
    assert!(!shown.contains("canary4711"), "{shown}");
    for part in tokens.iter().flat_map(|token| token.split('.')).filter(|part| part.len() > 8) {
        assert!(!shown.contains(part), "{shown}");
    }
}

/// Whatever bytes come, the answer is a refusal, unless the token is the good one.
#[tokio::test]
async fn a_token_with_any_byte_changed_is_refused() {
    let authenticator = liberal(&keys());
    let token = good(By::Es256);
    for at in 0..token.len() {
        for byte in [b'A', b'.', b'_', b'=', b'9', b'~'] {
            let mut bytes = token.clone().into_bytes();
            if bytes[at] == byte {
                continue;
            }
            bytes[at] = byte;
            let judged = judge(&authenticator, &request(&[b"Bearer ", &bytes[..]].concat())).await;
            assert!(matches!(judged.status(), 400 | 401), "{at} {byte}");
        }
        let judged = judge(&authenticator, &bearer(&token[..at])).await;
        assert!(matches!(judged.status(), 400 | 401), "cut at {at}");
    }
}
