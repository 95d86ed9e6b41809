//! Superclasses given by the user.

use crate::error::EnsembleError;
use std::collections::BTreeMap;

/// How many names a message lists before it says "and so on".
const N_LISTED: usize = 5;

/// Every class with its superclass, or with several: then clusters overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    n_classes: usize,
    superclasses: Vec<(String, Vec<usize>)>,
}

impl Hierarchy {
    /// Reads lines of `class<TAB>superclass`; without a tab the last comma separates, without a comma the last blank.
    /// Blank lines and lines that begin with `#` are skipped. `labels` are the dataset's class names.
    ///
    /// # Errors
    /// Lines without two fields, unknown classes, repeated pairs, classes without a superclass.
    pub fn parse(text: &str, labels: &[String]) -> Result<Self, EnsembleError> {
        let number: BTreeMap<&str, usize> =
            labels.iter().enumerate().map(|(class, name)| (name.as_str(), class)).collect();
        let mut superclasses: Vec<(String, Vec<usize>)> = Vec::new();
        let mut position: BTreeMap<&str, usize> = BTreeMap::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| carries_data(line)) {
            let (class, superclass) = fields(index + 1, line)?;
            let Some(&class_number) = number.get(class) else {
                return Err(bad_file(format!("line {}: {class:?} is not a class of the dataset", index + 1)));
            };
            let at = *position.entry(superclass).or_insert_with(|| {
                superclasses.push((superclass.into(), Vec::new()));
                superclasses.len() - 1
            });
            if superclasses[at].1.contains(&class_number) {
                return Err(bad_file(format!("line {}: {class:?} was put into {superclass:?} before", index + 1)));
            }
            superclasses[at].1.push(class_number);
        }
        let hierarchy = Self { n_classes: labels.len(), superclasses };
        hierarchy.check_complete(labels)?;
        Ok(hierarchy)
    }

    /// Names and classes of the superclasses, in the order in which they first appear.
    pub fn superclasses(&self) -> &[(String, Vec<usize>)] {
        &self.superclasses
    }

    pub(super) fn groups(&self, n_classes: usize) -> Result<Vec<Vec<usize>>, EnsembleError> {
        if self.n_classes != n_classes {
            return Err(bad_file(format!("the hierarchy is one of {} classes, expected {n_classes}", self.n_classes)));
        }
        Ok(self.superclasses.iter().map(|(_, classes)| classes.clone()).collect())
    }

    fn check_complete(&self, labels: &[String]) -> Result<(), EnsembleError> {
        let mut covered = vec![false; labels.len()];
        self.superclasses.iter().flat_map(|(_, classes)| classes).for_each(|class| covered[*class] = true);
        let missing: Vec<&str> =
            (0..labels.len()).filter(|class| !covered[*class]).map(|class| labels[class].as_str()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let mut examples = missing[..missing.len().min(N_LISTED)].join(", ");
        if missing.len() > N_LISTED {
            examples.push_str(", ...");
        }
        Err(bad_file(format!("{} classes have no superclass: {examples}", missing.len())))
    }
}

fn carries_data(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#')
}

fn fields(number: usize, line: &str) -> Result<(&str, &str), EnsembleError> {
    let line = line.trim();
    let split = line
        .split_once('\t')
        .or_else(|| line.rsplit_once(','))
        .or_else(|| line.rsplit_once(char::is_whitespace))
        .map(|(class, superclass)| (class.trim(), superclass.trim()));
    match split {
        Some((class, superclass)) if !class.is_empty() && !superclass.is_empty() => Ok((class, superclass)),
        _ => Err(bad_file(format!("line {number}: {line:?} is not `class<TAB>superclass`"))),
    }
}

fn bad_file(message: String) -> EnsembleError {
    EnsembleError::of_key("method.path", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<String> {
        ["oak", "maple tree", "seal", "otter"].map(String::from).to_vec()
    }

    #[test]
    fn tabs_commas_and_blanks_separate() {
        let text = "# CIFAR style\n\nmaple tree\ttrees\noak, trees\r\nseal  aquatic\n otter\taquatic \n";
        let hierarchy = Hierarchy::parse(text, &labels()).unwrap();
        let expected = [("trees".to_string(), vec![1, 0]), ("aquatic".to_string(), vec![2, 3])];
        assert_eq!(hierarchy.superclasses(), expected);
    }

    #[test]
    fn a_class_may_have_two_superclasses() {
        let text = "oak\ta\nmaple tree\ta\nseal\tb\notter\tb\notter\ta\n";
        assert_eq!(Hierarchy::parse(text, &labels()).unwrap().superclasses()[0].1, [0, 1, 3]);
    }

    #[test]
    fn every_fault_names_its_line() {
        let error = |text| Hierarchy::parse(text, &labels()).unwrap_err().to_string();
        assert_eq!(error("oak"), "line 1: \"oak\" is not `class<TAB>superclass`");
        assert_eq!(error("oak\ttrees\nelm\ttrees"), "line 2: \"elm\" is not a class of the dataset");
        assert_eq!(error("oak\ttrees\n\noak\ttrees"), "line 3: \"oak\" was put into \"trees\" before");
        assert_eq!(error("oak\ttrees\nseal\tx"), "2 classes have no superclass: maple tree, otter");
        let other = Hierarchy::parse("a\tb", &["a".into()]).unwrap();
        assert_eq!(other.groups(4).unwrap_err().to_string(), "the hierarchy is one of 1 classes, expected 4");
    }
}
