//! What to say about a key that a table does not have: the nearest key, its place, or its name in this program.

use super::read::{ConfigSchema, TablePlace};
use super::{join, list, synonyms};

/// A table that has a key.
#[derive(Debug, PartialEq)]
struct Place {
    table: String,
    /// The kinds with the key, where the table has other kinds too.
    kinds: Vec<String>,
}

/// Places beyond this are "and others".
const MAX_PLACES: usize = 4;

impl ConfigSchema {
    /// What somebody meant who wrote `key` into a table with the keys `known`, if it can be guessed.
    pub fn hint_for_key(&self, table: &str, key: &str, known: &[&str]) -> Option<String> {
        let ours = synonyms::ours(key);
        let here: Vec<&str> = ours.iter().copied().filter(|name| known.contains(name)).collect();
        if !here.is_empty() {
            return Some(format!("`{key}` is called {} here", list(&here).replace(", ", " or ")));
        }
        let close = |limit: usize| nearest(key, known, limit).map(|name| format!("did you mean `{name}`?"));
        // a typing error changes a letter or two; a larger distance says less than a key of that very name elsewhere
        close(1 + key.chars().count() / 8)
            .or_else(|| self.place_in_words(table, key).map(|place| format!("`{key}` {place}")))
            .or_else(|| close(loose(key)))
            .or_else(|| {
                let place =
                    |name: &str| self.place_in_words(table, name).map(|place| format!("`{name}`, which {place}"));
                ours.iter().find_map(|name| place(name)).map(|place| format!("`{key}` is called {place}"))
            })
    }

    /// "stands in `student.training`": the tables that have a key, those nearest to `table`.
    fn place_in_words(&self, table: &str, key: &str) -> Option<String> {
        let table = without_indices(table);
        let places = self.places(&table, key);
        if let [Place { table: only, kinds }] = places.as_slice()
            && *only == table
        {
            return Some(format!("is a key of kind {}", either(kinds)));
        }
        let in_words = |place: &Place| match (place.table.as_str(), place.kinds.as_slice()) {
            ("", _) => "the outermost table, above the first `[...]`".to_owned(),
            (table, []) => format!("`{table}`"),
            (table, kinds) => format!("`{table}` of kind {}", either(kinds)),
        };
        let words: Vec<String> = places.iter().take(MAX_PLACES).map(in_words).collect();
        let others = if places.len() > MAX_PLACES { " and others" } else { "" };
        (!words.is_empty()).then(|| format!("stands in {}{others}", words.join(", ")))
    }

    /// The tables that have a key and whose path is nearest to that of `table`; the outermost of equally near ones.
    fn places(&self, table: &str, key: &str) -> Vec<Place> {
        let mut found: Vec<(usize, usize, Place)> = Vec::new();
        self.visit_tables(&mut |&TablePlace { path, forms, .. }| {
            let with_key: Vec<_> = forms.iter().filter(|form| form.node.properties().contains_key(key)).collect();
            if with_key.is_empty() {
                return;
            }
            let kinds = match with_key.len() == forms.len() {
                true => Vec::new(),
                false => with_key.iter().filter_map(|form| form.kind.clone()).collect(),
            };
            let shared = path.split('.').zip(table.split('.')).take_while(|(a, b)| a == b).count();
            let depth = if path.is_empty() { 0 } else { path.split('.').count() };
            found.push((shared, depth - shared.min(depth), Place { table: path.to_owned(), kinds }));
        });
        let rank = |(shared, further, _): &(usize, usize, Place)| (usize::MAX - shared, *further);
        let Some(best) = found.iter().map(rank).min() else { return Vec::new() };
        let mut places: Vec<Place> =
            found.into_iter().filter(|place| rank(place) == best).map(|(.., place)| place).collect();
        places.dedup();
        places
    }

    /// The nearest path to one that leads nowhere: for a key that was asked for by its whole path.
    pub fn hint_for_path(&self, path: &str) -> Option<String> {
        let mut paths = Vec::new();
        self.visit_tables(&mut |&TablePlace { path: table, forms, .. }| {
            for key in forms.iter().flat_map(|form| form.node.properties().keys()) {
                paths.push(join(table, key));
            }
        });
        let known: Vec<&str> = paths.iter().map(String::as_str).collect();
        nearest(path, &known, loose(path)).map(|name| format!("did you mean `{name}`?"))
    }
}

/// "a known value that differs by little", for values of a list of choices.
pub(super) fn did_you_mean(found: &str, known: &[&str]) -> Option<String> {
    nearest(found, known, loose(found)).map(|name| format!("did you mean `{name}`?"))
}

/// Letters that may differ in a guess.
fn loose(found: &str) -> usize {
    1 + found.chars().count() / 3
}

/// The known name that differs least, if it differs by at most `limit` letters.
fn nearest<'n>(found: &str, known: &[&'n str], limit: usize) -> Option<&'n str> {
    let distance = |name: &str| strsim::damerau_levenshtein(found, name);
    let best = known.iter().copied().min_by_key(|name| distance(name))?;
    (distance(best) <= limit).then_some(best)
}

fn either(kinds: &[String]) -> String {
    kinds.iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(" or ")
}

/// `external_teacher[0]` is a table `external_teacher`.
fn without_indices(path: &str) -> String {
    let plain = |part: &str| part.split('[').next().unwrap_or_default().to_owned();
    path.split('.').map(plain).collect::<Vec<_>>().join(".")
}
