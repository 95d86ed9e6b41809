//! `stillhouse merge`: predictions in files, against a slow implementation that knows nothing of groups or duals.

mod support;

use support::Scratch;
use support::matrices::{Draw, npy, npy_header, read_npy, softmax};

fn safetensors(rows: &[Vec<f64>]) -> Vec<u8> {
    let data: Vec<u8> = rows.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
    let header = format!(
        r#"{{"predictions":{{"dtype":"F64","shape":[{},{}],"data_offsets":[0,{}]}}}}"#,
        rows.len(),
        rows[0].len(),
        data.len()
    );
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
}

/// What a teacher knows; `classes` is empty for all.
struct Teacher {
    classes: Vec<usize>,
    has_dustbin: bool,
    weight: f64,
    rows: Vec<Vec<f64>>,
}

/// Minimises `sum_m w_m KL(p_m || q as m sees it)` by splitting dustbins and taking tangents, on single classes.
fn slow_merge(teachers: &[Teacher], row: usize, n_classes: usize) -> Vec<f64> {
    let mut q = vec![1.0 / n_classes as f64; n_classes];
    for _ in 0..200_000 {
        let mut named = vec![0.0; n_classes];
        let mut divisor = vec![0.0; n_classes];
        for teacher in teachers {
            let (probs, weight) = (&teacher.rows[row], teacher.weight);
            let knows = |class: usize| teacher.classes.is_empty() || teacher.classes.contains(&class);
            let inside: f64 = (0..n_classes).filter(|class| knows(*class)).map(|class| q[class]).sum();
            let columns: Vec<usize> =
                if teacher.classes.is_empty() { (0..n_classes).collect() } else { teacher.classes.clone() };
            columns.iter().zip(probs).for_each(|(class, prob)| named[*class] += weight * prob);
            for class in 0..n_classes {
                match (knows(class), teacher.has_dustbin || teacher.classes.is_empty()) {
                    (false, true) => {
                        named[class] += weight * probs.last().unwrap() * q[class] / (1.0 - inside);
                        divisor[class] += weight;
                    }
                    (true, true) => divisor[class] += weight,
                    (true, false) => divisor[class] += weight / inside,
                    (false, false) => {}
                }
            }
        }
        let mut next: Vec<f64> = named.iter().zip(&divisor).map(|(named, divisor)| named / divisor).collect();
        let total: f64 = next.iter().sum();
        next.iter_mut().for_each(|prob| *prob /= total);
        let moved = next.iter().zip(&q).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        q = next;
        if moved < 1e-15 {
            break;
        }
    }
    q
}

/// Teachers of one dataset, their files and the TOML that names them.
fn random_teachers(draw: &mut Draw, n_rows: usize, scratch: &Scratch) -> (Vec<Teacher>, usize) {
    let n_classes = 4 + draw.below(20);
    let mut toml = String::new();
    let mut teachers = Vec::new();
    // with dustbins and conditional teachers together there may be several minima
    let has_dustbin = draw.unit() < 0.6;
    for index in 0..2 + draw.below(6) {
        let mut classes: Vec<usize> = Vec::new();
        if index > 0 {
            let n_own = 2 + draw.below(n_classes - 3);
            while classes.len() < n_own {
                let class = draw.below(n_classes);
                if !classes.contains(&class) {
                    classes.push(class);
                }
            }
        }
        let has_dustbin = has_dustbin && index > 0;
        let n_columns = if index == 0 { n_classes } else { classes.len() + usize::from(has_dustbin) };
        let mut logits: Vec<Vec<f64>> = (0..n_rows).map(|_| draw.logits(n_columns)).collect();
        let bias = if has_dustbin { draw.unit() } else { 0.0 };
        let kind = draw.below(3);
        let (space, written): (_, Vec<Vec<f64>>) = match kind {
            0 => ("probs", logits.iter().map(|row| softmax(row)).collect()),
            1 => ("log_probs", logits.iter().map(|row| softmax(row).iter().map(|prob| prob.ln()).collect()).collect()),
            _ => ("logits", logits.clone()),
        };
        if has_dustbin {
            logits.iter_mut().for_each(|row| *row.last_mut().unwrap() += bias);
        }
        let (name, bytes) = match draw.below(2) {
            0 => (format!("t{index}.npy"), npy(&written)),
            _ => (format!("t{index}.safetensors"), safetensors(&written)),
        };
        scratch.write(&name, bytes);
        let weight = 0.5 + draw.unit();
        toml += &format!("[[teacher]]\npredictions = \"{name}\"\nspace = \"{space}\"\nweight = {weight}\n");
        if index > 0 && draw.unit() < 0.5 {
            let lines: Vec<String> = classes.iter().map(usize::to_string).collect();
            scratch.write(&format!("t{index}.txt"), lines.join("\n"));
            toml += &format!("classes = \"t{index}.txt\"\n");
        } else if index > 0 {
            toml += &format!("classes = {classes:?}\n");
        }
        toml += &format!("dustbin = {has_dustbin}\ndustbin_bias = {bias}\n");
        teachers.push(Teacher { classes, has_dustbin, weight, rows: logits.iter().map(|row| softmax(row)).collect() });
    }
    scratch.write("teachers.toml", toml);
    (teachers, n_classes)
}

#[test]
fn a_thousand_random_cases_agree_with_a_slow_implementation() {
    const N_ROWS: usize = 25;
    let scratch = Scratch::new();
    let mut draw = Draw(7);
    for _ in 0..40 {
        let (teachers, n_classes) = random_teachers(&mut draw, N_ROWS, &scratch);
        scratch.succeed(&["merge", "teachers.toml", "--out", "merged.npy", "-q"]);
        let merged = read_npy(&scratch.bytes("merged.npy"));
        assert_eq!(merged.len(), N_ROWS * n_classes);
        for row in 0..N_ROWS {
            let expected = slow_merge(&teachers, row, n_classes);
            for (class, (found, expected)) in merged[row * n_classes..].iter().zip(expected).enumerate() {
                assert!((found - expected).abs() < 1e-8, "row {row}, class {class}: {found} {expected}");
            }
        }
    }
}

#[test]
fn rules_gates_and_formats() {
    let scratch = Scratch::new();
    scratch.write("g.npy", npy(&[vec![0.3, 0.3, 0.3, 0.1], vec![0.1, 0.1, 0.1, 0.7]]));
    scratch.write("s.npy", npy(&[vec![0.5, 0.1, 0.4], vec![0.3, 0.1, 0.6]]));
    let toml = "[[teacher]]\npredictions = \"g.npy\"\n[[teacher]]\npredictions = \"s.npy\"\nclasses = [1, 0]\ndustbin = true\n";
    scratch.write("teachers.toml", toml);
    let merge = |options: &[&str]| {
        scratch.succeed(&[&["merge", "teachers.toml", "--out", "deep/merged.npy"], options].concat());
        read_npy(&scratch.bytes("deep/merged.npy"))
    };
    let close = |found: &[f64], expected: &[f64]| found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12);
    // the columns of s.npy are classes 1 and 0
    assert!(close(&merge(&[])[..4], &[0.2, 0.4, 0.3, 0.1]));
    assert!(close(&merge(&["--rule", "em_step"])[..4], &[0.2, 0.4, 0.3, 0.1]));
    // the second row's most probable class is not the specialist's
    assert!(close(&merge(&["--gate", "top_n:1"])[4..], &[0.1, 0.1, 0.1, 0.7]));
    assert!(!close(&merge(&[])[4..], &[0.1, 0.1, 0.1, 0.7]));
    let mean = merge(&["--rule", "arithmetic_mean"]);
    assert!(close(&mean[..4], &[0.2, 0.4, 0.3, 0.1]), "{mean:?}");
    let printed = scratch.succeed(&["merge", "teachers.toml", "--out", "store", "--format", "store", "--json"]).stdout;
    let outcome: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((&outcome["n_examples"], &outcome["n_classes"]), (&2.into(), &4.into()));
    assert!(scratch.bytes("store").len() > 32);
    for (words, why) in [
        (&["merge", "teachers.toml"][..], "--out"),
        (&["merge", "teachers.toml", "--out", "a.npy", "--gate", "top_n:0"], "top_n:N"),
        (&["merge", "nothing.toml", "--out", "a.npy"], "cannot be read"),
    ] {
        let finished = scratch.run(words);
        assert_eq!(finished.code, Some(2), "{}", finished.stderr);
        assert!(finished.stderr.contains(why), "{}", finished.stderr);
    }
}

#[test]
fn bad_teacher_files_are_named_with_row_and_cause() {
    let scratch = Scratch::new();
    let good = vec![0.25; 4];
    scratch.write("g.npy", npy(&[good.clone(), good.clone(), good.clone()]));
    let merge = |specialist: &str, bytes: Vec<u8>| {
        scratch.write("s.npy", bytes);
        let generalist = "[[teacher]]\npredictions = \"g.npy\"\n";
        scratch.write("teachers.toml", format!("{generalist}[[teacher]]\npredictions = \"s.npy\"\n{specialist}\n"));
        let finished = scratch.run(&["merge", "teachers.toml", "--out", "merged.npy"]);
        assert!(!scratch.path("merged.npy").exists(), "half a file");
        finished
    };
    let three = |row: &[f64]| npy(&[vec![0.5, 0.3, 0.2], vec![0.5, 0.3, 0.2], row.to_vec()]);
    let own = "classes = [0, 2]\ndustbin = true";
    let cut = three(&[0.5, 0.3, 0.2]);
    let cases = [
        (own, three(&[0.5, -0.1, 0.6]), vec!["row 2", "-0.1", "column 1"]),
        (own, three(&[0.5, 0.5, 0.6]), vec!["row 2", "sum to 1.6", "a class may be missing"]),
        (own, three(&[0.5, f64::NAN, 0.6]), vec!["row 2", "NaN"]),
        (own, npy(&[vec![0.5, 0.3, 0.2], vec![0.5, 0.3, 0.2]]), vec!["2 rows", "expected 3", "g.npy"]),
        (own, cut[..cut.len() - 5].to_vec(), vec!["3 x 3 values", "67 bytes", "cut off"]),
        (own, b"not numpy".to_vec(), vec!["a text file", "numpy.save"]),
        (own, npy_header("<c16", "(3, 3)"), vec!["complex", "numbers"]),
        ("classes = [0, 4]\ndustbin = true", three(&[0.5, 0.3, 0.2]), vec!["number 4", "at most 3"]),
        ("classes = [2, 2]\ndustbin = true", three(&[0.5, 0.3, 0.2]), vec!["class 2 is listed twice"]),
        ("classes = [0, 2]", three(&[0.5, 0.3, 0.2]), vec!["3 columns", "expected 2", "dustbin = true"]),
        ("", three(&[0.5, 0.3, 0.2]), vec!["3 columns", "expected 4"]),
        (
            "classes = [0, 2]\ndustbin = true\nspace = \"logits\"",
            three(&[0.5, f64::INFINITY, 0.2]),
            vec!["row 2", "inf"],
        ),
    ];
    for (specialist, bytes, parts) in cases {
        let finished = merge(specialist, bytes);
        assert_eq!(finished.code, Some(3), "{specialist}: {}", finished.stderr);
        assert!(finished.stderr.contains("s.npy"), "{}", finished.stderr);
        for part in parts {
            assert!(finished.stderr.contains(part), "{part} is missing in: {}", finished.stderr);
        }
    }
    let finished = merge("classes = \"missing.txt\"", three(&[0.5, 0.3, 0.2]));
    assert_eq!(finished.code, Some(3));
    assert!(finished.stderr.contains("missing.txt"), "{}", finished.stderr);
    let finished = merge("clases = [0, 1]", three(&[0.5, 0.3, 0.2]));
    assert_eq!(finished.code, Some(2));
    assert!(finished.stderr.contains("clases"), "{}", finished.stderr);
}

#[test]
fn conditional_teachers_need_no_generalist_but_common_classes() {
    let scratch = Scratch::new();
    scratch.write("a.npy", npy(&[vec![0.75, 0.25]]));
    scratch.write("b.npy", npy(&[vec![0.5, 0.5]]));
    let toml = |second: &str| {
        format!(
            "[[teacher]]\npredictions = \"a.npy\"\nclasses = [0, 1]\n[[teacher]]\npredictions = \"b.npy\"\nclasses = {second}\n"
        )
    };
    scratch.write("teachers.toml", toml("[1, 2]"));
    scratch.succeed(&["merge", "teachers.toml", "--out", "merged.npy"]);
    let merged = read_npy(&scratch.bytes("merged.npy"));
    assert!(merged.iter().zip([0.6, 0.2, 0.2]).all(|(a, b)| (a - b).abs() < 1e-12), "{merged:?}");
    scratch.write("teachers.toml", toml("[2, 3]"));
    let finished = scratch.run(&["merge", "teachers.toml", "--out", "merged.npy"]);
    assert_eq!(finished.code, Some(3));
    assert!(finished.stderr.contains("2 parts") && finished.stderr.contains("hint"), "{}", finished.stderr);
}
