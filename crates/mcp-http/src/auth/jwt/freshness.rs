//! How long an answer may be kept.

use std::time::Duration;

use http::HeaderMap;
use http::header::{AGE, CACHE_CONTROL};

/// Keys are asked for at most this often, whatever the issuer says: some forbid keeping them at all. It is also what is
/// meant by saying nothing.
pub(super) const SHORTEST: Duration = Duration::from_secs(5 * 60);

/// And at least this often: it is how long a key that the issuer has withdrawn goes on being trusted.
pub(super) const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How long keys are fresh.
///
/// # Spec
///
/// RFC 9111 4.2.1 and 5.2.2.1; of several values the least is taken. `no-store` and `no-cache` are 0.
pub(super) fn lifetime(headers: &HeaderMap) -> Duration {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let directives = values.flat_map(|value| value.split(',')).map(str::trim);
    let seconds = directives.filter_map(|directive| {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
            return Some(0);
        }
        // What is no number is read as stale, as RFC 9111 4.2.1 encourages.
        name.eq_ignore_ascii_case("max-age").then(|| value.trim_matches('"').parse::<u64>().unwrap_or(0))
    });
    let max_age = seconds.min().unwrap_or(0);
    let age = headers.get(AGE).and_then(|value| value.to_str().ok()?.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_secs(max_age.saturating_sub(age)).clamp(SHORTEST, LONGEST)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::lifetime;

    #[test]
    fn keys_are_fresh_for_five_minutes_to_a_day() {
        let table: &[(&[&str], &str, u64)] = &[
            (&[], "", 300),
            (&["max-age=3600"], "", 3600),
            (&["public, Max-Age=3600, must-revalidate"], "", 3600),
            (&["max-age=\"3600\""], "", 3600),
            (&["max-age=3600"], "600", 3000),
            (&["max-age=3600"], "4000", 300),
            (&["max-age=3600"], "old", 3600),
            (&["max-age=299"], "", 300),
            (&["max-age=300"], "", 300),
            (&["max-age=301"], "", 301),
            (&["max-age=86399"], "", 86_399),
            (&["max-age=86400"], "", 86_400),
            (&["max-age=86401"], "", 86_400),
            (&["max-age=18446744073709551615"], "", 86_400),
            (&["max-age=99999999999999999999999"], "", 300),
            (&["max-age=-1"], "", 300),
            (&["max-age"], "", 300),
            (&["s-maxage=7200"], "", 300),
            (&["max-age=7200", "max-age=3600"], "", 3600),
            (&["max-age=7200, no-cache"], "", 300),
            (&["no-store"], "", 300),
        ];
        for (cache_control, age, seconds) in table {
            let mut headers = HeaderMap::new();
            for value in *cache_control {
                headers.append("cache-control", value.parse().unwrap());
            }
            if !age.is_empty() {
                headers.insert("age", age.parse().unwrap());
            }
            assert_eq!(lifetime(&headers).as_secs(), *seconds, "{cache_control:?} {age}");
        }
    }
}
