//! Other text in place of a part.

/// The whole with other text in place of a part that is a slice of it; every other byte stays. `None` when it is none of
/// it.
///
/// ```
/// let whole = br#"{"_meta":{"progressToken":7}}"#;
/// let meta = mcp_jsonrpc::Object::new(whole).unwrap().object("_meta").unwrap();
/// let text = mcp_jsonrpc::replace_part(whole, meta.get("progressToken").unwrap(), b"\"a\"").unwrap();
/// assert_eq!(text, br#"{"_meta":{"progressToken":"a"}}"#);
/// ```
pub fn replace_part(whole: &[u8], part: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    // Of two slices of the same text the distance between their starts is where one stands in the other.
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    Some([whole.get(..start)?, text, whole.get(end..)?].concat())
}
