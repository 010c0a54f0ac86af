//! The fenced blocks of a Markdown text, also indented ones of lists; nothing else of Markdown is known.

/// One fenced block.
pub(super) struct Block {
    /// Where its fence is.
    pub(super) line: usize,
    /// What stands behind the fence.
    pub(super) info: String,
    pub(super) text: String,
}

pub(super) fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<(Block, usize)> = None;
    for (number, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let fence = line.trim_start().strip_prefix("```");
        match (open.take(), fence) {
            (None, Some(info)) => {
                let block = Block {
                    line: number + 1,
                    info: info.trim().to_owned(),
                    text: String::new(),
                };
                open = Some((block, indent));
            }
            (None, None) => {}
            (Some((block, _)), Some(_)) => found.push(block),
            (Some((mut block, outer)), None) => {
                block.text += line.get(outer..).unwrap_or(line.trim_start());
                block.text.push('\n');
                open = Some((block, outer));
            }
        }
    }
    assert!(open.is_none(), "a fence is open to the end");
    found
}
