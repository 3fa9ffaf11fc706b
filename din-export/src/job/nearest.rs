//! The valid name that a misspelt one most likely meant.

use std::fmt;

/// Below this Jaro-Winkler similarity a name is not a misspelling but something else.
const LEAST_SIMILARITY: f64 = 0.6;

/// What to write instead of an unknown name; displays as the end of an error message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suggestion {
    /// A valid name is close to it.
    Nearest(String),
    /// None is close: all of them, at most [`Suggestion::LISTED`].
    OneOf(Vec<String>),
    /// There is no valid name.
    Nothing,
}

impl Suggestion {
    /// How many valid names are listed when none is close.
    pub const LISTED: usize = 12;

    /// Looks for the valid name that is nearest to `found`.
    #[must_use]
    pub fn new<'a>(found: &str, valid: impl IntoIterator<Item = &'a str>) -> Self {
        let valid: Vec<&str> = valid.into_iter().collect();
        let similarity = |name: &str| strsim::jaro_winkler(&found.to_lowercase(), &name.to_lowercase());
        let nearest = valid.iter().max_by(|left, right| similarity(left).total_cmp(&similarity(right)));
        match nearest {
            None => Self::Nothing,
            Some(name) if similarity(name) >= LEAST_SIMILARITY => Self::Nearest((*name).to_owned()),
            Some(_) => Self::OneOf(valid.iter().take(Self::LISTED).map(|&name| name.to_owned()).collect()),
        }
    }
}

impl fmt::Display for Suggestion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nearest(name) => write!(out, "; the nearest valid name is `{name}`"),
            Self::OneOf(names) => write!(out, "; valid names are `{}`", names.join("`, `")),
            Self::Nothing => write!(out, "; there are none to choose from"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Suggestion;

    #[test]
    fn a_misspelt_name_finds_its_neighbour() {
        let suggestion = Suggestion::new("is_clik", ["user_id", "is_click", "is_like"]);
        assert_eq!(suggestion, Suggestion::Nearest("is_click".into()));
    }

    #[test]
    fn a_name_like_no_other_lists_the_valid_ones() {
        let suggestion = Suggestion::new("zzz", ["user", "item"]);
        assert_eq!(suggestion.to_string(), "; valid names are `user`, `item`");
    }
}
