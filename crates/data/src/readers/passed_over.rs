//! Files that are no data, though they lie in a folder of data.

/// Whether systems and programs leave a file or folder of this name behind, so that nobody misses it.
pub fn is_system_name(name: &str) -> bool {
    const NAMES: [&str; 23] = [
        "icon\r",
        ".ds_store",
        ".localized",
        ".directory",
        ".trashes",
        ".spotlight-v100",
        ".fseventsd",
        ".ipynb_checkpoints",
        ".git",
        ".gitignore",
        ".gitattributes",
        ".gitkeep",
        ".keep",
        ".cache",
        ".huggingface",
        "__macosx",
        "__pycache__",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "@eadir",
        "$recycle.bin",
        "lost+found",
    ];
    name.starts_with("._") || name.starts_with(".nfs") || NAMES.contains(&name.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_systems_are_known_and_others_are_not() {
        for name in
            ["Thumbs.db", ".DS_Store", "._0.png", "__MACOSX", "desktop.ini", "Desktop.ini", ".ipynb_checkpoints"]
        {
            assert!(is_system_name(name), "{name}");
        }
        for name in ["README.txt", "0.png", ".net", "checkpoints", "cache"] {
            assert!(!is_system_name(name), "{name}");
        }
    }
}
