//! `include/din.h` is what cbindgen makes of the sources: `RENEW=1 cargo test -p din-ffi --test header` renews it.

use std::path::Path;

/// In the order in which the header has them.
const SOURCES: [&str; 9] =
    ["version", "error", "hash", "value", "history", "model", "storage", "integer_ranker", "ranker"];

fn generated() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml")).expect("cbindgen.toml is one");
    let builder = SOURCES.iter().fold(cbindgen::Builder::new().with_config(config), |builder, name| {
        builder.with_src(folder.join("src").join(format!("{name}.rs")))
    });
    let mut header = Vec::new();
    builder.generate().expect("the sources are C's").write(&mut header);
    String::from_utf8(header).expect("a header is text")
}

#[test]
fn the_committed_header_is_that_of_the_sources() {
    let (path, generated) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("include/din.h"), generated());
    if std::env::var_os("RENEW").is_some() {
        std::fs::write(&path, &generated).expect("the header can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = committed.lines().zip(generated.lines()).position(|(committed, new)| committed != new);
    assert!(committed == generated, "line {differs:?} differs: RENEW=1 cargo test -p din-ffi --test header");
}

/// What the library exports is what the header declares: a source that the list above lacks would not be.
#[test]
fn every_exported_function_is_declared() {
    let (folder, header) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), generated());
    let mut functions = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for after in text.split("extern \"C\" fn ").skip(1) {
            let name = after.split('(').next().unwrap();
            assert!(header.contains(&format!(" {name}(")) || header.contains(&format!("*{name}(")), "{name}");
            functions += 1;
        }
    }
    assert!(functions > 30, "{functions}");
}
