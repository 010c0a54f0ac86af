//! Any writes in any order, beside what a file should be then: contents, digests and places of reads agree. `SSHMCP_LONG=1`
//! plays many more.

use std::fs;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rand::{Rng as _, RngCore as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;

use super::Files;

#[test]
fn writes_of_any_kind() {
    let rounds = if std::env::var_os("SSHMCP_LONG").is_some() {
        400
    } else {
        25
    };
    let seed = rand::random();
    let mut dice = StdRng::seed_from_u64(seed);
    let mut files = Files::new();
    let path = files.put("file", "");
    let mut wanted = Vec::new();
    for round in 0..rounds {
        let what = format!("seed {seed}, round {round}");
        let size = match dice.random_range(0..4) {
            0 => dice.random_range(0..10),
            1 => dice.random_range(0..70_000),
            2 => 32_768 * dice.random_range(0..4_usize),
            _ => dice.random_range(0..3_000),
        };
        // Few values: what is replaced occurs more than once now and then.
        let mut data = vec![0; size];
        dice.fill_bytes(&mut data);
        data.iter_mut().for_each(|byte| *byte &= 0x83);
        let text = STANDARD.encode(&data);
        if dice.random_bool(0.5) || wanted.is_empty() {
            let is_added = dice.random_bool(0.6);
            let mode = if is_added { "append" } else { "overwrite" };
            if !is_added {
                wanted.clear();
            }
            wanted.extend_from_slice(&data);
            let write = json!({"content": text, "encoding": "base64", "mode": mode});
            files
                .write(&path, write)
                .unwrap_or_else(|error| panic!("{what}: {error:?}"));
        } else {
            let from = dice.random_range(0..wanted.len());
            let to = wanted.len().min(from + dice.random_range(1..8));
            let old = wanted[from..to].to_vec();
            let count = occurrences(&wanted, &old);
            let new = &data[..data.len().min(5)];
            let edit = json!({
                "old_text": STANDARD.encode(&old), "new_text": STANDARD.encode(new), "encoding": "base64",
            });
            match files.write(&path, edit) {
                Ok(edited) => {
                    assert_eq!((count, edited["replacements"].as_u64()), (1, Some(1)), "{what}");
                    wanted.splice(from..to, new.iter().copied());
                }
                Err(error) if new == old.as_slice() => assert_eq!(error.code, "invalid_argument", "{what}"),
                Err(error) => {
                    assert!(
                        count > 1 && error.code == "conflict",
                        "{what}: {count}, {error:?}"
                    );
                }
            }
        }
        assert!(fs::read(&path).expect("it is there") == wanted, "{what}");
        let offset = dice.random_range(0..=wanted.len());
        let limit = dice.random_range(1..100_000);
        let read = json!({"offset": offset, "limit": limit, "encoding": "base64"});
        let read = files
            .read(&path, read)
            .unwrap_or_else(|error| panic!("{what}: {error:?}"));
        let end = wanted.len().min(offset + limit);
        assert!(read["content"] == STANDARD.encode(&wanted[offset..end]), "{what}");
        assert_eq!(read["eof"], end == wanted.len(), "{what}");
    }
    files.finish(&["file"]);
}

fn occurrences(content: &[u8], text: &[u8]) -> usize {
    content
        .windows(text.len())
        .filter(|window| *window == text)
        .count()
}
