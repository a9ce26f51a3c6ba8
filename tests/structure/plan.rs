//! Which file imports which, read from the sources as the compiler would.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};
use syn::{Attribute, Ident, Item, UseTree};

/// One crate: the file of its root, and the name that other crates know it by.
const CRATES: [(&str, &str); 3] = [
    ("src/lib.rs", "crosspoint"),
    ("src/bin/crosspoint/main.rs", "crosspoint_tool"),
    ("src/bin/crosspoint-simulator/main.rs", "crosspoint_simulator"),
];

/// A module's path, its crate's name first.
type Module = Vec<String>;

/// The files of all crates, and what they take from each other.
#[derive(Default)]
pub(crate) struct Plan {
    files: Vec<PathBuf>,
    modules: BTreeMap<Module, Content>,
    /// Names that the first file takes from the second.
    arrows: BTreeMap<(usize, usize), BTreeSet<String>>,
}

/// What one module's source says.
#[derive(Default)]
struct Content {
    file: usize,
    /// Names that `use` binds, with the paths that they stand for.
    bound: BTreeMap<String, Vec<String>>,
    /// Modules all names of which are taken.
    globs: Vec<Vec<String>>,
    /// Paths in code.
    paths: BTreeSet<Vec<String>>,
}

impl Plan {
    pub(crate) fn read() -> Self {
        let mut plan = Self::default();
        for (root, name) in CRATES {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(root);
            plan.module(vec![name.to_owned()], &root, &|path| {
                std::fs::read_to_string(path).ok()
            });
        }
        plan.connect();
        plan
    }

    pub(crate) fn of(sources: &[(&str, &str)]) -> Self {
        let sources: BTreeMap<&Path, &str> = sources
            .iter()
            .map(|(name, text)| (Path::new(*name), *text))
            .collect();
        let mut plan = Self::default();
        let read = |path: &Path| sources.get(path).map(|text| (*text).to_owned());
        plan.module(vec!["crosspoint".to_owned()], Path::new("lib.rs"), &read);
        plan.connect();
        plan
    }

    pub(crate) fn name(&self, file: usize) -> String {
        let path = self.files.get(file).unwrap();
        let path = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(path);
        path.display().to_string()
    }

    /// Reads a file, and the files of the modules that it declares.
    fn module(&mut self, module: Module, path: &Path, read: &dyn Fn(&Path) -> Option<String>) {
        let text = read(path).unwrap_or_else(|| panic!("{} cannot be read", path.display()));
        let source = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let file = self.files.len();
        self.files.push(path.to_owned());
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let folder = match stem {
            "mod" | "lib" | "main" => path.parent().unwrap().to_owned(),
            stem => path.with_file_name(stem),
        };
        self.items(&module, file, source.items, &folder, read);
    }

    fn items(
        &mut self,
        module: &Module,
        file: usize,
        items: Vec<Item>,
        folder: &Path,
        read: &dyn Fn(&Path) -> Option<String>,
    ) {
        let mut content = Content {
            file,
            ..Content::default()
        };
        for item in items {
            match item {
                item if is_test(&item) => {}
                Item::Use(item) => content.bind(&item.tree, &mut Vec::new()),
                Item::Mod(item) => {
                    let name = item.ident.to_string();
                    let inner = [module.as_slice(), std::slice::from_ref(&name)].concat();
                    if let Some((_, items)) = item.content {
                        self.items(&inner, file, items, &folder.join(&name), read);
                    } else {
                        let flat = folder.join(format!("{name}.rs"));
                        let path = if read(&flat).is_some() {
                            flat
                        } else {
                            folder.join(&name).join("mod.rs")
                        };
                        self.module(inner, &path, read);
                    }
                }
                item => content.visit_item(&item),
            }
        }
        self.modules.insert(module.clone(), content);
    }

    /// Draws the arrows.
    fn connect(&mut self) {
        let mut arrows: BTreeMap<(usize, usize), BTreeSet<String>> = BTreeMap::new();
        for (module, content) in &self.modules {
            let paths = content.bound.values().chain(&content.globs).chain(&content.paths);
            for path in paths {
                let Some((file, name)) = self.resolve(module, path, 0) else {
                    continue;
                };
                if file != content.file && !self.is_part(file, content.file) {
                    arrows.entry((content.file, file)).or_default().insert(name);
                }
            }
        }
        self.arrows = arrows;
    }

    /// Whether a file holds a part of the module of another.
    fn is_part(&self, part: usize, whole: usize) -> bool {
        let of = |file| {
            self.modules
                .iter()
                .find(|(_, content)| content.file == file)
                .map(|(module, _)| module)
        };
        matches!((of(part), of(whole)), (Some(part), Some(whole)) if part.starts_with(whole))
    }

    /// The file that defines what a path names, and the name; nothing where that is a module, or is not ours.
    fn resolve(&self, from: &Module, path: &[String], depth: usize) -> Option<(usize, String)> {
        let (mut at, mut rest) = self.start(from, path, depth)?;
        while let Some((first, behind)) = rest.split_first() {
            let deeper = [at.as_slice(), std::slice::from_ref(first)].concat();
            if self.modules.contains_key(&deeper) {
                (at, rest) = (deeper, behind.to_vec());
                continue;
            }
            let content = self.modules.get(&at)?;
            if depth < 8 {
                if let Some(target) = content.bound.get(first) {
                    let whole = [target.as_slice(), behind].concat();
                    return self.resolve(&at, &whole, depth + 1);
                }
                let found = content.globs.iter().find_map(|glob| {
                    let whole = [glob.as_slice(), &rest].concat();
                    self.resolve(&at, &whole, depth + 1)
                        .filter(|(file, _)| *file != content.file)
                });
                if found.is_some() {
                    return found;
                }
            }
            return Some((content.file, first.clone()));
        }
        None
    }

    /// The module where a path begins, and what of the path is behind it.
    fn start(&self, from: &Module, path: &[String], depth: usize) -> Option<(Module, Vec<String>)> {
        let (first, mut rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => from.get(..1)?.to_vec(),
            "self" => from.clone(),
            "super" => from.get(..from.len() - 1)?.to_vec(),
            "crosspoint" => vec!["crosspoint".to_owned()],
            name => {
                let child = [from.as_slice(), &[name.to_owned()]].concat();
                if self.modules.contains_key(&child) {
                    child
                } else {
                    let target = self.modules.get(from)?.bound.get(name).filter(|_| depth < 8)?;
                    if target.first() == path.first() && target.len() == 1 {
                        return None;
                    }
                    let (at, behind) = self.start(from, target, depth + 1)?;
                    return Some((at, [behind.as_slice(), rest].concat()));
                }
            }
        };
        while rest.first().is_some_and(|name| name == "super") {
            at.pop();
            rest = rest.get(1..)?;
        }
        Some((at, rest.to_vec()))
    }

    /// Imports of a dialect's file from the folder of another, where that is not the shared one.
    pub(crate) fn meetings(&self) -> Vec<String> {
        let meet = |(from, to): &(usize, usize)| {
            let (from, to) = (self.dialect(*from)?, self.dialect(*to)?);
            Some(from != to && to != "shared")
        };
        self.arrows
            .keys()
            .filter(|arrow| meet(arrow) == Some(true))
            .filter_map(|(from, to)| self.arrow(*from, *to))
            .collect()
    }

    /// One arrow, with the names on it.
    pub(crate) fn arrow(&self, from: usize, to: usize) -> Option<String> {
        let names: Vec<&str> = self.arrows.get(&(from, to))?.iter().map(String::as_str).collect();
        Some(format!(
            "{} -> {}: {}",
            self.name(from),
            self.name(to),
            names.join(", ")
        ))
    }

    /// The folder of the dialect that a file belongs to.
    fn dialect(&self, file: usize) -> Option<String> {
        let name = self.name(file);
        let (_, inside) = name.split_once("dialect/")?;
        let (folder, _) = inside.split_once('/')?;
        Some(folder.to_owned())
    }

    /// Files that reach each other, the largest circle first.
    pub(crate) fn circles(&self) -> Vec<Vec<usize>> {
        let count = self.files.len();
        let reach: Vec<BTreeSet<usize>> = (0..count).map(|from| self.reached(from)).collect();
        let reaches = |from: usize, to: usize| reach.get(from).is_some_and(|all| all.contains(&to));
        let mut done = BTreeSet::new();
        let mut circles: Vec<Vec<usize>> = Vec::new();
        for from in 0..count {
            if reaches(from, from) && !done.contains(&from) {
                let circle: Vec<usize> = (0..count)
                    .filter(|to| reaches(from, *to) && reaches(*to, from))
                    .collect();
                done.extend(circle.iter().copied());
                circles.push(circle);
            }
        }
        circles.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
        circles
    }

    fn reached(&self, from: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut open = vec![from];
        while let Some(at) = open.pop() {
            for (_, to) in self.arrows.range((at, 0)..(at + 1, 0)).map(|(arrow, _)| arrow) {
                if found.insert(*to) {
                    open.push(*to);
                }
            }
        }
        found
    }
}

impl Content {
    fn bind(&mut self, tree: &UseTree, before: &mut Vec<String>) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.bind(&path.tree, before);
                before.pop();
            }
            UseTree::Name(name) => self.bind_one(&name.ident, &name.ident, before),
            UseTree::Rename(name) => self.bind_one(&name.ident, &name.rename, before),
            UseTree::Glob(_) => self.globs.push(before.clone()),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.bind(tree, before);
                }
            }
        }
    }

    fn bind_one(&mut self, name: &Ident, bound: &Ident, before: &[String]) {
        let mut path = before.to_vec();
        if name != "self" {
            path.push(name.to_string());
        }
        let bound = if bound == "self" {
            path.last().cloned().unwrap()
        } else {
            bound.to_string()
        };
        self.bound.insert(bound, path);
    }

    /// Notes the paths in a macro's input, which nobody parses.
    fn tokens(&mut self, tokens: proc_macro2::TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                proc_macro2::TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.note(std::mem::take(&mut path));
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                proc_macro2::TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                proc_macro2::TokenTree::Group(group) => {
                    self.note(std::mem::take(&mut path));
                    self.tokens(group.stream());
                    colons = 0;
                }
                _ => {
                    self.note(std::mem::take(&mut path));
                    colons = 0;
                }
            }
        }
        self.note(path);
    }

    fn note(&mut self, path: Vec<String>) {
        if path.len() > 1 {
            self.paths.insert(path);
        }
    }
}

impl<'ast> Visit<'ast> for Content {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test(item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.note(
            path.segments
                .iter()
                .map(|segment| segment.ident.to_string())
                .collect(),
        );
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        self.tokens(mac.tokens.clone());
        visit::visit_macro(self, mac);
    }
}

fn is_test(item: &Item) -> bool {
    let attributes: &[Attribute] = match item {
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Const(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        _ => &[],
    };
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .meta
                .require_list()
                .is_ok_and(|list| list.tokens.to_string() == "test")
    })
}
