//! Tokens by what they say, in a table.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod issuer;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use issuer::table::*;
use issuer::{AUDIENCE, By, ISSUER, NOW, at, bearer, claims, good, judge, keys, options, with};
use mcp_http::jwt::JwtOptions;
use serde_json::{Value, json};

fn exp(value: impl Into<Value>) -> String {
    claim(json!({ "exp": value.into() }))
}

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
        .with_implied_scopes("all", ["read", "write"])
        .with_implied_scopes("root", ["all", "root"]);
    scopes().judged(&authenticator(options, &keys())).await;
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
        let judged = judge(&authenticator(at(time), &keys()), &bearer(&token)).await;
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
