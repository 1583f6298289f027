//! The tests that every transport has to pass.
