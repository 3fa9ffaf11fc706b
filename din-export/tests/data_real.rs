//! The shipped `KuaiRand` files, a few of their users, against computations written the slow and obvious way.

use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, ListArray, RecordBatch, StringArray};
use din_export::data::dataset::{Dataset, FieldColumn};
use din_export::data::load;
use din_export::job::{Job, OneOrMany};
use flate2::read::GzDecoder;
use parquet::arrow::ArrowWriter;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

/// One user in so many is kept.
const EVERY: u64 = 40;

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/kuairand")
}

fn job() -> Job {
    Job::load(&shipped().join("job.toml")).unwrap()
}

fn read(job: &Job, directory: &Path) -> Dataset {
    load(job, Some(directory), &mut |_| ()).unwrap()
}

type Row = BTreeMap<String, String>;

/// The rows of a shipped file.
fn rows(name: &str) -> impl Iterator<Item = Row> {
    let file = File::open(shipped().join(name)).unwrap();
    csv::Reader::from_reader(GzDecoder::new(file)).into_deserialize().map(Result::unwrap)
}

/// The rows of the shipped tables, those of a few users where a table has users.
static FEW: LazyLock<BTreeMap<&str, Vec<Row>>> = LazyLock::new(|| {
    let keep = |row: &Row| row.get("user_id").is_none_or(|user| user.parse::<u64>().unwrap() % EVERY == 0);
    let few = |table| rows(&format!("{table}.csv.gz")).filter(keep).collect();
    TABLES.into_iter().map(|table| (table, few(table))).collect()
});

fn few(table: &str) -> &'static [Row] {
    &FEW[table]
}

const TABLES: [&str; 3] = ["exposures", "earlier_sequences", "videos"];

fn csv_text(rows: &[Row]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(rows[0].keys()).unwrap();
    rows.iter().for_each(|row| writer.write_record(row.values()).unwrap());
    writer.into_inner().unwrap()
}

/// The few users' rows as gzipped CSV, under the names that the shipped job gives.
fn small() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for table in TABLES {
        let file = File::create(directory.path().join(format!("{table}.csv.gz"))).unwrap();
        let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        gzip.write_all(&csv_text(few(table))).unwrap();
        gzip.finish().unwrap();
    }
    directory
}

/// A user's rows: what was seen before the window, and the exposures within it, in the file's order.
#[derive(Default)]
struct User {
    earlier: Vec<u64>,
    window: Vec<Row>,
}

fn by_user(exposures: &[Row]) -> BTreeMap<String, User> {
    let mut users = BTreeMap::<String, User>::new();
    for row in few("earlier_sequences") {
        let earlier = row["exposed"].split_whitespace().map(|id| id.parse().unwrap()).collect();
        users.insert(row["user_id"].clone(), User { earlier, window: Vec::new() });
    }
    for row in exposures {
        users.entry(row["user_id"].clone()).or_default().window.push(row.clone());
    }
    users
}

/// The videos that the user of a sample saw strictly before it, oldest first, the last 50.
fn seen_before(sample: &Row, users: &BTreeMap<String, User>) -> Vec<u64> {
    let time = |row: &Row| row["time_ms"].parse::<i64>().unwrap();
    let own = &users[&sample["user_id"]];
    let mut seen = own.earlier.clone();
    let mut window: Vec<&Row> = own.window.iter().filter(|row| time(row) < time(sample)).collect();
    window.sort_by_key(|row| time(row));
    seen.extend(window.iter().map(|row| row["video_id"].parse::<u64>().unwrap()));
    seen.split_off(seen.len().saturating_sub(50))
}

fn column_rows(column: &FieldColumn) -> &[u32] {
    match column {
        FieldColumn::Rows(rows) => rows,
        FieldColumn::Numbers(_) => panic!("a categorical field has rows"),
    }
}

fn table(dataset: &Dataset, name: &str) -> usize {
    dataset.schema.tables.iter().position(|table| table.name == name).unwrap()
}

#[test]
fn histories_are_what_the_user_saw_strictly_before_the_sample() {
    let directory = small();
    let dataset = read(&job(), directory.path());
    let exposures = few("exposures");
    let users = by_user(exposures);
    let tags: BTreeMap<String, String> =
        few("videos").iter().map(|video| (video["video_id"].clone(), video["tag"].clone())).collect();
    let videos = &dataset.schema.tables[table(&dataset, "video")].vocabulary;
    let tag_rows = &dataset.schema.tables[table(&dataset, "tag")].vocabulary;
    let tag_row = |video: &u64| tags[&video.to_string()].parse().map_or(0, |tag| tag_rows.row(tag));
    let histories = &dataset.samples.histories[0];
    assert_eq!(histories.spans.len(), exposures.len());
    let (mut full, mut empty) = (0, 0);
    for (sample, &(start, end)) in exposures.iter().zip(&histories.spans) {
        let expected = seen_before(sample, &users);
        full += usize::from(expected.len() == 50);
        empty += usize::from(expected.is_empty());
        let range = start as usize..end as usize;
        let expected_videos: Vec<u32> = expected.iter().map(|&video| videos.row(video)).collect();
        assert_eq!(column_rows(&histories.pool[0])[range.clone()], expected_videos, "{sample:?}");
        let expected_tags: Vec<u32> = expected.iter().map(tag_row).collect();
        assert_eq!(column_rows(&histories.pool[1])[range], expected_tags, "{sample:?}");
    }
    // The users show both ends of the capacity.
    assert!(full > 100 && empty > 0, "{full} {empty}");
}

#[test]
fn real_ties_in_time_see_the_same_history() {
    let directory = small();
    let dataset = read(&job(), directory.path());
    let mut spans = BTreeMap::<(String, String), BTreeSet<(u32, u32)>>::new();
    let mut ties = 0;
    for (sample, &span) in few("exposures").iter().zip(&dataset.samples.histories[0].spans) {
        let own = spans.entry((sample["user_id"].clone(), sample["time_ms"].clone())).or_default();
        ties += usize::from(!own.is_empty());
        own.insert(span);
    }
    assert!(ties > 50, "{ties}");
    assert!(spans.values().all(|spans| spans.len() == 1));
}

#[test]
fn the_last_day_of_training_validates_and_nothing_else_does() {
    let directory = small();
    let dataset = read(&job(), directory.path());
    let exposures = few("exposures");
    let time = |&sample: &u32| exposures[sample as usize]["time_ms"].parse::<i64>().unwrap();
    let split = |&sample: &u32| exposures[sample as usize]["split"].as_str();
    assert!(dataset.train.iter().chain(&dataset.valid).all(|sample| split(sample) == "train"));
    assert!(dataset.test.iter().all(|sample| split(sample) == "test"));
    let last = dataset.valid.iter().map(time).max().unwrap();
    assert!(dataset.valid.iter().all(|sample| time(sample) > last - 86_400_000));
    assert!(dataset.train.iter().all(|sample| time(sample) <= last - 86_400_000));
    assert_eq!(dataset.train.len() + dataset.valid.len() + dataset.test.len(), exposures.len());
}

#[test]
fn a_video_has_a_row_if_enough_training_samples_contain_it_and_repeats_count_once() {
    let directory = small();
    let mut job = job();
    job.tables.get_mut("video").unwrap().min_count = 12;
    let dataset = read(&job, directory.path());
    let exposures = few("exposures");
    let users = by_user(exposures);
    let mut counts = BTreeMap::<u64, u32>::new();
    let (mut occurrences, mut samples) = (0, 0);
    for &sample in &dataset.train {
        let sample = &exposures[sample as usize];
        let mut videos = seen_before(sample, &users);
        videos.push(sample["video_id"].parse().unwrap());
        occurrences += videos.len();
        let videos: BTreeSet<u64> = videos.into_iter().collect();
        samples += videos.len();
        videos.into_iter().for_each(|video| *counts.entry(video).or_default() += 1);
    }
    assert!(occurrences > samples, "some sample contains a video twice");
    let video = table(&dataset, "video");
    let vocabulary = &dataset.schema.tables[video].vocabulary;
    let found: Vec<u64> = (1..vocabulary.rows() as u32).map(|row| vocabulary.key(row).unwrap()).collect();
    let expected: Vec<u64> = counts.iter().filter(|&(_, &count)| count >= 12).map(|(&id, _)| id).collect();
    assert_eq!(found, expected);
    assert!(expected.len() < counts.len());
    let by_row = dataset.samples_containing(video, &dataset.train);
    assert!(found.iter().enumerate().all(|(index, video)| by_row[index + 1] == counts[video]));
    // All others share row 0.
    for (sample, &row) in exposures.iter().zip(column_rows(&dataset.samples.candidate[0])) {
        let id: u64 = sample["video_id"].parse().unwrap();
        assert_eq!(row == 0, counts.get(&id).is_none_or(|&count| count < 12), "{id}");
    }
}

#[test]
fn users_of_the_test_alone_have_row_0() {
    let directory = small();
    let dataset = read(&job(), directory.path());
    let exposures = few("exposures");
    let user = |&sample: &u32| &exposures[sample as usize]["user_id"];
    let known: BTreeSet<&String> = dataset.train.iter().map(user).collect();
    let rows = column_rows(&dataset.samples.profile[0]);
    let mut unknown = 0;
    for (row, sample) in rows.iter().zip(exposures) {
        assert_eq!(*row == 0, !known.contains(&sample["user_id"]));
        unknown += usize::from(*row == 0);
    }
    assert!(unknown > 0);
}

/// The job over files with this ending.
fn job_over(ending: &str) -> Job {
    let mut job = job();
    job.data.samples = OneOrMany::One(format!("exposures{ending}"));
    for (side, table) in [("earlier", "earlier_sequences"), ("videos", "videos")] {
        job.side.get_mut(side).unwrap().file = OneOrMany::One(format!("{table}{ending}"));
    }
    job
}

/// Rows as typed Parquet columns: lists where texts hold spaces, integers where they parse.
fn write_parquet(file: &Path, rows: &[Row]) {
    let integer = |text: &str| text.parse::<i64>().ok();
    let array = |name: &String| -> ArrayRef {
        let cells = || rows.iter().map(|row| row[name].as_str());
        if ["exposed", "long_viewed"].contains(&name.as_str()) {
            let lists = cells().map(|cell| Some(cell.split_whitespace().map(integer).collect::<Vec<_>>()));
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists))
        } else if cells().all(|cell| cell.is_empty() || integer(cell).is_some()) {
            Arc::new(cells().map(integer).collect::<Int64Array>())
        } else {
            Arc::new(StringArray::from_iter_values(cells()))
        }
    };
    let columns = rows[0].keys().map(|name| (name.as_str(), array(name), true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(file).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn csv_gzipped_csv_and_parquet_give_the_same_dataset() {
    let directory = small();
    for table in TABLES {
        let rows = few(table);
        std::fs::write(directory.path().join(format!("{table}.csv")), csv_text(rows)).unwrap();
        write_parquet(&directory.path().join(format!("{table}.parquet")), rows);
    }
    let gzipped = read(&job_over(".csv.gz"), directory.path());
    assert!(read(&job_over(".csv"), directory.path()) == gzipped);
    assert!(read(&job_over(".parquet"), directory.path()) == gzipped);
}

#[test]
fn the_shipped_job_has_the_samples_that_its_attribution_states() {
    let dataset = load(&job(), None, &mut |_| ()).unwrap();
    assert_eq!(dataset.train.len() + dataset.valid.len(), 94_784);
    assert_eq!(dataset.test.len(), 133_545);
    let clicks: f64 = dataset.samples.labels.iter().map(|&label| f64::from(label)).sum();
    assert_eq!(clicks, 100_900.0);
}

#[test]
fn every_example_job_is_valid() {
    let jobs: Vec<PathBuf> = std::fs::read_dir(shipped().join("../jobs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    assert!(jobs.len() >= 4, "{jobs:?}");
    for file in jobs {
        assert!(Job::load(&file).is_ok(), "{}", Job::load(&file).unwrap_err());
    }
}
