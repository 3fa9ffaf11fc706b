//! `[compare]`: variants of a job, compared over several seeds.

use super::error::JobError;
use super::file::{Job, explain};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

/// Most seeds of a setting.
pub(super) const MOST_SEEDS: u64 = 1000;

/// `[compare]`: what `din-export compare` trains.
///
/// ```toml
/// [compare]
/// base = "sum pooling"
///
/// [[compare.variant]]
/// name = "sum pooling"
/// model.pooling = "sum"
///
/// [[compare.variant]]
/// name = "DIN"
/// model.unit.activation = "prelu"
/// training.regularization = { kind = "none" }
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CompareConfig {
    /// Seeds of each variant: the job's `training.seed` and the next ones. Default 5.
    #[serde(default = "five")]
    pub seeds: u64,
    /// The variant that the others are held against; the first when absent.
    #[serde(default)]
    pub base: Option<String>,
    /// `[[compare.variant]]`, in the order of the table.
    #[serde(rename = "variant")]
    pub variants: Vec<VariantConfig>,
}

/// `[[compare.variant]]`: the job with some keys changed.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct VariantConfig {
    /// For people; unique.
    pub name: String,
    /// Any keys of the job, as the job has them. `tables."*"` stands for every table.
    #[serde(flatten)]
    pub changes: toml::Table,
}

/// serde takes defaults as functions.
fn five() -> u64 {
    5
}

/// A file that holds `[compare]` alone: other variants of a job than its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VariantsFile {
    compare: CompareConfig,
}

impl CompareConfig {
    /// Reads a file that holds `[compare]` alone.
    ///
    /// # Errors
    /// `Unreadable`, `Invalid` and `UnknownKey`.
    pub fn load(file: &Path) -> Result<Self, JobError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| JobError::Unreadable { file: file.to_owned(), source })?;
        let parsed: VariantsFile = toml::from_str(&text).map_err(|error| explain(&error, &text, file))?;
        Ok(parsed.compare)
    }
}

impl Job {
    /// The variants of `[compare]` with their names.
    ///
    /// # Errors
    /// Where there is no `[compare]`, its names do not fit together, or a variant is no valid job.
    pub fn variants(&self) -> Result<Vec<(String, Self)>, JobError> {
        let Some(config) = &self.compare else {
            return self.refuse("compare", "is missing; add [[compare.variant]] with the keys that differ");
        };
        if !(1..=MOST_SEEDS).contains(&config.seeds) {
            return self.refuse("compare.seeds", "must be in [1, 1000]");
        }
        if config.variants.is_empty() {
            return self.refuse("compare.variant", "is empty; add [[compare.variant]]");
        }
        let mut names = BTreeSet::new();
        if let Some(twice) = config.variants.iter().find(|variant| !names.insert(&variant.name)) {
            return self.refuse("compare.variant", &format!("has the name `{}` twice", twice.name));
        }
        if let Some(base) = &config.base {
            let names = config.variants.iter().map(|variant| &variant.name);
            self.known("compare.base".into(), "a variant", base, names)?;
        }
        let variant = |variant: &VariantConfig| {
            let key = format!("compare.variant.{}", variant.name);
            Ok((variant.name.clone(), self.changed(&variant.changes, &key)?))
        };
        config.variants.iter().map(variant).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::Job;
    use super::super::shipped_with;

    #[test]
    fn a_variant_is_the_job_with_its_keys_changed() {
        let text = "[compare]\n[[compare.variant]]\nname = \"base\"\nmodel.pooling = \"sum\"\ntables.\"*\".dim = 3\n\
                    [[compare.variant]]\nname = \"job\"\n";
        let job = shipped_with(text);
        let variants = job.variants().unwrap();
        let mut expected = job.clone();
        expected.model.pooling = crate::config::model::PoolingKind::Sum;
        expected.tables.values_mut().for_each(|table| table.dim = 3);
        assert_eq!(variants[0], ("base".into(), Job { tune: None, compare: None, ..expected }));
        assert_eq!(variants[1], ("job".into(), Job { tune: None, compare: None, ..job }));
    }

    #[test]
    fn a_variant_that_is_no_job_names_itself_and_the_nearest_key() {
        let error = |text: &str| shipped_with(text).variants().unwrap_err().to_string();
        assert_eq!(
            error("[compare]\n[[compare.variant]]\nname = \"a\"\nmodel.poling = \"sum\"\n"),
            "job.toml: `compare.variant.a` has the unknown key `poling`; the nearest valid name is `pooling`"
        );
        assert_eq!(
            error("[compare]\n[[compare.variant]]\nname = \"a\"\ntables.tag.dim = 0\n"),
            "job.toml: `compare.variant.a` makes a job that is refused: `tables.tag.dim` is 0; a row has at least one number"
        );
        assert_eq!(
            error("[compare]\nbase = \"b\"\n[[compare.variant]]\nname = \"a\"\n"),
            "job.toml: `compare.base` names a variant `b`, which the job does not define; valid names are `a`"
        );
    }
}
