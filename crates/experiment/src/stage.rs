//! A stage's name and key. The key hashes everything that the stage's artifact depends on.

use serde::Serialize;
use std::path::{Path, PathBuf};
use stillhouse_train::{WIDEST_VECTOR_UNIT, vector_unit};

/// The file that closes an artifact.
pub(crate) const SEAL: &str = "stage.json";
/// Hex digits of a key: 80 bits.
const KEY_LEN: usize = 20;

/// A stage: its name in this run, and the hash of all that its artifact depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    name: String,
    kind: String,
    key: String,
}

impl Stage {
    /// A stage named `kind`, or `kind_<index>`; `inputs` is everything that it depends on. `code_version` is raised when
    /// stages of this kind compute something else from the same inputs, so that older artifacts are not taken for new.
    pub fn new(kind: &str, code_version: u32, index: Option<usize>, inputs: &impl Serialize) -> Self {
        let key = key_of(code_version, kind, inputs, vector_unit());
        let name = index.map_or(kind.to_owned(), |index| format!("{kind}_{index}"));
        Self { name, kind: kind.to_owned(), key }
    }

    /// Name for people, for example `specialist_3`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Hash of the stage's inputs.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Name of the artifact's folder in a store.
    pub fn folder(&self) -> String {
        format!("{}-{}", self.kind, self.key)
    }

    /// The folder in a store in which the artifact is computed.
    pub fn partial(&self, store: &Path) -> PathBuf {
        store.join(format!("{}.partial", self.folder()))
    }

    /// Whether the artifact exists in a store.
    pub fn is_done(&self, store: &Path) -> bool {
        self.artifact(store).is_some()
    }

    /// The folder of the artifact in a store, if it exists.
    pub fn artifact(&self, store: &Path) -> Option<PathBuf> {
        Some(store.join(self.folder())).filter(|folder| folder.join(SEAL).is_file())
    }
}

/// The hash of all that an artifact depends on. Machines with other vectors give other bits, so a store that they share, or
/// a checkpoint that one leaves for another, is never taken for their own. Keys do not tell of the widest vectors, those of
/// the first versions of this program.
fn key_of(code_version: u32, kind: &str, inputs: &impl Serialize, vector_unit: &str) -> String {
    let text = match vector_unit {
        WIDEST_VECTOR_UNIT => serde_json::to_string(&(code_version, kind, inputs)),
        other => serde_json::to_string(&(code_version, kind, inputs, other)),
    };
    blake3::hash(text.expect("stage inputs are plain values").as_bytes()).to_hex()[..KEY_LEN].to_owned()
}

/// Among the inputs of another stage, a stage is its key.
impl Serialize for Stage {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_with_other_vectors_have_other_keys() {
        let key = |unit: &str| key_of(1, "s", &(2, "a"), unit);
        assert_eq!(key(WIDEST_VECTOR_UNIT), blake3::hash(br#"[1,"s",[2,"a"]]"#).to_hex()[..KEY_LEN], "as ever");
        assert_ne!(key("avx2"), key(WIDEST_VECTOR_UNIT));
        assert_ne!(key("avx2"), key("sse2"));
        assert_eq!(Stage::new("s", 1, None, &(2, "a")).key, key(vector_unit()));
    }

    #[test]
    fn keys_depend_on_all_inputs() {
        let key = |inputs: &(u64, &str)| Stage::new("s", 1, None, inputs).key;
        assert_eq!(key(&(1, "a")), key(&(1, "a")));
        assert_ne!(key(&(1, "a")), key(&(2, "a")));
        assert_ne!(Stage::new("s", 1, None, &1).key, Stage::new("t", 1, None, &1).key);
        assert_ne!(Stage::new("s", 1, None, &1).key, Stage::new("s", 2, None, &1).key);
    }
}
