//! The dialects of network devices as one table of data: how each is known, and what is typed there.

/// One dialect.
#[derive(Debug)]
pub struct Dialect {
    /// In lists.
    pub name: &'static str,
    /// What the identification of its SSH server has in it; empty where that is a common one's.
    servers: &'static [&'static str],
    /// What its first screen has in it.
    greetings: &'static [&'static str],
    /// What turns its pager off for this session alone; the first that it takes.
    pub paging: &'static [&'static str],
    /// What enters the privileged mode; empty where there is none.
    pub enable: &'static str,
    /// What ends a running command, one after the other, and their names.
    pub interrupts: &'static [(&'static str, u8)],
    /// What leads from a first shell into its command line.
    pub enter: &'static str,
}

const CTRL_C: (&str, u8) = ("Ctrl-C", 0x03);
/// IOS' own key; ping and traceroute there listen to nothing else.
const CTRL_CARET: (&str, u8) = ("Ctrl-^", 0x1e);

/// Where nothing else is known. Each of the commands is unknown to the others, and none of them changes a configuration.
static GENERIC: Dialect = Dialect {
    name: "network",
    servers: &[],
    greetings: &[],
    paging: &[
        "terminal length 0",
        "terminal datadump",
        "terminal pager 0",
        "no page",
        "no paging",
        "screen-length 0 temporary",
        "set cli screen-length 0",
    ],
    enable: "enable",
    interrupts: &[CTRL_C, CTRL_CARET],
    enter: "",
};

/// What takes `terminal length 0` and said nothing else of itself.
static LIKE_CISCO: Dialect = Dialect {
    name: "network (like Cisco IOS)",
    servers: &[],
    greetings: &[],
    paging: &["terminal length 0"],
    enable: "enable",
    interrupts: &[CTRL_CARET, CTRL_C],
    enter: "",
};

/// The others, the more particular first.
static DIALECTS: [Dialect; 12] = [
    Dialect {
        name: "MikroTik RouterOS",
        servers: &["ROSSSH"],
        greetings: &["MikroTik RouterOS", "RouterOS"],
        paging: &[],
        enable: "",
        interrupts: &[CTRL_C],
        enter: "",
    },
    Dialect {
        name: "Brocade IronWare",
        servers: &[],
        greetings: &[],
        paging: &["skip-page-display", "terminal length 0"],
        enable: "enable",
        interrupts: &[CTRL_C],
        enter: "",
    },
    Dialect {
        name: "Huawei VRP",
        servers: &["HUAWEI-"],
        greetings: &["Huawei", "HUAWEI"],
        paging: &["screen-length 0 temporary", "screen-length disable"],
        enable: "super",
        interrupts: &[CTRL_C],
        enter: "",
    },
    Dialect {
        name: "HPE Comware",
        servers: &["Comware"],
        greetings: &["Comware", "H3C", "Hewlett Packard Enterprise Development LP"],
        paging: &["screen-length disable"],
        enable: "super",
        interrupts: &[CTRL_C],
        enter: "",
    },
    Dialect {
        name: "HPE/Aruba ProCurve",
        servers: &["Mocana SSH", "RomSShell"],
        greetings: &["ProCurve", "HP-", "Hewlett-Packard", "Aruba JL", "ArubaOS-Switch"],
        paging: &["no page", "no paging"],
        enable: "enable",
        interrupts: &[CTRL_C],
        enter: "",
    },
    Dialect {
        name: "ArubaOS",
        servers: &[],
        greetings: &["Aruba"],
        paging: &["no paging", "no page"],
        enable: "enable",
        interrupts: &[CTRL_C],
        enter: "",
    },
    Dialect {
        name: "Fortinet FortiOS",
        servers: &["FortiSSH"],
        greetings: &["FortiGate", "Fortinet"],
        // Its pager is switched in the configuration alone, which is not ours to change.
        paging: &[],
        enable: "",
        interrupts: &[CTRL_C],
        enter: "",
    },
    Dialect {
        name: "Juniper Junos",
        servers: &[],
        greetings: &["JUNOS", "Junos"],
        paging: &["set cli screen-length 0"],
        enable: "su -",
        interrupts: &[CTRL_C],
        enter: "cli",
    },
    Dialect {
        name: "Cisco ASA",
        servers: &[],
        greetings: &["Type help or '?' for a list of available commands"],
        paging: &["terminal pager 0"],
        enable: "enable",
        interrupts: &[CTRL_C],
        enter: "",
    },
    Dialect {
        name: "Arista EOS",
        servers: &[],
        greetings: &["Arista"],
        paging: &["terminal length 0"],
        enable: "enable",
        interrupts: &[CTRL_C],
        enter: "",
    },
    Dialect {
        name: "Cisco NX-OS",
        servers: &[],
        greetings: &["Cisco Nexus Operating System", "NX-OS"],
        paging: &["terminal length 0"],
        enable: "enable",
        interrupts: &[CTRL_C],
        enter: "",
    },
    Dialect {
        name: "Cisco IOS",
        servers: &["Cisco-"],
        greetings: &["Cisco IOS", "User Access Verification", "IOS XE"],
        paging: &["terminal length 0", "terminal pager 0"],
        enable: "enable",
        interrupts: &[CTRL_CARET, CTRL_C],
        enter: "",
    },
];

impl Dialect {
    /// The dialect of a device, by its SSH server's identification, what it showed first, and its prompt.
    pub fn of(server: &str, greeting: &str, prompt: &str) -> &'static Self {
        let has = |text: &str, signs: &[&str]| signs.iter().any(|sign| text.contains(sign));
        if prompt.starts_with('[') && prompt.contains('@') {
            return named("MikroTik RouterOS");
        }
        // It says by what it was reached, where others have a user's name.
        if ["SSH@", "telnet@"].iter().any(|start| prompt.starts_with(start)) {
            return named("Brocade IronWare");
        }
        let by_server = DIALECTS.iter().find(|dialect| has(server, dialect.servers));
        let by_greeting = || DIALECTS.iter().find(|dialect| has(greeting, dialect.greetings));
        if let Some(dialect) = by_server.or_else(by_greeting) {
            return dialect;
        }
        match prompt.chars().next() {
            Some('<') => named("Huawei VRP"),
            Some('(') => named("ArubaOS"),
            _ if prompt.contains('@') && prompt.ends_with(['>', '#', '%']) => named("Juniper Junos"),
            _ => &GENERIC,
        }
    }

    /// The server can only be a device's.
    pub fn is_servers(server: &str) -> bool {
        DIALECTS
            .iter()
            .any(|dialect| dialect.servers.iter().any(|sign| server.contains(sign)))
    }

    /// The same after it took this to turn its pager off.
    pub fn after(&'static self, paging: &str) -> &'static Self {
        // Its prompt is like Huawei's, and nothing else may have told.
        if paging == "screen-length disable" {
            return named("HPE Comware");
        }
        if !std::ptr::eq(self, &GENERIC) {
            return self;
        }
        match paging {
            "terminal length 0" => &LIKE_CISCO,
            "terminal pager 0" => named("Cisco ASA"),
            "no page" => named("HPE/Aruba ProCurve"),
            "no paging" => named("ArubaOS"),
            "screen-length 0 temporary" => named("Huawei VRP"),
            "set cli screen-length 0" => named("Juniper Junos"),
            _ => self,
        }
    }

    /// Its prompt tells what mode it is in.
    pub fn tells_mode(&self) -> bool {
        !matches!(self.enable, "" | "super")
    }
}

fn named(name: &str) -> &'static Dialect {
    DIALECTS
        .iter()
        .find(|dialect| dialect.name == name)
        .unwrap_or(&GENERIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dialects_are_found() {
        for (server, greeting, prompt, name) in [
            ("SSH-2.0-Cisco-1.25", "", "R1>", "Cisco IOS"),
            ("SSH-2.0-ROSSSH", "", "[admin@MikroTik] >", "MikroTik RouterOS"),
            ("SSH-2.0-x", "", "[admin@MikroTik] >", "MikroTik RouterOS"),
            ("SSH-2.0-HUAWEI-1.5", "", "<HUAWEI>", "Huawei VRP"),
            ("SSH-2.0-Comware-7.1", "", "<sw>", "HPE Comware"),
            ("SSH-2.0-x", "", "<sw>", "Huawei VRP"),
            ("SSH-2.0-Mocana SSH 6.3", "", "HP-2920# ", "HPE/Aruba ProCurve"),
            (
                "SSH-2.0-OpenSSH_7.5",
                "--- JUNOS 18.4R1",
                "root@mx%",
                "Juniper Junos",
            ),
            ("SSH-2.0-OpenSSH_7.5", "", "admin@mx>", "Juniper Junos"),
            ("SSH-2.0-OpenSSH_7.5", "", "(Aruba7005) #", "ArubaOS"),
            (
                "SSH-2.0-OpenSSH_6.2",
                "Cisco Nexus Operating System (NX-OS) Software",
                "n9k#",
                "Cisco NX-OS",
            ),
            ("SSH-2.0-RomSShell_4.62", "", "SSH@ICX6450>", "Brocade IronWare"),
            ("SSH-2.0-x", "", "R1>", "network"),
        ] {
            assert_eq!(
                Dialect::of(server, greeting, prompt).name,
                name,
                "{server} {prompt}"
            );
        }
        let generic = Dialect::of("", "", "R1>");
        assert_eq!(generic.after("terminal pager 0").name, "Cisco ASA");
        assert_eq!(
            Dialect::of("SSH-2.0-Cisco-1.25", "", "R1>")
                .after("terminal pager 0")
                .name,
            "Cisco IOS"
        );
        assert_eq!(
            Dialect::of("SSH-2.0-x", "", "<sw>")
                .after("screen-length disable")
                .name,
            "HPE Comware"
        );
        assert!(
            Dialect::is_servers("SSH-2.0-Cisco-1.25") && !Dialect::is_servers("SSH-2.0-OpenSSH_9.2p1 Debian")
        );
    }

    /// What a paging command teaches names a dialect that is there.
    #[test]
    fn what_paging_teaches_exists() {
        // Several vendors' devices take this, and it tells nothing further.
        let telling = GENERIC
            .paging
            .iter()
            .filter(|paging| **paging != "terminal datadump");
        for paging in telling {
            let dialect = Dialect::of("", "", "R1>").after(paging);
            assert!(dialect.paging.contains(paging), "{paging}: {}", dialect.name);
        }
    }
}
