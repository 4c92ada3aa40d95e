//! Files that are parts of one, by their numbers.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

/// The order of names in which numbers count as such: `train_2` before `train_10`.
pub(super) fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (Some(first), Some(second)) = (left.chars().next(), right.chars().next()) else {
            return left.len().cmp(&right.len()).then_with(|| a.cmp(b));
        };
        let numbers = (number(left), number(right));
        if numbers.0.is_empty() || numbers.1.is_empty() {
            if first != second {
                return first.cmp(&second);
            }
            (left, right) = (&left[first.len_utf8()..], &right[second.len_utf8()..]);
            continue;
        }
        let [x, y] = [numbers.0, numbers.1].map(|digits| digits.trim_start_matches('0'));
        let order = x.len().cmp(&y.len()).then_with(|| x.cmp(y));
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (&left[numbers.0.len()..], &right[numbers.1.len()..]);
    }
}

/// The digits that a text begins with.
fn number(text: &str) -> &str {
    &text[..text.bytes().take_while(u8::is_ascii_digit).count()]
}

/// Shards that `all` does not have, of the files whose names tell how many there are and that one of `used` is of:
/// `train-00001-of-00003` beside `train-00000-of-00003` and `train-00002-of-00003`. They count from 0 or from 1.
pub(crate) fn absent(used: &[&str], all: &[String]) -> Vec<String> {
    let wanted: BTreeSet<_> = used.iter().filter_map(|file| parts(file)).map(|(stem, _, of, _)| (stem, of)).collect();
    let mut found: BTreeMap<_, (BTreeSet<usize>, &str)> = BTreeMap::new();
    for (stem, index, of, end) in all.iter().filter_map(|file| parts(file)) {
        if wanted.contains(&(stem, of)) {
            found.entry((stem, of)).or_insert((BTreeSet::new(), end)).0.insert(index);
        }
    }
    let mut absent = Vec::new();
    for ((stem, of), (indices, end)) in found {
        let first = usize::from(indices.contains(&of) && !indices.contains(&0));
        let missing = (first..of + first).filter(|index| !indices.contains(index));
        absent.extend(missing.map(|index| format!("{stem}{index:05}-of-{of:05}{end}")));
    }
    absent
}

/// What stands before the numbers of a shard, its number, how many there are, and the ending.
fn parts(file: &str) -> Option<(&str, usize, usize, &str)> {
    let at = file.rfind("-of-")?;
    let digits =
        |text: &str| (text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok());
    let index = digits(file.get(at.checked_sub(5)?..at)?)??;
    let of = digits(file.get(at + 4..at + 9)?)??;
    let rest = &file[at + 9..];
    // Some have a checksum of their own between the number and the ending.
    let end = rest.find('.').map_or(rest, |dot| &rest[dot..]);
    Some((&file[..at - 5], index, of, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_as_such() {
        let mut names = vec!["b10", "b9", "a", "b010", "b9/z", "b9-", "b", "train-00010-of-00011", "train-2"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["a", "b", "b9", "b9-", "b9/z", "b010", "b10", "train-2", "train-00010-of-00011"]);
    }

    #[test]
    fn what_is_not_there_is_named() {
        let all = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let files = all(&["d/t-00000-of-00003.parquet", "d/t-00002-of-00003.parquet", "x-00000-of-00009.csv"]);
        assert_eq!(absent(&["d/t-00000-of-00003.parquet"], &files), ["d/t-00001-of-00003.parquet"]);
        let whole = all(&["t-00000-of-00002-0a1.parquet", "t-00001-of-00002-9f.parquet", "t-of-x", "-of-"]);
        assert!(absent(&["t-00000-of-00002-0a1.parquet", "t-of-x", "-of-"], &whole).is_empty());
        let from_one = all(&["t-00001-of-00002.csv", "t-00002-of-00002.csv"]);
        assert!(absent(&["t-00001-of-00002.csv"], &from_one).is_empty());
    }
}
