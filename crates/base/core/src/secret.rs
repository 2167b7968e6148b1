//! A value that must not be shown: `Debug` prints a placeholder, there is no `Display` and no serialisation, and it is wiped when dropped.

use std::fmt;

use zeroize::Zeroize;

/// Holds a secret. The only way to read it is [`Secret::expose`], which is easy to search for.
///
/// ```compile_fail
/// let key = countersign_core::Secret::new(String::from("k"));
/// println!("{key}");
/// ```
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes the value in.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Lends the value. Every call site is a place to review.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

// A struct that holds a secret may derive Debug; the secret itself stays hidden.
impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl<T: Zeroize + Clone> Clone for Secret<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
