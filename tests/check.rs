//! `check` refuses what `run` refuses, as far as it is known without training, in the same words.

mod support;

use support::matrices::npy_header;
use support::{Finished, Scratch, repository};

/// The lines of a refusal that name a key.
fn problems(finished: &Finished) -> Vec<&str> {
    assert_eq!(finished.code, Some(2), "{}{}", finished.stdout, finished.stderr);
    let lines = finished.stderr.lines().skip(1);
    // what belongs to a problem stands further to the right: its line of the file, its hint
    lines.filter(|line| line.starts_with("  ") && !line.starts_with("   ")).map(str::trim).collect()
}

fn check(scratch: &Scratch, sets: &[&str]) -> Finished {
    let sets = sets.iter().flat_map(|set| ["--set", set]);
    scratch.run(&["check", "tiny.toml"].into_iter().chain(sets).collect::<Vec<_>>())
}

#[test]
fn check_and_run_refuse_the_same_for_the_same_reason() {
    let scratch = Scratch::with_tiny_config();
    scratch.write("superclasses.tsv", "no such class\tanimals\n");
    let refused = [
        (&["clustering.method.n_clusters=100000"][..], "clustering.method.n_clusters: 100000 clusters of 12 classes"),
        (&["clustering.max_classes=3"], "clustering.max_classes: 3 clusters of at most 3 classes"),
        (&["data.valid_fraction=0.0"], "data.valid_fraction: must be above 0 and below 1, found 0"),
        (
            &["clustering.method={ kind = \"hierarchy\", path = \"superclasses.tsv\" }"],
            "clustering.method.path: superclasses.tsv: line 1",
        ),
        (
            &["clustering.method={ kind = \"hierarchy\", path = \"absent.tsv\" }"],
            "clustering.method.path: absent.tsv cannot be read",
        ),
        (
            &["student.model={ kind = \"ngram_bag\", n_buckets = 64, width = 4, ngrams = { characters = [1, 2] } }"],
            "student.model.kind: \"ngram_bag\" needs texts, the data has images",
        ),
        (&["generalist.model={ kind = \"resnet\", depth = 9 }"], "generalist.model.depth: must be 6n + 2"),
        (
            &["specialists.training.imbalance={ kind = \"class_weights\" }"],
            "specialists.training.imbalance: specialists draw half of their examples from their own classes",
        ),
        (
            &["generalist.training.imbalance={ kind = \"balanced_sampling\" }"],
            "generalist.training.imbalance: the generalist's odds would be others than those of the specialists",
        ),
        (
            &["specialists.head=full_softmax", "specialists.training.label_smoothing=0.1"],
            "specialists.training.label_smoothing: a full_softmax head learns from soft targets too",
        ),
    ];
    for (sets, expected) in refused {
        let checked = check(&scratch, sets);
        assert!(problems(&checked).iter().any(|line| line.starts_with(expected)), "{expected}: {}", checked.stderr);
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        let run = scratch.run(&["run", "tiny.toml"].into_iter().chain(sets).collect::<Vec<_>>());
        assert_eq!(problems(&run), problems(&checked), "{}", run.stderr);
        assert!(!scratch.path("runs/tiny/stages").exists(), "a stage was begun");
    }
}

#[test]
fn all_problems_come_at_once_those_of_the_data_among_them() {
    let scratch = Scratch::with_tiny_config();
    let sets = [
        "generalist.model={ kind = \"resnet\", depth = 9 }",
        "clustering.method.n_clusters=13",
        "student.views=2000000",
    ];
    let refused = check(&scratch, &sets);
    let keys: Vec<&str> = problems(&refused).iter().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(keys, ["student.views", "generalist.model.depth", "clustering.method.n_clusters"], "{}", refused.stderr);
}

#[test]
fn numbers_beyond_any_use_are_refused_and_not_counted_with() {
    let scratch = Scratch::with_tiny_config();
    let huge = i64::MAX.to_string();
    let keys = [
        ("generalist.n_models", "1000000000"),
        ("specialists.training.n_epochs", &huge),
        ("student.training.batch_size", &huge),
        ("student.views", "4294967295"),
        ("clustering.coverage", &huge),
        ("clustering.method.n_clusters", &huge),
    ];
    for (key, value) in keys {
        for command in ["check", "plan"] {
            let refused = scratch.run(&[command, "tiny.toml", "--set", &format!("{key}={value}")]);
            assert!(problems(&refused).iter().any(|line| line.starts_with(key)), "{command} {key}: {}", refused.stderr);
        }
    }
}

#[test]
fn headers_tell_classes_and_shapes() {
    let scratch = Scratch::with_tiny_config();
    let idx = |magic: u8, dims: &[u32], values: &[u8]| {
        let dims = dims.iter().flat_map(|dim| dim.to_be_bytes());
        [0, 0, 8, magic].into_iter().chain(dims).chain(values.iter().copied()).collect::<Vec<u8>>()
    };
    let labels: Vec<u8> = (0..20).map(|index| index % 5).collect();
    scratch.write("idx/train-images-idx3-ubyte", idx(3, &[20, 4, 6], &[7; 20 * 24]));
    scratch.write("idx/train-labels-idx1-ubyte", idx(1, &[20], &labels));
    for class in ["cat", "dog", "fox", "owl", "yak"] {
        let path = scratch.write(&format!("pets/train/{class}/0.png"), "");
        image::RgbImage::new(6, 4).save(path).unwrap();
    }
    let column: Vec<u8> = (0..20_i64).flat_map(|index| (index % 5).to_le_bytes()).collect();
    for split in ["train", "test"] {
        // the values are not looked at, but all of them are there
        scratch.write(&format!("{split}.npy"), [npy_header("<f4", "(20, 3)"), vec![0xff; 20 * 3 * 4]].concat());
        scratch.write(&format!("{split}_labels.npy"), [npy_header("<i8", "(20,)"), column.clone()].concat());
    }
    let files = "train = \"train.npy\", train_labels = \"train_labels.npy\", test = \"test.npy\", \
                 test_labels = \"test_labels.npy\"";
    let kinds = [
        ("data={ kind = \"idx\", path = \"idx\" }".to_owned(), "the data has images"),
        ("data={ kind = \"image_folder\", path = \"pets\" }".to_owned(), "the data has images"),
        (format!("data={{ kind = \"features\", {files} }}"), "the data has 3 features per example"),
    ];
    for (data, input) in kinds {
        let good = check(&scratch, &[&data, "clustering.method.n_clusters=2"]);
        assert_eq!((good.code, good.stderr.as_str()), (Some(0), ""), "{data}");
        let refused = check(
            &scratch,
            &[
                &data,
                "clustering.method.n_clusters=6",
                "student.model={ kind = \"ngram_bag\", n_buckets = 64, width = 4, ngrams = { characters = [1, 2] } }",
            ],
        );
        let found = problems(&refused);
        assert_eq!(found.len(), 2, "{data}: {}", refused.stderr);
        assert!(found[0].starts_with("student.model.kind: ") && found[0].contains(input), "{data}: {}", found[0]);
        assert_eq!(found[1], "clustering.method.n_clusters: 6 clusters of 5 classes", "{data}");
    }
    scratch.write("idx/train-images-idx3-ubyte", b"PNG, by mistake");
    let damaged = check(&scratch, &["data={ kind = \"idx\", path = \"idx\" }"]);
    assert!(problems(&damaged)[0].starts_with("data: idx/train-images-idx3-ubyte: found magic number"), "{damaged:?}");
}

#[test]
fn what_is_not_there_is_noted_and_the_rest_is_checked() {
    let scratch = Scratch::with_tiny_config();
    let absent = "data={ kind = \"idx\", path = \"no/such/folder\" }";
    let noted = check(&scratch, &[absent, "clustering.method.n_clusters=100000"]);
    assert_eq!(noted.code, Some(0), "{}", noted.stderr);
    assert!(noted.stderr.contains("note: data: no/such/folder is not there"), "{}", noted.stderr);
    let refused = check(&scratch, &[absent, "student.model={ kind = \"convnet\", widths = [] }"]);
    assert!(problems(&refused)[0].starts_with("student.model.widths: must list"), "{}", refused.stderr);
    let table = "data={ kind = \"table\", text = \"t\", label = \"l\", path = \"no.csv\" }";
    let misfit = check(&scratch, &[table]);
    assert_eq!(problems(&misfit).len(), 2, "{}", misfit.stderr);
    assert!(
        misfit.stderr.contains("student.model.kind: \"mlp\" needs numbers, the data has texts"),
        "{}",
        misfit.stderr
    );
}

#[test]
fn tables_inside_the_program_are_there() {
    let scratch = Scratch::new();
    scratch.write("quick.toml", std::fs::read(repository().join("configs/quickstart.toml")).unwrap());
    let checked = scratch.succeed(&["check", "quick.toml"]);
    assert!(!checked.stderr.contains("is not there"), "{}", checked.stderr);
    let misspelt = scratch.run(&["check", "quick.toml", "--set", "data.test=\"builtin:languages/tests.tsv\""]);
    assert!(problems(&misspelt)[0].contains("or builtin:languages/test.tsv"), "{}", misspelt.stderr);
}

#[test]
fn a_problem_shows_its_line_or_its_set() {
    let scratch = Scratch::with_tiny_config();
    let tiny = scratch.text("tiny.toml");
    let n_lines = tiny.lines().count();
    scratch.write("mine.toml", format!("{tiny}\n[export]\nto = [\"html\"]\nbits = 9 # odd\ntitel = \"x\"\n"));
    let refused = scratch.run(&["check", "mine.toml", "--set", "student.training.lr=0.1"]);
    let (bits, titel) = (n_lines + 4, n_lines + 5);
    let expected = [
        format!("    at mine.toml:{bits}:8\n    {bits} | bits = 9 # odd\n       |        ^\n"),
        format!(
            "    at mine.toml:{titel}:1\n    {titel} | titel = \"x\"\n       | ^^^^^\n    hint: did you mean `title`?\n"
        ),
        "    from --set student.training.lr=0.1\n    hint: `lr` is called `peak_learning_rate`".to_owned(),
    ];
    for part in expected {
        assert!(refused.stderr.contains(&part), "{part}\n{}", refused.stderr);
    }
    assert_eq!(problems(&refused).len(), 3, "{}", refused.stderr);
    let json = scratch.run(&["check", "mine.toml", "--json", "--set", "student.training.lr=0.1"]).stdout;
    assert!(
        json.contains(&format!("\"line\": {bits}")) && json.contains("\"set\": \"student.training.lr=0.1\""),
        "{json}"
    );
}

#[test]
fn a_key_is_described() {
    let scratch = Scratch::new();
    let described = scratch.succeed(&["config", "student.training.n_epochs"]).stdout;
    for part in
        ["a whole number, between 1 and 1000000", "none, it must be given", "[student.training]\n    n_epochs = 30"]
    {
        assert!(described.contains(part), "{part}: {described}");
    }
    assert!(scratch.succeed(&["config"]).stdout.contains("student *"));
    let wrong = scratch.run(&["config", "student.n_epochs"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("hint: `n_epochs` stands in `student.training`"), "{}", wrong.stderr);
}
