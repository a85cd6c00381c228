//! Numbers of a selection set, and how those of a fragment add to those of its user.
//!
//! Sums and maxima only, all saturating: one [`Extent`] says everything about a fragment that its
//! spreads need, whatever it expands to. Introspection has depths of its own, and a fragment does
//! not know whether it is spread inside introspection, so both cases are kept.

/// Fields of introspection that may stand in a query, with everything below them.
const INTROSPECTION: [&str; 2] = ["__schema", "__type"];

/// Fields of introspection types that are lists. No field outside introspection has one of these names, which a test
/// holds the schema to: they are counted wherever they stand.
pub const SCHEMA_LISTS: [&str; 8] =
    ["types", "directives", "fields", "args", "inputFields", "enumValues", "interfaces", "possibleTypes"];

/// Those that lead to a list of types or fields, and so on to more lists.
const INTROSPECTION_LISTS: [&str; 4] = ["fields", "inputFields", "interfaces", "possibleTypes"];

/// Where a selection stands in its definition: what is above it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Selection sets around it, of fields and inline fragments.
    levels: usize,
    /// Fields above it that are not part of introspection.
    depth: usize,
    /// Fields above it from `__schema` or `__type` on; 0 outside introspection.
    introspection_depth: usize,
    /// Fields above it that have the name of an introspection list.
    lists: usize,
}

impl Place {
    /// The outermost selection set of a definition.
    pub(super) fn top() -> Self {
        Self { levels: 1, ..Self::default() }
    }

    /// The same place with one more selection set around it.
    pub(super) fn one_set_deeper(self) -> Self {
        Self { levels: self.levels.saturating_add(1), ..self }
    }

    /// The place below a field called `name` that stands here.
    fn below(self, name: &str) -> Self {
        let introspects = self.inside_introspection() || INTROSPECTION.contains(&name);
        let lists = usize::from(INTROSPECTION_LISTS.contains(&name));
        Self {
            levels: self.levels,
            depth: self.depth.saturating_add(usize::from(!introspects)),
            introspection_depth: self.introspection_depth.saturating_add(usize::from(introspects)),
            lists: self.lists.saturating_add(lists),
        }
    }

    fn inside_introspection(self) -> bool {
        self.introspection_depth > 0
    }

    /// Fields above it of either sort; none means that a field here is a root field.
    fn fields_above(self) -> usize {
        self.depth.saturating_add(self.introspection_depth)
    }
}

/// How much a selection set asks for. The unit of every number is in its name or its comment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Extent {
    /// Most selection sets on one path.
    pub(super) levels: usize,
    /// Most fields on one path outside introspection.
    pub(super) depth: usize,
    /// Most fields on one path from `__schema` or `__type` on.
    pub(super) introspection_depth: usize,
    /// Most fields on one path of either sort: the depth of a fragment spread in introspection.
    pub(super) depth_of_any: usize,
    /// Most introspection lists on one path.
    pub(super) lists: usize,
    /// Fields and spreads.
    pub(super) fields: usize,
    /// Tokens of the whole definition, its head included.
    pub(super) tokens: usize,
    /// Fields alone.
    pub(super) height: usize,
    /// Fields with an alias.
    pub(super) aliases: usize,
    /// Fields that no other field is above.
    pub(super) root_fields: usize,
    /// Fields `__schema` and `__type`.
    pub(super) introspections: usize,
    /// Fields of each name in [`SCHEMA_LISTS`].
    pub(super) schema_lists: [usize; SCHEMA_LISTS.len()],
}

impl Extent {
    /// Takes note of a selection set at `place`.
    pub(super) fn reach(&mut self, place: Place) {
        self.levels = self.levels.max(place.levels);
    }

    /// Adds a field that stands at `place`; gives the place below it.
    pub(super) fn add_field(&mut self, place: Place, name: &str, aliased: bool) -> Place {
        let below = place.below(name);
        let is_root = place.fields_above() == 0;
        self.depth = self.depth.max(below.depth);
        self.introspection_depth = self.introspection_depth.max(below.introspection_depth);
        self.depth_of_any = self.depth_of_any.max(below.fields_above());
        self.lists = self.lists.max(below.lists);
        self.fields = self.fields.saturating_add(1);
        self.height = self.height.saturating_add(1);
        self.aliases = self.aliases.saturating_add(usize::from(aliased));
        self.root_fields = self.root_fields.saturating_add(usize::from(is_root));
        let introspects = usize::from(INTROSPECTION.contains(&name));
        self.introspections = self.introspections.saturating_add(introspects);
        for (count, _list) in self.schema_lists.iter_mut().zip(SCHEMA_LISTS).filter(|(_, list)| *list == name) {
            *count = count.saturating_add(1);
        }
        below
    }

    /// Adds a spread as such, without what its fragment holds.
    pub(super) fn add_spread(&mut self) {
        self.fields = self.fields.saturating_add(1);
    }

    /// Adds what `fragment` holds, written out at `place`.
    pub(super) fn add_fragment(&mut self, place: Place, fragment: &Self) {
        self.levels = self.levels.max(place.levels.saturating_add(fragment.levels));
        self.lists = self.lists.max(place.lists.saturating_add(fragment.lists));
        let depth_of_any = place.fields_above().saturating_add(fragment.depth_of_any);
        self.depth_of_any = self.depth_of_any.max(depth_of_any);
        if place.inside_introspection() {
            let depth = place.introspection_depth.saturating_add(fragment.depth_of_any);
            self.introspection_depth = self.introspection_depth.max(depth);
        } else {
            self.depth = self.depth.max(place.depth.saturating_add(fragment.depth));
            self.introspection_depth = self.introspection_depth.max(fragment.introspection_depth);
        }
        if place.fields_above() == 0 {
            self.root_fields = self.root_fields.saturating_add(fragment.root_fields);
        }
        self.add_sums(fragment);
    }

    /// Adds the numbers that grow with every field, wherever it stands.
    pub(super) fn add_sums(&mut self, other: &Self) {
        self.fields = self.fields.saturating_add(other.fields);
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.height = self.height.saturating_add(other.height);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.introspections = self.introspections.saturating_add(other.introspections);
        for (count, more) in self.schema_lists.iter_mut().zip(other.schema_lists) {
            *count = count.saturating_add(more);
        }
    }
}
