//! Tests of the workspace as a whole.

pub mod conformance;

/// The programs in the README compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
