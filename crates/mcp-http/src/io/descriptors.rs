//! How many connections the process has descriptors for.

/// More than this nobody gets without asking.
const MOST: usize = 20_000;

/// Left for everything else: children have three each, files, resolvers.
const SPARE: usize = 128;

/// Enough to be of use where the limit is absurdly low.
const LEAST: usize = 16;

pub(crate) fn default_max_connections() -> usize {
    within(descriptors())
}

fn within(descriptors: Option<u64>) -> usize {
    let descriptors = descriptors.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    descriptors.saturating_sub(SPARE).clamp(LEAST, MOST)
}

#[cfg(unix)]
fn descriptors() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(not(unix))]
fn descriptors() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_limit() {
        for (limit, connections) in [
            (None, 20_000),
            (Some(1_048_576), 20_000),
            (Some(20_129), 20_000),
            (Some(1024), 896),
            (Some(128), 16),
            (Some(0), 16),
        ] {
            assert_eq!(within(limit), connections, "{limit:?}");
        }
    }
}
