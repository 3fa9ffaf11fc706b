//! The layer map on the front page of each crate is true: no module uses one that stands below it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Row of the table in the crate's front page, by module.
fn layer_map(source: &Path) -> BTreeMap<String, usize> {
    let page = std::fs::read_to_string(source.join("lib.rs")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("//! | ")).enumerate();
    rows.flat_map(|(row, line)| {
        let modules = line.split('|').next().unwrap_or_default().split('`').skip(1).step_by(2);
        modules.map(move |module| (module.to_owned(), row)).collect::<Vec<_>>()
    })
    .collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// The module of a file: its name, or that of its folder below `source`.
fn module_of(file: &Path, source: &Path) -> String {
    let first = file.strip_prefix(source).unwrap().components().next().unwrap();
    first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// Modules that a file names after `crate::`, docs and tests excepted.
fn uses(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let names = code.flat_map(|line| line.split("crate::").skip(1));
    let name =
        |rest: &str| rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect::<String>();
    names.map(name).filter(|name| !name.is_empty()).collect()
}

fn assert_layers(crate_name: &str) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(crate_name).join("src");
    let map = layer_map(&source);
    let mut edges = 0;
    for file in rust_files(&source) {
        let own = module_of(&file, &source);
        if ["lib", "main", "cli"].contains(&own.as_str()) {
            continue;
        }
        let row = *map.get(&own).unwrap_or_else(|| panic!("{crate_name}: `{own}` is not in the layer map"));
        for used in uses(&std::fs::read_to_string(&file).unwrap()) {
            let below = map.get(&used).is_none_or(|used| *used > row);
            assert!(
                !below,
                "{crate_name}: {} uses `{used}`, which the layer map has below `{own}`",
                file.display()
            );
            edges += 1;
        }
    }
    assert!(edges > 10, "{crate_name}: only {edges} uses found, so this test looks at nothing");
}

#[test]
fn din_core_is_layered_as_its_front_page_says() {
    assert_layers("din-core");
}

#[test]
fn din_export_is_layered_as_its_front_page_says() {
    assert_layers("din-export");
}

#[test]
fn din_ffi_is_layered_as_its_front_page_says() {
    assert_layers("din-core/ffi");
}
