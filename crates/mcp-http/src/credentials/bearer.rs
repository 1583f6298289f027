//! Bearer tokens as a header has them.

use http::header::HeaderValue;

/// The most bytes of a bearer token, inclusive. Signed ones with many claims have two or three KiB, and few servers take
/// heads of more than this.
pub const MAX_TOKEN: usize = 8 * 1024;

/// The value of `Authorization` for a token; `None` when it is none.
///
/// # Spec
///
/// RFC 6750 2.1, `b64token`.
pub(super) fn bearer(token: &str) -> Option<HeaderValue> {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    let unpadded = token.trim_end_matches('=');
    if token.len() > MAX_TOKEN || unpadded.is_empty() || !unpadded.bytes().all(inside) {
        return None;
    }
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_token() {
        let longest = "x".repeat(MAX_TOKEN);
        for good in ["a", "mF_9.B5f-4.1JqM", "~+/==", "a=", "eyJh.eyJz.c2ln", &longest] {
            let value = bearer(good).unwrap_or_else(|| panic!("{good} is none"));
            assert_eq!(value.as_bytes(), format!("Bearer {good}").as_bytes());
            assert!(value.is_sensitive());
        }
        let too_long = "x".repeat(MAX_TOKEN + 1);
        for bad in ["", "=", " ", "a b", "Bearer a", "a=b", "a\n", "a\r\nx: y", "\0", "a\"", "ü", &too_long]
        {
            assert_eq!(bearer(bad), None, "{bad:?}");
        }
    }
}
