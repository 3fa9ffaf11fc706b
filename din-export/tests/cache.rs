//! Samples through the cache on disk are those in memory, and train as those do.

use din_export::data::cache::{Cache, Split};
use din_export::data::dataset::{Dataset, FieldColumn, Samples};
use din_export::data::load;
use din_export::data::load::LoadStep;
use din_export::job::Job;
use din_export::schema::{FieldKind, Schema};
use std::path::Path;

/// A log with ties in time, texts and missing cells; a side table of items; lists of users from before it.
fn folder(rows: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    let mut state = 7_u64;
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    std::fs::create_dir(folder.path().join("log")).unwrap();
    for shard in 0..3 {
        let mut text = "user,item,label,time,price,recent,split\n".to_owned();
        for row in 0..rows / 3 {
            let (user, item, label, time) = (next(40), next(60), next(2), (shard * rows / 3 + row) / 4);
            let price = if next(9) == 0 { String::new() } else { format!("{}.5", next(100)) };
            let recent: Vec<String> = (0..next(6)).map(|_| format!("i{}", next(70))).collect();
            let split = if time % 5 == 0 { "late" } else { "early" };
            text += &format!("u{user},i{item},{label},{time},{price},{},{split}\n", recent.join(" "));
        }
        write(&format!("log/day-{shard}.csv"), text);
    }
    let mut items = "item,brand\n".to_owned();
    (0..50).for_each(|item| items += &format!("i{item},{}\n", item % 7));
    write("items.csv", items);
    let mut earlier = "user,items\n".to_owned();
    (0..30).for_each(|user| earlier += &format!("u{user},i{} i{} i1\n", user % 11, user + 40));
    write("earlier.csv", earlier);
    let mut plays = "who,when,item,weight\n".to_owned();
    (0..rows).for_each(|row| plays += &format!("u{},{},i{},{}\n", next(55), row / 5, next(80), next(10)));
    write("plays.csv", plays);
    folder
}

const JOB: &str = r#"
name = "cached"
[data]
samples = "log/day-*.csv"
label = "label"
user = "user"
time = "time"
time_unit = "s"
[side.items]
file = "items.csv"
key = "item"
[side.earlier]
file = "earlier.csv"
key = "user"
[tables.item]
dim = 4
min_count = 3
[tables.brand]
dim = 2
[[profile]]
name = "user"
table = "user"
[tables.user]
dim = 2
[[candidate]]
name = "price"
numeric = {}
[[candidate]]
name = "item"
table = "item"
[[candidate]]
name = "brand"
table = "brand"
side = "items"
[model.unit]
hidden = [8]
[model.head]
hidden = [8]
[training]
epochs = 2
patience = 0
batch_size = 64
[training.regularization]
kind = "mini_batch_aware"
"#;

const CLICKED: &str = r#"
[[sequence]]
name = "clicked"
capacity = 5
[[sequence.field]]
name = "item"
table = "item"
[[sequence.field]]
name = "brand"
table = "brand"
side = "items"
[[sequence.source]]
kind = "user_list"
side = "earlier"
columns = { item = "items" }
[[sequence.source]]
kind = "log"
where = { column = "label", equals = "1" }
"#;

const PLAYED: &str = r#"
[[sequence]]
name = "played"
capacity = 7
[[sequence.field]]
name = "weight"
numeric = {}
[[sequence.field]]
name = "item"
table = "item"
[[sequence.source]]
kind = "log"
file = "plays.csv"
user = "who"
time = "when"
"#;

const RECENT: &str = r#"
[[sequence]]
name = "recent"
capacity = 4
[[sequence.field]]
name = "item"
table = "item"
[[sequence.source]]
kind = "list"
columns = { item = "recent" }
"#;

const BY_TIME: &str = "[split]\nkind = \"time\"\nvalid_fraction = 0.1\ntest_fraction = 0.2\n";
const BY_POSITION: &str = "[split]\nkind = \"last_position\"\nvalid_share = 0.5\n";
const BY_COLUMN: &str = "[split]\nkind = \"column\"\ncolumn = \"split\"\ntrain = \"early\"\nvalid_last = \"90s\"\ntest = \"late\"\n";
const BY_SHARE: &str = "[split]\nkind = \"column\"\ncolumn = \"split\"\ntrain = \"early\"\nvalid_fraction = 0.15\ntest = \"late\"\n";

/// One line for each sample, whatever their order; users by their row, as dense numbers may differ.
fn lines(schema: &Schema, samples: &Samples, indices: &[u32]) -> Vec<String> {
    let cell = |column: &FieldColumn, at: usize| match column {
        FieldColumn::Rows(rows) => rows[at].to_string(),
        FieldColumn::Numbers(numbers) => format!("{:?}", numbers[at]),
    };
    let line = |&sample: &u32| {
        let at = sample as usize;
        let mut line = format!("{}", samples.labels[at]);
        let plain = samples.profile.iter().chain(&samples.context).chain(&samples.candidate);
        plain.for_each(|column| line += &format!(" {}", cell(column, at)));
        for (sequence, histories) in schema.sequences.iter().zip(&samples.histories) {
            let (start, end) = histories.spans[at];
            assert!(end - start <= sequence.capacity as u32);
            for behaviour in start..end {
                let fields: Vec<String> =
                    histories.pool.iter().map(|column| cell(column, behaviour as usize)).collect();
                line += &format!(" {}", fields.join("/"));
            }
            line += " |";
        }
        line
    };
    let mut lines: Vec<String> = indices.iter().map(line).collect();
    lines.sort();
    lines
}

fn cached_lines(cache: &Cache, split: Split) -> Vec<String> {
    let mut all = Vec::new();
    cache
        .for_each_window(split, |samples| {
            let indices: Vec<u32> = (0..samples.labels.len() as u32).collect();
            all.extend(lines(cache.schema(), &samples, &indices));
            Ok::<_, din_export::data::DataError>(())
        })
        .unwrap();
    all.sort();
    all
}

fn normalisers(schema: &Schema) -> Vec<din_core::Normaliser> {
    let behaviours = schema.sequences.iter().flat_map(|sequence| &sequence.fields).map(|own| &own.field);
    let fields = schema.profile.iter().chain(&schema.context).chain(&schema.candidate).chain(behaviours);
    fields
        .filter_map(|field| if let FieldKind::Numeric(own) = field.kind { Some(own) } else { None })
        .collect()
}

fn assert_same(dataset: &Dataset, cache: &Cache) {
    let schema = cache.schema();
    assert_eq!(schema.tables, dataset.schema.tables);
    for (own, other) in normalisers(schema).iter().zip(normalisers(&dataset.schema)) {
        let near = |a: f32, b: f32| (a - b).abs() <= 1e-5 * b.abs();
        assert!(near(own.mean, other.mean) && near(own.scale, other.scale), "{own:?} {other:?}");
    }
    for table in 0..schema.tables.len() {
        assert_eq!(cache.counts()[table], dataset.samples_containing(table, &dataset.train), "table {table}");
    }
    let splits =
        [(Split::Train, &dataset.train), (Split::Valid, &dataset.valid), (Split::Test, &dataset.test)];
    for (split, indices) in splits {
        let expected = lines(&dataset.schema, &dataset.samples, indices);
        assert!(expected.len() >= 15, "{split:?}");
        assert_eq!(cached_lines(cache, split), expected, "{split:?}");
    }
}

#[test]
fn cached_samples_are_those_in_memory_whatever_histories_and_split() {
    let folder = folder(3000);
    for (sequences, split) in [
        (format!("{CLICKED}{PLAYED}"), BY_TIME),
        (RECENT.to_owned(), BY_POSITION),
        (format!("{RECENT}{CLICKED}"), BY_COLUMN),
        (String::new(), BY_SHARE),
    ] {
        let apart = format!("{JOB}{sequences}{split}");
        let together = apart.replace("epochs = 2", "epochs = 2\ntrain_on_valid = true");
        let job = |text: &str| Job::from_toml(text, &folder.path().join("job.toml")).unwrap();
        let samples = [apart, together].map(|text| {
            let dataset = load(&job(&text), None, &mut |_| {}).unwrap();
            let streamed = text.replace("[side.items]", "[data.stream]\nwindow = 500\n[side.items]");
            assert_same(&dataset, &Cache::open(&job(&streamed), None, &mut |_| {}).unwrap());
            [dataset.train.len(), dataset.valid.len()]
        });
        assert_eq!(samples[1], [samples[0][0] + samples[0][1], samples[0][1]]);
    }
}

#[test]
fn a_cache_is_used_until_the_data_change_and_its_damage_is_noticed() {
    let folder = folder(3000);
    let text = format!("{JOB}{RECENT}{BY_TIME}").replace("[side.items]", "[data.stream]\n[side.items]");
    let open = |text: &str| {
        let job = Job::from_toml(text, &folder.path().join("job.toml")).unwrap();
        let mut used = false;
        let cache = Cache::open(&job, None, &mut |step| used |= matches!(step, LoadStep::Cached(_)));
        cache.map(|cache| (cache, used))
    };
    // A process that was killed left this; no number of a process is so high.
    let unfinished = folder.path().join(".din-cache/.din-99999999-x");
    std::fs::create_dir_all(&unfinished).unwrap();
    let first = open(&text).unwrap();
    assert!(!first.1 && !unfinished.exists());
    // Model and training are no matter of the data.
    let second = open(&text.replace("epochs = 2", "epochs = 3")).unwrap();
    assert!(second.1 && second.0.identity() == first.0.identity());
    assert!(!open(&text.replace("min_count = 3", "min_count = 2")).unwrap().1);
    let shard = folder.path().join("log/day-1.csv");
    std::fs::write(&shard, std::fs::read_to_string(&shard).unwrap() + "u1,i1,1,900,,,late\n").unwrap();
    let (changed, used) = open(&text).unwrap();
    assert!(!used && changed.samples(Split::Test) == first.0.samples(Split::Test) + 1);
    let parent = folder.path().join(".din-cache");
    let names: Vec<String> = std::fs::read_dir(&parent)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert!(names.len() == 3 && names.iter().all(|name| name.len() == 16), "{names:?}");
    for name in names {
        let blocks = parent.join(name).join("blocks");
        let mut bytes = std::fs::read(&blocks).unwrap();
        bytes[100] ^= 1;
        std::fs::write(&blocks, bytes).unwrap();
    }
    let (damaged, _) = open(&text).unwrap();
    let mut result = Ok(());
    for split in [Split::Train, Split::Valid, Split::Test] {
        result = result.and(damaged.for_each_window(split, |_| Ok::<_, din_export::data::DataError>(())));
    }
    assert!(result.unwrap_err().to_string().contains("the cache of the data is damaged"));
}

#[test]
fn errors_of_streamed_data_name_file_and_row() {
    let folder = folder(300);
    let text = format!("{JOB}{RECENT}{BY_TIME}").replace("[side.items]", "[data.stream]\n[side.items]");
    let shard = folder.path().join("log/day-2.csv");
    let good = std::fs::read_to_string(&shard).unwrap();
    for (line, problem) in
        [("u1,i1,2,9,,,late", "`2`"), ("u1,i1,1,9,x,,late", "`x` in numeric column `price`")]
    {
        std::fs::write(&shard, format!("{good}{line}\n")).unwrap();
        let job = Job::from_toml(&text, &folder.path().join("job.toml")).unwrap();
        let error = Cache::open(&job, None, &mut |_| {}).unwrap_err().to_string();
        assert!(error.contains("day-2.csv, row 101") && error.contains(problem), "{error}");
    }
    let left = std::fs::read_dir(folder.path().join(".din-cache")).unwrap().count();
    assert_eq!(left, 0, "a cache that failed leaves nothing");
}

fn run(folder: &Path, arguments: &[&str]) -> std::process::Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_din-export"));
    command.current_dir(folder).args(["--threads", "1"]).args(arguments).output().unwrap()
}

#[test]
fn a_streamed_run_trains_as_one_in_memory_and_resumes_to_the_same_weights() {
    let folder = folder(6000);
    let path = folder.path();
    let text = format!("{JOB}{CLICKED}{BY_TIME}");
    std::fs::write(path.join("memory.toml"), &text).unwrap();
    let streamed = text.replace("[side.items]", "[data.stream]\nwindow = 700\n[side.items]");
    std::fs::write(path.join("stream.toml"), streamed).unwrap();
    let report = |job: &str, output: &str, more: &[&str]| -> serde_json::Value {
        let output = run(path, &[&["--json", "train", job, "-o", output][..], more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let memory = report("memory.toml", "memory", &[]);
    let stream = report("stream.toml", "stream", &[]);
    for split in ["valid", "test"] {
        assert_eq!(memory[split]["samples"], stream[split]["samples"]);
        let loss = |report: &serde_json::Value| report[split]["log_loss"].as_f64().unwrap();
        assert!((loss(&memory) - loss(&stream)).abs() < 0.02, "{} {}", loss(&memory), loss(&stream));
    }
    // The program's own evaluation of the blob reads the data in memory.
    let evaluated = run(path, &["--json", "eval", "stream/model.din", "memory.toml"]);
    let evaluated: serde_json::Value = serde_json::from_slice(&evaluated.stdout).unwrap();
    let near = |a: &serde_json::Value, b: &serde_json::Value| {
        (a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-9
    };
    assert!(near(&evaluated["log_loss"], &stream["test"]["log_loss"]), "{evaluated} {stream}");

    // Killed in the middle of a window, again and again.
    let mut kills = 0;
    let mut life = std::time::Duration::from_millis(20);
    loop {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_din-export"));
        command.current_dir(path).args([
            "--threads",
            "1",
            "train",
            "stream.toml",
            "-o",
            "broken",
            "--resume",
        ]);
        command.args(["--checkpoint-every", "5steps"]).stderr(std::process::Stdio::null());
        let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(life);
        life = life.mul_f64(1.3);
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    let weights = |output: &str| std::fs::read(path.join(output).join("weights.safetensors")).unwrap();
    assert!(kills > 1 && weights("broken") == weights("stream"), "{kills} kills");
}
