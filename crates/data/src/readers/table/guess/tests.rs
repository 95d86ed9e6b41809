use super::*;
use flate2::write::GzEncoder;
use std::fmt::Write as _;
use std::io::Write as _;

fn guess(name: &str, content: impl AsRef<[u8]>) -> Result<TableGuess, DataError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    guess_table(&path, &[])
}

fn columns(name: &str, content: impl AsRef<[u8]>) -> (String, String, bool) {
    let found = guess(name, content).unwrap();
    (found.text, found.label, found.has_names)
}

fn expected(text: &str, label: &str, has_names: bool) -> (String, String, bool) {
    (text.to_owned(), label.to_owned(), has_names)
}

/// Rows of six classes with a delimiter, a text each of several words.
fn rows(delimiter: char) -> String {
    (0..30).fold(String::new(), |mut rows, row| {
        writeln!(rows, "words number {row} of a text{delimiter}class_{}", row % 6).unwrap();
        rows
    })
}

#[test]
fn names_and_contents_tell_the_columns() {
    assert_eq!(columns("a.csv", "id,text,category\n1,hello you,x\n2,bye,y\n"), expected("text", "category", true));
    let tsv = "de\t1\tguten Tag allerseits\nfr\t1\tau revoir\nen\t2\tgood day to you\nde\t2\tauf Wiedersehen\n";
    assert_eq!(columns("a.tsv", tsv), expected("3", "1", false));
    let parts = "id,tweet_text,fine_label\n1,hello you,x\n2,bye bye,y\n";
    assert_eq!(columns("a.csv", parts), expected("tweet_text", "fine_label", true));
    let both = "text,label,label_text\nhello you,0,greeting\nbye bye,1,parting\n";
    assert_eq!(columns("a.csv", both), expected("text", "label", true));
}

#[test]
fn a_first_line_whose_label_occurs_nowhere_else_is_a_header() {
    let named = format!("Tweet,Emotion\n{}", rows(','));
    assert_eq!(columns("a.csv", &named), expected("Tweet", "Emotion", true));
    assert_eq!(columns("a.csv", rows(',')), expected("1", "2", false));
    // a usual word that is a label
    let labelled = rows(',').replace("class_0", "question");
    assert_eq!(columns("a.csv", labelled), expected("1", "2", false));
    // where many labels occur once, a first one that does says nothing, but another file with the same first line does
    let single: String = (0..40).map(|row| format!("some text {row},label {}\n", row % 25)).collect();
    let single = format!("Words,Sense\n{single}");
    assert_eq!(columns("a.csv", &single), expected("1", "2", false));
    let folder = tempfile::tempdir().unwrap();
    let paths = ["train.csv", "test.csv"].map(|name| folder.path().join(name));
    paths.iter().for_each(|path| std::fs::write(path, &single).unwrap());
    assert!(guess_table(&paths[0], &paths).unwrap().has_names);
    // a label of the other file is a label
    std::fs::write(&paths[0], format!("first text,rare\n{}", rows(','))).unwrap();
    std::fs::write(&paths[1], format!("{}last text,rare\n", rows(','))).unwrap();
    assert!(!guess_table(&paths[0], &paths).unwrap().has_names);
}

#[test]
fn the_delimiter_is_recognised() {
    for (name, delimiter, found) in [
        ("a.csv", ',', None),
        ("a.csv", ';', Some(';')),
        ("a.csv", '\t', Some('\t')),
        ("a.csv", '|', Some('|')),
        ("a.tsv", '\t', None),
        ("a.tsv", ',', Some(',')),
        ("a.txt", '\t', Some('\t')),
        ("SMSCollection", '\t', Some('\t')),
    ] {
        let content = format!("text{delimiter}label\n{}", rows(delimiter));
        let guess = guess(name, content).unwrap();
        assert_eq!((guess.delimiter, guess.quotes), (found, None), "{name} {delimiter}");
        assert_eq!((&guess.text[..], &guess.label[..]), ("text", "label"));
    }
}

#[test]
fn quotation_marks_are_part_of_the_format_where_that_makes_rows_whole() {
    let several_lines =
        rows(',').replace("words number 3 ", "\"words\nnumber, 3\" ").replace("\" of a text", " of a text\"");
    assert_eq!(guess("a.csv", format!("text,label\n{several_lines}")).unwrap().quotes, None);
    // two texts that begin with a mark swallow what is between them
    let unclosed =
        rows(',').replace("words number 3 ", "\"words number 3 ").replace("words number 20 ", "\"words number 20 ");
    assert_eq!(guess("a.csv", format!("text,label\n{unclosed}")).unwrap().quotes, Some(false));
    let in_lines = rows('\t').replace("words number 0 ", "\"words\nnumber 0 ").replace("0 of a text", "0 of a text\"");
    assert_eq!(guess("a.tsv", format!("text\tlabel\n{in_lines}")).unwrap().quotes, Some(true));
    let half = rows('\t').replace("class_0\n", "\"class_0\"\n").replacen("\"class_0\"", "class_0", 2);
    assert_eq!(guess("a.tsv", format!("text\tlabel\n{half}")).unwrap().quotes, Some(true));
}

#[test]
fn json_is_read_in_every_form() {
    let lines = "{\"Intent\": \"a\", \"utterance\": \"one two\"}\n{\"Intent\": \"b\", \"utterance\": \"three\"}\n";
    let list = format!("[{}]", lines.trim().replace('\n', ","));
    let one = format!("{{\"version\": [1, {{\"x\": null}}], \"data\": {list}}}");
    let named = format!("{{\"oos\": [{{\"a\": \"b\"}}], \"test\": [[1, 2]], \"train\": {list}}}");
    for (name, content) in
        [("a.jsonl", lines), ("a.json", lines), ("a.json", &list), ("a.json", &one), ("a.json", &named)]
    {
        assert_eq!(columns(name, content), expected("utterance", "Intent", true), "{content}");
    }
    let lists = "[[\"how are you\", \"a\"], [\"fine\", \"b\"], [\"well\", \"a\"]]";
    assert_eq!(columns("a.json", format!("{{\"oos\": [[1]], \"train\": {lists}}}")), expected("1", "2", false));
    let of_lines = lists.trim_matches(['[', ']']).replace("], [", "]\n[");
    assert_eq!(columns("a.jsonl", format!("[{of_lines}]")), expected("1", "2", false));
    assert!(guess("a.txt", lines).unwrap_err().to_string().contains("rename the file"));
    // cut off in the middle, as the start of a long file is
    assert_eq!(columns("a.json", &one[..one.len() - 9]), expected("utterance", "Intent", true));
}

#[test]
fn a_column_of_splits_is_no_label() {
    let content = (0..30).fold("set,words,kind\n".to_owned(), |mut rows, row| {
        let split = ["train", "train", "dev", "test"][row % 4];
        writeln!(rows, "{split},a text of words {row},class_{}", row % 6).unwrap();
        rows
    });
    let guess = guess("a.csv", content).unwrap();
    assert_eq!((guess.split.as_deref(), &guess.text[..], &guess.label[..]), (Some("set"), "words", "kind"));
}

#[test]
fn a_first_row_that_is_too_short_is_passed_over() {
    let rows = "broken\n1,hello you,x\n2,bye bye,y\n3,hello there,x\n";
    assert_eq!(columns("a.csv", format!("id,text,label\n{rows}")), expected("text", "label", true));
    assert_eq!(columns("a.csv", rows), expected("2", "3", false));
    assert!(guess("a.csv", "id,text,label\nbroken\n").is_err());
}

#[test]
fn what_is_no_table_is_said_so() {
    for content in ["only one column\nof text\n", "{}", "\"", "a,\n\"", ",,,,\n,\n", "[", "{\"a\": [", "\u{feff}"] {
        for name in ["a.csv", "a.json", "a"] {
            assert!(guess(name, content).is_err(), "{name} {content}");
        }
    }
    assert!(guess("a.csv", ",".repeat(1 << 20)).is_err());
}

#[test]
fn only_the_start_of_a_file_is_read() {
    let mut zipped = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zipped.write_all(b"text,label\n").unwrap();
    let line = rows(',').into_bytes();
    (0..40_000).for_each(|_| zipped.write_all(&line).unwrap());
    let zipped = zipped.finish().unwrap();
    assert_eq!(columns("a.csv.gz", &zipped), expected("text", "label", true));
    // what is broken behind the start is told by who reads all of it
    assert_eq!(columns("a.csv", &zipped[..zipped.len() / 2]), expected("text", "label", true));
}

#[test]
fn long_values_are_walked_over() {
    let long = "1,".repeat(3 << 20);
    let content =
        format!("{{\"x\": [{long}1], \"train\": [[\"how are you\", \"a\"], [\"fine\", \"b\"], [\"well\", \"a\"]]}}");
    assert_eq!(columns("a.json", &content), expected("1", "2", false));
    assert!(guess("a.json", format!("[[{long}")).is_err());
}
