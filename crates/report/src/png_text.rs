//! PNG files in JSON: base64, a third longer than the bytes; a list of numbers is five times as long. Lists, which earlier runs
//! wrote, are read too.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Numbers(Vec<u8>),
}

/// Writes an image, if there is one.
pub fn serialize<S: Serializer>(png: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    png.as_ref().map(|bytes| STANDARD.encode(bytes)).serialize(serializer)
}

/// Reads an image, if there is one.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
    match Option::<Written>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Written::Numbers(bytes)) => Ok(Some(bytes)),
        Some(Written::Text(text)) => STANDARD.decode(text).map(Some).map_err(D::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use crate::Tile;

    #[test]
    fn an_image_comes_back_from_its_text_and_from_earlier_lists() {
        let tile = Tile { label: "a".into(), png: Some(vec![137, 80, 78, 71]), text: None };
        let json = serde_json::to_string(&tile).unwrap();
        assert!(json.contains("\"png\":\"iVBORw==\""), "{json}");
        let read = |json: &str| serde_json::from_str::<Tile>(json).unwrap().png;
        assert_eq!(read(&json), tile.png);
        assert_eq!(read(r#"{"label":"a","png":[137,80,78,71]}"#), tile.png);
        assert_eq!(read(r#"{"label":"a","png":null}"#), None);
    }
}
