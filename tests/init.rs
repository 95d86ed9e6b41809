//! From files as people have them to a config, a run, and answers: `init`, `predict` and `evaluate` on the real program.

mod support;

use std::process::Stdio;
use support::Scratch;

/// Texts of three classes with a delimiter; the words say the class.
fn rows(delimiter: char, n_rows: usize) -> String {
    let row = |row: usize| {
        let word = ["loka", "milo", "rumi"][row % 3];
        format!("{word} {word} kaka {row}{delimiter}kind_{}\n", row % 3)
    };
    (0..n_rows).map(row).collect()
}

const SMALL: [&str; 4] = ["--set", "generalist.training.n_epochs=2", "--set", "student.training.n_epochs=2"];

/// A folder with a trained model of texts in `runs/mine/student`.
fn trained() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("tables/train.csv", format!("\u{feff}Tweet;Emotion\n{}", rows(';', 60)));
    scratch.write("tables/test.csv", format!("Tweet;Emotion\n{}", rows(';', 12)));
    let wrote = scratch.succeed(&["init", "tables", "--out", "mine.toml"]);
    assert!(wrote.stdout.is_empty() && wrote.stderr.contains("wrote mine.toml"), "{wrote:?}");
    scratch.succeed(&["check", "mine.toml"]);
    scratch.succeed(&[&["run", "mine.toml", "-q", "--set", "student.views=1"][..], &SMALL].concat());
    scratch
}

const STUDENT: &str = "runs/mine/student";

#[test]
fn what_init_writes_runs_and_its_model_answers() {
    let scratch = trained();
    assert_eq!(scratch.text("runs/mine/student/labels.txt"), "kind_0\nkind_1\nkind_2\n");

    // whoever hands over a file means all of its rows
    scratch.write("new.csv", format!("text,label\n{}", rows(',', 9)));
    let whole = scratch.succeed(&["evaluate", STUDENT, "--data", "kind=table", "path=new.csv"]).stdout;
    assert!(whole.starts_with("new, 9 examples: all rows of new.csv\n"), "{whole}");
    assert_eq!(scratch.succeed(&["evaluate", STUDENT, "--data", "kind=table", "test=new.csv"]).stdout, whole);
    scratch.write("other.csv", format!("text,label\n{}x,kind_7\n", rows(',', 9)));
    let refused = scratch.run(&["evaluate", STUDENT, "--data", "kind=table", "path=other.csv"]);
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    assert!(refused.stderr.contains("found `kind_7`, expected labels such as `kind_0`"), "{}", refused.stderr);

    // a file of rows is read, another one is hardly a text, and a mark is no part of one
    let rows = scratch.succeed(&["predict", STUDENT, "new.csv", "--top-k", "1"]);
    assert!(rows.stdout.starts_with("loka loka kaka 0: kind_0") && rows.stdout.lines().count() == 9, "{}", rows.stdout);
    assert!(rows.stderr.contains("new.csv: the column `text` is read"), "{}", rows.stderr);
    scratch.write("new.md", "loka");
    let named = scratch.succeed(&["predict", STUDENT, "new.md", "--top-k", "1"]);
    assert!(named.stdout.starts_with("new.md: kind_"), "{}", named.stdout);
    assert!(named.stderr.contains("--lines new.md"), "{}", named.stderr);
    scratch.write("lines.txt", "loka loka\nmilo\n");
    scratch.write("marked.txt", "\u{feff}loka loka\nmilo\n");
    let lines = |file: &str| scratch.succeed(&["predict", STUDENT, "--json", "--lines", file]).stdout;
    assert_eq!(lines("lines.txt"), lines("marked.txt").replace("marked.txt", "lines.txt"));
    let mut child = scratch.command(&["predict", STUDENT, "--top-k", "1"]).stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"a\x1b[2Jb\n\n").unwrap();
    let piped = support::limit::wait_with_output(child);
    let (stdout, stderr) = (String::from_utf8_lossy(&piped.stdout), String::from_utf8_lossy(&piped.stderr));
    assert!(stdout.starts_with("a\\u{1b}[2Jb: kind_"), "{stdout}");
    assert!(stderr.contains("note: 1 of 2 inputs are empty and have no answer"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn endless_input_ends() {
    let scratch = trained();
    let refused = scratch.run(&["predict", STUDENT, "--lines", "/dev/zero"]);
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    assert!(refused.stderr.contains("line 1 of more than 16 MiB"), "{}", refused.stderr);
}

#[test]
fn a_name_stays_in_its_string() {
    for name in ["cafe\u{301}", "x\nname = \"other\"\n#"] {
        let scratch = Scratch::new();
        scratch.write(&format!("{name}/train.csv"), format!("text,label\n{}", rows(',', 60)));
        scratch.succeed(&["init", name, "--out", "mine.toml"]);
        scratch.succeed(&["check", "mine.toml"]);
        assert!(!scratch.text("mine.toml").contains("\nname = "), "{}", scratch.text("mine.toml"));
    }
}

#[test]
fn a_refused_source_leaves_no_file() {
    let scratch = Scratch::new();
    scratch.write("a.csv", format!("text,label\n{}", rows(',', 60).replacen("kind_1", "kind_1,x", 1)));
    scratch.write("a.pdf", "%PDF-1.7");
    for (source, expected) in
        [("a.csv", "3 columns in line 3"), ("a.pdf", "a PDF document"), ("b/c.csv", "no such folder")]
    {
        let refused = scratch.run(&["init", source, "--out", "mine.toml"]);
        assert!(matches!(refused.code, Some(2 | 3)) && refused.stderr.contains(expected), "{refused:?}");
        assert!(!scratch.path("mine.toml").exists());
    }
}

#[test]
fn messages_are_short_whatever_they_quote() {
    let scratch = Scratch::new();
    let label = "\u{1b}[31mlong".repeat(100_000);
    scratch.write("train.csv", format!("text,label\n{}", rows(',', 60)));
    scratch.write("test.csv", format!("text,label\nx,{label}\n"));
    let refused = scratch.run(&["init", "."]);
    assert_eq!(refused.code, Some(3));
    assert!(refused.stderr.len() < 10_000 && !refused.stderr.contains('\u{1b}'), "{}", refused.stderr.len());
}
