//! `stillhouse cluster`: classes that a model of any program confuses.

mod support;

use serde_json::Value as Json;
use support::Scratch;
use support::matrices::{Draw, npy, softmax};

/// Classes of one group are confused with each other: class c is in group c % 3.
const N_CLASSES: usize = 9;

/// Logits `[N, C]` and labels of a model that knows the group and guesses inside it.
fn predictions() -> (Vec<Vec<f64>>, Vec<usize>) {
    let mut draw = Draw(1);
    let labels: Vec<usize> = (0..180).map(|row| row % N_CLASSES).collect();
    let logit = |label: usize, class: usize| if class % 3 == label % 3 { 4.0 } else { 0.0 };
    let row = |label: &usize| {
        let noise = draw.logits(N_CLASSES);
        (0..N_CLASSES).map(|class| logit(*label, class) + 0.3 * noise[class]).collect()
    };
    (labels.iter().map(row).collect(), labels)
}

fn scratch() -> Scratch {
    let (logits, labels) = predictions();
    let scratch = Scratch::new();
    scratch.write("logits.npy", npy(&logits));
    scratch.write("probs.npy", npy(&logits.iter().map(|row| softmax(row)).collect::<Vec<_>>()));
    scratch.write("labels.txt", labels.iter().map(|label| format!("{label}\n")).collect::<String>());
    scratch
}

fn words<'a>(predictions: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["cluster", predictions, "--labels", "labels.txt"], more].concat()
}

#[test]
fn confused_classes_share_a_cluster() {
    let scratch = scratch();
    for method in ["k_means", "online_k_means", "spectral", "agglomerative"] {
        let out = ["--n-clusters", "3", "--method", method, "--out", "clusters.json"];
        let told = scratch.succeed(&words("probs.npy", &out)).stdout;
        let found = scratch.json("clusters.json");
        assert_eq!(found["clusters"], serde_json::json!([[0, 3, 6], [1, 4, 7], [2, 5, 8]]), "{method}");
        // every error is inside a cluster, so perfect specialists would make none
        let diagnosis = &found["diagnosis"];
        assert_eq!(diagnosis["errors_inside"], 1.0, "{method}");
        let errors = 1.0 - diagnosis["generalist_top1"].as_f64().unwrap();
        assert!(errors > 0.3 && (diagnosis["oracle_gain"].as_f64().unwrap() - errors).abs() < 1e-12, "{diagnosis}");
        assert!(told.contains("100 % of the generalist's errors stay inside clusters"), "{told}");
    }
    let of_logits = words("logits.npy", &["--space", "logits", "--max-classes", "3", "--json"]);
    let of_logits: Json = serde_json::from_str(&scratch.succeed(&of_logits).stdout).unwrap();
    assert_eq!(of_logits["clusters"], scratch.json("clusters.json")["clusters"]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let scratch = scratch();
    let refused = |words: &[&str], code: i32, expected: &str| {
        let finished = scratch.run(words);
        assert_eq!(finished.code, Some(code), "{words:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(expected), "{expected}: {}", finished.stderr);
    };
    refused(&words("probs.npy", &["--n-clusters", "20"]), 2, "20 clusters of 9 classes");
    refused(&words("probs.npy", &["--n-clusters", "3", "--method", "kmeans"]), 2, "unknown variant `kmeans`");
    refused(&words("logits.npy", &["--n-clusters", "3"]), 3, "logits.npy: row 0");
    refused(&words("probs.npy", &["--n-clusters", "3", "--out", "labels.txt"]), 2, "labels.txt");
    scratch.write("labels.txt", "0\n1\n");
    refused(&words("probs.npy", &["--n-clusters", "3"]), 3, "found 180 rows, expected 2, one for each label");
    scratch.write("labels.txt", "0\n9\n");
    refused(&words("probs.npy", &["--n-clusters", "3"]), 3, "class 9 in line 2, expected class numbers from 0 to 8");
    scratch.write("labels.txt", "cat\ndog\n");
    refused(
        &words("probs.npy", &["--n-clusters", "3"]),
        3,
        "labels that are names, expected class numbers from 0 to 8",
    );
}
