//! Unicode's lower case as a table: runs of letters whose lower case is as far away.

use super::arrays::array;

/// Letters `first, first + step, ..., last`, each of which becomes itself plus `delta`.
struct Run {
    first: u32,
    last: u32,
    step: u32,
    delta: i64,
}

/// The table and the function `lower`, for all letters but U+0130, which the reader of symbols knows.
pub(super) fn lower() -> String {
    let rows = runs().into_iter().map(|Run { first, last, step, delta }| format!("{{{first},{last},{step},{delta}}}"));
    array("\nstatic const struct {\n    uint32_t first, last, step;\n    int32_t delta;\n}", "runs", rows) + FUNCTION
}

const FUNCTION: &str = "
static uint32_t lower(uint32_t code)
{
    size_t i;
    for (i = 0; i < sizeof runs / sizeof *runs && code >= runs[i].first; i++)
        if (code <= runs[i].last && (code - runs[i].first) % runs[i].step == 0)
            return (uint32_t)((int32_t)code + runs[i].delta);
    return code;
}
";

fn runs() -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for letter in '\0'..=char::MAX {
        let mut lower = letter.to_lowercase();
        let (Some(first), None) = (lower.next(), lower.next()) else { continue };
        let (code, delta) = (u32::from(letter), i64::from(u32::from(first)) - i64::from(u32::from(letter)));
        if delta == 0 {
            continue;
        }
        match runs.last_mut() {
            Some(run)
                if run.delta == delta
                    && (run.first == run.last || run.last + run.step == code)
                    && code - run.last <= 2 =>
            {
                run.step = code - run.last;
                run.last = code;
            }
            _ => runs.push(Run { first: code, last: code, step: 1, delta }),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_lower_case() {
        let runs = runs();
        for letter in '\0'..=char::MAX {
            let code = u32::from(letter);
            let run =
                runs.iter().find(|run| (run.first..=run.last).contains(&code) && (code - run.first) % run.step == 0);
            let found = run.map_or(i64::from(code), |run| i64::from(code) + run.delta);
            let lower: Vec<char> = letter.to_lowercase().collect();
            match lower.as_slice() {
                [lower] => assert_eq!(found, i64::from(u32::from(*lower)), "{letter}"),
                _ => assert_eq!((letter, lower), ('\u{130}', vec!['i', '\u{307}'])),
            }
        }
        assert!(runs.len() < 250, "{}", runs.len());
    }
}
