//! Superclasses given by the user.

use std::collections::BTreeMap;

/// How many names a message lists before it says "and so on".
const N_LISTED: usize = 5;

/// What a file of superclasses can have wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HierarchyError {
    /// A line without two fields.
    #[error("line {line}: {text:?} is not `class<TAB>superclass`")]
    Line {
        /// its number, from 1
        line: usize,
        /// the line
        text: String,
    },
    /// A class that the dataset does not have.
    #[error("line {line}: {class:?} is not a class of the dataset")]
    UnknownClass {
        /// number of the line, from 1
        line: usize,
        /// the name
        class: String,
    },
    /// A pair that was given before.
    #[error("line {line}: {class:?} was put into {superclass:?} before")]
    Repeated {
        /// number of the line, from 1
        line: usize,
        /// the class
        class: String,
        /// the superclass
        superclass: String,
    },
    /// Classes without a superclass.
    #[error("{n_missing} classes have no superclass: {examples}")]
    Missing {
        /// how many
        n_missing: usize,
        /// the first of them
        examples: String,
    },
    /// A hierarchy of another dataset.
    #[error("the hierarchy is one of {got} classes, expected {expected}")]
    Dataset {
        /// classes of the hierarchy
        got: usize,
        /// classes of the affinity
        expected: usize,
    },
}

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
    pub fn parse(text: &str, labels: &[String]) -> Result<Self, HierarchyError> {
        let number: BTreeMap<&str, usize> =
            labels.iter().enumerate().map(|(class, name)| (name.as_str(), class)).collect();
        let mut superclasses: Vec<(String, Vec<usize>)> = Vec::new();
        let mut position: BTreeMap<&str, usize> = BTreeMap::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| carries_data(line)) {
            let (class, superclass) = fields(index + 1, line)?;
            let unknown = || HierarchyError::UnknownClass { line: index + 1, class: class.into() };
            let class_number = *number.get(class).ok_or_else(unknown)?;
            let at = *position.entry(superclass).or_insert_with(|| {
                superclasses.push((superclass.into(), Vec::new()));
                superclasses.len() - 1
            });
            if superclasses[at].1.contains(&class_number) {
                let (class, superclass) = (class.into(), superclass.into());
                return Err(HierarchyError::Repeated { line: index + 1, class, superclass });
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

    pub(super) fn groups(&self, n_classes: usize) -> Result<Vec<Vec<usize>>, HierarchyError> {
        if self.n_classes != n_classes {
            return Err(HierarchyError::Dataset { got: self.n_classes, expected: n_classes });
        }
        Ok(self.superclasses.iter().map(|(_, classes)| classes.clone()).collect())
    }

    fn check_complete(&self, labels: &[String]) -> Result<(), HierarchyError> {
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
        Err(HierarchyError::Missing { n_missing: missing.len(), examples })
    }
}

fn carries_data(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#')
}

fn fields(number: usize, line: &str) -> Result<(&str, &str), HierarchyError> {
    let line = line.trim();
    let split = line
        .split_once('\t')
        .or_else(|| line.rsplit_once(','))
        .or_else(|| line.rsplit_once(char::is_whitespace))
        .map(|(class, superclass)| (class.trim(), superclass.trim()));
    match split {
        Some((class, superclass)) if !class.is_empty() && !superclass.is_empty() => Ok((class, superclass)),
        _ => Err(HierarchyError::Line { line: number, text: line.into() }),
    }
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
        assert_eq!(other.groups(4), Err(HierarchyError::Dataset { got: 1, expected: 4 }));
    }
}
