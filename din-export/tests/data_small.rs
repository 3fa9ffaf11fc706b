//! Small logs whose datasets, and whose errors, are written out by hand.

use din_export::data::dataset::{Dataset, FieldColumn, Samples};
use din_export::data::load;
use din_export::job::Job;
use din_export::schema::FieldKind;
use std::path::Path;

/// A log with ties in time, a user without history, and rows out of order.
const SAMPLES: &str = "\
split,user,item,label,time,clicked,price,recent,actions
train,a,i1,1,10,1,1.5,i9 i8,x y
train,a,i2,0,20,0,,,
train,a,i3,1,20,1,3.5,i7,z
train,b,i1,0,5,0,2.0,i9,x
valid,a,i4,1,30,1,2.0,i9 i8 i7 i6,x y z x
test,a,i5,0,25,0,9.0,i9,x
";

const ITEMS: &str = "item,brand\ni1,b1\ni2,b1\ni3,b2\n";

const EARLIER: &str = "user,items\na,i3 i1 i3\n";

/// `[[sequence.source]]` is appended to it.
const JOB: &str = r#"
name = "small"
[data]
samples = "samples.csv"
label = "label"
user = "user"
time = "time"
[side.items]
file = "items.csv"
key = "item"
[side.earlier]
file = "earlier.csv"
key = "user"
[tables.item]
dim = 4
[tables.brand]
dim = 2
[[candidate]]
name = "brand"
table = "brand"
side = "items"
[[candidate]]
name = "item"
table = "item"
[[candidate]]
name = "price"
numeric = {}
[split]
kind = "column"
column = "split"
train = "train"
valid = "valid"
test = "test"
[[sequence]]
name = "recent"
capacity = 4
[[sequence.field]]
name = "item"
table = "item"
"#;

const LOG: &str = "[[sequence.source]]\nkind = \"log\"\n";

/// Loads a job over the three files, some text of which is replaced.
fn try_load(job: &str, replace: &[(&str, &str)]) -> Result<Dataset, String> {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in [("samples.csv", SAMPLES), ("items.csv", ITEMS), ("earlier.csv", EARLIER)] {
        let text = replace.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let job = Job::from_toml(job, Path::new("job.toml")).map_err(|error| error.to_string())?;
    let folder = format!("{}/", directory.path().display());
    load(&job, Some(directory.path()), &mut |_| ()).map_err(|error| error.to_string().replace(&folder, ""))
}

/// The error of the job with a text replaced, in the job or in the files.
fn error(job: (&str, &str), data: (&str, &str)) -> String {
    let text = format!("{JOB}{LOG}");
    assert!(text.contains(job.0) && format!("{SAMPLES}{ITEMS}{EARLIER}").contains(data.0));
    let message = try_load(&text.replacen(job.0, job.1, 1), &[data]).unwrap_err();
    assert!(!message.contains('\n') && !message.ends_with('.'), "{message}");
    message
}

const SAME: (&str, &str) = ("", "");

fn rows(column: &FieldColumn) -> &[u32] {
    match column {
        FieldColumn::Rows(rows) => rows,
        FieldColumn::Numbers(_) => panic!("a categorical field has rows"),
    }
}

/// The items of each sample's first sequence, by name; `?` for row 0.
fn histories(dataset: &Dataset) -> Vec<String> {
    let table = dataset.schema.tables.iter().find(|table| table.name == "item").unwrap();
    let name = |row: &u32| {
        let key = table.vocabulary.key(*row);
        let items = (1..10).map(|item| format!("i{item}"));
        items.clone().find(|item| key == Some(din_core::hash_text(item))).unwrap_or_else(|| "?".into())
    };
    let histories = &dataset.samples.histories[0];
    let items = |&(start, end): &(u32, u32)| {
        rows(&histories.pool[0])[start as usize..end as usize].iter().map(name).collect::<Vec<_>>().join(" ")
    };
    histories.spans.iter().map(items).collect()
}

#[test]
fn samples_at_the_same_time_are_not_in_the_history_of_each_other() {
    let dataset = try_load(&format!("{JOB}{LOG}"), &[]).unwrap();
    // i5, at time 25, is in the history of i4, at 30; no training sample contains it.
    assert_eq!(histories(&dataset), ["", "i1", "i1", "", "i1 i2 i3 ?", "i1 i2 i3"]);
}

#[test]
fn the_oldest_behaviours_are_dropped_first() {
    let job = format!("{JOB}{LOG}").replace("capacity = 4", "capacity = 2");
    assert_eq!(histories(&try_load(&job, &[]).unwrap()), ["", "i1", "i1", "", "i3 ?", "i2 i3"]);
}

#[test]
fn what_a_user_did_earlier_comes_before_the_log() {
    let earlier =
        "[[sequence.source]]\nkind = \"user_list\"\nside = \"earlier\"\ncolumns = {item = \"items\"}\n";
    let dataset = try_load(&format!("{JOB}{earlier}{LOG}"), &[]).unwrap();
    let expected = ["i3 i1 i3", "i3 i1 i3 i1", "i3 i1 i3 i1", "", "i1 i2 i3 ?", "i3 i1 i2 i3"];
    assert_eq!(histories(&dataset), expected);
}

#[test]
fn a_condition_keeps_only_its_rows_of_the_log() {
    for condition in ["equals = \"1\"", "at_least = 0.5"] {
        let job = format!("{JOB}{LOG}where = {{column = \"clicked\", {condition}}}\n");
        assert_eq!(histories(&try_load(&job, &[]).unwrap()), ["", "i1", "i1", "", "i1 i3", "i1 i3"]);
    }
}

#[test]
fn the_samples_of_one_user_share_the_behaviours_of_a_log() {
    let dataset = try_load(&format!("{JOB}{LOG}"), &[]).unwrap();
    assert_eq!(rows(&dataset.samples.histories[0].pool[0]).len(), 6);
}

const LISTS: &str = "[[sequence.field]]\nname = \"action\"\ntable = \"action\"\n[[sequence.source]]\nkind = \"list\"\n\
                     columns = {item = \"recent\", action = \"actions\"}\n[tables.action]\ndim = 3\n";

#[test]
fn lists_of_a_sample_are_aligned_and_cut_to_the_capacity() {
    let job = format!("{JOB}{LISTS}").replace("capacity = 4", "capacity = 3");
    let dataset = try_load(&job, &[]).unwrap();
    let sequence = &dataset.schema.sequences[0];
    assert_eq!(sequence.fields.iter().map(|field| field.pair).collect::<Vec<_>>(), [Some(1), None]);
    assert_eq!(histories(&dataset), ["i9 i8", "", "i7", "i9", "i8 i7 ?", "i9"]);
    let (start, end) = dataset.samples.histories[0].spans[4];
    let actions = &dataset.schema.tables.iter().find(|table| table.name == "action").unwrap().vocabulary;
    let expected = ["y", "z", "x"].map(|action| actions.row(din_core::hash_text(action)));
    assert_eq!(rows(&dataset.samples.histories[0].pool[1])[start as usize..end as usize], expected);
}

#[test]
fn lists_of_different_lengths_name_their_row() {
    let message = try_load(&format!("{JOB}{LISTS}"), &[("i9 i8,x y\n", "i9 i8,x\n")]).unwrap_err();
    assert_eq!(
        message,
        "samples.csv, row 1: 2 elements in column `recent`, 1 in `actions`; expected as many"
    );
}

#[test]
fn paired_fields_come_first_whatever_the_order_in_the_job() {
    let field = "[[sequence.field]]\nname = \"item\"";
    let job = format!("{JOB}{LOG}").replace(
        field,
        &format!("[[sequence.field]]\nname = \"clicked\"\nnumeric = {{}}\n{field}\ncolumn = \"item\""),
    );
    let sequence = try_load(&job, &[]).unwrap().schema.sequences[0].clone();
    let names: Vec<&str> = sequence.fields.iter().map(|field| field.field.name.as_str()).collect();
    assert_eq!(names, ["item", "clicked"]);
    let job = job.replace("column = \"item\"", "pair = false");
    let sequence = try_load(&job, &[]).unwrap().schema.sequences[0].clone();
    assert!(sequence.fields.iter().all(|field| field.pair.is_none()));
}

#[test]
fn an_item_without_a_row_in_the_side_table_has_no_brand() {
    let dataset = try_load(&format!("{JOB}{LOG}"), &[]).unwrap();
    let brands = rows(&dataset.samples.candidate[0]);
    assert!(brands[0] != 0 && brands[2] != 0 && brands[0] != brands[2]);
    assert_eq!((brands[1], brands[3], &brands[4..]), (brands[0], brands[0], &[0, 0][..]));
}

#[test]
fn white_space_around_a_key_of_a_side_table_is_no_part_of_it() {
    let job = format!("{JOB}{LOG}");
    let spaced = try_load(&job, &[("i1,b1", " i1 , b1"), ("train,a,i1,", "train,a,i1 ,")]).unwrap();
    let plain = try_load(&job, &[]).unwrap();
    assert_eq!(spaced.schema, plain.schema);
    assert_eq!(spaced.samples.candidate[..2], plain.samples.candidate[..2]);
    assert_eq!(spaced.samples.histories, plain.samples.histories);
}

#[test]
fn normalisers_see_only_the_numbers_of_training_samples() {
    let dataset = try_load(&format!("{JOB}{LOG}"), &[]).unwrap();
    let FieldKind::Numeric(normaliser) = dataset.schema.candidate[2].kind else {
        panic!("price is a number")
    };
    // 1.5, 3.5 and 2.0, the missing one left out; their deviation is sqrt(13 / 18).
    assert!((normaliser.mean - 7.0 / 3.0).abs() < 1e-6, "{normaliser:?}");
    assert!((normaliser.scale - (18.0_f32 / 13.0).sqrt()).abs() < 1e-5, "{normaliser:?}");
    let FieldColumn::Numbers(prices) = &dataset.samples.candidate[2] else { panic!("price is a number") };
    assert!(prices[1].is_nan() && prices[5] == 9.0);
}

#[test]
fn validation_samples_that_train_count_for_rows_and_normalisers() {
    let apart = try_load(&format!("{JOB}{LOG}"), &[]).unwrap();
    let together = try_load(&format!("{JOB}{LOG}[training]\ntrain_on_valid = true\n"), &[]).unwrap();
    assert_eq!((apart.train, together.train), (vec![0, 1, 2, 3], vec![0, 1, 2, 3, 4]));
    assert_eq!((apart.valid, apart.test), (together.valid, together.test));
    // i4 is in the validation sample alone.
    let row_of_i4 = |samples: &Samples| rows(&samples.candidate[1])[4];
    assert_eq!(row_of_i4(&apart.samples), 0);
    assert!(row_of_i4(&together.samples) > 0);
    let FieldKind::Numeric(normaliser) = together.schema.candidate[2].kind else {
        panic!("price is a number")
    };
    // 1.5, 3.5, 2.0 and 2.0.
    assert!((normaliser.mean - 2.25).abs() < 1e-6, "{normaliser:?}");
}

#[test]
fn users_are_numbered_by_first_appearance() {
    assert_eq!(try_load(&format!("{JOB}{LOG}"), &[]).unwrap().samples.users, [0, 0, 0, 1, 0, 0]);
}

#[test]
fn a_missing_file_names_the_key() {
    let message = error(("\"samples.csv\"", "\"sample.csv\""), SAME);
    assert!(message.starts_with("sample.csv: cannot read the file that `data.samples` names: "), "{message}");
}

#[test]
fn a_format_that_the_name_does_not_tell_is_refused() {
    let message = error(("\"samples.csv\"", "\"samples.tsv\""), SAME);
    assert_eq!(
        message,
        "samples.tsv: unknown format; expected a name that ends in .csv, .csv.gz or .parquet"
    );
}

#[test]
fn a_missing_column_names_the_key_and_the_nearest_column() {
    let message = error(("label = \"label\"", "label = \"lable\""), SAME);
    assert_eq!(
        message,
        "samples.csv: no column `lable`, which `data.label` names; the nearest valid name is `label`"
    );
    let message = error(("name = \"brand\"", "name = \"brnad\""), SAME);
    assert_eq!(
        message,
        "items.csv: no column `brnad`, which `candidate.brnad` names; the nearest valid name is `brand`"
    );
}

#[test]
fn a_label_that_is_neither_0_nor_1_names_its_row() {
    let message = error(SAME, ("i3,1,20", "i3,2,20"));
    assert_eq!(message, "samples.csv, row 3: label `2` in column `label`; expected 0 or 1");
}

#[test]
fn numbers_that_are_not_finite_name_their_row() {
    for bad in ["NaN", "inf", "1e99", "cheap"] {
        let message = error(SAME, ("i3,1,20,1,3.5", &format!("i3,1,20,1,{bad}")));
        let expected = format!(
            "samples.csv, row 3: `{bad}` in numeric column `price`; \
             expected a finite number, or an empty cell where it is not known"
        );
        assert_eq!(message, expected);
    }
}

#[test]
fn a_time_that_is_not_a_whole_number_names_its_row() {
    let message = error(SAME, ("i2,0,20", "i2,0,noon"));
    assert_eq!(
        message,
        "samples.csv, row 2: `noon` in time column `time`; expected a whole number, such as a timestamp in seconds"
    );
}

#[test]
fn a_side_table_with_a_key_twice_names_both_rows() {
    let message = error(SAME, ("i2,b1", "i1,b1"));
    assert_eq!(
        message,
        "items.csv, row 2: key `i1` in column `item` is already in row 1; expected one row for each key"
    );
}

#[test]
fn a_split_that_the_job_does_not_list_names_its_row() {
    let message = error(SAME, ("valid,a", "vaild,a"));
    assert_eq!(
        message,
        "samples.csv, row 5: `vaild` in column `split` is in no split; the nearest valid name is `valid`; \
         list it in `split.ignore` to leave it out"
    );
}

#[test]
fn an_empty_split_says_which() {
    let message = error(SAME, ("valid,a", "test,a"));
    assert_eq!(
        message,
        "job.toml: the valid split is empty; change [split] or the data so that it has samples"
    );
}

#[test]
fn a_file_without_rows_is_refused() {
    let message = error(SAME, (EARLIER, "user,items\n"));
    assert_eq!(message, "earlier.csv: the file has no rows; expected a header and at least one row");
}

#[test]
fn a_job_that_validates_on_nothing_is_refused() {
    let message = error(("valid = \"valid\"\n", ""), SAME);
    assert_eq!(
        message,
        "job.toml: `split` needs exactly one of `valid`, `valid_last` and `valid_fraction`: \
         training is chosen on samples that are not the test"
    );
}
