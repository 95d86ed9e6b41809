//! Teachers that were trained elsewhere, given by files of their predictions.

use schemars::JsonSchema;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::path::PathBuf;
use stillhouse_core::Problem;

/// A teacher that was trained by any program, given by its predictions for the data's examples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExternalTeacherConfig {
    /// Its name in the report.
    #[schemars(extend("examples" = ["big"]))]
    #[schemars(extend("pattern" = r"^[^/\\]+$"))]
    pub name: String,
    /// Predictions for the training examples, in their order in the data's source, including the ones that become
    /// validation or test examples: `[N, C]`, `[N, L + 1]` with a dustbin, or `[N, L]`; `.npy` or `.safetensors`.
    #[schemars(extend("examples" = ["big_train.npy"]))]
    #[schemars(extend("format" = "path"))]
    pub train: PathBuf,
    /// The same for the data's own validation split; only where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "path"))]
    pub valid: Option<PathBuf>,
    /// The same for the data's own test split; only where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "path"))]
    pub test: Option<PathBuf>,
    /// The same for the examples of `[student.transfer]`, all that are read; only where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "path"))]
    pub transfer: Option<PathBuf>,
    /// The same for the examples of `evaluation.out_of_scope`; only where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "path"))]
    pub out_of_scope: Option<PathBuf>,
    /// The tensor to read, where a `.safetensors` file has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tensor: Option<String>,
    /// What the numbers are.
    #[serde(default)]
    pub space: Space,
    /// The classes of the columns: "all", a list of class numbers, or a file with one class number a line. Classes are numbered in
    /// the order of their labels, numbers by value and names by Unicode, unless the data has names in an order of its own.
    #[serde(default)]
    pub classes: Classes,
    /// Whether the last column is a dustbin, the probability of all other classes together.
    #[serde(default)]
    pub dustbin: bool,
    /// Added to the dustbin's logit, in nats.
    #[serde(default)]
    pub dustbin_bias: f64,
    /// Its weight in the merge, a generalist's being 1.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub weight: f64,
}

fn one() -> f64 {
    1.0
}

impl ExternalTeacherConfig {
    /// Settings that contradict each other; ranges are in the schema.
    pub(crate) fn contradictions(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.name.is_empty() || self.name.contains(['/', '\\']) {
            problems.push(Problem::new("name", format!("must be a plain word, found \"{}\"", self.name)));
        }
        if self.dustbin && self.classes == Classes::All {
            let text = "a teacher of every class has no other classes for a dustbin, expected false";
            problems.push(Problem::new("dustbin", text));
        }
        problems
    }
}

/// What a prediction's numbers are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Space {
    /// Probabilities, summing to 1.
    #[default]
    Probs,
    /// Their natural logarithms.
    LogProbs,
    /// Numbers whose softmax are the probabilities.
    Logits,
}

/// Which classes a teacher knows: `"all"`, a list of numbers, or a text file with one number a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Classes {
    /// Every class of the data.
    #[default]
    All,
    /// These, in the order of the columns.
    Listed(Vec<u32>),
    /// The classes that the file lists.
    File(PathBuf),
}

const ALL: &str = "all";

impl Serialize for Classes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str(ALL),
            Self::Listed(classes) => classes.serialize(serializer),
            Self::File(path) => path.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Classes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOfThree;
        impl<'de> Visitor<'de> for OneOfThree {
            type Value = Classes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"all\", a list of class numbers, or the name of a file with one class number a line")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Classes, E> {
                Ok(if text == ALL { Classes::All } else { Classes::File(text.into()) })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Classes, A::Error> {
                let mut classes = Vec::new();
                while let Some(class) = numbers.next_element()? {
                    classes.push(class);
                }
                Ok(Classes::Listed(classes))
            }
        }
        deserializer.deserialize_any(OneOfThree)
    }
}

impl JsonSchema for Classes {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Classes".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["string", "array"], "format": "path", "items": { "type": "integer", "minimum": 0 } })
    }
}
