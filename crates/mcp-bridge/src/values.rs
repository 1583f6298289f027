//! Values of the command line.

use std::time::Duration;

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds > 0.0);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|duration| *duration <= LONGEST)
        .ok_or_else(|| "not a positive number of seconds".into())
}

/// Zero is never.
pub(crate) fn seconds_or_never(text: &str) -> Result<Duration, String> {
    if text.parse() == Ok(0.0) { Ok(LONGEST) } else { seconds(text) }
}

/// Nothing here is to last longer, and what is to happen after it does not happen.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

pub(crate) fn bytes(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|bytes| *bytes > 0).ok_or_else(|| "not a positive number of bytes".into())
}

/// Zero is none.
pub(crate) fn bytes_or_none(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "not a number of bytes".into())
}

pub(crate) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !text.contains('\0') => Ok((name.into(), value.into())),
        _ => Err("not of the form K=V".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(seconds_or_never("2"), Ok(Duration::from_secs(2)));
        assert_eq!(seconds_or_never("0"), Ok(LONGEST));
        for text in ["0", "-1", "inf", "NaN", "1e300", "", "1s"] {
            assert!(seconds(text).is_err(), "{text}");
        }
        assert!(seconds_or_never("-0.1").is_err());
    }
}
