//! Bytes on a command line.

use std::str::FromStr;

/// Bytes: `262144`, `256KiB`, `1MB`.
#[derive(Clone, Copy)]
pub struct Size(pub usize);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match &text[digits.len()..] {
            "" | "B" => 1,
            "kB" | "KB" => 1000,
            "KiB" | "K" => 1 << 10,
            "MB" => 1_000_000,
            "MiB" | "M" => 1 << 20,
            other => return Err(format!("`{other}` is no unit of bytes; there are B, kB, KiB, MB and MiB")),
        };
        let number: usize = digits.trim().parse().map_err(|_| format!("`{text}` is no number of bytes"))?;
        number.checked_mul(unit).map(Self).ok_or_else(|| format!("`{text}` is too large"))
    }
}
