//! Negatives for logs that hold positives only: the protocol of DIN's authors.

use super::coded::Coded;
use super::error::DataError;
use super::frame::{Frame, TextColumn};
use crate::job::NegativesConfig;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::HashSet;

/// Samples made from a log of positives.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// The log's rows, each followed by its negatives, which differ in the item.
    pub samples: Frame,
    /// 1 or 0 for each.
    pub labels: Vec<f32>,
}

/// Makes samples of a log: each interaction of a user but the first, and after it its negatives.
///
/// Negatives are drawn uniformly from the items of the log that the user never interacted with, at any time: an item that
/// the user comes to later is not a negative. Users with fewer than `min_interactions` rows are left out.
/// `users` and `times`: one entry for each row of the log.
///
/// # Errors
/// `NoInteractions` and `NoNegative`.
pub fn draw(
    log: &Frame,
    config: &NegativesConfig,
    users: &Coded<'_>,
    times: &[i64],
) -> Result<Drawn, DataError> {
    let items = Coded::from_column(log, log.column(&config.item));
    let count = items.interner().distinct().len() as u32;
    let mut by_user = vec![Vec::new(); users.interner().distinct().len()];
    for (row, &user) in users.codes().iter().enumerate() {
        by_user[user as usize].push(row);
    }
    let mut random = ChaCha8Rng::seed_from_u64(config.seed);
    let (mut rows, mut cells, mut labels) = (Vec::new(), TextColumn::default(), Vec::new());
    for (user, mut own) in
        by_user.into_iter().enumerate().filter(|(_, own)| own.len() >= config.min_interactions)
    {
        // Stable: interactions at the same time keep the log's order.
        own.sort_by_key(|&row| times[row]);
        let seen: HashSet<u32> = own.iter().map(|&row| items.codes()[row]).collect();
        if seen.len() as u32 == count {
            let user = users.interner().distinct()[user].text.to_owned();
            return Err(DataError::NoNegative { file: log.file().to_owned(), user, items: count as usize });
        }
        for &row in &own[1..] {
            rows.push(row);
            cells.push(log.column(&config.item).get(row));
            labels.push(1.0);
            for _ in 0..config.per_positive {
                let negative = loop {
                    let item = random.random_range(0..count);
                    if !seen.contains(&item) {
                        break item;
                    }
                };
                rows.push(row);
                cells.push(items.interner().distinct()[negative as usize].text);
                labels.push(0.0);
            }
        }
    }
    if rows.is_empty() {
        let least = config.min_interactions;
        return Err(DataError::NoInteractions { file: log.file().to_owned(), least });
    }
    Ok(Drawn { samples: log.repeat(rows, &config.item, cells), labels })
}

#[cfg(test)]
mod tests {
    use super::super::coded::{Coded, times};
    use super::super::frame::{Frame, Requests};
    use super::{Drawn, draw};
    use crate::job::{NegativesConfig, OneOrMany};

    fn drawn(log: &str, per_positive: usize, seed: u64) -> Result<Drawn, String> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("log.csv"), log).unwrap();
        let mut requests = Requests::default();
        ["user", "time", "item"].iter().for_each(|column| requests.add(column, "x"));
        let frame = Frame::read(directory.path(), &OneOrMany::One("log.csv".into()), "x", &requests).unwrap();
        let users = Coded::from_column(&frame, frame.column("user"));
        let config = NegativesConfig { item: "item".into(), per_positive, min_interactions: 3, seed };
        draw(&frame, &config, &users, &times(&frame, "time").unwrap())
            .map_err(|error| error.to_string().replace(&format!("{}/", directory.path().display()), ""))
    }

    const LOG: &str = "user,time,item\na,2,i2\na,1,i1\na,3,i3\nb,1,i4\nb,2,i5\nc,1,i6\nc,2,i7\nc,3,i1\n";

    #[test]
    fn every_interaction_but_the_first_of_users_with_three_is_a_positive() {
        let drawn = drawn(LOG, 1, 1).unwrap();
        let column = |name: &str| drawn.samples.column(name).iter().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(column("user"), ["a", "a", "a", "a", "c", "c", "c", "c"]);
        assert_eq!(column("time"), ["2", "2", "3", "3", "2", "2", "3", "3"]);
        assert_eq!(drawn.labels, [1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
        let positives: Vec<_> = column("item").into_iter().step_by(2).collect();
        assert_eq!(positives, ["i2", "i3", "i7", "i1"]);
    }

    #[test]
    fn negatives_are_all_items_outside_the_whole_list_of_the_user_and_no_other() {
        let drawn = drawn(LOG, 200, 1).unwrap();
        for (user, expected) in [("a", ["i4", "i5", "i6", "i7"]), ("c", ["i2", "i3", "i4", "i5"])] {
            let own = (0..drawn.labels.len())
                .filter(|&row| drawn.labels[row] == 0.0 && drawn.samples.column("user").get(row) == user);
            let found: std::collections::BTreeSet<_> =
                own.map(|row| drawn.samples.column("item").get(row)).collect();
            assert_eq!(found.into_iter().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn draws_depend_on_the_seed_alone() {
        let items = |seed| drawn(LOG, 20, seed).unwrap().samples.column("item").clone();
        assert_eq!(items(1), items(1));
        assert_ne!(items(1), items(2));
    }

    #[test]
    fn a_user_with_all_items_is_an_error() {
        let error = drawn("user,time,item\na,1,i1\na,2,i2\na,3,i3\n", 1, 1).unwrap_err();
        assert_eq!(
            error,
            "log.csv: user `a` interacted with all 3 items, so that there is no negative to draw; leave the user out"
        );
    }
}
