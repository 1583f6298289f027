//! Tokens by their signature and their key, in a table.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod issuer;

use issuer::table::*;
use issuer::{
    AUDIENCE, By, N, OTHER_N, base64, bearer, claims, ed25519_key, good, judge, keys, options,
    other_p256_key, p256_key, rsa_key, token, unbase64, with,
};
use mcp_http::jwt::{JwtAlgorithm, JwtOptions};
use serde_json::json;

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
    let signature = unbase64(&signature);
    let (r, s) = (signature[..32].to_vec(), signature[32..].to_vec());
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

#[tokio::test]
async fn the_signature_of_a_token() {
    signature().judged(&liberal(&keys())).await;
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
        (with(&ed25519_key("ed-1"), json!({ "alg": "Ed25519" })), By::Ed25519, &pass),
        (with(&ed25519_key("ed-1"), json!({ "alg": "EdDSA" })), By::Ed25519, &pass),
        (with(&ed25519_key("ed-1"), json!({ "crv": "X25519" })), By::Ed25519, &unknown),
        (with(&ed25519_key("ed-1"), json!({ "crv": "Ed448" })), By::Ed25519, &unknown),
        (with(&ed25519_key("ed-1"), json!({ "x": base64(&[1; 31]) })), By::Ed25519, &unknown),
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
