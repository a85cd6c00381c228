//! Made-up input: the same from the same seed.

use std::fmt::Write as _;

/// Numbers that look like chance (`SplitMix64`), so that an input is known by its seed.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which must not be 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    pub(crate) fn one_of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    /// True once in so many times.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most + 1)).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

/// Pieces that are put in: whole constructs, halves of them, and what lexers quarrel about.
const PIECES: [&str; 48] = [
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ":",
    "=",
    "!",
    "@",
    "$",
    "...",
    "... on Invoice {",
    "on ",
    "query ",
    "mutation ",
    "subscription ",
    "fragment ",
    "fragment F on T{a}",
    "...F ",
    "a ",
    "b:",
    "first:",
    "first: 100 ",
    "first: $n ",
    "ids: $ids ",
    "null",
    "true",
    "nullfirst:",
    "-",
    "-1",
    "-0",
    "01",
    "1.5",
    "1e",
    "1e999",
    "99999999999999999999",
    ".",
    "\"",
    "\"\"\"",
    "\\",
    "\\u0000",
    "#",
    "\n",
    ",",
    "é",
    "\u{feff}",
    "\u{10ffff}",
];

/// Any bytes, as text.
pub(crate) fn noise(chance: &mut Chance) -> String {
    let mut text = String::from_utf8_lossy(&chance.bytes(400)).into_owned();
    if chance.once_in(2) {
        text = (0..chance.below(60)).map(|_| *chance.one_of(&PIECES)).collect();
    }
    if chance.once_in(2) { format!("{{ {text} }}") } else { text }
}

/// A text with pieces put in, put over what stands there, doubled or cut.
pub(crate) fn changed(chance: &mut Chance, text: &str) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    for _ in 0..=chance.below(5) {
        let at = chance.below(letters.len() + 1);
        let end = (at + chance.below(12)).min(letters.len());
        match chance.below(6) {
            0 => drop(letters.drain(at..end)),
            1 => {
                let again = letters[at..end].to_vec();
                letters.splice(at..at, again);
            }
            2 => letters.truncate(at),
            3 => {
                letters.splice(at..end, chance.one_of(&PIECES).chars());
            }
            _ => {
                letters.splice(at..at, chance.one_of(&PIECES).chars());
            }
        }
    }
    letters.into_iter().collect()
}

/// A field that leads on: its name, whether it says how many, the type it gives.
type Edge = (&'static str, bool, &'static str);

/// Fields that lead on, by the type they stand on.
const EDGES: [(&str, &[Edge]); 7] = [
    (
        "Query",
        &[
            ("invoices", true, "InvoiceConnection"),
            ("customers", true, "CustomerConnection"),
            ("rental", false, "Rental"),
            ("invoice", false, "Invoice"),
            ("nodes", false, "Node"),
            ("viewer", false, "Viewer"),
        ],
    ),
    ("InvoiceConnection", &[("nodes", false, "Invoice"), ("totals", false, "CurrencyTotals")]),
    ("CustomerConnection", &[("nodes", false, "Customer")]),
    ("Customer", &[("invoices", true, "InvoiceConnection"), ("parent", false, "Customer")]),
    (
        "Invoice",
        &[
            ("lineItems", true, "LineItem"),
            ("payments", true, "Payment"),
            ("rental", false, "Rental"),
            ("customer", false, "Customer"),
            ("upstream", false, "UpstreamInvoice"),
        ],
    ),
    ("LineItem", &[("invoice", false, "Invoice"), ("subLines", false, "SubLine"), ("rental", false, "Rental")]),
    ("Rental", &[("invoices", true, "Invoice"), ("customer", false, "Customer")]),
];

const LEAVES: [&str; 8] = [
    "id",
    "__typename",
    "payUrl",
    "hostedInvoiceUrl(freshness: CACHED)",
    "number",
    "unknown",
    "x: id",
    "nothing(x: 1)",
];

const SIZES: [&str; 16] = [
    "first: 1",
    "first: 100",
    "last: 7",
    "first: 101",
    "first: -3",
    "first: $n",
    "first: $m",
    "first: $nothing",
    "first: $wrong",
    "first: null",
    "first: 2.5",
    "first: \"9\"",
    "first: [1, 2]",
    "first: 3, last: 5",
    "after: \"x\", first: 4",
    "filter: {first: 50}",
];

const IDS: [&str; 6] =
    ["ids: []", "ids: [\"a\", \"b\"]", "ids: $ids", "ids: [\"a\" $n {x: [1, 2]} [3]]", "ids: \"a\"", "ids: null"];

/// A document that mostly fits the schema, with fragments and variables.
pub(crate) fn sensible(chance: &mut Chance) -> String {
    let fragments = chance.below(5);
    let mut writer = Writer { chance, text: String::new(), fragments, left: 60 };
    for operation in 0..=writer.chance.below(2) {
        let head = *writer.chance.one_of(&["query", "query", "mutation"]);
        write!(writer.text, "{head} O{operation}($n: Int = 3, $m: Int = 4, $ids: [ID!] = [1, 2]) ").unwrap();
        writer.set("Query", 0, 0);
    }
    for fragment in 0..fragments {
        let on = EDGES[writer.chance.below(EDGES.len())].0;
        write!(writer.text, " fragment F{fragment} on {on} ").unwrap();
        // A fragment spreads later ones only, and sometimes not.
        let from = if writer.chance.once_in(40) { 0 } else { fragment + 1 };
        writer.set(on, 0, from);
    }
    writer.text
}

struct Writer<'a> {
    chance: &'a mut Chance,
    text: String,
    fragments: usize,
    /// Selection sets that may still be written.
    left: usize,
}

impl Writer<'_> {
    fn set(&mut self, type_name: &str, depth: usize, fragments_from: usize) {
        self.text.push_str("{ ");
        self.left = self.left.saturating_sub(1);
        let leaf: &&str = self.chance.one_of(&LEAVES);
        self.text.push_str(leaf);
        self.text.push(' ');
        for _ in 0..self.chance.below(4) {
            self.selection(type_name, depth, fragments_from);
        }
        self.text.push_str("} ");
    }

    fn selection(&mut self, type_name: &str, depth: usize, fragments_from: usize) {
        let edges = EDGES.iter().find(|(of, _)| *of == type_name).map_or(&[][..], |(_, edges)| edges);
        let deep = depth > 8 || self.left == 0;
        match self.chance.below(8) {
            0 if fragments_from < self.fragments => {
                let fragment = fragments_from + self.chance.below(self.fragments - fragments_from);
                write!(self.text, "...F{fragment} ").unwrap();
            }
            1 if !deep => {
                let on = *self.chance.one_of(&["... ", "... @include(if: true) ", "... on Invoice ", "... on Node "]);
                self.text.push_str(on);
                let inside = if on.contains("Invoice") { "Invoice" } else { type_name };
                self.set(inside, depth + 1, fragments_from);
            }
            2..8 if !deep && !edges.is_empty() => {
                let (name, sized, gives) = *self.chance.one_of(edges);
                if self.chance.once_in(6) {
                    self.text.push_str("alias: ");
                }
                self.text.push_str(name);
                let arguments = if name == "nodes" && type_name == "Query" { &IDS[..] } else { &SIZES[..] };
                if name == "nodes" && type_name == "Query" || sized && self.chance.once_in(2) {
                    write!(self.text, "({})", self.chance.one_of(arguments)).unwrap();
                }
                self.text.push(' ');
                self.set(gives, depth + 1, fragments_from);
            }
            _ => {
                let leaf: &&str = self.chance.one_of(&LEAVES);
                self.text.push_str(leaf);
                self.text.push(' ');
            }
        }
    }
}

/// A document made to hurt, about as large as documents may be, and larger.
pub(crate) fn hostile(chance: &mut Chance) -> String {
    let most = [5, 40, 400, 4_000][chance.below(4)];
    let many = 1 + chance.below(most);
    let nested = |open: &str, inside: &str, close: &str| format!("{}{inside}{}", open.repeat(many), close.repeat(many));
    let few = 1 + many % 30;
    match chance.below(16) {
        0 => format!("{{ a(x: {}) }}", nested("[", "1", "]")),
        1 => format!("{{ a(x: {}) }}", nested("{a:", "1", "}")),
        2 => format!("{{ a @include(if: {}) }}", nested("[", "", "")),
        3 => nested("{ a ", "", "}"),
        4 => format!("{{ {} }}", nested("... { ", "a", " }")),
        5 => format!("query($a: {}) {{ a }}", nested("[", "Int", "]")),
        6 => fan_out(1 + chance.below(40), few),
        7 => format!("{{ {} }}", numbered(many, |at| format!("a{at}: viewer {{ kind }} "))),
        8 => format!("{{ a {} }}", "@d(x: 1) ".repeat(many)),
        9 => format!("{{ a(x: {}) }}", "9".repeat(many)),
        10 => format!("{{ a(x: \"\"\"{}\"\"\") }}", "\\\"\"\" \" \"\" é\u{10ffff}".repeat(many)),
        11 => format!("{{ a(x: \"{}\") }}", "\\\\\\u12é".repeat(many)),
        12 => format!("{{ a }} # {}", "é}{\u{feff}".repeat(many)),
        13 => format!("{{ {} }}", "a".repeat(many)),
        14 => format!("query({}) {{ a }}", numbered(many, |at| format!("$v{at}: Int = 1 "))),
        _ => format!("{{ a(x: [{}]) }}", (*chance.one_of(&["null", "true", "1 ", "\"\"", "$a"])).repeat(many)),
    }
}

fn numbered(count: usize, part: impl Fn(usize) -> String) -> String {
    (0..count).map(part).collect()
}

/// Fragments of which each spreads the next one `width` times.
fn fan_out(width: usize, levels: usize) -> String {
    let mut document = String::from("{ ...F0 }");
    for level in 0..levels {
        let spreads = format!("...F{} ", level + 1).repeat(width);
        write!(document, " fragment F{level} on Query {{ {spreads}}}").unwrap();
    }
    write!(document, " fragment F{levels} on Query {{ version }}").unwrap();
    document
}
