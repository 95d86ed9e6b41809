//! `id2label` and `label2id` of a `config.json`: the labels under the names that the transformers library reads.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Labels by the numbers of the outputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct LabelsById(BTreeMap<usize, String>);

/// Numbers of the outputs by the labels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct IdsByLabel(BTreeMap<String, usize>);

impl LabelsById {
    pub(crate) fn of(labels: &[String]) -> Self {
        Self(labels.iter().cloned().enumerate().collect())
    }

    /// How these differ from the labels, one for each output.
    pub(crate) fn problem(&self, labels: &[String]) -> Option<String> {
        if self.0.len() != labels.len() {
            return Some(format!("id2label has {} labels, expected {}", self.0.len(), labels.len()));
        }
        labels.iter().enumerate().find_map(|(id, label)| match self.0.get(&id) {
            Some(found) if found == label => None,
            Some(found) => Some(format!("id2label says {found:?} for output {id}, expected {label:?}")),
            None => Some(format!("id2label has no output {id}")),
        })
    }
}

impl IdsByLabel {
    pub(crate) fn of(labels: &[String]) -> Self {
        Self(labels.iter().enumerate().map(|(id, label)| (label.clone(), id)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_written_in_their_order_and_differences_are_named() {
        let labels: Vec<String> = (0..11).map(|id| format!("class {id}")).collect();
        let maps = LabelsById::of(&labels);
        let text = serde_json::to_string(&maps).unwrap();
        assert!(
            text.starts_with(r#"{"0":"class 0","1":"class 1","2""#) && text.ends_with(r#""10":"class 10"}"#),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<LabelsById>(&text).unwrap(), maps);
        assert_eq!(maps.problem(&labels), None);
        assert!(maps.problem(&labels[1..]).unwrap().contains("11 labels, expected 10"));
        let mut others = labels;
        others[3] = "x".into();
        assert!(maps.problem(&others).unwrap().contains("\"class 3\" for output 3, expected \"x\""));
        assert_eq!(serde_json::to_string(&IdsByLabel::of(&others[3..5])).unwrap(), r#"{"class 4":1,"x":0}"#);
    }
}
