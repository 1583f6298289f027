//! The rules, without IO.
