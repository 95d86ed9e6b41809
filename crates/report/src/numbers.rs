//! Numbers that are not finite, in a format that has none.
//!
//! A training that diverges must not lose the report of the whole run, and must not look good in it. JSON writes NaN and
//! infinities as null; here null is read back as NaN wherever a number is required, whatever the field, and
//! [`non_finite`] finds such numbers in any value that can be serialised.

use minijinja::Value;
use minijinja::value::{Serde, ValueKind};
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error, IntoDeserializer, Visitor};
use serde::{Deserialize, Serialize, forward_to_deserialize_any};
use serde_json::Value as Json;

/// Reads a value from any format by way of JSON, with null as NaN where a number is required.
pub(crate) fn null_as_nan<'de, T: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::deserialize(NullAsNan::read(deserializer)?).map_err(D::Error::custom)
}

/// Where a value has numbers that are not finite: paths such as `student.nll` or `clusters[2].oracle_gain`. An item of a
/// list that has a name goes by its name.
pub(crate) fn non_finite(value: &impl Serialize) -> Vec<String> {
    let mut found = Vec::new();
    visit(&Value::from(Serde(value)), "", &mut found);
    found
}

fn visit(value: &Value, path: &str, found: &mut Vec<String>) {
    let is_finite = || f64::try_from(value.clone()).is_ok_and(f64::is_finite);
    match value.kind() {
        ValueKind::Number if !is_finite() => found.push(path.to_owned()),
        ValueKind::Seq => {
            for (index, item) in value.try_iter().into_iter().flatten().enumerate() {
                let name = item.get_attr("name").ok().and_then(|name| name.as_str().map(str::to_owned));
                visit(&item, &name.unwrap_or_else(|| format!("{path}[{index}]")), found);
            }
        }
        ValueKind::Map => {
            for key in value.try_iter().into_iter().flatten() {
                let path = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
                visit(&value.get_item(&key).unwrap_or_default(), &path, found);
            }
        }
        _ => (),
    }
}

/// Deserializes JSON, and takes null for NaN where a number is required.
pub(crate) struct NullAsNan(Json);

impl NullAsNan {
    pub(crate) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Json::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserializer<'de> for NullAsNan {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
        match self.0 {
            Json::Array(items) => visitor.visit_seq(SeqDeserializer::new(items.into_iter().map(NullAsNan))),
            Json::Object(fields) => {
                let fields = fields.into_iter().map(|(key, value)| (key, NullAsNan(value)));
                visitor.visit_map(MapDeserializer::new(fields))
            }
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
        if self.0.is_null() { visitor.visit_f64(f64::NAN) } else { self.deserialize_any(visitor) }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> serde_json::Result<V::Value> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 char str string bytes byte_buf unit unit_struct newtype_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl IntoDeserializer<'_, serde_json::Error> for NullAsNan {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct Measured {
        name: String,
        loss: f64,
        interval: [f64; 2],
        latency: Option<f64>,
        rows: Vec<(String, f64)>,
        parts: Vec<Measured>,
    }

    fn measured(name: &str, loss: f64) -> Measured {
        Measured { name: name.into(), loss, interval: [0.0, loss], latency: None, rows: vec![], parts: vec![] }
    }

    #[test]
    fn null_is_nan_at_any_depth_and_absent_stays_absent() {
        let mut outer = measured("outer", 1.0);
        outer.rows.push(("row".into(), f64::INFINITY));
        outer.parts = vec![measured("inner", f64::NAN), measured("fine", 2.0)];
        assert_eq!(non_finite(&outer), ["rows[0][1]", "inner.loss", "inner.interval[1]"]);
        let read: Measured = null_as_nan(serde_json::to_value(&outer).unwrap()).unwrap();
        assert!(read.rows[0].1.is_nan() && read.parts[0].loss.is_nan() && read.parts[0].interval[1].is_nan());
        assert_eq!((read.loss, read.latency, read.parts[1].loss), (1.0, None, 2.0));
        assert_eq!(non_finite(&read), non_finite(&outer));
    }
}
