//! The list of what was seen in the field, and of the tests that show that it is right now.

use std::path::Path;

#[test]
fn each_test_that_the_list_names_is_there() {
    let readme = include_str!("README.md");
    let (_, list) = readme.split_once("## What was seen in the field").expect("the list");
    let (list, _) = list.split_once("\n## ").expect("what follows it");
    let mut found = 0;
    for (file, test) in list.split('`').filter_map(|named| named.split_once(".rs ")) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("{file}.rs"));
        let source = std::fs::read_to_string(&path).expect(file);
        let (before, _) = source
            .split_once(&format!("fn {test}()"))
            .unwrap_or_else(|| panic!("{file}.rs has no `{test}`"));
        let attributes = before.rsplit_once("\n\n").map_or(before, |(_, last)| last);
        assert!(attributes.contains("#[test]") || attributes.contains("#[tokio::test"), "{test}");
        assert!(!attributes.contains("#[ignore"), "{test} is left out");
        found += 1;
    }
    assert!(found > 40, "{found} tests are named");
}
