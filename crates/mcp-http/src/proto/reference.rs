//! Resolves the URI reference of an `endpoint` event or a redirect.
//!
//! # Spec
//!
//! RFC 3986, 5.2 and 5.3, strict.

use http::Uri;

use super::host::Authority;

/// The most bytes of a reference, and of what it resolves to.
pub const MAX_REFERENCE: usize = 8 * 1024;

/// Why a reference is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceProblem {
    /// It is longer than [`MAX_REFERENCE`], or what it resolves to is.
    #[error("longer than 8 KiB")]
    TooLong,
    /// It holds a byte that no reference may hold: a control character, a space, a backslash, anything but ASCII.
    #[error("holds a byte that is not allowed in a URI")]
    Byte,
    /// It leads to a scheme other than `http` and `https`.
    #[error("neither http nor https")]
    Scheme,
    /// The authority that it leads to is none, or has user information.
    #[error("malformed authority")]
    Authority,
    /// What it resolves to is no URI for another reason.
    #[error("malformed")]
    Malformed,
}

/// Resolves `reference` against `base`, which must be absolute.
///
/// The fragment is dropped.
/// Whether the result may be trusted with credentials is another question: compare the [`Origin`](super::Origin)s.
///
/// ```
/// use mcp_http::proto::reference::resolve;
/// let base = "https://example.com/v1/sse?tenant=7".parse()?;
/// assert_eq!(resolve(&base, b"/messages?sessionId=1")?, "https://example.com/messages?sessionId=1");
/// assert_eq!(resolve(&base, b"?sessionId=1")?, "https://example.com/v1/sse?sessionId=1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// See [`ReferenceProblem`].
pub fn resolve(base: &Uri, reference: &[u8]) -> Result<Uri, ReferenceProblem> {
    if reference.len() > MAX_REFERENCE {
        return Err(ReferenceProblem::TooLong);
    }
    if !reference.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'\\') {
        return Err(ReferenceProblem::Byte);
    }
    let text = std::str::from_utf8(reference).map_err(|_| ReferenceProblem::Byte)?;
    let text = text.split_once('#').map_or(text, |(before, _fragment)| before);

    let (scheme, rest) = split_scheme(text)?;
    let (authority, rest) = split_authority(rest)?;
    if scheme.is_some() && authority.is_none() {
        return Err(ReferenceProblem::Authority);
    }
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));

    // 5.2.2 Transform References
    let base_scheme = base.scheme_str().ok_or(ReferenceProblem::Scheme)?;
    let base_authority = base.authority().ok_or(ReferenceProblem::Authority)?;
    let (path, query) = if authority.is_some() || path.starts_with('/') {
        (remove_dot_segments(path), query)
    } else if path.is_empty() {
        (base.path().to_owned(), query.or(base.query()))
    } else {
        // 5.2.3 Merge Paths
        let directory = base.path().rsplit_once('/').map_or("", |(directory, _name)| directory);
        (remove_dot_segments(&format!("{directory}/{path}")), query)
    };
    let scheme = http_scheme(scheme.unwrap_or(base_scheme))?;
    let authority = authority.unwrap_or(base_authority.as_str());
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let resolved = format!("{scheme}://{authority}{path}{query}");
    if resolved.len() > MAX_REFERENCE {
        return Err(ReferenceProblem::TooLong);
    }
    Uri::try_from(resolved).map_err(|_| ReferenceProblem::Malformed)
}

fn http_scheme(scheme: &str) -> Result<&'static str, ReferenceProblem> {
    ["http", "https"]
        .into_iter()
        .find(|known| scheme.eq_ignore_ascii_case(known))
        .ok_or(ReferenceProblem::Scheme)
}

/// Cuts off `scheme:`.
fn split_scheme(text: &str) -> Result<(Option<&str>, &str), ReferenceProblem> {
    let Some((scheme, rest)) = text.split_once(':') else { return Ok((None, text)) };
    if scheme.contains(['/', '?']) {
        return Ok((None, text));
    }
    // A relative path may have no colon in its first segment.
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    if !scheme.starts_with(|first: char| first.is_ascii_alphabetic()) || !scheme.bytes().all(inside) {
        return Err(ReferenceProblem::Malformed);
    }
    http_scheme(scheme)?;
    Ok((Some(scheme), rest))
}

/// Cuts off `//authority`.
fn split_authority(text: &str) -> Result<(Option<&str>, &str), ReferenceProblem> {
    let Some(rest) = text.strip_prefix("//") else { return Ok((None, text)) };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    Authority::parse(authority.as_bytes()).ok_or(ReferenceProblem::Authority)?;
    Ok((Some(authority), rest))
}

/// 5.2.4, for a path that is empty or begins with a slash; the result always does.
fn remove_dot_segments(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 1);
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    out.truncate(out.rfind('/').unwrap_or(0));
                }
                if last {
                    out.push('/');
                }
            }
            name => {
                out.push('/');
                out.push_str(name);
            }
        }
    }
    if out.is_empty() { "/".to_owned() } else { out }
}
