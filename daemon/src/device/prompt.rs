//! Prompts of devices: what their shapes have in common, and whether one is the same device's in another mode.

use std::sync::LazyLock;

use regex::Regex;

/// Characters of a name that stay in every mode: IOS cuts long names in its configuration modes.
const NAME_KEPT: usize = 16;

/// What a prompt says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Which of the shapes it has.
    style: usize,
    /// The device's name, with the user's where the prompt has it.
    pub host: String,
    /// What stands between name and end: the mode.
    pub mode: String,
    /// Its last character.
    pub end: char,
}

/// Each matches a whole line without spaces at its end; the first that does counts.
static SHAPES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        // [admin@MikroTik] /ip address>
        r"^\[(?P<host>[^\s@\[\]]{1,64}@[^\[\]]{1,64})\] ?(?P<mode>[^<>]{0,80}(?:<SAFE>)?)(?P<end>>)$",
        // <HUAWEI>
        r"^(?:HRP_[MS])?(?P<mode><)(?P<host>[^<>\s]{1,64})(?P<end>>)$",
        // [HUAWEI-GigabitEthernet0/0/1], [~HUAWEI], [*HUAWEI]
        r"^(?:HRP_[MS])?(?P<mode>\[[~*]?)(?P<host>[A-Za-z0-9_][^\[\]\s]{0,80})(?P<end>\])$",
        // (Aruba7005) [mynode] (config) #
        r"^\((?P<host>[\w.-]{1,64})\) ?(?P<mode>(?:\[[^\[\]]{0,64}\] ?|\([^()]{0,64}\) ?|[*^])*)(?P<end>[>#])$",
        // R1>, R1#, R1(config-if)#, asa/pri/act#, FGT (global) #, admin@mx1>, root@mx1:RE:0%
        r"^(?P<host>[A-Za-z0-9_][A-Za-z0-9_.:/@~\-]{0,63})(?P<mode>(?: ?\([^()\s][^()]{0,60}\))*) ?(?P<end>[>#$%])$",
    ]
    .iter()
    .filter_map(|shape| Regex::new(shape).ok())
    .collect()
});

/// The two styles of Huawei's and Comware's views, which are one device's.
const VIEWS: [usize; 2] = [1, 2];

/// A line's shape, if it may be a prompt.
pub fn shape(line: &str) -> Option<Shape> {
    let line = line.trim();
    SHAPES.iter().enumerate().find_map(|(style, shape)| {
        let found = shape.captures(line)?;
        let part = |name: &str| found.name(name).map_or("", |part| part.as_str());
        let host = part("host");
        // What Junos says of its place is no prompt, nor is what tells a success.
        if style == 2 && (host.starts_with("edit") || host == "OK") {
            return None;
        }
        Some(Shape {
            style,
            host: host.to_owned(),
            mode: part("mode").trim().to_owned(),
            end: part("end").chars().next()?,
        })
    })
}

/// How a line relates to the prompt that was learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The very same.
    Same,
    /// The same device's in another mode, or under the name that it was just given.
    Mode,
    /// Another name's.
    Other,
}

/// The prompt as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learned {
    /// All of it, without spaces at its end.
    pub text: String,
    /// What it says.
    pub shape: Shape,
    /// The name as it was without any mode.
    base: String,
}

impl Learned {
    /// Learns a prompt.
    pub fn new(line: &str) -> Option<Self> {
        let shape = shape(line)?;
        Some(Self {
            text: line.trim().to_owned(),
            base: shape.host.clone(),
            shape,
        })
    }

    /// What a line is to it; `renamed`: the name that the device was just given.
    pub fn relation(&self, line: &str, renamed: Option<&str>) -> Option<Relation> {
        if line.trim() == self.text {
            return Some(Relation::Same);
        }
        let now = shape(line)?;
        let same_style =
            now.style == self.shape.style || VIEWS.contains(&now.style) && VIEWS.contains(&self.shape.style);
        if !same_style {
            return None;
        }
        let is_view = VIEWS.contains(&now.style);
        let akin = |name: &str| {
            let cut = |text: &str| text.chars().take(NAME_KEPT).collect::<String>();
            now.host == name
                || name.chars().count() > NAME_KEPT && cut(&now.host) == cut(name)
                || is_view && now.host.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'))
                // user@name, where the name alone was given, or another user's: Junos' root has a shell
                || now.host.split_once('@').is_some_and(|(_, host)| host == name || machine(name) == Some(machine_of(host)))
        };
        Some(if akin(&self.base) || renamed.is_some_and(akin) {
            Relation::Mode
        } else {
            Relation::Other
        })
    }

    /// The very same stands at the end of this line, behind something else.
    pub fn is_joined(&self, line: &str) -> bool {
        let line = line.trim_end();
        line.len() > self.text.len() && line.ends_with(&self.text) && !line.starts_with(&self.text)
    }

    /// The prompt is this one from now on.
    pub fn follow(&mut self, line: &str, renamed: Option<&str>) {
        let relation = self.relation(line, renamed);
        let Some(shape) = shape(line) else { return };
        let is_view = VIEWS.contains(&shape.style);
        let is_base = shape.host.starts_with(&self.base) && is_view;
        if relation == Some(Relation::Other)
            || !is_base && relation == Some(Relation::Mode) && shape.host != self.base
        {
            // A name that IOS cut is not the name.
            let is_cut = self.base.chars().count() > NAME_KEPT && renamed.is_none();
            if !is_cut || relation == Some(Relation::Other) {
                self.base.clone_from(&shape.host);
            }
        }
        line.trim().clone_into(&mut self.text);
        self.shape = shape;
    }

    /// It is in a mode that may change the device, as far as such a prompt tells.
    pub fn is_privileged(&self) -> Option<bool> {
        match self.shape.end {
            '#' => Some(true),
            // Junos' root has a shell.
            '%' => Some(self.shape.host.starts_with("root@")),
            '>' if VIEWS.contains(&self.shape.style) || self.shape.style == 0 => None,
            '>' | '$' => Some(false),
            _ => None,
        }
    }
}

/// The name behind a user's, without the part of the machine that Junos' shells add.
fn machine(name: &str) -> Option<&str> {
    name.split_once('@').map(|(_, host)| machine_of(host))
}

fn machine_of(host: &str) -> &str {
    host.split_once(':').map_or(host, |(machine, _)| machine)
}

static RENAMES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"(?i)^\s*(?:do\s+)?(?:hostname|sysname|switchname|set\s+system\s+host-name|set\s+hostname|/?system\s+identity\s+set\s+name\s*=)\s*"?([A-Za-z0-9_.-]+)"#,
    )
    .ok()
});

/// The name that this line gives the device.
pub fn renamed(text: &str) -> Option<String> {
    let found = RENAMES.as_ref()?.captures(text)?;
    found.get(1).map(|name| name.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_of_prompts() {
        for (line, host, mode, end) in [
            ("R1>", "R1", "", '>'),
            ("R1#", "R1", "", '#'),
            ("R1(config-if)#", "R1", "(config-if)", '#'),
            ("sw1(config-if-Et1)#", "sw1", "(config-if-Et1)", '#'),
            ("asa/pri/act#", "asa/pri/act", "", '#'),
            ("FGT60 (global) # ", "FGT60", "(global)", '#'),
            ("admin@mx1> ", "admin@mx1", "", '>'),
            ("root@mx1:RE:0%", "root@mx1:RE:0", "", '%'),
            ("[admin@MikroTik] > ", "admin@MikroTik", "", '>'),
            (
                "[admin@MikroTik] /ip address> ",
                "admin@MikroTik",
                "/ip address",
                '>',
            ),
            ("<HUAWEI>", "HUAWEI", "<", '>'),
            ("[~HUAWEI-GE1/0/1]", "HUAWEI-GE1/0/1", "[~", ']'),
            (
                "(Aruba7005) [mynode] (config) #",
                "Aruba7005",
                "[mynode] (config)",
                '#',
            ),
            ("HP-2920-24G# ", "HP-2920-24G", "", '#'),
        ] {
            let found = shape(line).unwrap_or_else(|| panic!("{line:?} is a prompt"));
            assert_eq!(
                (found.host.as_str(), found.mode.as_str(), found.end),
                (host, mode, end),
                "{line:?}"
            );
        }
        for line in [
            "",
            "Password:",
            "[OK]",
            "[edit]",
            "[edit interfaces]",
            "Are you sure? [y/n]",
            "a b#",
            "  ^",
            "100%",
            "!!!!!",
            "Building configuration...",
        ] {
            let found = shape(line);
            assert!(
                found
                    .as_ref()
                    .is_none_or(|shape| line == "100%" && shape.end == '%'),
                "{line:?}: {found:?}"
            );
        }
    }

    #[test]
    fn names_are_read() {
        for (text, name) in [
            ("hostname edge-1", Some("edge-1")),
            ("sysname core", Some("core")),
            ("set system host-name mx2", Some("mx2")),
            ("/system identity set name=\"r1\"", Some("r1")),
            ("show hostname", None),
            ("hostname", None),
        ] {
            assert_eq!(renamed(text).as_deref(), name, "{text}");
        }
    }

    #[test]
    fn modes_and_names_are_followed() {
        let mut learned = Learned::new("R1>").expect("a prompt");
        assert_eq!(learned.relation("R1>", None), Some(Relation::Same));
        assert_eq!(learned.relation("R1(config)#", None), Some(Relation::Mode));
        assert_eq!(learned.relation("R2#", None), Some(Relation::Other));
        assert_eq!(learned.relation("[OK1]", None), None);
        assert_eq!(
            learned.relation("edge(config)#", Some("edge")),
            Some(Relation::Mode)
        );
        learned.follow("edge(config)#", Some("edge"));
        assert_eq!(learned.relation("edge#", None), Some(Relation::Mode));
        assert_eq!(learned.relation("R1#", None), Some(Relation::Other));

        let mut view = Learned::new("<HUAWEI>").expect("a prompt");
        for line in [
            "[HUAWEI]",
            "[HUAWEI-GE0/0/1]",
            "[*HUAWEI-GE0/0/1]",
            "[HUAWEI]",
            "<HUAWEI>",
        ] {
            assert!(
                view.relation(line, None).is_some_and(|is| is != Relation::Other),
                "{line}"
            );
            view.follow(line, None);
        }
        let mut junos = Learned::new("admin@mx1>").expect("a prompt");
        for line in ["admin@mx1#", "root@mx1:RE:0%", "root@mx1>", "admin@mx1>"] {
            assert!(
                junos.relation(line, None).is_some_and(|is| is != Relation::Other),
                "{line}"
            );
            junos.follow(line, None);
        }
        assert_eq!(junos.relation("admin@mx2>", None), Some(Relation::Other));
        let mut long = Learned::new("a-very-long-name-of-a-router#").expect("a prompt");
        assert_eq!(
            long.relation("a-very-long-name-of(config)#", None),
            Some(Relation::Mode)
        );
        long.follow("a-very-long-name-of(config)#", None);
        assert_eq!(
            long.relation("a-very-long-name-of-a-router#", None),
            Some(Relation::Mode)
        );
    }
}
