//! Names of fields and sequences, which may be any text, as names in code.

/// The name of the files does not do as a prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{name}` cannot be a name in Rust and C: it must begin with a lower-case letter, go on with lower-case letters, \
     digits and underscores, and be no keyword"
)]
pub struct NameError {
    /// As given.
    pub name: String,
}

/// Keywords of Rust and C that a lower-case name could be, and what the generated files define beside the fields.
const TAKEN: &[&str] = &[
    "abstract", "as", "async", "auto", "await", "become", "bool", "box", "break", "case", "char", "const",
    "continue", "crate", "default", "do", "double", "dyn", "else", "enum", "extern", "false", "final",
    "float", "fn", "for", "gen", "goto", "if", "impl", "in", "inline", "int", "let", "long", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "register", "restrict", "return",
    "self", "short", "signed", "sizeof", "static", "struct", "super", "switch", "trait", "true", "try",
    "type", "typedef", "union", "unsafe", "unsigned", "use", "void", "volatile", "where", "while", "yield",
    "capacity", "fields", "index", "names",
];

/// Accepts a name for files and prefixes.
///
/// # Errors
/// [`NameError`]
pub fn check(name: &str) -> Result<(), NameError> {
    let is_letter = |c: char| c.is_ascii_lowercase();
    let is_known = name.starts_with(is_letter)
        && name.chars().all(|c| is_letter(c) || c.is_ascii_digit() || c == '_')
        && !TAKEN.contains(&name);
    if is_known { Ok(()) } else { Err(NameError { name: name.to_owned() }) }
}

/// Lower-case identifiers for some names, each its own: what is no letter or digit becomes `_`, and a name that is taken
/// gets a number.
#[must_use]
pub fn identifiers<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut given: Vec<String> = Vec::new();
    for name in names {
        let mut base: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
            .collect();
        if base.starts_with(|c: char| c.is_ascii_digit()) || base.chars().all(|c| c == '_') {
            base.insert_str(0, "field_");
        }
        if TAKEN.contains(&base.as_str()) {
            base.push('_');
        }
        let numbered = (2_usize..).map(|number| format!("{base}_{number}"));
        let free = std::iter::once(base.clone()).chain(numbered).find(|name| !given.contains(name));
        given.push(free.unwrap_or(base));
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_becomes_an_identifier_of_its_own() {
        let names = ["item", "Item", "price (EUR)", "2nd", "type", "ü", "", "item_2", "fields"];
        let expected = [
            "item",
            "item_2",
            "price__eur_",
            "field_2nd",
            "type_",
            "field__",
            "field_",
            "item_2_2",
            "fields_",
        ];
        assert_eq!(identifiers(names), expected);
    }

    #[test]
    fn a_prefix_that_would_not_compile_is_refused() {
        for name in ["", "2nd", "Model", "my-model", "type", "fn", "a b", "é"] {
            assert_eq!(check(name), Err(NameError { name: name.to_owned() }));
        }
        for name in ["model", "m2", "my_model"] {
            assert_eq!(check(name), Ok(()));
        }
    }
}
