//! Tokens by their form and their header, in a table; and requests without a token.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod issuer;

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use issuer::table::*;
use issuer::{
    AUDIENCE, By, ISSUER, NOW, Secret, base64, bearer, claims, good, judge, keys, options, other_ed25519_key,
    request, token, token_of, with,
};
use mcp_http::jwt::{Jwks, JwtAuthenticator, JwtOptions};
use mcp_http::{MAX_TOKEN, Resource};
use mcp_transport_core::ErrorKind;
use ring::hmac::{HMAC_SHA256, HMAC_SHA384, HMAC_SHA512};
use serde_json::{Value, json};

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
    let own = other_ed25519_key("ed-1");
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

#[tokio::test]
async fn the_form_of_a_token() {
    form().judged(&liberal(&keys())).await;
}

#[tokio::test]
async fn the_header_of_a_token() {
    header().judged(&liberal(&keys())).await;
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
