//! The 64-bit hash that stands for a string id.

/// FNV-1a, 64 bits, over the UTF-8 bytes: `h = 0xcbf29ce484222325; for b { h = (h ^ b) * 0x100000001b3 }`.
///
/// Vocabularies of string ids hold these hashes, sorted; the exporter refuses a vocabulary in which two strings collide.
///
/// ```
/// assert_eq!(din_core::hash_text(""), 0xcbf2_9ce4_8422_2325);
/// assert_eq!(din_core::hash_text("a"), 0xaf63_dc4c_8601_ec8c);
/// ```
///
/// # Source
/// Fowler, Noll, Vo: draft-eastlake-fnv.
#[must_use]
pub const fn hash_text(text: &str) -> u64 {
    hash_bytes(text.as_bytes())
}

/// [`hash_text`] of a text's bytes, for who has them as bytes: they should be UTF-8, as in the vocabulary.
#[must_use]
pub const fn hash_bytes(mut bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    while let [byte, rest @ ..] = bytes {
        hash = (hash ^ *byte as u64).wrapping_mul(0x0100_0000_01b3);
        bytes = rest;
    }
    hash
}
