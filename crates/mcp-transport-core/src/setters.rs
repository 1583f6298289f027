//! Setters of options that others may not write as a literal.

/// A setter for each field: `with_x: x: Type;` behind `for Options;`. For the crates of this workspace, and no promise
/// to others.
#[doc(hidden)]
#[macro_export]
macro_rules! setters {
    (for $options:ty; $($(#[$doc:meta])* $setter:ident: $field:ident: $ty:ty;)*) => {
        impl $options {
            $($(#[$doc])*
            #[must_use]
            pub fn $setter(mut self, $field: $ty) -> Self {
                self.$field = $field;
                self
            })*
        }
    };
}
