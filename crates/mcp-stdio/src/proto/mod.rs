//! The rules of the binding, without IO.

mod line;

pub use line::LineCodec;
