use super::*;
use crate::observer::Silent;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

fn init(path: &Path) -> Result<String> {
    init_config(&path.display().to_string(), &Silent, &Interrupt::new())
}

fn refused(path: &Path, expected: &str) -> String {
    let error = init(path).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.exit_code(), 3, "{text}");
    assert!(text.contains(expected), "{text}");
    text
}

fn data_of(config: &str) -> toml::Table {
    config.parse::<toml::Table>().unwrap()["data"].as_table().unwrap().clone()
}

/// A folder with these files.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

/// Texts of six classes with a delimiter.
fn rows(delimiter: char) -> String {
    (0..60).map(|row| format!("words number {row} of a text{delimiter}class_{}\n", row % 6)).collect()
}

fn png(grey: u8) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let encoder = image::codecs::png::PngEncoder::new(&mut bytes);
    image::ImageEncoder::write_image(encoder, &[grey; 480], 20, 24, image::ExtendedColorType::L8).unwrap();
    bytes.into_inner()
}

/// Images below a folder: `classes` folders with `n` images each.
fn images(root: &Path, n: u8) {
    for class in ["ant", "bee", "cat"] {
        fs::create_dir_all(root.join(class)).unwrap();
        (0..n).for_each(|image| fs::write(root.join(class).join(format!("{image}.png")), png(image * 9)).unwrap());
    }
}

fn npy(descr: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let header = format!("{header:<117}\n");
    [b"\x93NUMPY\x01\x00\x76\x00", header.as_bytes(), values].concat()
}

fn matrix() -> Vec<u8> {
    npy("<f4", "(40, 2)", &(0..80_u8).flat_map(|value| f32::from(value).to_le_bytes()).collect::<Vec<u8>>())
}

fn labels() -> Vec<u8> {
    npy("<i8", "(40,)", &(0..40_i64).flat_map(|row| (row % 2).to_le_bytes()).collect::<Vec<u8>>())
}

#[test]
fn a_table_is_written_as_it_is_read() {
    let marked = format!("\u{feff}Tweet;Emotion\n{}", rows(';'));
    let broken = format!("text\tlabel\n{}", rows('\t').replace("words number 0 of a text", "\"words\nnumber 0\""));
    let split =
        format!("set,words,kind\n{}", rows(',').replace("words", "train,words").replacen("train,", "test,", 20));
    let cases: [(&str, String, &str); 4] = [
        ("a.csv", marked, "text = \"Tweet\"\nlabel = \"Emotion\"\ndelimiter = \";\""),
        ("a.tsv", broken, "text = \"text\"\nlabel = \"label\"\nquotes = true"),
        ("SMSCollection", rows('\t'), "text = 1\nlabel = 2\nheader = false\ndelimiter = \"\\t\""),
        ("a.csv", split, "split = \"set\"\ntext = \"words\"\nlabel = \"kind\""),
    ];
    for (name, content, expected) in cases {
        let folder = folder(&[(name, content.as_bytes())]);
        let config = init(&folder.path().join(name)).unwrap();
        let data = data_of(&config);
        for (key, value) in expected.parse::<toml::Table>().unwrap() {
            assert_eq!(data.get(&key), Some(&value), "{name} {key}: {config}");
        }
        assert!(config.contains("Texts of 6 classes"), "{config}");
    }
}

#[test]
fn a_folder_of_tables_has_its_splits_by_name() {
    let content = format!("Tweet,Emotion\n{}", rows(','));
    let tables = [
        ("bank_train.csv", content.as_bytes()),
        ("bank-val.csv", content.as_bytes()),
        ("bank_test.csv", content.as_bytes()),
        ("extra.csv", b"a,b\n"),
    ];
    let folder = folder(&tables);
    let told = Told::default();
    let config = init_config(&folder.path().display().to_string(), &told, &Interrupt::new()).unwrap();
    let data = data_of(&config);
    for (key, name) in [("train", "bank_train.csv"), ("valid", "bank-val.csv"), ("test", "bank_test.csv")] {
        assert!(data[key].as_str().unwrap().ends_with(name), "{config}");
    }
    assert!(!data.contains_key("valid_fraction"), "{config}");
    assert!(told.0.into_inner().unwrap().concat().contains("left out of the config: extra.csv"));
    let two = |name: &str| (name.to_owned(), content.clone());
    let [first, second] = [two("train_a.csv"), two("train_b.csv")];
    let parts = [(first.0.as_str(), first.1.as_bytes()), (second.0.as_str(), second.1.as_bytes())];
    refused(self::folder(&parts).path(), "2 tables of one split (train_a.csv, train_b.csv)");
    refused(
        self::folder(&[("a.csv", b"a"), ("b.csv", b"a")]).path(),
        "none is named as the training split (a.csv, b.csv)",
    );
    let alone = self::folder(&[("notes/things.csv", content.as_bytes())]);
    assert!(data_of(&init(alone.path()).unwrap())["path"].as_str().unwrap().ends_with("things.csv"));
}

#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Observer for Told {
    fn event(&self, event: &RunEvent) {
        if let RunEvent::Warning { text, .. } = event {
            self.0.lock().unwrap().push(text.clone());
        }
    }

    fn progress(&self, _: &str, _: u64, _: u64) {}
}

#[test]
fn folders_of_images_are_recognised_by_their_images() {
    let folder = tempfile::tempdir().unwrap();
    images(&folder.path().join("train"), 20);
    images(&folder.path().join("test"), 4);
    let config = init(folder.path()).unwrap();
    assert!(config.contains("54 training images of 3 classes") && config.contains("size = [24, 20]"), "{config}");
    let none = self::folder(&[("train/a/x.txt", b"no image"), ("train/b/y.txt", b"no image")]);
    refused(none.path(), "found folders (a, b), expected");
}

#[test]
fn idx_files_of_emnist_are_transposed() {
    let idx = |head: &[u8], values: &[u8]| [head, values].concat();
    let pixels: Vec<u8> = (0..=239).chain(0..=239).chain(0..=239).collect();
    let [images, labels] = [
        idx(&[0, 0, 8, 3, 0, 0, 0, 20, 0, 0, 0, 6, 0, 0, 0, 6], &pixels),
        idx(&[0, 0, 8, 1, 0, 0, 0, 20], &[0, 1].repeat(10)),
    ];
    for (prefix, is_transposed) in [("", false), ("emnist-letters-", true)] {
        let name = |split: &str, what: &str| format!("{prefix}{split}-{what}-ubyte");
        let names = [
            name("train", "images-idx3"),
            name("train", "labels-idx1"),
            name("test", "images-idx3"),
            name("test", "labels-idx1"),
        ];
        let contents = [&images, &labels, &images, &labels];
        let files: Vec<(&str, &[u8])> =
            names.iter().map(String::as_str).zip(contents.map(|bytes| &bytes[..])).collect();
        let folder = folder(&files);
        let data = data_of(&init(folder.path()).unwrap());
        assert_eq!(data.contains_key("transpose"), is_transposed);
        refused(&folder.path().join(&names[0]), "found an idx file");
    }
}

#[test]
fn matrices_are_told_from_labels_by_their_shapes() {
    let text = "a\nb\n".repeat(20);
    for names in [
        ["X_train.npy", "y_train.npy", "X_test.npy", "y_test.npy"],
        ["train.npy", "train_labels.npy", "test.npy", "test_labels.npy"],
        ["xtrain.npy", "ytrain.npy", "xtest.npy", "ytest.npy"],
        ["emb-training.npy", "targets-training.npy", "emb-testing.npy", "targets-testing.npy"],
        ["train_features.npy", "train_labels.txt", "test_features.npy", "test_labels.txt"],
    ] {
        let labels = if names[1].ends_with("txt") { text.clone().into_bytes() } else { labels() };
        let contents = [matrix(), labels.clone(), matrix(), labels];
        let files: Vec<(&str, &[u8])> = names.into_iter().zip(contents.iter().map(|bytes| &bytes[..])).collect();
        let config = init(folder(&files).path()).unwrap();
        assert!(config.contains("36 examples of 2 classes") && config.contains("views = 1"), "{config}");
    }
    refused(
        folder(&[("train.npy", &matrix())]).path(),
        "train.npy, but no labels for it, expected a file like train_labels.npy",
    );
    let without_test = [("X_train.npy", &matrix()[..]), ("y_train.npy", &labels())];
    refused(folder(&without_test).path(), "no matrix of the test split among X_train.npy, y_train.npy");
}

/// A matrix whose rows are all these numbers.
fn rows_of(n_rows: usize, row: &[f32]) -> Vec<u8> {
    let values: Vec<u8> = row.iter().flat_map(|value| value.to_le_bytes()).collect();
    npy("<f4", &format!("({n_rows}, {})", row.len()), &values.repeat(n_rows))
}

/// The config for a folder, the names of its teachers, and what was noted.
fn with_teachers(folder: &Path) -> (toml::Table, Vec<String>, Vec<String>) {
    let notes = Told::default();
    let text = init_config(&folder.display().to_string(), &notes, &Interrupt::new()).unwrap();
    let config: toml::Table = text.parse().unwrap();
    let teachers = config.get("external_teacher").and_then(|found| found.as_array()).cloned().unwrap_or_default();
    let names = teachers.iter().map(|teacher| teacher["name"].as_str().unwrap().to_owned()).collect();
    (config, names, notes.0.into_inner().unwrap())
}

#[test]
fn predictions_next_to_features_are_teachers() {
    let folder = folder(&[
        ("train.npy", &matrix()),
        ("test.npy", &matrix()),
        ("train_labels.npy", &labels()),
        ("test_labels.npy", &labels()),
    ]);
    let add = |name: &str, content: Vec<u8>| fs::write(folder.path().join(name), content).unwrap();
    let probs = || rows_of(40, &[0.75, 0.25]);
    for split in ["train", "test"] {
        add(&format!("big_{split}.npy"), probs());
        add(&format!("net-2-logits-{split}.npy"), rows_of(40, &[3.0, -1.0]));
        // no teachers: other numbers of two columns, another width, labels, other rows
        add(&format!("meta_{split}.npy"), rows_of(40, &[3.0, -1.0]));
        add(&format!("wide_{split}.npy"), rows_of(40, &[0.5, 0.25, 0.25]));
        add(&format!("onehot_{split}.npy"), rows_of(40, &[1.0, 0.0]));
        add(&format!("part_{split}.npy"), rows_of(39, &[0.75, 0.25]));
    }
    add("alone_train.npy", probs());
    let (config, names, notes) = with_teachers(folder.path());
    let path = |name: &str| folder.path().join(name).display().to_string();
    assert_eq!(config["data"]["train"].as_str(), Some(&*path("train.npy")), "not a teacher of as many columns");
    assert_eq!(names, ["big", "net_2_logits"]);
    let found = config["external_teacher"].as_array().unwrap();
    assert_eq!(found[0]["test"].as_str(), Some(&*path("big_test.npy")));
    assert!(!found[0].as_table().unwrap().contains_key("space") && found[1]["space"].as_str() == Some("logits"));
    assert!(!config.contains_key("generalist") && !config.contains_key("merge"));
    assert!(
        notes.iter().any(|note| note.contains("big_train.npy and big_test.npy: a column for each class")),
        "{notes:?}"
    );
    assert!(
        notes.iter().any(|note| note.contains("left out of the config: alone_train.npy, meta_test.npy")),
        "{notes:?}"
    );
}

#[test]
fn predictions_next_to_texts_and_images_are_teachers() {
    let texts = format!("text,label\n{}", rows(','));
    let six = [0.5_f32, 0.1, 0.1, 0.1, 0.1, 0.1];
    let tables = folder(&[
        ("train.csv", texts.as_bytes()),
        ("test.csv", texts.as_bytes()),
        ("big_train.npy", &rows_of(60, &six)),
        ("big_test.npy", &rows_of(60, &six)),
    ]);
    let photos = tempfile::tempdir().unwrap();
    images(photos.path(), 20);
    fs::write(photos.path().join("big_train.npy"), rows_of(60, &[0.5, 0.25, 0.25])).unwrap();
    for (folder, kind) in [(tables.path(), "table"), (photos.path(), "image_folder")] {
        // that the config is accepted is checked before it is written
        let (config, names, _) = with_teachers(folder);
        assert_eq!((config["data"]["kind"].as_str(), &names[..]), (Some(kind), &["big".to_owned()][..]));
        assert!(config["data"].get("augment").is_none(), "nobody predicted views");
    }
}

#[test]
fn heads_of_files_of_tensors_say_their_shapes() {
    let header = br#"{"__metadata__":{"a":"b"},"emb":{"dtype":"F32","shape":[4,3],"data_offsets":[0,48]},"y":{"dtype":"I64","shape":[4],"data_offsets":[48,80]}}"#;
    let head = [&(header.len() as u64).to_le_bytes()[..], header].concat();
    let folder = folder(&[
        ("train.safetensors", &head),
        ("bad.safetensors", &head[..30]),
        ("x.npy", b"\x93NUMPY\x01\0\xff\xff"),
    ]);
    let path = folder.path().join("train.safetensors");
    let listing = features::in_folder(folder.path(), &Listed::of(folder.path()).unwrap());
    assert!(listing.err().unwrap().to_string().contains("no matrix of the test split"));
    assert_eq!(what_is(&path).unwrap(), files::Kind::Safetensors);
}

#[test]
fn what_is_no_data_is_named_as_what_it_is() {
    let kinds: [(&str, &[u8], &str); 10] = [
        ("a.pdf", b"%PDF-1.7 ...", "a PDF document"),
        ("a.xlsx", b"PK\x03\x04....", "a zip archive"),
        ("a.h5", b"\x89HDF\r\n", "an HDF5 file"),
        ("a.npy", &matrix(), "a NumPy array"),
        ("a.png", &png(3), "an image"),
        ("a.csv", b"", "an empty file"),
        ("a.bin", b"ab\0cd", "binary data"),
        ("a.txt", b"nothing but a line of text\n", "no columns that look like texts and labels"),
        ("a.json", br#"{"text": {"0": "one text"}, "label": {"0": "b"}}"#, "orient=\"records\""),
        ("a.csv", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n", "git lfs pull"),
    ];
    for (name, content, expected) in kinds {
        refused(&folder(&[(name, content)]).path().join(name), expected);
    }
    refused(tempfile::tempdir().unwrap().path(), "found an empty folder");
    refused(folder(&[(".hidden", b"x")]).path(), "found an empty folder");
    refused(
        folder(&[("a.pdf", b"%PDF"), ("b/c.txt", b"x"), ("d/e.txt", b"x")]).path(),
        "a.pdf (a PDF document), folders (b, d)",
    );
}

#[test]
fn names_of_the_hub_and_of_nothing() {
    let named = |name: &str| init_config(name, &Silent, &Interrupt::new());
    let config = named("uoft-cs/cifar100").unwrap();
    assert_eq!(data_of(&config)["repo"].as_str(), Some("uoft-cs/cifar100"));
    Experiment::of_text(&config, "made").unwrap();
    for name in ["no-such-folder", "no-such-folder/train.parquet", "./owner/name"] {
        assert_eq!(named(name).unwrap_err().exit_code(), 2);
    }
}

#[test]
fn a_config_that_does_not_fit_its_data_is_not_written() {
    // the second line has a column more than all others
    let content = format!("text,label\n{}", rows(',').replacen("class_1", "class_1,more", 1));
    let folder = folder(&[("train.csv", content.as_bytes())]);
    let text = refused(folder.path(), "no config was written");
    assert!(text.contains("kind = \"table\"") && text.contains("3 columns in line 3"), "{text}");
}

#[test]
fn a_pipe_is_no_data() {
    let folder = tempfile::tempdir().unwrap();
    let pipe: PathBuf = folder.path().join("pipe.csv");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    refused(&pipe, "a pipe");
}
