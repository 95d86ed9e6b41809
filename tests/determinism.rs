//! The same bits for any number of threads and any order of the parallel jobs.

mod support;

use support::{Scratch, without_times};

#[test]
fn threads_and_the_order_of_jobs_change_no_bit() {
    let scratch = Scratch::with_tiny_config();
    let ways: [&[&str]; 5] = [
        &["--threads", "1", "--out", "one"],
        &["--threads", "2", "--out", "two"],
        &["--threads", "2", "--reverse-jobs", "--out", "reversed"],
        &["--threads", "5", "--out", "five"],
        // one training at a time, with all threads
        &["--threads", "3", "--memory", "1MB", "--out", "narrow"],
    ];
    for way in ways {
        scratch.succeed(&[&["run", "tiny.toml"], way].concat());
    }
    for out in ["two", "reversed", "five", "narrow"] {
        for file in ["model.safetensors", "config.json", "labels.txt"] {
            let bytes = |out: &str| scratch.bytes(&format!("{out}/student/{file}"));
            assert!(bytes(out) == bytes("one"), "{out}/student/{file} differs");
        }
        let report = |out: &str| without_times(scratch.json(&format!("{out}/report.json")));
        assert_eq!(report(out), report("one"), "{out}");
    }
}

#[test]
fn another_seed_gives_another_student() {
    let scratch = Scratch::with_tiny_config();
    for seed in ["0", "1"] {
        scratch.succeed(&["run", "tiny.toml", "--out", seed, "--set", &format!("seed={seed}")]);
    }
    assert!(scratch.bytes("0/student/model.safetensors") != scratch.bytes("1/student/model.safetensors"));
}

#[test]
fn augmented_views_do_not_depend_on_threads() {
    let scratch = Scratch::with_tiny_config();
    for threads in ["1", "3"] {
        let augment = "data.augment={kind=\"shift\", max_pixels=2}";
        scratch.succeed(&["run", "tiny.toml", "--out", threads, "--threads", threads, "--set", augment]);
    }
    assert!(scratch.bytes("1/student/model.safetensors") == scratch.bytes("3/student/model.safetensors"));
}

#[test]
fn targets_in_passing_do_not_depend_on_threads() {
    let scratch = Scratch::with_tiny_config();
    for threads in ["1", "3"] {
        let sets = ["data.augment={kind=\"shift\", max_pixels=2}", "student.views=3", "soft_targets.keep=one_view"];
        let sets = sets.iter().flat_map(|text| ["--set", text]);
        let words = ["run", "tiny.toml", "--out", threads, "--threads", threads];
        scratch.succeed(&words.into_iter().chain(sets).collect::<Vec<_>>());
    }
    assert!(scratch.bytes("1/student/model.safetensors") == scratch.bytes("3/student/model.safetensors"));
}
