//! Exact messages of given texts.

use super::*;

fn cut(text: &str, units: usize, lines: usize) -> Vec<String> {
    chunk(text, &ChunkLimits::of(units, lines, ChunkMode::Length))
}

fn paragraphs(text: &str, units: usize) -> Vec<String> {
    chunk(text, &ChunkLimits::of(units, 17, ChunkMode::Newline))
}

#[test]
fn what_fits_is_one_message() {
    for text in ["Hello", "  a\n\n\nb", "```\nx\n```", "```\n```"] {
        assert_eq!(cut(text, 2000, 17), [text]);
    }
    assert_eq!(cut("\n \n a \n\n", 2000, 17), [" a"]);
    for text in ["", "\n", " \n\t\n "] {
        assert_eq!(cut(text, 2000, 17), Vec::<String>::new());
    }
}

/// Scenario 46 of the text scenarios.
#[test]
fn a_long_answer_with_a_fence() {
    let code: String = (0..110).map(|n| format!("    let value_{n} = compute({n});\n")).collect();
    let prose = "Some words of explanation. ".repeat(40);
    let text = format!("{prose}\n\n```rust\n{code}```\n\nDone.");
    assert!(text.len() > 4500, "{}", text.len());
    for lines in [17, 1000] {
        let chunks = cut(&text, 2000, lines);
        for chunk in &chunks {
            assert!(units(chunk) <= 2000 && chunk.lines().count() <= lines);
            let fences = chunk.lines().filter(|line| line.starts_with("```")).count();
            assert_eq!(fences % 2, 0, "{chunk}");
            assert!(!chunk.contains("```") || chunk.contains("```rust\n"), "{chunk}");
        }
        let values = chunks.iter().flat_map(|chunk| chunk.lines());
        let values: Vec<&str> = values.filter(|line| line.contains("let")).collect();
        assert_eq!(values, code.lines().collect::<Vec<_>>());
    }
}

#[test]
fn lines_first_then_spaces_then_graphemes() {
    let cases: [(&str, usize, &[&str]); 9] = [
        ("one\ntwo\nthree", 8, &["one\ntwo", "three"]),
        ("one\n\n\ntwo", 5, &["one", "two"]),
        ("one two three", 8, &["one two", "three"]),
        ("one    two", 5, &["one", "two"]),
        ("abcdefghij", 4, &["abcd", "efgh", "ij"]),
        // A line that fits alone is not cut, one that does not fills the message before it.
        ("a\nbbbb bbbb", 10, &["a", "bbbb bbbb"]),
        ("a\nbbbb bbbb bbbb", 10, &["a\nbbbb", "bbbb bbbb"]),
        ("x\u{a0}y z", 4, &["x\u{a0}y", "z"]),
        ("你好，世界再见", 4, &["你好，", "世界再见"]),
    ];
    for (text, units, expected) in cases {
        assert_eq!(cut(text, units, 17), expected, "{text:?}");
    }
}

#[test]
fn lines_are_counted() {
    assert_eq!(cut("a\nb\nc\nd\ne", 2000, 2), ["a\nb", "c\nd", "e"]);
    assert_eq!(cut("a\n\nb", 2000, 2), ["a", "b"]);
    // Three where a fence is cut, and only there.
    let fence = "x\ny\n```js\n1\n2\n```\nz";
    assert_eq!(cut(fence, 2000, 1), ["x", "y", "```js\n1\n```", "```js\n2\n```", "z"]);
}

#[test]
fn fences_are_closed_and_opened_again() {
    let cases: [(&str, usize, &[&str]); 8] = [
        (
            "```rs\none one one one\ntwo two\n```",
            30,
            &["```rs\none one one one\n```", "```rs\ntwo two\n```"],
        ),
        (
            "  ~~~~x\none one one one\ntwo two\n  ~~~~",
            32,
            &["  ~~~~x\none one one one\n  ~~~~", "  ~~~~x\ntwo two\n  ~~~~"],
        ),
        // Its first line stays with what is in it, and its last line needs no message.
        (
            "eleven chars 12345678\n```rs\none one one\n```",
            32,
            &["eleven chars 12345678", "```rs\none one one\n```"],
        ),
        ("```\n12345678901234567890\n`````", 28, &["```\n12345678901234567890\n```"]),
        // White space stays.
        (
            "```\n12345678901234\n\n  1234567890\n```",
            28,
            &["```\n12345678901234\n\n```", "```\n  1234567890\n```"],
        ),
        (
            "```\n1234567890 1234567890 12345\n```",
            28,
            &["```\n1234567890 \n```", "```\n1234567890 12345\n```"],
        ),
        // It has no end.
        ("```\nx", 2000, &["```\nx\n```"]),
        ("text\n```", 2000, &["text\n```\n```"]),
    ];
    for (text, units, expected) in cases {
        assert_eq!(cut(text, units, 17), expected, "{text:?}");
    }
}

#[test]
fn first_lines_that_are_too_long() {
    // Too long to be repeated.
    let info = "i".repeat(30);
    let text = format!("```{info}\n{}\n{}\n```", "a".repeat(50), "b".repeat(50));
    let expected =
        [format!("```{info}\n{}\n```", "a".repeat(50)), format!("```\n{}\n```", "b".repeat(50))];
    assert_eq!(cut(&text, 100, 17), expected);
    // Too long to leave room for anything.
    let info = "i".repeat(60);
    assert_eq!(cut(&format!("```{info}\na\n```"), 100, 17), [format!("```\n{info}\na\n```")]);
    // A language of 200 characters is repeated where a message has 2000.
    let info = "i".repeat(200);
    let text = format!("```{info}\n{}\n{}\n```", "a".repeat(1500), "b".repeat(1500));
    let chunks = cut(&text, 2000, 17);
    assert_eq!(chunks.len(), 2);
    assert!(chunks.iter().all(|chunk| chunk.starts_with(&format!("```{info}\n"))));
}

#[test]
fn code_in_a_line_is_whole_on_both_sides() {
    let cases: [(&str, usize, &[&str]); 6] = [
        ("see `one two` end", 11, &["see `one`", "`two` end"]),
        ("see `onetwo` end", 10, &["see", "`onetwo`", "end"]),
        ("`abcdefgh`", 8, &["`abcdef`", "`gh`"]),
        ("``aaaa b`c dddd``", 16, &["``aaaa b`c``", "``dddd``"]),
        ("`one\ntwo`", 8, &["`one`", "`two`"]),
        // An odd backtick is none of code.
        ("a `b c", 4, &["a `b", "c"]),
    ];
    for (text, units, expected) in cases {
        assert_eq!(cut(text, units, 17), expected, "{text:?}");
    }
}

#[test]
fn nothing_becomes_a_fence_by_being_cut() {
    let text = format!("{} ```js is a fence", "x".repeat(30));
    for chunk in cut(&text, 34, 17) {
        assert!(fenced_lines(&chunk).is_empty(), "{chunk:?}");
    }
    let text = format!("```\n{} ``` and more of it\n```", "x".repeat(30));
    for chunk in cut(&text, 44, 17) {
        assert_eq!(fenced_lines(&chunk).len(), 2, "{chunk:?}");
    }
}

fn fenced_lines(chunk: &str) -> Vec<&str> {
    chunk.lines().filter(|line| line.starts_with("```")).collect()
}

#[test]
fn by_paragraph_every_paragraph_is_a_message() {
    let text = "one\ntwo\n\n \nthree\n\n```\na\n\nb\n```\n\nfour four";
    let expected = ["one\ntwo", "three", "```\na\n\nb\n```", "four four"];
    assert_eq!(paragraphs(text, 2000), expected);
    assert_eq!(paragraphs("one two\n\nthree", 4), ["one", "two", "thre", "e"]);
}

#[test]
fn graphemes_are_whole_unless_one_is_longer_than_a_message() {
    let family = "👩‍👩‍👧‍👦";
    let text = family.repeat(3);
    assert_eq!(cut(&text, 2 * units(family) + 3, 17), [family.repeat(2), family.to_owned()]);
    assert_eq!(cut("🇩🇪🇫🇷🇯🇵", 6, 17), ["🇩🇪", "🇫🇷", "🇯🇵"]);
    assert_eq!(cut(family, 4, 17).concat(), family);
    let stacked = format!("a{}", "\u{301}".repeat(10_000));
    let chunks = cut(&stacked, 2000, 17);
    assert!(chunks.iter().all(|chunk| units(chunk) <= 2000));
    assert_eq!(chunks.concat(), stacked);
    // Nothing is shorter than a character.
    assert_eq!(cut("😀😀", 1, 1), ["😀", "😀"]);
}

#[test]
fn pathological_texts() {
    let texts = [
        "x".repeat(100_000),
        "```\nx\n```\n".repeat(10_000),
        "```\n".repeat(10_001),
        "~".repeat(50_000),
        "`".repeat(50_001),
        "`a".repeat(20_000),
        "~~~ ".repeat(10_000),
        format!("```{}\n{}", "i".repeat(200), "y ".repeat(20_000)),
        format!("````\n```\n{}\n```\n````\nend", "z\n".repeat(3_000)),
        format!("```{}x", " ".repeat(20_000)),
        format!("```\nx\n```{}", " \n".repeat(5_000)),
        format!("a{}b", " ".repeat(50_000)),
        format!("```\na{}b\n```", " ".repeat(50_000)),
        "\n".repeat(50_000),
        format!("{}\nx", "`".repeat(1_900)),
    ];
    for text in texts {
        for (most, lines) in [(2000, 17), (100, 1), (10, 3)] {
            let chunks = cut(&text, most, lines);
            let shown: String = text.chars().take(20).collect();
            for chunk in &chunks {
                assert!(units(chunk) <= most, "{shown:?}");
                assert!(chunk.lines().count() <= lines.max(3), "{shown:?}");
                assert!(!chunk.trim().is_empty(), "{shown:?}");
            }
            let letters = |text: &str| text.chars().filter(|c| "abxyz".contains(*c)).count();
            let kept: usize = chunks.iter().map(|chunk| letters(chunk)).sum();
            assert_eq!(kept, letters(&text), "{shown:?}");
        }
    }
}

/// A megabyte is looked at a few times over, however it is built.
#[test]
fn the_work_grows_with_the_text_alone() {
    let size = 1_000_000;
    let fill = |piece: &str| piece.repeat(size / piece.len());
    let texts = [
        fill("x"),
        fill("some words "),
        fill("a\n"),
        fill("```rs\nlet x = 1;\n```\nprose\n"),
        format!("```\n{}", fill("code code code\n")),
        fill("`a b` "),
        fill("` "),
        fill("日本語、"),
        fill("👩‍👩‍👧‍👦"),
        format!("a{}", fill("\u{301}")),
        fill(&format!("a\n{}\n", "b".repeat(1_990))),
        fill(&format!("a\n{} \n", "b".repeat(3_000))),
    ];
    for text in texts {
        for lines in [17, 100_000] {
            let limits = ChunkLimits::of(2000, lines, ChunkMode::Length);
            let mut chunker = Chunker::new(&text, &limits);
            let chunks = chunker.run();
            assert!(chunks.iter().all(|chunk| units(chunk) <= 2000));
            let shown: String = text.chars().take(20).collect();
            assert!(chunker.work <= 3 * size, "{shown:?}: {}", chunker.work);
        }
    }
}
