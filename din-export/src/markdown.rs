//! Text within Markdown tables.

/// A cell that holds `text`, whatever is in it: no bar ends the cell, no line break the row.
#[must_use]
pub fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn neither_bars_nor_line_breaks_end_a_cell() {
        assert_eq!(cell("a|b\nc"), "a\\|b c");
        assert_eq!(cell("DIN, Dice"), "DIN, Dice");
    }
}
